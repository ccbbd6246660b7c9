"""Geometry of the report's drawings, in the units of their view boxes; the template turns it into SVG.

Every axis starts at zero. A drawing's size does not grow with the number of samples or batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from editeval.reports.data import MACRO, MICRO, NUM_BINS, Report, Survey
from editeval.reports.figures import difference, duration, number, printable, share, span
from editeval.types import Summary

STRIP_WIDTH, STRIP_MARGIN = 260.0, 8.0
BASELINE = 32.0  # histogram above it, mean and interval on it, bounds below
TIMELINE_WIDTH, TIMELINE_HEIGHT = 1000.0, 100.0
MAX_BATCH_BARS = 250


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle with the text that explains it."""

    x: float
    y: float
    width: float
    height: float
    title: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """One category's scores on 0-10: histogram, mean, interval, and bounds where samples are missing."""

    bars: tuple[Bar, ...]
    mean: float | None
    interval: tuple[float, float] | None
    bounds: tuple[float, float] | None
    label: str


def score_x(value: float) -> float:
    """Where a score stands on a strip."""
    return round(STRIP_MARGIN + value / 10 * (STRIP_WIDTH - 2 * STRIP_MARGIN), 2)


def strip(summary: Summary, seen: Survey) -> Strip:
    """The drawing of one row of the headline table."""
    between = span(summary.ci_low, summary.ci_high)
    label = f"mean {number(summary.mean)}" + (f", 95 % interval {between}" if between else "")
    is_partial = summary.num_scored < summary.num_samples
    return Strip(
        bars=_histogram(_bins(summary.category, seen)),
        mean=None if summary.mean is None else score_x(summary.mean),
        interval=_ends(summary.ci_low, summary.ci_high),
        bounds=_ends(summary.lowest, summary.highest) if is_partial else None,
        label=label if summary.mean is not None else "nothing scored",
    )


