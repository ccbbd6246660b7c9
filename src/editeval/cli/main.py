"""Entry points. A command's module is imported when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from editeval.cli.console import continuing, print_error
from editeval.cli.parser import build_legacy_parser, build_parser


def main(argv: Sequence[str] | None = None) -> None:
    """Entry of `editeval`; ends the process with one of EXIT_CODES."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = build_parser().parse_args(arguments)
    sys.exit(_guarded(options, ["editeval", *arguments]))


def legacy_main(argv: Sequence[str]) -> None:
    """Entry of `python main.py [--config X] [flags]`: the same as `editeval run X [flags]`."""
    options = build_legacy_parser().parse_args(list(argv))
    sys.exit(_guarded(options, ["python", "main.py", *argv]))


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
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing more to say
        return 0
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
        sys.stderr.write(f"\nStopped. To continue: {continuing(argv)}\n")
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
