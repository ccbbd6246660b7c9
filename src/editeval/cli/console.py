"""Signals that ask a command to end: Ctrl-C, `kill`, and a terminal that is closed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from editeval.text import shell_line

if TYPE_CHECKING:
    from rich.console import Console

    from editeval.run.scheduler import Interrupt

USAGE, INCOMPLETE = 2, 3
EXIT_CODES = """exit codes:
  0    every wanted sample is scored
  1    internal error
  2    usage, configuration, benchmark or this machine: one line says how to fix it
  3    finished, but some samples failed or could not be scored; a judge that is not certified; a cluster that was lost
  130  interrupted (143: terminated, 129: its terminal was closed); the same command continues
"""


def print_error(message: object) -> int:
    """One line on stderr, without secrets and control characters; the exit code that goes with it."""
    from editeval.redaction import redacted
    from editeval.text import one_line

    sys.stderr.write(f"editeval: {one_line(redacted(str(message)))}\n")
    return USAGE


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """While inside, the first of ENDING finishes what runs, the second one stops."""
    from editeval.run.scheduler import Interrupt

    interrupt = Interrupt()

    def on_signal(signum: int, _: Any) -> None:
        leave_closed_terminal()
        if interrupt.signum is None:
            sys.stderr.write("\nFinishing what is running; once more stops at once.\n")
        interrupt.request(signum)

    with _handled(on_signal):
        yield interrupt


@contextmanager
def stoppable() -> Iterator[None]:
    """While inside, any of ENDING raises KeyboardInterrupt, whose argument is its number."""

    def on_signal(signum: int, _: Any) -> None:
        leave_closed_terminal()
        raise KeyboardInterrupt(signum)

    with _handled(on_signal):
        yield


def leave_closed_terminal() -> None:
    """Output whose terminal has been closed goes nowhere from now on: writing there would end the run with an error."""
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"")
        except OSError as error:
            if error.errno == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


@contextmanager
def _handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """While inside, `handler` hears of ENDING, but not of a SIGHUP that was ignored before: `nohup` means it."""
    heard = [s for s in ENDING if s != signal.SIGHUP or signal.getsignal(s) != signal.SIG_IGN]
    before = {s: signal.signal(s, handler) for s in heard}
    try:
        yield
    finally:
        for signum, earlier in before.items():
            signal.signal(signum, earlier)


PIPE_WIDTH = 140


def result_console() -> Console:
    """A console on stdout; into a pipe or a file it is PIPE_WIDTH columns wide, unless COLUMNS says otherwise."""
    from rich.console import Console

    class PatientConsole(Console):
        """A reader that leaves early (`| head`) is told no more; the exit code stays that of the command."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    is_free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return PatientConsole(width=PIPE_WIDTH) if is_free else PatientConsole()


def continuing(argv: Sequence[str]) -> str:
    """The command that carries on what `argv` began, for a shell: not with --fresh, which would begin again."""
    return shell_line(word for word in argv if word != "--fresh")
