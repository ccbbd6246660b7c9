"""The command line. Every command imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from editeval.cli.arguments import Parser
from editeval.cli.console import EXIT_CODES, print_error
from editeval.cli.parser import add_run_flags, build_parser, start_run


def main(argv: Sequence[str] | None = None) -> None:
    """Entry of `editeval`; ends the process with one of EXIT_CODES."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = build_parser().parse_args(arguments)
    sys.exit(_guarded(options, ["editeval", *arguments]))


def legacy_main(argv: Sequence[str]) -> None:
    """Entry of `python main.py [--config X] [flags]`: the same as `editeval run X [flags]`."""
    options = build_legacy_parser().parse_args(list(argv))
    options.command = start_run
    sys.exit(_guarded(options, ["python", "main.py", *argv]))


def build_legacy_parser() -> Parser:
    """The command line of main.py."""
    parser = Parser(prog="main.py", description="The same as `editeval run CONFIG`.", epilog=EXIT_CODES)
    parser.add_argument(
        "--config", default="config.yaml", metavar="CONFIG", help="configuration (default: config.yaml)"
    )
    add_run_flags(parser)
    return parser


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
        return int(options.command(options))
    except UserError as error:
        if getattr(options, "debug", False):
            raise
        for part in error.parts:
            print_error(part)
        return error.exit_code
    except EditevalError as error:
        return print_error(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing to tell any more
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
        from editeval.cli.console import continuing

        sys.stderr.write(f"\nStopped. To continue: {continuing(argv)}\n")
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
