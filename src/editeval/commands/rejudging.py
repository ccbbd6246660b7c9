"""The command line of those who judge a run again: `score` and `reparse`. Imports the rest only when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from editeval.commands.looking import add_run_argument, run_dir

if TYPE_CHECKING:
    from editeval.commands.looking import Commands

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
    from editeval.commands import score

    return score.score(run_dir(options), options)


def _reparse(options: argparse.Namespace) -> int:
    from editeval.commands import reparse

    return reparse.reparse(run_dir(options), options)
