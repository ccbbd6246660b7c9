"""Entry points. A command's module is imported when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TextIO

from editeval.cli.console import continuing, print_error
from editeval.cli.parser import build_legacy_parser, build_parser


def main(argv: Sequence[str] | None = None) -> None:
    """Entry of `editeval`; ends the process with one of EXIT_CODES."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(_ended(build_parser, arguments, ["editeval", *arguments]))


def legacy_main(argv: Sequence[str]) -> None:
    """Entry of `python main.py [--config X] [flags]`: the same as `editeval run X [flags]`."""
    sys.exit(_ended(build_legacy_parser, list(argv), ["python", "main.py", *argv]))


def _ended(build: Callable[[], argparse.ArgumentParser], arguments: list[str], argv: list[str]) -> int:
    """The exit code. Output that cannot be written (a full disk) is one line; output that is closed goes nowhere."""
    _open_streams()
    _have_home()
    try:
        try:
            code = _guarded(build().parse_args(arguments), argv)
        except SystemExit as ended:  # of --help and of a mistake in the arguments
            code = ended.code if isinstance(ended.code, int) else 0
        sys.stdout.flush()
        return code
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        _lead_nowhere(sys.stdout)
        is_pipe = error.errno == errno.EPIPE  # the reader left: nothing more to say
        return 0 if is_pipe else print_error(f"the output cannot be written: {error.strerror}; free some space")
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _lead_nowhere(sys.stderr)


_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def _open_streams() -> None:
    """Standard input, output and error are open, if to nowhere: no file of a run may get the number of one of them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _have_home() -> None:
    """A user without a name and HOME, as in some containers, has a home in which nothing is and nothing can be."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull


def _lead_nowhere(stream: TextIO) -> None:
    """What waits to be written to `stream` is dropped: writing it as the process ends would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _guarded(options: argparse.Namespace, argv: list[str]) -> int:
    """The exit code of the command; a UserError becomes one line for each mistake, as does one in a user's plug-in."""
    from editeval import plugin_errors
    from editeval.errors import EditevalError, UserError
    from editeval.redaction import guard_tracebacks

    guard_tracebacks()
    options.argv = argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever a data set is called, it can be printed
    try:
        command = getattr(import_module(f"editeval.cli.{options.module}"), options.command)
        return int(command(options))
    except UserError as error:
        if getattr(options, "debug", False):
            raise
        for part in error.parts:
            print_error(part)
        return error.exit_code
    except EditevalError as error:
        return print_error(error)
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        if line := plugin_errors.blamed(error):
            hint = "; --debug shows its traceback" if hasattr(options, "debug") else ""
            return print_error(f"{line}{hint}")
        name = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
        if name.partition(".")[0] in ("", "editeval"):
            raise
        return print_error(
            f"the package {name!r} is not installed for {sys.executable}; in a checkout `make demo` "
            "sets up .venv: `source .venv/bin/activate` and try again"
        )
    except KeyboardInterrupt as stop:
        with suppress(OSError):
            sys.stderr.write(f"\nStopped. To continue: {continuing(argv)}\n")
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
