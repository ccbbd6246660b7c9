"""The mean that people would give all edits, from their ratings of a few and a judge's scores of all.

Prediction-powered inference with power tuning (PPI++: Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453):

    mean = mean(people) + tuning * (mean(judge, the others) - mean(judge, the rated))

It is unbiased whatever the judge is worth, if the rated edits were drawn at random; a good judge only makes the
interval shorter. `tuning` is what makes the variance least, between 0 (the judge tells nothing) and 1. Standard errors
add up the residuals of a source image before they are squared, on either side; Student's t has a degree of freedom
for each rated source image but two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from editeval.stats.intervals import LEVEL, NO_VARIATION

MIN_CLUSTERS = 20  # source images with ratings; on fewer the interval is too narrow
MAX_SHIFT = 2.6  # standard errors between the judge's means of rated and other edits; more is no random draw: p < .01
FEW_RATED = "few_rated"
NOT_DRAWN = "not_drawn"  # the judge scores the rated edits unlike the others
NO_OTHERS = "no_others"


@dataclass(frozen=True, slots=True)
class PredictedMean:
    """On the people's scale. [low, high]: 95 %; None, and in `note` why, where none can be given.

    `people`: the mean of the ratings alone, `people_half` half of its interval: what the judge's scores improve on.
    """

    num_rated: int
    num_others: int
    people: float
    people_half: float | None
    tuning: float | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""


Rated = tuple[str, float, float]
"""(cluster, people, judge)"""
Other = tuple[str, float]
"""(cluster, judge)"""


def predicted_mean(rated: Sequence[Rated], others: Sequence[Other]) -> PredictedMean:
    """Of all edits, `rated` ones (at least one) and `others`."""
    n, total = len(rated), len(others)
    people, seen = _mean([y for _, y, _ in rated]), _mean([f for _, _, f in rated])
    by_people = _by_cluster([(cluster, (y - people) / n) for cluster, y, _ in rated])
    num_clusters = len(by_people)
    half = _half(by_people, num_clusters, num_clusters - 1) or None  # ratings that are all alike tell no spread
    if not others or num_clusters < MIN_CLUSTERS:
        note = FEW_RATED if num_clusters < MIN_CLUSTERS else NO_OTHERS
        return PredictedMean(n, total, people, half, note=note)
    unseen = _mean([f for _, f in others])
    by_judge = _by_cluster(
        [*((c, (f - seen) / n) for c, _, f in rated), *((c, -(f - unseen) / total) for c, f in others)]
    )
    squares = math.fsum(value**2 for value in by_judge.values())
    if abs(unseen - seen) > MAX_SHIFT * math.sqrt(squares) + 1e-12:
        return PredictedMean(n, total, people, half, note=NOT_DRAWN)
    shared = math.fsum(value * by_judge[cluster] for cluster, value in by_people.items())
    tuning = min(1.0, max(0.0, shared / squares)) if squares > 0 else 0.0
    residuals = {c: by_people.get(c, 0.0) - tuning * by_judge.get(c, 0.0) for c in {*by_people, *by_judge}}
    mean = people + tuning * (unseen - seen)
    width = _half(residuals, num_clusters, num_clusters - 2)
    if not width:
        return PredictedMean(n, total, people, half, note=NO_VARIATION)
    return PredictedMean(n, total, people, half, tuning, mean, mean - width, mean + width)


def _by_cluster(parts: Sequence[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for cluster, value in parts:
        found.setdefault(cluster, []).append(value)
    return {cluster: math.fsum(values) for cluster, values in found.items()}


def _half(residuals: dict[str, float], num_clusters: int, df: int) -> float | None:
    """Half of a 95 % interval of a sum of independent residuals, one for each cluster."""
    from scipy.special import stdtrit

    if df < 1:
        return None
    correction = num_clusters / (num_clusters - 1)
    error = math.sqrt(correction * math.fsum(value**2 for value in residuals.values()))
    return float(stdtrit(df, (1 + LEVEL) / 2)) * error


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
