"""The command line of those who look at a run: `status`, `show`, `export`, `view`. Imports the rest when it runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    Commands = argparse._SubParsersAction[Any]
import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from editeval.cli import simulate

if TYPE_CHECKING:
    pass


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """RUN, and where it is looked for."""
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="a run directory, its name, or latest")
    parser.add_argument("--output-dir", default="outputs", metavar="DIR", help="where runs are looked for")


def run_dir(options: argparse.Namespace) -> Path:
    """The directory that RUN means."""
    from pathlib import Path

    from editeval.store.directories import resolve_run

    return resolve_run(options.run, Path(options.output_dir))


def add_commands(commands: Commands) -> None:
    """All of them."""
    for add in (add_status, add_show, add_export, add_view):
        add(commands)


def add_status(commands: Commands) -> None:
    """`editeval status`"""
    status = commands.add_parser(
        "status",
        help="where a run stands; works while it is running",
        epilog="exit codes:\n  0    running, or complete\n  3    ended with failures, or stopped before its end\n",
    )
    add_run_argument(status)
    status.add_argument("--follow", action="store_true", help="until the run ends, once a second")
    status.add_argument("--json", action="store_true", help="machine-readable; with --follow one line a second")
    status.set_defaults(command=_status)


def add_show(commands: Commands) -> None:
    """`editeval show`"""
    show = commands.add_parser("show", help="everything known about one sample")
    add_run_argument(show)
    show.add_argument("sample", metavar="SAMPLE", help="an id, the beginning of one, or a glob like 'causal/*'")
    show.add_argument("--json", action="store_true", help="one JSON object per sample")
    show.set_defaults(command=_show)


def add_export(commands: Commands) -> None:
    """`editeval export`"""
    export = commands.add_parser(
        "export",
        help="a run for spreadsheets, data frames, papers and trace viewers",
        epilog="examples:\n  editeval export --to trace              then open it at https://ui.perfetto.dev\n"
        "  editeval export runA runB --to tex      one table, a row per model\n",
    )
    export.add_argument("runs", nargs="*", default=["latest"], metavar="RUN", help="several only with --to tex")
    export.add_argument("--to", required=True, choices=("csv", "parquet", "md", "tex", "trace"))
    export.add_argument("--output", metavar="PATH", help="default: in the run directory; - is stdout")
    export.add_argument("--output-dir", default="outputs", metavar="DIR", help="where runs are looked for")
    export.add_argument(
        "--allow-code", action="store_true", help="for md: a `type` that is a file or module may be run"
    )
    export.set_defaults(command=_export)


def add_view(commands: Commands) -> None:
    """`editeval view`"""
    view = commands.add_parser("view", help="look at runs in a browser, side by side; ratings are saved in the runs")
    view.add_argument("runs", nargs="*", default=["latest"], metavar="RUN", help="run directories, names, or latest")
    view.add_argument("--output-dir", default="outputs", metavar="DIR", help="where runs are looked for")
    view.add_argument("--port", type=int, default=0, metavar="N", help="on 127.0.0.1 (default: a free one)")
    view.add_argument("--no-open", action="store_true", help="print the address, open nothing")
    view.add_argument("--intersect", action="store_true", help="runs of different benchmarks: the samples all have")
    view.set_defaults(command=_view)


def _view(options: argparse.Namespace) -> int:
    from pathlib import Path

    from editeval.cli import view
    from editeval.store.directories import resolve_run

    directories = [resolve_run(run, Path(options.output_dir)) for run in options.runs]
    return view.view(directories, options.port, not options.no_open, options.intersect)


def _status(options: argparse.Namespace) -> int:
    from editeval.cli import status

    return status.status(run_dir(options), options.json, options.follow)


def _show(options: argparse.Namespace) -> int:
    from editeval.cli import show

    return show.show(run_dir(options), options.sample, options.json)


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    from editeval.cli import export
    from editeval.store.directories import resolve_run

    runs = [resolve_run(run, Path(options.output_dir)) for run in options.runs]
    return export.export(runs, options.to, options.output, options.allow_code)


def add_simulate(commands: Commands) -> None:
    """`simulate`."""
    simulate = commands.add_parser("simulate", help="what a run takes under every policy")
    simulate.add_argument("--requests", type=int, default=270, metavar="N")
    simulate.add_argument("--durations", default="2.0,2.1,2.0,2.0,2.0,2.0", metavar="S,S,...", help="one per worker")
    simulate.add_argument("--cv", type=float, default=0.0, metavar="X", help="coefficient of variation per request")
    simulate.add_argument("--draws", type=int, default=200, metavar="N", help="random draws to average (with --cv)")
    simulate.add_argument("--rotate", action="store_true", help="the durations move on by one worker every round")
    simulate.add_argument("--max-drift", type=int, default=1, metavar="K", help="of bounded_drift")
    simulate.add_argument("--seed", type=int, default=0, metavar="N")
    simulate.add_argument("--json", action="store_true", help="machine-readable")
    simulate.set_defaults(command=_simulate)


def _simulate(options: argparse.Namespace) -> int:

    return simulate.simulate(options)


AddFlag = Callable[[Any], None]


def add_score(commands: Commands, add_display_flag: AddFlag) -> None:
    """`editeval score`"""
    score = commands.add_parser(
        "score",
        help="judge a run again, with another judge; edits nothing, and earlier scores stay",
        epilog="example:\n  editeval score latest other_judge.yaml\n"
        "  editeval score latest --set reward_model.params.protocol=pointwise\n",
    )
    add_run_argument(score)
    score.add_argument("config", nargs="?", metavar="CONFIG", help="whose judges and prompts; default: the run's own")
    score.add_argument("--set", action="append", default=[], metavar="A.B=C", help="of judges or prompts; repeatable")
    score.add_argument("--allow-code", action="store_true", help="a dotted `type` may be imported and run")
    score.add_argument("--debug", action="store_true", help="errors keep their traceback")
    add_display_flag(score)
    score.set_defaults(command=_score)


def add_reparse(commands: Commands) -> None:
    """`editeval reparse`"""
    reparse = commands.add_parser(
        "reparse", help="read a judge's kept replies again, offline; the earlier scores stay beside the new ones"
    )
    add_run_argument(reparse)
    add_scores_flag(reparse, "whose replies; needed if the run has several score sets", several=False)
    reparse.add_argument("--protocol", metavar="NAME", help="another protocol that asks the same questions")
    reparse.add_argument("--min-label-mass", type=float, metavar="X", help="least probability on the labels, 0 to 1")
    reparse.add_argument("--allow-code", action="store_true", help="a dotted `type` may be imported and run")
    reparse.set_defaults(command=_reparse)


def add_scores_flag(parser: argparse.ArgumentParser, what: str, several: bool = True) -> None:
    """--scores (once called --judging): a name, or the beginning of an id, as `editeval status` lists them."""
    for flag, told in (("--scores", f"{what}; repeatable" if several else what), ("--judging", argparse.SUPPRESS)):
        if several:
            parser.add_argument(flag, dest="scores", action="append", default=[], metavar="NAME|ID", help=told)
        else:
            parser.add_argument(flag, dest="scores", metavar="NAME|ID", help=told)


def _score(options: argparse.Namespace) -> int:
    from editeval.cli import rescore

    return rescore.score(run_dir(options), options)


def _reparse(options: argparse.Namespace) -> int:
    from editeval.cli import rescore

    return rescore.reparse(run_dir(options), options)
