"""`editeval reparse`: the kept replies of a score set under another reading, as a score set of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from editeval.commands.console import result_console
from editeval.commands.score import told_apart
from editeval.errors import ConfigError
from editeval.reporting import publish
from editeval.rereading import Change, Rereading, changes, keep, rereading_of
from editeval.run import results
from editeval.run.recorded import plan_of
from editeval.store.records import Judging
from editeval.store.run_store import RunStore


def reparse(directory: Path, options: argparse.Namespace) -> int:
    """Say what changes, and keep it if anything does. What the reports show stays.

    0 if the new score set scores every wanted sample, else 3. Where nothing changes, nothing is kept.
    """
    with RunStore.reopen(directory) as store:
        parent = _parent(store, options.scores)
        reading = rereading_of(parent, options.protocol, options.min_label_mass)
        found, total = changes(store, reading)
        if not found:
            _tell(reading, found, total)
            return 0
        plan = plan_of(store, options.allow_code)  # whatever it refuses, it refuses before anything is kept
        keep(store, reading)
        facts = {"judging_id": reading.id, "parent": parent.id, "changes": [asdict(change) for change in found]}
        store.record_event("reparse", {"argv": list(options.argv), "num_scores": total} | facts)
        _tell(reading, found, total)
        publish(plan, store)
        told_apart(store, [reading.id])
        counts = store.counts(reading.id)
        return 0 if counts.num_scored == counts.num_wanted else 3


def _parent(store: RunStore, word: str | None) -> Judging:
    known = results.kept(store)
    if word is None and len(known) != 1:
        listed = ", ".join(f"{one.name} ({one.id})" for one in known) or "none with scores"
        raise ConfigError(f"--scores: say whose replies; the run has {listed}")
    judging_id = results.meant(store, [word])[0].id if word else known[0].id
    return next(judging for judging in store.judgings() if judging.id == judging_id)


def _tell(reading: Rereading, found: Sequence[Change], total: int) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    count = sum(change.count for change in found)
    out = sys.stdout.write
    out(f"{reading.parent.id} read again: {reading.protocol}, min_label_mass {reading.min_label_mass:g}\n")
    if not found:
        out(f"0 of {total} scores change; nothing was added\n")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("metric", "change", "scores", "example", "before", "after"):
        table.add_column(title, justify="right" if title == "scores" else "left", no_wrap=title != "example")
    for c in found:
        cells = (c.metric, c.what, str(c.count), c.example_id, c.before, c.after)
        table.add_row(*(Text(cell) for cell in cells))
    result_console().print(table)
    out(f"{count} of {total} scores change; kept as the score set {reading.name} ({reading.id})\n")
