"""What the commands share on the command line: flags, groups of flags, and how a command is added."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from editeval.cli.arguments import Parser
from editeval.config.ready import located

Group = argparse._ActionsContainer
Flags = Callable[[Group], object]
"""Adds one flag or several."""
DISPLAYS = ("auto", "live", "plain", "json", "none")


def flag(*names: str, **how: Any) -> Flags:
    return lambda group: group.add_argument(*names, **how)


def switch(name: str, help: str) -> Flags:
    return flag(name, action="store_true", help=help)


def several(*flags: Flags) -> Flags:
    return lambda group: [add(group) for add in flags]


def scores(help: str, **how: Any) -> Flags:
    """--scores (once called --judging): a name, or the beginning of an id, as `editeval status` lists them."""
    how |= {"dest": "scores", "metavar": "NAME|ID"}
    return several(flag("--scores", help=help, **how), flag("--judging", help=argparse.SUPPRESS, **how))


def stage_flags(stages: str, *more: Flags) -> Flags:
    """What can be said of `stages`, and `more`."""

    def add(parser: Group) -> None:
        group = parser.add_argument_group("configuration (flag > --set > EDITEVAL_* > file > default)")
        flag("--set", action="append", default=[], metavar="A.B=C", help="one value, as YAML; repeatable")(group)
        flag("--output-dir", metavar="DIR", help="where runs and logs go (default: outputs)")(group)
        gpus = "0-5, 0,2, all or cpu: of " + stages
        flag("--gpus", "--device-ids", dest="device_ids", nargs="+", metavar="ID", help=gpus)(group)
        flag("--seed", type=int, metavar="N", help=f"base seed of {stages}")(group)
        several(CODE, switch("--debug", "log everything; errors keep their traceback"), *more)(group)

    return add


CODE = switch("--allow-code", "a `type` that is a file or a module may be run")
DEBUG = switch("--debug", "errors keep their traceback")
JSON = switch("--json", "machine-readable")
CONFIG = flag(
    "config",
    type=located,
    nargs="?",
    default="config.yaml",
    metavar="CONFIG",
    help="default: config.yaml, here or ours",
)
NAME = flag("--name", metavar="NAME", help="what tables call the run, and commands may; it decides nothing else")
RUNS_IN = flag("--output-dir", default="outputs", metavar="DIR", help="where runs are looked for")
RUN = several(
    flag("run", nargs="?", default="latest", metavar="RUN", help="a run directory, its name, or latest"), RUNS_IN
)
DISPLAY = flag(
    "--display",
    choices=DISPLAYS,
    default="auto",
    help="while it runs: auto is live on a terminal, else plain; json: an event per line on stdout",
)
JUDGE = flag(
    "--judge", dest="named_judge", metavar="NAME", help="this judge: a name, a folder, an id of the Hub or a file"
)
MODEL = flag(
    "--model", dest="named_model", metavar="NAME", help="this editor: a name, a folder, an id of the Hub or a file"
)
DATA = "where its data are: the path that it reads"
CONFIG_FLAGS = stage_flags(
    "editor and judges",
    flag("--benchmark", metavar="NAME", help="this benchmark: see `editeval list benchmarks`; run: also several, a,b"),
    flag("--data", metavar="PATH", help=DATA),
    JUDGE,
    flag("--categories", nargs="+", metavar="NAME", help="only these (also comma-separated)"),
    flag("--limit", type=int, metavar="N", help="only N samples, drawn evenly over the categories"),
    flag("--first", type=int, metavar="N", help="only the first N samples"),
    flag("--num-seeds", type=int, metavar="K", help="edit each sample K times, each time with another seed"),
    flag("--sample", action="append", metavar="ID", help="only these ids (* and ? match); repeatable"),
)


def run_flags(parser: argparse.ArgumentParser) -> None:
    CONFIG_FLAGS(parser)
    several(
        switch("--dry-run", "print the full plan; load no model, write nothing"),
        switch("--fresh", "start a new run directory; deletes nothing"),
        switch("--resume", "the default anyway; not with --fresh"),
        DISPLAY,
        flag(
            "--track",
            action="append",
            default=[],
            metavar="SERVICE[:PROJECT]",
            help="keep it in trackio, wandb, mlflow or swanlab, too; repeatable",
        ),
    )(parser.add_argument_group("run"))


Commands = argparse._SubParsersAction


def add_command(
    commands: Commands[Parser], name: str, help: str, *flags: Flags, module: str = "", epilog: str = ""
) -> Parser:
    parser = commands.add_parser(name, help=help, epilog=epilog)
    several(*flags)(parser)
    parser.set_defaults(command=name, module=module or name)
    return parser
