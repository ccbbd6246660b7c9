"""From scores to summaries: per category, then "macro" (mean of category means), then "micro" (all samples).

Only scored samples enter a mean. What is missing is counted beside it and bounds it: the mean if every missing
score were at the low end of the metric's scale, and if it were at the high one.

A sample with several seeds enters as the mean of its scores: it weighs as much as any other, also where one of its
edits has none, and its seeds are one observation to the interval. Counts, quantiles and shares are of edits.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

from editeval.stats import intervals, rates
from editeval.stats.equating import Equating
from editeval.stats.intervals import Interval, StandardError
from editeval.types import Metric, Summary

State = Literal["scored", "failed", "unscored", "not_applicable"]
Entry = tuple[str, str, State, float | None] | tuple[str, str, State, float | None, str]
"""(category, cluster, state, value, sample): value is a number if and only if state is "scored"; cluster "" stands
alone, and so does an edit without a sample."""

Placed = tuple[str, str, float]
"""(cluster, sample, score): the seeds of a sample have its id."""


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
    for number, (category, cluster, state, value, *sample) in enumerate(entries):
        if state == "not_applicable":
            continue
        if (state == "scored") != (value is not None and scale.has(value)):
            raise ValueError(f"{metric}: entry {number} is {state!r} with the value {value!r}")
        if category not in categories:
            categories[category] = _Group()
        for group in (categories[category], everything):
            group.add(cluster or f"\0{number}", sample[0] if sample else f"\0{number}", state, value)
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
    samples: dict[str, list[str]] = field(default_factory=dict)  # by cluster, those of `clusters`
    wanted: Counter[str] = field(default_factory=Counter)  # edits of each sample, scored or not

    def add(self, cluster: str, sample: str, state: State, value: float | None) -> None:
        self.states[state] += 1
        self.wanted[sample] += 1
        if value is not None:
            self.clusters.setdefault(cluster, []).append(value)
            self.samples.setdefault(cluster, []).append(sample)

    def values(self) -> list[float]:
        """Of every edit."""
        return [value for values in self.clusters.values() for value in values]

    @property
    def has_seeds(self) -> bool:
        """Whether a sample has several edits."""
        return len(self.wanted) < self.states.total()

    def by_sample(self) -> dict[str, dict[str, list[float]]]:
        """Cluster -> sample -> its scores."""
        found: dict[str, dict[str, list[float]]] = {}
        for cluster, values in self.clusters.items():
            mine = found[cluster] = {}
            for sample, value in zip(self.samples[cluster], values, strict=True):
                mine.setdefault(sample, []).append(value)
        return found

    def units(self) -> Mapping[str, Sequence[float]]:
        """By cluster, what enters the mean: one value for each sample."""
        if not self.has_seeds:
            return self.clusters
        return intervals.by_cluster(
            (cluster, sample, value)
            for cluster, values in self.clusters.items()
            for sample, value in zip(self.samples[cluster], values, strict=True)
        )

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
    units = [group.units() for group in groups]
    means = [_mean(list(chain.from_iterable(mine.values()))) for mine in units if mine]
    is_complete = bool(groups) and len(means) == len(groups)
    values = counted.values() if categories is None else means if is_complete else []
    mean = _mean(means) if is_complete else None
    found = _interval(groups, units, means, scale, further, is_rate) if mean is not None else Interval(None, None)
    low, high = quartiles(values)
    seeds = _of_seeds(counted) if counted.has_seeds else (None, None, None)
    return Summary(
        metric=scale.name,
        category=category,
        num_samples=counted.states.total(),
        num_scored=counted.states["scored"],
        num_failed=counted.states["failed"],
        num_unscored=counted.states["unscored"],
        mean=mean,
        std=_std(values, _mean(values)) if mean is not None else None,
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
        num_distinct=seeds[0],
        num_distinct_scored=seeds[1],
        seed_sd=seeds[2],
    )


def _of_seeds(group: _Group) -> tuple[int, int, float | None]:
    """(samples, those with a score, standard deviation of a score within its sample, pooled over all samples)."""
    scores = [values for mine in group.by_sample().values() for values in mine.values()]
    freedom = sum(len(values) - 1 for values in scores)
    squares = math.fsum((value - _mean(values)) ** 2 for values in scores for value in values)
    return len(group.wanted), len(scores), math.sqrt(squares / freedom) if freedom else None


def sample_means(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """By sample, the mean of its scores over its seeds, in order of first appearance."""
    found: dict[str, list[float]] = {}
    for sample, value in scores:
        found.setdefault(sample, []).append(value)
    return {sample: _mean(values) for sample, values in found.items()}


def quartiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The first and the third; of nothing there are none."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (None, None)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def _interval(
    groups: Sequence[_Group],
    units: Sequence[Mapping[str, Sequence[float]]],
    means: Sequence[float],
    scale: Metric,
    further: StandardError | str | None,
    is_rate: bool,
) -> Interval:
    """Of one group of yes/no scores that of a share; else Student's t."""
    if is_rate and len(groups) == 1:
        return rates.of_yes_no(groups[0].clusters, scale, means[0])
    return on_scale(intervals.interval(units, means, further), scale)


def running_interval(scores: Iterable[Placed], scale: Metric) -> tuple[float, float | None, float | None]:
    """(mean, low, high) of one score or more, as the report's row `micro` will have them."""
    group = _Group()
    for cluster, sample, value in scores:
        group.add(cluster, sample, "scored", value)
    units = group.units()
    mean = _mean(list(chain.from_iterable(units.values())))
    found = _interval([group], [units], [mean], scale, None, rates.is_yes_no(group.values(), scale))
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
