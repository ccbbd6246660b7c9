"""`editeval leaderboard`: runs ranked, a table for every kind of scores that compare."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from editeval.cli.console import result_console
from editeval.errors import ConfigError, UserError
from editeval.files import write_atomic
from editeval.reports import ranked
from editeval.reports.data import JsonObject
from editeval.reports.tables import to_json
from editeval.run.index import find_run
from editeval.run.leaderboard import leaderboard as ranked_runs
from editeval.store import connection, directories

_WRITERS: Mapping[str, Callable[[JsonObject], str]] = {
    "md": ranked.as_markdown,
    "csv": ranked.as_csv,
    "json": lambda document: to_json(document, indent=2) + "\n",
    "tex": ranked.as_tex,
    "html": lambda document: ranked.as_html(document, time.time()),
}


def leaderboard(options: argparse.Namespace) -> int:
    """0 if there is a table; 2 if no run can be in one."""
    if options.output is not None and options.to is None:
        raise ConfigError("--output: says where a file goes; say what is written with --to md, csv, json, tex or html")
    found = list(dict.fromkeys(path.resolve() for path in _directories(options)))
    document = ranked_runs(found)
    if not document["tables"]:
        why = "; ".join(map(str, ranked.left_out(document))) or "there are no runs"
        raise UserError(f"leaderboard: no table: {why}")
    if options.to is None:
        ranked.render(document, result_console())
        return 0
    text = _WRITERS[options.to](document)
    if options.output in (None, "-"):
        sys.stdout.write(text)
        return 0
    path = Path(options.output)
    with connection.translated(path):
        write_atomic(path, text.encode("utf-8", "backslashreplace"))
    sys.stdout.write(f"{path}\n")
    return 0


def _directories(options: argparse.Namespace) -> Iterator[Path]:
    """The runs that are named, and those in the folders that are."""
    for word in options.runs or [options.output_dir]:
        folder = Path(word)
        if folder.is_dir() and not directories.is_run(folder):
            yield from directories.all_runs(folder)
        elif word == options.output_dir:
            raise UserError(f"{folder}: no such folder; name runs, or the folder with them")
        else:
            yield find_run(word, Path(options.output_dir))
