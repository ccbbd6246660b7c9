"""The console that results are printed to, and the commands that people are told to type next."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from editeval.text import shell_line

if TYPE_CHECKING:
    from rich.console import Console

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
    """The command that carries on what `argv` began, for a shell: not with --fresh, which would begin anew."""
    return shell_line(word for word in argv if word != "--fresh")
