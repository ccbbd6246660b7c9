"""The command line. Every command imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from editeval.commands import looking, migrate, rejudging

if TYPE_CHECKING:
    from pathlib import Path

    from editeval.config.load import Overrides
    from editeval.config.schema import Config

USAGE, INCOMPLETE = 2, 3
EXIT_CODES = """exit codes:
  0    every wanted sample is scored
  1    internal error
  2    usage, configuration, benchmark or this machine: one line says what to mend
  3    finished, but some samples failed or could not be scored; a judge that is not certified; a cluster that was lost
  130  interrupted (143: terminated, 129: its terminal was closed); the same command continues
"""


class Parser(argparse.ArgumentParser):
    """argparse that suggests the flag you meant, and never guesses one from its beginning."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def error(self, message: str) -> NoReturn:
        hint = ""
        if message.startswith("unrecognized arguments:"):
            wrong = message.split()[2].partition("=")[0]
            close = difflib.get_close_matches(wrong, self.known_flags(), n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; see `{self.prog} --help`"
            if wrong in close:
                hint = "; this command does not take it: see its --help"
        elif "invalid choice:" in message:
            wrong, *choices = re.findall("'([^']*)'", message)
            close = difflib.get_close_matches(wrong, choices, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
        else:
            hint = f"; see `{self.prog} --help`"
        _complain(f"{message}{hint}")
        sys.exit(USAGE)

    def known_flags(self) -> list[str]:
        """Every flag of this parser and its commands."""
        flags: list[str] = []
        for action in self._actions:
            flags += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    flags += parser.known_flags()
        return flags


def main(argv: Sequence[str] | None = None) -> None:
    """Entry of `editeval`; ends the process with one of EXIT_CODES."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = build_parser().parse_args(arguments)
    sys.exit(_guarded(options, ["editeval", *arguments]))


def legacy_main(argv: Sequence[str]) -> None:
    """Entry of `python main.py [--config X] [flags]`: the same as `editeval run X [flags]`."""
    options = build_legacy_parser().parse_args(list(argv))
    options.command = _run
    sys.exit(_guarded(options, ["python", "main.py", *argv]))


def build_legacy_parser() -> Parser:
    """The command line of main.py."""
    parser = Parser(prog="main.py", description="The same as `editeval run CONFIG`.", epilog=EXIT_CODES)
    parser.add_argument(
        "--config", default="config.yaml", metavar="CONFIG", help="configuration (default: config.yaml)"
    )
    _add_run_flags(parser)
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
            _complain(part)
        return error.exit_code
    except EditevalError as error:
        return _complain(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing to tell any more
        return 0
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        if line := plugin_errors.blamed(error):
            hint = "; --debug shows its traceback" if hasattr(options, "debug") else ""
            return _complain(f"{line}{hint}")
        name = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
        if name.partition(".")[0] in ("", "editeval"):
            raise
        return _complain(
            f"the package {name!r} is not installed for {sys.executable}; in a checkout `make demo` "
            "sets up .venv: `source .venv/bin/activate` and try again"
        )
    except KeyboardInterrupt as stop:
        from editeval.commands.console import continuing

        sys.stderr.write(f"\nStopped. To continue: {continuing(argv)}\n")
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)


def _complain(message: object) -> int:
    """One line on stderr, without secrets and control characters; the exit code that goes with it."""
    from editeval.errors import one_line
    from editeval.redaction import redacted

    sys.stderr.write(f"editeval: {one_line(redacted(str(message)))}\n")
    return USAGE


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="editeval",
        description="Evaluate instruction-based image-editing models on every GPU, with numbers that can be trusted.",
        epilog="example:\n  editeval run config.yaml --limit 10\n\n" + EXIT_CODES,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    run = commands.add_parser("run", help="edit, judge and report; the same command again continues", epilog=EXIT_CODES)
    run.add_argument("config", nargs="?", default="config.yaml", metavar="CONFIG", help="default: config.yaml")
    _add_run_flags(run)
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="is this configuration sound? starts nothing")
    check.add_argument("config", nargs="?", default="config.yaml", metavar="CONFIG")
    _add_config_flags(check)
    check.set_defaults(command=_check)

    migrate.add_command(commands)
    looking.add_commands(commands)
    report = commands.add_parser("report", help="write a run's reports anew and print its table")
    looking.add_run_argument(report)
    rejudging.add_scores_flag(report, "what the run shows from now on, the headline's first; default: as before")
    report.add_argument("--allow-code", action="store_true", help="a `type` that is a file or a module may be run")
    report.add_argument("--embed", metavar="FILE", help="also write everything but full-size pictures into one file")
    report.set_defaults(command=_report)

    retry = commands.add_parser("retry", help="try again what failed in a run, and only that", epilog=EXIT_CODES)
    looking.add_run_argument(retry)
    retry.add_argument(
        "--only", default="", metavar="REASON,...", help="only these reasons: oom,timeout,parse,crash,..."
    )
    retry.add_argument("--allow-code", action="store_true", help="a `type` that is a file or a module may be run")
    retry.add_argument("--debug", action="store_true", help="errors keep their traceback")
    _add_display_flag(retry)
    retry.set_defaults(command=_retry)

    verify = commands.add_parser("verify", help="hash every image again; compare ledger, files, reports, inputs")
    looking.add_run_argument(verify)
    verify.add_argument("--repair", action="store_true", help="mend what is provably mendable")
    verify.add_argument("--allow-code", action="store_true", help="a `type` that is a file or a module may be run")
    verify.set_defaults(command=_verify)

    doctor = commands.add_parser("doctor", help="this machine: devices, libraries, caches, disks, bad combinations")
    doctor.add_argument("--output-dir", default="outputs", metavar="DIR", help="whose disk is looked at")
    doctor.add_argument("--json", action="store_true", help="machine-readable")
    doctor.set_defaults(command=_doctor)

    listing = commands.add_parser("list", help="what can be named in a configuration")
    listing.add_argument("what", choices=("editors", "judges", "benchmarks", "policies"))
    listing.set_defaults(command=_list)

    _add_certify(commands)
    rejudging.add_score(commands, _add_display_flag)
    rejudging.add_reparse(commands)
    looking.add_simulate(commands)
    return parser


def _add_config_flags(parser: argparse.ArgumentParser) -> None:
    group = _add_stage_flags(parser, "editor and judges")
    group.add_argument("--categories", nargs="+", metavar="NAME", help="only these (also comma-separated)")
    group.add_argument("--limit", type=int, metavar="N", help="only N samples, drawn evenly over the categories")
    group.add_argument("--first", type=int, metavar="N", help="only the first N samples")
    group.add_argument("--sample", action="append", metavar="ID", help="only these ids (* and ? match); repeatable")


def _add_stage_flags(parser: argparse.ArgumentParser, stages: str) -> argparse._ArgumentGroup:
    """What can be said of `stages` without a word about samples."""
    group = parser.add_argument_group("configuration (flag > --set > EDITEVAL_* > file > default)")
    group.add_argument("--set", action="append", default=[], metavar="A.B=C", help="one value, as YAML; repeatable")
    group.add_argument("--output-dir", metavar="DIR", help="where runs and logs go (default: outputs)")
    group.add_argument("--device-ids", nargs="+", metavar="ID", help=f"GPU numbers or cpu, of {stages}")
    group.add_argument("--seed", type=int, metavar="N", help=f"base seed of {stages}")
    group.add_argument("--allow-code", action="store_true", help="a `type` that is a file or a module may be run")
    group.add_argument("--debug", action="store_true", help="log everything; errors keep their traceback")
    return group


def _add_run_flags(parser: argparse.ArgumentParser) -> None:
    _add_config_flags(parser)
    group = parser.add_argument_group("run")
    group.add_argument("--dry-run", action="store_true", help="print the full plan; load no model, write nothing")
    group.add_argument("--fresh", action="store_true", help="start a new run directory; deletes nothing")
    group.add_argument("--resume", action="store_true", help="the default anyway; not with --fresh")
    _add_display_flag(group)


def _add_display_flag(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--display",
        choices=("auto", "live", "plain", "json", "none"),
        default="auto",
        help="while it runs: auto is live on a terminal, else plain; json: an event per line on stdout",
    )


def _add_certify(commands: argparse._SubParsersAction[Parser]) -> None:
    certify = commands.add_parser("certify", help="how far can this judge be trusted? needs no editor and no data")
    certify.add_argument("config", nargs="?", default="config.yaml", metavar="CONFIG", help="whose judge")
    certify.add_argument("--num-items", type=int, default=60, metavar="N", help="samples shown, at least 30")
    certify.add_argument("--judge", metavar="NAME", help="of several judges, this one alone")
    certify.add_argument("--json", action="store_true", help="machine-readable")
    _add_stage_flags(certify, "the judges")
    certify.set_defaults(command=_certify, categories=None, limit=None, first=None, sample=None)


class _Version(argparse.Action):
    def __call__(self, *_: object, **__: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"editeval {version('editeval')}\n")
        sys.exit(0)


def _run(options: argparse.Namespace) -> int:
    from editeval.commands import run

    return run.run(run.configuration(*_asked(options), is_run=not options.dry_run), options)


def _check(options: argparse.Namespace) -> int:
    from editeval.commands import run

    return run.check(run.configuration(*_asked(options), is_run=False))


def _certify(options: argparse.Namespace) -> int:
    from editeval.commands import certify

    return certify.certify(options, _overrides(options))


def _report(options: argparse.Namespace) -> int:
    from editeval.commands import inspect

    return inspect.report(looking.run_dir(options), options.scores, options.allow_code, options.embed)


def _retry(options: argparse.Namespace) -> int:
    from editeval.commands import retry

    return retry.retry(looking.run_dir(options), _words([options.only]) or (), options)


def _verify(options: argparse.Namespace) -> int:
    from editeval.commands import verification

    return verification.verify(looking.run_dir(options), options.repair, options.allow_code)


def _doctor(options: argparse.Namespace) -> int:
    from pathlib import Path

    from editeval.commands import doctor

    return doctor.doctor(Path(options.output_dir), options.json)


def _list(options: argparse.Namespace) -> int:
    from editeval.commands import listing

    return listing.show(options.what)


def _config(options: argparse.Namespace) -> Config:
    from editeval.config.load import load_config

    path, overrides, allow_code = _asked(options)
    return load_config(path, overrides, allow_code=allow_code)


def _asked(options: argparse.Namespace) -> tuple[Path, Overrides, bool]:
    """The file, what is above it, and whether code of the user's own may be loaded."""
    from pathlib import Path

    return Path(options.config), _overrides(options), options.allow_code


def _overrides(options: argparse.Namespace) -> Overrides:
    from editeval.config.load import Overrides

    categories = _words(options.categories)
    return Overrides(
        sets=(*options.set, *(("logging.level=DEBUG",) if options.debug else ())),
        categories=("",) if categories == () else categories,  # an empty shell variable does not mean all
        limit=options.limit,
        first=options.first,
        samples=tuple(options.sample) if options.sample else None,
        output_dir=options.output_dir,
        device_ids=_words(options.device_ids),
        seed=options.seed,
    )


def _words(values: Sequence[str] | None) -> tuple[str, ...] | None:
    """Words from `a b` and `a,b` alike."""
    if values is None:
        return None
    return tuple(word for value in values for word in value.split(",") if word)
