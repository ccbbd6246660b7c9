"""What a judge measures: scores, and what they add up to. Standard library only, everything frozen."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A scale on which samples are scored, in the benchmark's own numbers. 0-10 where nothing else is said."""

    name: str
    low: float | None = 0.0  # the worst, or None: no bound on that side
    high: float | None = 10.0
    is_higher_better: bool = True

    def __post_init__(self) -> None:
        ends = [end for end in (self.low, self.high) if end is not None]
        if not all(map(math.isfinite, ends)) or (len(ends) == 2 and not ends[0] < ends[1]):
            raise ValueError(f"metric {self.name}: low must be less than high, got {self.low!r} and {self.high!r}")

    @property
    def range(self) -> str:
        """In words: 0-10, 1-5, at least 0, at most 1, no bounds."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g}-{self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return "no bounds" if self.high is None else f"at most {self.high:g}"

    @property
    def has_ends(self) -> bool:
        """Whether it has two."""
        return self.low is not None and self.high is not None

    def has(self, value: float) -> bool:
        """Whether `value` lies on the scale; no NaN and no infinity does."""
        is_above = self.low is None or value >= self.low
        return math.isfinite(value) and is_above and (self.high is None or value <= self.high)

    def place(self, value: float) -> float | None:
        """Where `value` lies between low (0) and high (10); None without two ends."""
        if self.low is None or self.high is None:
            return None
        return value if (self.low, self.high) == (0, 10) else (value - self.low) / (self.high - self.low) * 10.0

    def axis(self, lowest: float | None, highest: float | None) -> tuple[float, float]:
        """Where an axis of scores between these two begins and ends: an open end is a round number past the scores."""
        low = self.low if self.low is not None else lowest or 0.0
        high = self.high if self.high is not None else highest or 0.0
        if not low < high:
            low, high = (low if self.low is not None else high - 0.5), (high if self.high is not None else low + 0.5)
        step = 10.0 ** math.floor(math.log10(high - low))
        round_low, round_high = math.floor(low / step) * step, math.ceil(high / step) * step
        return low if self.low is not None else round_low, high if self.high is not None else round_high

    def goodness(self, value: float) -> float | None:
        """0-10, more is better; None without two ends."""
        place = self.place(value)
        return place if place is None or self.is_higher_better else 10.0 - place


@dataclass(frozen=True, slots=True)
class OfficialMean:
    """How the authors of a benchmark make one number of its scores. Samples without a score are left out, as there."""

    name: str  # what they call it
    metrics: tuple[str, ...]  # one, or several whose scores are pooled
    over: Literal["categories", "samples"]  # mean of the categories' means, or of all scores alike
    score_digits: int | None = None  # each score is rounded first
    category_digits: int | None = None  # then each category's mean
    digits: int | None = None  # and the result
    factor: float = 1.0  # of the scores, each of which becomes factor * (score - offset) ...
    offset: float = 0.0  # ... before anything is rounded
    categories: tuple[str, ...] = ()  # of which it is the mean; empty: of all

    @property
    def rule(self) -> str:
        """In words."""
        how = "mean of the categories' means" if self.over == "categories" else "mean of all scores"
        score = f"(score - {self.offset:g})" if self.offset else "score"
        times = f"{self.factor:g} * " if self.factor != 1 else ""
        scaled = f", each {times}{score}" if times or self.offset else ""
        steps = {"scores": self.score_digits, "categories": self.category_digits, "result": self.digits}
        rounded = [f"{what} to {digits}" for what, digits in steps.items() if digits is not None]
        where = f" in {', '.join(self.categories)}" if self.categories else ""
        told = f"; rounded: {', '.join(rounded)}" if rounded else ""
        return f"{how} of {', '.join(self.metrics)}{where}{scaled}{told}"

    def of(self, scores: Mapping[str, Sequence[float]]) -> float | None:
        """The number, of the scores of `metrics` by category; None if a category has none, or there is nothing."""
        scores = {name: row for name, row in scores.items() if self.covers(name)}
        if not scores or not all(scores.values()):
            return None
        rows = [[self._scaled(score) for score in row] for row in scores.values()]
        if self.over == "samples":
            rows = [[score for row in rows for score in row]]
        means = [self._rounded(math.fsum(row) / len(row), self.category_digits) for row in rows]
        return self._rounded(math.fsum(means) / len(means), self.digits)

    def covers(self, category: str) -> bool:
        """Whether the scores of `category` are among those that it is the mean of."""
        return not self.categories or category in self.categories

    def _scaled(self, score: float) -> float:
        return self._rounded(self.factor * (score - self.offset), self.score_digits)

    @staticmethod
    def _rounded(value: float, digits: int | None) -> float:
        return value if digits is None else round(value, digits)


@dataclass(frozen=True, slots=True)
class OfficialUse:
    """How a judge asks the questions of a published benchmark."""

    benchmark: str  # whose questions they are, by its name here
    protocol: str
    judge: str  # the model that answers, as it is asked for
    differs: tuple[str, ...]  # from how the authors ask, one short phrase each; nothing: it does not

    def with_switches(self, match_published: Iterable[str]) -> OfficialUse:
        """The same where published bugs are repeated, by the names of their switches; a difference like any other."""
        others = tuple(one for one in self.differs if not one.startswith(_SWITCHES))
        said = f"{_SWITCHES}{', '.join(sorted(match_published))})"
        return replace(self, differs=(*others, said) if match_published else others)


_SWITCHES = "match_published ("


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one sample, on the metric's own scale. `value` is None if and only if `reason` says why; never NaN.

    The reason `not_applicable`: the metric is not one of this sample's; it counts neither as scored nor as missing.
    """

    sample_id: str
    judge: str
    metric: str
    value: float | None
    raw: str = ""  # what the judge said, verbatim
    reason: str = ""  # why it is unscored: one of errors.Reason, or a word of the plug-in's own
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError(f"score {self.sample_id}/{self.metric}: value {self.value!r} with reason {self.reason!r}")
        if isinstance(self.value, numbers.Real) and not isinstance(self.value, int | float):
            object.__setattr__(self, "value", float(self.value))  # NumPy's
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"score {self.sample_id}/{self.metric}: {self.value!r} is no score")


