"""From scores to summaries: per category, then "macro" (mean of category means), then "micro" (all samples).

Only scored samples enter a mean. What is missing is counted beside it and bounds it: the mean if every missing
score were at the low end of the metric's scale, and if it were at the high one.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from editeval.stats import intervals, rates
from editeval.stats.equating import Equating
from editeval.stats.intervals import Interval, StandardError
from editeval.types import Metric, Summary

State = Literal["scored", "failed", "unscored", "not_applicable"]
Entry = tuple[str, str, State, float | None]
"""(category, cluster, state, value): value is a number if and only if state is "scored"; cluster "" stands alone."""


def summarise(
    entries: Iterable[Entry], metric: str, scale: Metric | None = None, bridged: Equating | None = None
) -> list[Summary]:
    """One summary per category in order of first appearance, then "macro", then "micro". Order of entries is no matter.

    `std` is the population's. The macro row's spread is over category means, its counts are totals; it has a mean only
    if every category has one. Intervals are cut at the ends of `scale` (None: 0-10); where there is none,
    `interval_note` says why. What is "not_applicable" is counted nowhere. `bridged`: what the values went through; its
    error is in the intervals.
    """
    scale = replace(scale, name=metric) if scale else Metric(metric)
    categories: dict[str, _Group] = {}
    everything = _Group()
    for number, (category, cluster, state, value) in enumerate(entries):
        if state == "not_applicable":
            continue
        if (state == "scored") != (value is not None and scale.has(value)):
            raise ValueError(f"{metric}: entry {number} is {state!r} with the value {value!r}")
        if category not in categories:
            categories[category] = _Group()
        for group in (categories[category], everything):
            group.add(cluster or f"\0{number}", state, value)
    counts = {name: group.states["scored"] for name, group in categories.items()}

    def further(weights: Mapping[str, int]) -> StandardError | str | None:
        total = sum(weights.values()) or 1
        return bridged.mean_error({name: num / total for name, num in weights.items()}, counts) if bridged else None

    is_rate = bridged is None and rates.is_yes_no((v for group in categories.values() for v in group.values()), scale)
    groups = list(categories.values())
    return [
        *(_summary(scale, name, group, None, further({name: 1}), is_rate) for name, group in categories.items()),
        _summary(scale, "macro", everything, groups, further(dict.fromkeys(counts, 1)), is_rate),
        _summary(scale, "micro", everything, None, further(counts), is_rate),
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

    def num_at(self, end: float | None) -> int | None:
        """How many scores are at this end of the scale; None without one."""
        return None if end is None else sum(value == end for value in self.values())

    def bound(self, missing: float | None) -> float | None:
        """The mean if every sample without a score had `missing`; None if one has none and there is no such score."""
        num_samples = self.states.total()
        if not num_samples:
            return None
        values = self.values()
        if len(values) == num_samples:
            return _mean(values)
        return None if missing is None else math.fsum([*values, missing * (num_samples - len(values))]) / num_samples


def _summary(
    scale: Metric,
    category: str,
    counted: _Group,
    categories: Sequence[_Group] | None,
    further: StandardError | str | None,
    is_rate: bool,
) -> Summary:
    """`counted` gives the counts and, without `categories`, the statistics; else these do, all equally weighted."""
    groups = [counted] if categories is None else categories
    means = [_mean(values) for group in groups if (values := group.values())]
    is_complete = bool(groups) and len(means) == len(groups)
    values = counted.values() if categories is None else means if is_complete else []
    mean = _mean(values) if values else None
    found = _interval(groups, scale, further, is_rate) if mean is not None else Interval(None, None)
    low, high = quartiles(values)
    return Summary(
        metric=scale.name,
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
        lowest=_bound(groups, scale.low),
        highest=_bound(groups, scale.high),
        interval_note=found.note,
        interval_kind=found.kind if found.low is not None else "",
        lower_quartile=low,
        upper_quartile=high,
        num_at_low=counted.num_at(scale.low),
        num_at_high=counted.num_at(scale.high),
    )


def quartiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The first and the third; of nothing there are none."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (None, None)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def _interval(groups: Sequence[_Group], scale: Metric, further: StandardError | str | None, is_rate: bool) -> Interval:
    """Of one group of yes/no scores that of a share; else Student's t."""
    if is_rate and len(groups) == 1:
        return rates.of_yes_no(groups[0].clusters, scale)
    found = intervals.interval([group.clusters for group in groups], [_mean(g.values()) for g in groups], further)
    return on_scale(found, scale)


def running_interval(scores: Mapping[str, Sequence[float]], scale: Metric) -> tuple[float, float | None, float | None]:
    """(mean, low, high) of scores by cluster, as the report's row `micro` will have them."""
    values = [value for group in scores.values() for value in group]
    mean = math.fsum(values) / len(values)
    if rates.is_yes_no(values, scale):
        found = rates.of_yes_no(scores, scale)
    else:
        found = on_scale(intervals.interval([scores], [mean]), scale)
    return mean, found.low, found.high


def on_scale(found: Interval, scale: Metric) -> Interval:
    """The interval, cut at the ends of the scale."""
    if found.low is None or found.high is None:
        return found
    low = found.low if scale.low is None else max(scale.low, found.low)
    return Interval(low, found.high if scale.high is None else min(scale.high, found.high))


def _bound(groups: Sequence[_Group], missing: float | None) -> float | None:
    bounds = [group.bound(missing) for group in groups if group.states]
    known = [bound for bound in bounds if bound is not None]
    return _mean(known) if known and len(known) == len(bounds) else None


def _mean(values: Sequence[float]) -> float:
    """Exact sum, rounded once: the order of arrival cannot show. Never outside the values, as rounding could be."""
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def _std(values: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
