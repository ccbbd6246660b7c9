"""What commands share: the options that several read, what they print, and the signals that ask them to end."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from editeval.text import FINISHING, one_line, shell_line

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from rich.console import Console

    from editeval.config.load import Overrides
    from editeval.run.scheduler import Interrupt

USAGE = 2
REGRESSED = 4
PIPE_WIDTH = 140
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_CODES = """exit codes:
  0    every wanted sample is scored
  1    internal error
  2    usage, configuration, benchmark or this machine: one line says how to fix it
  3    finished, but some samples failed or could not be scored; a judge that is not certified; a cluster that was lost
  4    a decision went against the run: worse than the margin allows, or a gate that it failed
  130  interrupted (143: terminated, 129: its terminal was closed); the same command continues
"""


def print_error(message: object) -> int:
    """One line on stderr, without secrets and control characters; the exit code that goes with it."""
    from editeval.redaction import redacted

    with suppress(OSError):  # nobody can be told
        sys.stderr.write(f"editeval: {one_line(redacted(str(message)))}\n")
    return USAGE


def run_dirs(options: argparse.Namespace) -> list[Path]:
    """The directories that RUN means, where the command takes several or one."""
    from pathlib import Path

    from editeval.run.index import find_run

    words = options.runs if hasattr(options, "runs") else [options.run]
    return [find_run(word, Path(options.output_dir)) for word in words]


def overrides_of(options: argparse.Namespace) -> Overrides:
    """What the flags say over the file."""
    from editeval.config.load import Overrides

    categories = words(options.categories)
    return Overrides(
        sets=(*options.set, *(("logging.level=DEBUG",) if options.debug else ())),
        model=getattr(options, "named_model", None),
        judge=getattr(options, "named_judge", None),
        benchmark=options.benchmark,
        data=options.data,
        categories=("",) if categories == () else categories,  # an empty shell variable does not mean all
        limit=options.limit,
        first=options.first,
        samples=tuple(options.sample) if options.sample else None,
        name=getattr(options, "name", None),
        output_dir=options.output_dir,
        device_ids=words(options.device_ids),
        seed=options.seed,
        num_seeds=getattr(options, "num_seeds", None),
    )


def add_step_summary(markdown: Callable[[], str]) -> None:
    """Appends Markdown to what GitHub Actions shows of a step; elsewhere there is no such variable."""
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    try:
        with open(place, "a", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  pathlib is slow to import
            file.write(markdown() + "\n")
    except OSError as error:
        sys.stderr.write(f"GITHUB_STEP_SUMMARY: {error.strerror or error}; the result itself is there\n")


def words(values: Sequence[str] | None) -> tuple[str, ...] | None:
    """Words from `a b` and `a,b` alike."""
    if values is None:
        return None
    return tuple(word for value in values for word in value.split(",") if word)


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """While inside, the first of ENDING finishes what runs, the second one stops."""
    from editeval.run.scheduler import Interrupt

    interrupt = Interrupt()

    def on_signal(signum: int, _: FrameType | None) -> None:
        leave_closed_terminal()
        # Past every buffer and lock: this thread may hold one just now. A live display says it in its next frame.
        if interrupt.signum is None and sys.stderr is sys.__stderr__:
            with suppress(OSError):
                os.write(2, f"\n{FINISHING}\n".encode())
        interrupt.request(signum)

    with _handled(on_signal):
        yield interrupt


@contextmanager
def stoppable() -> Iterator[None]:
    """While inside, any of ENDING raises KeyboardInterrupt, whose argument is its number."""

    def on_signal(signum: int, _: FrameType | None) -> None:
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
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """While inside, `handler` gets ENDING, but not a SIGHUP that was ignored before: `nohup` means it."""
    caught = [s for s in ENDING if s != signal.SIGHUP or signal.getsignal(s) != signal.SIG_IGN]
    before = {s: signal.signal(s, handler) for s in caught}
    try:
        yield
    finally:
        for signum, earlier in before.items():
            signal.signal(signum, earlier)


def result_console() -> Console:
    """A console on stdout; into a pipe or a file it is PIPE_WIDTH columns wide, unless COLUMNS says otherwise."""
    from rich.console import Console

    class PatientConsole(Console):
        """A reader that leaves early (`| head`) gets no more; the exit code stays that of the command."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    is_free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return PatientConsole(width=PIPE_WIDTH) if is_free else PatientConsole()


def continuing(argv: Sequence[str]) -> str:
    """The command that carries on what `argv` began, for a shell: not with --fresh, which would begin again."""
    return shell_line(word for word in argv if word != "--fresh")
