"""Signals that ask a command to end: Ctrl-C, `kill`, and a terminal that is closed."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from editeval.stages.interrupt import Interrupt

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """While inside, the first of ENDING finishes what runs, the second one stops."""
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
