"""`editeval score`: judge a run that exists with another judge, without editing again."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from editeval.cli.console import interruptible, result_console, run_dirs
from editeval.cli.run import report_result
from editeval.config.load import load_judges
from editeval.errors import ConfigError
from editeval.run import results
from editeval.run.pipeline import score as judge_again
from editeval.run.recorded import plan_of, settings_here, stranger_of
from editeval.run.reparse import ChangedScore, Reparse, changes, keep, reparse_of, with_samples
from editeval.run.report import publish
from editeval.store.ledger_events import Reparsed
from editeval.store.records import ScoreSet
from editeval.store.run_store import RunStore
from editeval.text import one_line


def score(options: argparse.Namespace) -> int:
    """Everything that is edited has scores of the judges asked for, in score sets of their own. The run's exit code.

    The table is of these scores; the files of the run go on showing what they showed.
    """
    directory = run_dirs(options)[0]
    with RunStore.read(directory) as store:
        settings, name, found_in = settings_here(store), str(store.manifest["name"]), stranger_of(store)
    if options.data is not None:
        settings["benchmark"].setdefault("params", {})["path"] = options.data
    path = Path(options.config) if options.config else None
    config = load_judges(settings, name, path, options.set, options.allow_code, found_in)
    with interruptible() as interrupt:
        result = judge_again(config, directory, options.argv, interrupt, options.display)
    code = report_result(result, options.argv, options.display)
    if result.report is not None:
        added = [judging.id for judging in result.plan.judgings]
        with RunStore.read(directory) as store:
            disambiguate(store, added)
    return code


def disambiguate(store: RunStore, added: Sequence[str]) -> None:
    """Say which score sets are new, which ones the reports show, and how to show others."""
    shown = results.shown(store)
    hidden = [one for one in results.kept(store) if one.id in added and one.id not in {s.id for s in shown}]
    if not hidden:
        return
    where = shlex.quote(str(store.dir))
    flags = " ".join(f"--scores {shlex.quote(one.name)}" for one in hidden)
    sys.stderr.write(
        f"Kept: {'; '.join(one_line(one.title) for one in hidden)}. "
        f"The reports still show {'; '.join(one_line(one.title) for one in shown)}. "
        f"To show what is new: editeval report {where} {flags}\n"
    )


def reparse(options: argparse.Namespace) -> int:
    """Say what changes, and keep it if anything does. What the reports show stays.

    0 if the new score set scores every wanted sample, else 3. Where nothing changes, nothing is kept.
    """
    with RunStore.reopen(run_dirs(options)[0]) as store:
        parent = _parent(store, options.scores)
        reading = reparse_of(parent, options.protocol, options.min_label_mass, options.match_published)
        reading = with_samples(reading, store, lambda: plan_of(store, options.allow_code))
        found, total = changes(store, reading)
        if not found:
            _tell(reading, found, total)
            return 0
        plan = plan_of(store, options.allow_code)  # whatever it refuses, it refuses before anything is kept
        keep(store, reading)
        listed = tuple(asdict(change) for change in found)
        store.record_event(Reparsed(tuple(options.argv), total, reading.id, parent.id, listed))
        _tell(reading, found, total)
        publish(plan, store)
        disambiguate(store, [reading.id])
        counts = store.counts(reading.id)
        return 0 if counts.num_scored == counts.num_wanted else 3


def _parent(store: RunStore, word: str | None) -> ScoreSet:
    known = results.kept(store)
    if word is None and len(known) != 1:
        listed = ", ".join(f"{one.name} ({one.id})" for one in known) or "none with scores"
        raise ConfigError(f"--scores: say whose replies; the run has {listed}")
    judging_id = results.meant(store, [word])[0].id if word else known[0].id
    return next(judging for judging in store.judgings() if judging.id == judging_id)


def _tell(reading: Reparse, found: Sequence[ChangedScore], total: int) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    count = sum(change.count for change in found)
    out = sys.stdout.write
    switches = "".join(f", {switch}" for switch in reading.match_published)
    out(f"{reading.parent.id} read again: {reading.protocol}, min_label_mass {reading.min_label_mass:g}{switches}\n")
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
