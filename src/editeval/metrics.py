"""What a judge measures: scores, and what they add up to. Standard library only, everything frozen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one sample, 0-10. `value` is None if and only if `reason` says why; never NaN."""

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
        if self.value is not None and not 0.0 <= self.value <= 10.0:
            raise ValueError(f"score {self.sample_id}/{self.metric}: {self.value!r} is outside 0-10")


STATISTICS: tuple[str, ...] = ("mean", "std", "median", "min", "max", "count")
"""What a table can show of a Summary, by the names of `evaluation.metrics`; count is `num_scored`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric over the samples of a category. Nothing has no mean: None. samples = scored + failed + unscored."""

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
    lowest: float | None  # the mean if every missing score were 0 ...
    highest: float | None  # ... and if it were 10
    interval_note: str = ""  # why a mean has no interval: one of the words of `stats.intervals`

    @property
    def coverage(self) -> float:
        """Share of the samples that have a score, 0-1."""
        return self.num_scored / self.num_samples if self.num_samples else 0.0
