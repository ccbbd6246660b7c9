"""The console that results are printed to: as wide as the terminal, or as the tables where there is none."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

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
