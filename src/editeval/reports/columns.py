"""The columns of a table of summaries: which statistics an output shows, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from editeval.reports.data import Report
from editeval.reports.format import format_interval, interval_cell
from editeval.text import NOTHING, fixed, share
from editeval.types import STATISTICS, Metric, Summary


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table of a metric: its title, and the cell of a category."""

    name: str
    title: str
    cell: Callable[[Summary], str]


def columns(report: Report, summaries: Sequence[Summary]) -> tuple[Column, ...]:
    """The statistics asked for, then coverage; then bounds if any of `summaries` lacks a score."""
    scale = report.scale(summaries[0].metric)
    beside = {"mean": [Column("interval", "95 % interval", interval_cell)], "median": [_QUARTILES], "max": _ends(scale)}
    names = [name for name in STATISTICS if name in report.statistics]
    wanted = [column for name in names for column in (_statistic(name), *beside.get(name, ()))]
    wanted.append(Column("coverage", "coverage", lambda s: share(s.coverage)))
    if any(s.num_scored < s.num_samples for s in summaries):
        wanted.append(Column("bounds", "if all scored", _bounds))
    return tuple(wanted)


_QUARTILES = Column("quartiles", "quartiles", lambda s: format_interval(s.lower_quartile, s.upper_quartile) or NOTHING)


def _ends(scale: Metric) -> list[Column]:
    """The shares of scores at the ends of the scale."""
    ends = [(end, name) for end, name in ((scale.low, "num_at_low"), (scale.high, "num_at_high")) if end is not None]

    def cell(summary: Summary) -> str:
        return " / ".join(end_share(summary, name) for _, name in ends)

    return [Column("ends", "at " + " / ".join(f"{end:g}" for end, _ in ends), cell)] if ends else []


def end_share(summary: Summary, name: str) -> str:
    """Which share of the scores is at one end, `num_at_low` or `num_at_high`; a dash where that is not known."""
    num = getattr(summary, name)
    return NOTHING if num is None or not summary.num_scored else share(num / summary.num_scored)


def _bounds(summary: Summary) -> str:
    """Where the mean could lie; a dash where nothing is missing."""
    return format_interval(summary.lowest, summary.highest) if summary.num_scored < summary.num_samples else NOTHING


def _statistic(name: str) -> Column:
    """A column of the table; `count` says of how many."""
    if name == "count":
        return Column(name, "n", lambda s: f"{s.num_scored}/{s.num_samples}")
    return Column(name, name, lambda s: fixed(getattr(s, name)))


def saturation_note(summary: Summary | None) -> str:
    """The word for which end of the scale more than half of the scores are at; empty if they are not, or say yes/no."""
    if summary is None:
        return ""
    return saturated(summary.interval_kind, summary.num_scored, (summary.num_at_low, summary.num_at_high))


def saturated(interval_kind: str, num_scored: int, at_ends: tuple[int | None, int | None]) -> str:
    """As `saturation_note`, of the figures of a summary."""
    if interval_kind in ("wilson", "clopper_pearson"):
        return ""
    words = zip(("at_low_end", "at_high_end"), at_ends, strict=True)
    return next((word for word, num in words if num is not None and 2 * num > num_scored), "")
