"""From scores to summaries: per category, then "macro" (mean of category means), then "micro" (all samples).

Only scored samples enter a mean. What is missing is counted beside it and bounds it: the mean if every missing
score were 0, and if it were 10.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from editeval.stats import intervals
from editeval.stats.intervals import Interval
from editeval.types import Summary

LOWEST, HIGHEST = 0.0, 10.0
State = Literal["scored", "failed", "unscored"]
Entry = tuple[str, str, State, float | None]
"""(category, cluster, state, value): value is a number if and only if state is "scored"; cluster "" stands alone."""


def summarise(entries: Iterable[Entry], metric: str) -> list[Summary]:
    """One summary per category in order of first appearance, then "macro", then "micro". Order of entries is no matter.

    `std` is the population's. The macro row's spread is over category means, its counts are totals; it has a mean only
    if every category has one. Intervals are cut at 0 and 10; where there is none, `interval_note` says why.
    """
    categories: dict[str, _Group] = {}
    everything = _Group()
    for number, (category, cluster, state, value) in enumerate(entries):
        if (state == "scored") != (value is not None and LOWEST <= value <= HIGHEST):
            raise ValueError(f"{metric}: entry {number} is {state!r} with the value {value!r}")
        if category not in categories:
            categories[category] = _Group()
        for group in (categories[category], everything):
            group.add(cluster or f"\0{number}", state, value)
    groups = list(categories.values())
    return [
        *(_summary(metric, name, group, group.values()) for name, group in categories.items()),
        _macro(metric, everything, groups),
        _summary(metric, "micro", everything, everything.values()),
    ]


@dataclass(slots=True)
class _Group:
    states: Counter[str] = field(default_factory=Counter)
    clusters: dict[str, list[float]] = field(default_factory=dict)

    def add(self, cluster: str, state: State, value: float | None) -> None:
        self.states[state] += 1
        if value is not None:
            self.clusters.setdefault(cluster, []).append(value)

    def values(self) -> list[float]:
        return [value for values in self.clusters.values() for value in values]

    def bound(self, missing: float) -> float | None:
        """The mean if every sample without a score had `missing`."""
        num_samples = self.states.total()
        if not num_samples:
            return None
        values = self.values()
        if len(values) == num_samples:
            return _mean(values)
        return math.fsum([*values, missing * (num_samples - len(values))]) / num_samples


def _macro(metric: str, everything: _Group, groups: Sequence[_Group]) -> Summary:
    means = [_mean(values) for group in groups if (values := group.values())]
    is_complete = bool(groups) and len(means) == len(groups)
    return _summary(metric, "macro", everything, means if is_complete else [], groups)


def _summary(
    metric: str,
    category: str,
    counted: _Group,
    values: Sequence[float],
    categories: Sequence[_Group] | None = None,
) -> Summary:
    """`counted` gives the counts, `values` the statistics, `categories` (all equally weighted) bounds and interval."""
    mean = _mean(values) if values else None
    groups = [counted] if categories is None else categories
    found = _interval(groups) if mean is not None else Interval(None, None)
    return Summary(
        metric=metric,
        category=category,
        num_samples=counted.states.total(),
        num_scored=counted.states["scored"],
        num_failed=counted.states["failed"],
        num_unscored=counted.states["unscored"],
        mean=mean,
        std=_std(values, mean) if mean is not None else None,
        median=statistics.median(values) if values else None,
        min=min(values, default=None),
        max=max(values, default=None),
        ci_low=found.low,
        ci_high=found.high,
        lowest=_bound(groups, LOWEST),
        highest=_bound(groups, HIGHEST),
        interval_note=found.note,
    )


def _interval(groups: Sequence[_Group]) -> Interval:
    return on_scale(intervals.interval([group.clusters for group in groups], [_mean(g.values()) for g in groups]))


def running_interval(scores: Mapping[str, Sequence[float]]) -> tuple[float, float | None, float | None]:
    """(mean, low, high) of scores by cluster, as the report's row `micro` will have them."""
    values = [value for group in scores.values() for value in group]
    mean = math.fsum(values) / len(values)
    found = on_scale(intervals.interval([scores], [mean]))
    return mean, found.low, found.high


def on_scale(found: Interval) -> Interval:
    """The interval, cut at the ends of the scale."""
    if found.low is None or found.high is None:
        return found
    return Interval(max(LOWEST, found.low), min(HIGHEST, found.high))


def _bound(groups: Sequence[_Group], missing: float) -> float | None:
    bounds = [bound for group in groups if (bound := group.bound(missing)) is not None]
    return _mean(bounds) if bounds else None


def _mean(values: Sequence[float]) -> float:
    """Exact sum, rounded once: the order of arrival cannot show. Never outside the values, as rounding could be."""
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def _std(values: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