def off_scale(scores: Iterable[Score], scales: Mapping[str, Metric]) -> str:
    """The first score that is outside its metric's scale, in words; empty if none is. Not in `scales`: 0-10."""
    for score in scores:
        scale = scales.get(score.metric) or Metric(score.metric)
        if score.value is not None and not scale.has(score.value):
            return f"score {score.sample_id}/{score.metric}: {score.value!r} is outside {scale.range}"
    return ""


STATISTICS: tuple[str, ...] = ("mean", "std", "median", "min", "max", "count")
"""What a table can show of a Summary, by the names of `evaluation.metrics`; count is `num_scored`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric over the samples of a category. Nothing has no mean: None. samples = scored + failed + unscored.

    A sample to which the metric does not apply is none of its samples.
    """

    metric: str
    category: str  # or "micro" (over samples) and "macro" (over category means)
    num_samples: int
    num_scored: int
    num_failed: int
    num_unscored: int
    mean: float | None
    std: float | None  # population, as v2 had it
    median: float | None
    min: float | None
    max: float | None
    ci_low: float | None  # 95 % interval of the mean, cluster-robust
    ci_high: float | None
    lowest: float | None  # the mean if every missing score were the scale's low end ...
    highest: float | None  # ... and if it were the high one; None: it has no such end
    interval_note: str = ""  # why a mean has no interval: one of the words of `stats.intervals`
    interval_kind: str = ""  # t | wilson | clopper_pearson; empty: there is no interval
    lower_quartile: float | None = None  # between two values by their distance, as NumPy does it
    upper_quartile: float | None = None
    num_at_low: int | None = None  # scores at the low end of the metric's scale ...
    num_at_high: int | None = None  # ... and at the high one; None: it has no such end
    num_distinct: int | None = None  # samples that have several edits, each of which is counted above; None: have one
    num_distinct_scored: int | None = None  # of these, with a score at least
    seed_sd: float | None = None  # of a score within its sample, over its seeds

    @property
    def coverage(self) -> float:
        """Share of the samples that have a score, 0-1."""
        return self.num_scored / self.num_samples if self.num_samples else 0.0
