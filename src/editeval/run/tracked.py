"""What a tracking service is told of a run: its settings at the beginning, and what the report says at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from heapq import nlargest, nsmallest
from pathlib import Path
from typing import Any

from editeval.config.schema import Tracking
from editeval.redaction import redacted
from editeval.reports.data import Report, scored_value
from editeval.run.plan import Plan
from editeval.store.records import SampleRow
from editeval.text import one_line
from editeval.trackers.tracking import NUM_SHOWN, Ending, TrackedRun, TrackedSample


def about(plan: Plan, manifest: Mapping[str, Any], how: Tracking) -> TrackedRun:
    """The id is that of the run directory, so that the same experiment goes on when the run does."""
    key = f"{manifest['run_id']} {manifest.get('created_at')} {plan.dir.name}"
    return TrackedRun(
        id=hashlib.sha256(key.encode()).hexdigest()[:16],
        name=plan.dir.name,
        folder=plan.config.evaluation.output_dir / "trackers",
        config=dict(_leaves(plan.config.resolved)),
        how=how,
    )


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and plain values of a resolved configuration; judging prompts, which are pages of text, left out."""
    for name, value in tree.items():
        key = f"{above}.{name}".lstrip(".")
        if isinstance(value, Mapping) and key != "prompts":
            yield from _leaves(value, key)
        elif key != "prompts":
            yield key, value if isinstance(value, bool | int | float) else redacted(str(value))


def ending_of(report: Report, directory: Path) -> Ending:
    """Means with their intervals and coverage by metric and category; the lowest and highest edits; the report."""
    figures: dict[str, float] = {}
    for one in report.summaries:
        found = {"mean": one.mean, "low": one.ci_low, "high": one.ci_high, "coverage": one.coverage}
        names = {name: value for name, value in found.items() if value is not None}
        figures |= {f"{one.metric}/{one.category}/{name}": value for name, value in names.items()}
    metric = report.headline_metric

    def value(row: SampleRow) -> float:
        return scored_value(row, metric) or 0.0

    rows = [row for row in report.samples() if row.edited_path and scored_value(row, metric) is not None]
    half = NUM_SHOWN // 2
    shown = rows if len(rows) <= NUM_SHOWN else [*nsmallest(half, rows, value), *nlargest(half, rows, value)]
    samples = tuple(
        TrackedSample(
            id=row.id,
            category=row.category,
            instruction=one_line(redacted(row.instruction)),
            scores={name: scored_value(row, name) for name in row.scores},
            edit=directory / str(row.edited_path),
        )
        for row in shown
    )
    facts = {"badge": report.badge, "report": str((directory / "report.html").absolute())}
    return Ending(figures, facts, samples)
