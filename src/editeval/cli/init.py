"""`editeval init` and `editeval completion`: what is written before the first run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from editeval.config.starter import save_new, starter
from editeval.errors import MachineError
from editeval.machine.versions import to_install
from editeval.text import shell_line


def init(options: argparse.Namespace) -> int:
    """Write a commented configuration that was not there, and say what to type next."""
    words = {"model": options.named_model, "judge": options.named_judge, "benchmark": options.benchmark}
    words |= {"data": options.data, "gpus": options.gpus}
    save_new(Path(options.file), starter(options.file, words))
    sys.stdout.write(f"Wrote {options.file}. Next: editeval check {shell_line([options.file])}\n")
    return 0


def completion(options: argparse.Namespace) -> int:
    """Print what makes the shell complete commands, flags and files."""
    try:
        import shtab
    except ImportError as error:
        raise MachineError(f"completion: needs the package shtab ({error}): {to_install('completion')}") from error
    from editeval.cli.parser import build_parser

    parser = build_parser()
    for command in parser.commands():
        for action in command._actions:
            if action.metavar in ("CONFIG", "FILE", "PATH", "FOLDER", "DIR", "RUN", "OLD", "NEW"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
    sys.stdout.write(f"{shtab.complete(parser, options.shell)}\n")
    return 0