def _ends(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (score_x(max(0.0, low)), score_x(min(10.0, high)))


def _bins(category: str, seen: Survey) -> Sequence[int]:
    if category == MACRO:
        return ()
    if category == MICRO:
        return [sum(bins[index] for bins in seen.histograms.values()) for index in range(NUM_BINS)]
    return seen.histograms.get(category, ())


def _histogram(bins: Sequence[int]) -> tuple[Bar, ...]:
    highest = max(bins, default=0)
    width = (STRIP_WIDTH - 2 * STRIP_MARGIN) / NUM_BINS
    bars = []
    for index, count in enumerate(bins):
        if count:
            height = max(2.0, count / highest * (BASELINE - 8))
            title = f"{index / 5:.1f} to {(index + 1) / 5:.1f}: {count}"
            x = round(STRIP_MARGIN + index * width + 0.4, 2)
            bars.append(Bar(x, round(BASELINE - 4 - height, 2), round(width - 0.8, 2), round(height, 2), title))
    return tuple(bars)


def outcome(seen: Survey) -> tuple[Bar, ...]:
    """What became of the samples, as parts of a bar 100 wide; `kind` names the part."""
    counts = {
        "scored": seen.num_scored,
        "unscored": seen.num_unscored,
        "failed": seen.num_failed,
        "pending": seen.num_pending,
    }
    bars, x = [], 0.0
    for kind, count in counts.items():
        width = 100 * count / seen.num_samples if seen.num_samples else 0.0
        if count:
            bars.append(Bar(round(x, 3), 0, round(width, 3), 6, f"{count} {kind}", kind))
        x += width
    return tuple(bars)


@dataclass(frozen=True, slots=True)
class Row:
    """A named bar of 100 units: `filled` of it strong, up to `total` of it pale."""

    name: str
    filled: float
    total: float
    value: str
    note: str
    is_used: bool = False


def policy_rows(report: Report) -> tuple[Row, ...]:
    """What each policy takes; the strong part is work, the pale one idle time. The longest fills the width."""
    longest = max((float(p["makespan_s"]) for p in report.policies), default=0.0)
    used = next((p for p in report.policies if p["policy"] == report.run.get("policy")), None)
    if longest <= 0:
        return ()
    return tuple(_policy_row(policy, used, longest) for policy in report.policies)


def _policy_row(policy: Mapping[str, Any], used: Mapping[str, Any] | None, longest: float) -> Row:
    total = 100 * float(policy["makespan_s"]) / longest
    idle = policy.get("idle_fraction")
    notes = ["used in this run"] if policy is used else []
    if used is not None and policy is not used:
        notes.append(difference(float(policy["makespan_s"]), float(used["makespan_s"])))
    if idle is not None:
        notes.append(f"idle {share(idle)}")
    filled = total * (1 - float(idle or 0.0))
    return Row(
        name=printable(policy["policy"]),
        filled=round(filled, 2),
        total=round(total, 2),
        value=duration(policy["makespan_s"]),
        note=", ".join(notes),
        is_used=policy is used,
    )


def worker_rows(report: Report) -> tuple[Row, ...]:
    """Busy (strong) and idle (pale) time of each worker; none if `timing` has no workers."""
    workers = report.timing.get("workers") or ()
    longest = max((float(w.get("busy_s") or 0) + float(w.get("idle_s") or 0) for w in workers), default=0.0)
    if longest <= 0:
        return ()
    rows = []
    for worker in workers:
        busy, idle = float(worker.get("busy_s") or 0), float(worker.get("idle_s") or 0)
        edits = worker.get("num_edits")
        notes = [f"idle {duration(idle)}"] + ([f"{edits} edits"] if edits is not None else [])
        rows.append(
            Row(
                name=printable(f"worker {worker.get('worker')} on {worker.get('device')}"),
                filled=round(100 * busy / longest, 2),
                total=round(100 * (busy + idle) / longest, 2),
                value=duration(busy),
                note=", ".join(notes),
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Batches over time: one bar each, as wide and as high as it took. Longer runs show every n-th slice's slowest."""

    bars: tuple[Bar, ...]
    seconds: float
    highest_s: float
    note: str


def timeline(report: Report) -> Timeline | None:
    """The drawing of `batches`; None if there are none."""
    batches = [b for b in report.batches if b.get("seconds") is not None and b.get("started_at") is not None]
    if not batches:
        return None
    start = min(float(b["started_at"]) for b in batches)
    total = max(float(b["started_at"]) + float(b["seconds"]) for b in batches) - start
    highest = max(float(b["seconds"]) for b in batches)
    if total <= 0 or highest <= 0:
        return None
    step = -(-len(batches) // MAX_BATCH_BARS)
    groups = [batches[index : index + step] for index in range(0, len(batches), step)]
    bars = tuple(_batch_bar(group, start, total, highest) for group in groups)
    return Timeline(bars, total, highest, _slowest(batches))


def _batch_bar(group: Sequence[Mapping[str, Any]], start: float, total: float, highest: float) -> Bar:
    first, last = group[0], group[-1]
    slowest = max(group, key=lambda b: float(b["seconds"]))
    end = float(last["started_at"]) + float(last["seconds"])
    x = TIMELINE_WIDTH * (float(first["started_at"]) - start) / total
    width = max(1.0, TIMELINE_WIDTH * (end - float(first["started_at"])) / total - 1.5)
    height = TIMELINE_HEIGHT * float(slowest["seconds"]) / highest
    title = f"batch {slowest['index']}: {duration(float(slowest['seconds']))}"
    if slowest.get("slowest_worker") is not None:
        title += f", slowest worker {slowest['slowest_worker']}"
    return Bar(round(x, 2), round(TIMELINE_HEIGHT - height, 2), round(width, 2), round(height, 2), printable(title))


def _slowest(batches: Sequence[Mapping[str, Any]]) -> str:
    workers = Counter(b["slowest_worker"] for b in batches if b.get("slowest_worker") is not None)
    if not workers:
        return ""
    (worker, count), *_ = workers.most_common(1)
    return printable(f"Worker {worker} was the slowest in {count} of {len(batches)} batches.")
