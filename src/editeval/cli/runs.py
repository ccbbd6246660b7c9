"""`editeval runs`: the runs of a folder, a line each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from editeval.cli.console import result_console
from editeval.errors import ConfigError, UserError
from editeval.reports.run_list import render_runs
from editeval.reports.tables import to_json
from editeval.run.index import RunEntry, entries, runs_in
from editeval.store import directories


def runs(options: argparse.Namespace) -> int:
    """Always 0: what a run is worth is in its line."""
    if options.last is not None and options.last < 1:
        raise ConfigError(f"--last: must be at least 1, got {options.last}")
    folder = Path(options.folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one with the runs (default: outputs)")
    found = entries([folder.resolve()]) if directories.is_run(folder) else runs_in(folder)
    shown = list(_wanted(found, options))[: options.last]
    if options.json:
        sys.stdout.write(to_json({"runs": [json_of(one) for one in shown]}) + "\n")
    elif shown:
        render_runs([json_of(one) for one in shown], result_console())
    else:
        sys.stdout.write(f"{folder}: no runs{' that match' if found else ''}\n")
    return 0


def json_of(entry: RunEntry) -> dict[str, object]:
    """An entry in JSON values; `run` is the name of its directory."""
    told = asdict(entry) | {"run": entry.dir.name, "dir": str(entry.dir), "coverage": entry.coverage}
    return {"run": told.pop("run"), **told}


def _wanted(found: Sequence[RunEntry], options: argparse.Namespace) -> Iterator[RunEntry]:
    for one in found:
        texts = (options.benchmark, one.benchmark), (options.model, one.model)
        if all(word is None or word.lower() in text.lower() for word, text in texts):
            yield one
