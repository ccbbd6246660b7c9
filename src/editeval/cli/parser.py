"""The command line: commands, flags, help. What a command does is in the file of its name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from editeval.cli import migrate, parser_runs

if TYPE_CHECKING:
    from pathlib import Path

    from editeval.config.load import Overrides
    from editeval.config.schema import Config
from editeval.cli.arguments import Parser
from editeval.cli.console import EXIT_CODES


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
    add_run_flags(run)
    run.set_defaults(command=start_run)

    check = commands.add_parser("check", help="is this configuration sound? starts nothing")
    check.add_argument("config", nargs="?", default="config.yaml", metavar="CONFIG")
    _add_config_flags(check)
    check.set_defaults(command=_check)

    migrate.add_command(commands)
    parser_runs.add_commands(commands)
    report = commands.add_parser("report", help="regenerate the reports of a run and print its table")
    parser_runs.add_run_argument(report)
    parser_runs.add_scores_flag(report, "what the run shows from now on, the headline's first; default: as before")
    report.add_argument("--allow-code", action="store_true", help="a `type` that is a file or a module may be run")
    report.add_argument("--embed", metavar="FILE", help="also write everything but full-size pictures into one file")
    report.set_defaults(command=_report)

    retry = commands.add_parser("retry", help="try again what failed in a run, and only that", epilog=EXIT_CODES)
    parser_runs.add_run_argument(retry)
    retry.add_argument(
        "--only", default="", metavar="REASON,...", help="only these reasons: oom,timeout,parse,crash,..."
    )
    retry.add_argument("--allow-code", action="store_true", help="a `type` that is a file or a module may be run")
    retry.add_argument("--debug", action="store_true", help="errors keep their traceback")
    _add_display_flag(retry)
    retry.set_defaults(command=_retry)

    verify = commands.add_parser("verify", help="hash every image again; compare ledger, files, reports, inputs")
    parser_runs.add_run_argument(verify)
    verify.add_argument("--repair", action="store_true", help="fix what is safe: lost images, reports, temporary files")
    verify.add_argument("--allow-code", action="store_true", help="a `type` that is a file or a module may be run")
    verify.set_defaults(command=_verify)

    doctor = commands.add_parser("doctor", help="this machine: devices, libraries, caches, disks, bad combinations")
    doctor.add_argument("--output-dir", default="outputs", metavar="DIR", help="whose disk is looked at")
    doctor.add_argument("--json", action="store_true", help="machine-readable")
    doctor.set_defaults(command=_doctor)

    listing = commands.add_parser("list", help="list editors, judges, benchmarks and policies")
    listing.add_argument("what", choices=("editors", "judges", "benchmarks", "policies"))
    listing.set_defaults(command=_list)

    _add_certify(commands)
    parser_runs.add_score(commands, _add_display_flag)
    parser_runs.add_reparse(commands)
    parser_runs.add_simulate(commands)
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


def add_run_flags(parser: argparse.ArgumentParser) -> None:
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


def start_run(options: argparse.Namespace) -> int:
    from editeval.cli import run

    return run.run(run.configuration(*_asked(options), is_run=not options.dry_run), options)


def _check(options: argparse.Namespace) -> int:
    from editeval.cli import run

    return run.check(run.configuration(*_asked(options), is_run=False))


def _certify(options: argparse.Namespace) -> int:
    from editeval.cli import certify

    return certify.certify(options, overrides_of(options))


def _report(options: argparse.Namespace) -> int:
    from editeval.cli import report

    return report.report(parser_runs.run_dir(options), options.scores, options.allow_code, options.embed)


def _retry(options: argparse.Namespace) -> int:
    from editeval.cli import retry

    return retry.retry(parser_runs.run_dir(options), _words([options.only]) or (), options)


def _verify(options: argparse.Namespace) -> int:
    from editeval.cli import verify

    return verify.verify(parser_runs.run_dir(options), options.repair, options.allow_code)


def _doctor(options: argparse.Namespace) -> int:
    from pathlib import Path

    from editeval.cli import doctor

    return doctor.doctor(Path(options.output_dir), options.json)


def _list(options: argparse.Namespace) -> int:
    from editeval.cli.list import show

    return show(options.what)


def _config(options: argparse.Namespace) -> Config:
    from editeval.config.load import load_config

    path, overrides, allow_code = _asked(options)
    return load_config(path, overrides, allow_code=allow_code)


def _asked(options: argparse.Namespace) -> tuple[Path, Overrides, bool]:
    """The file, what is above it, and whether code of the user's own may be loaded."""
    from pathlib import Path

    return Path(options.config), overrides_of(options), options.allow_code


def overrides_of(options: argparse.Namespace) -> Overrides:
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
