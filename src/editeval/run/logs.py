"""The log file of a run, beside its ledger."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from editeval.config.schema import Logging
from editeval.errors import MachineError
from editeval.redaction import redacted
from editeval.text import one_line

log = logging.getLogger("editeval")


@contextmanager
def logs(settings: Logging, terminal: logging.Handler | None = None) -> Iterator[None]:
    """While inside, what editeval says goes to its log file and, if wanted, to `terminal`; contract lines as is."""
    try:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        handlers: list[logging.Handler] = [_LogFile(settings.log_file, encoding="utf-8")]
    except OSError as error:
        where = f"logging.log_file: {settings.log_file}: {error.strerror or error}"
        raise MachineError(f"{where}; set evaluation.output_dir (--output-dir) to a place you can write to") from error
    if settings.console_output and terminal is not None:
        handlers.append(terminal)
    for handler in handlers:
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
    before, log.propagate = log.propagate, False
    log.setLevel(settings.level)
    try:
        yield
    finally:
        log.propagate = before
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


class _LogFile(logging.FileHandler):
    """A log file that a full disk cannot make more important than the run: it is said once, and the run goes on."""

    _is_broken = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._tell(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._is_broken:
            self._is_broken = True
            sys.stderr.write(f"{self.baseFilename}: {error.strerror or error}; the log is incomplete, the run is not\n")


class _Formatter(logging.Formatter):
    """Contract lines as they are; everything else on one line that cannot steer a terminal, whatever an id holds."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if getattr(record, "verbatim", False):
            return message
        record = copy.copy(record)
        record.msg, record.args = one_line(redacted(message)), ()
        return super().format(record)
