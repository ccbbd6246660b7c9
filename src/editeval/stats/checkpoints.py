"""Several models on the same samples: how far each is from the first and from the best, and which are out of the race.

Which one is best is seen in the same data that it is measured with. So the intervals below hold together:

against the first   Bonferroni: 1 - ALPHA / (number of others) each, two-sided.
against the best    multiple comparisons with the best (Hsu 1984; Edwards and Hsu 1983), with two-sided intervals of all
                    differences at 1 - ALPHA / (number of others). With 95 % the best in truth is among those that may
                    be best, and each model is as far from the best of the others as its interval says, whichever
                    looked best.
stopped early       `is_worse`: the one-sided cluster t at a few planned looks, whose errors add up (alpha spending):
                    ALPHA / (number of rivals) / (number of looks) for each rival and look. So the best in truth, like
                    any model within the margin of it, is stopped with probability ALPHA at most. A confidence sequence
                    by betting (`betting`), which any number of looks may use, needs some 44 source images for a
                    difference of a tenth of the scale: it stops hardly anything in time.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from editeval.stats import intervals
from editeval.stats.compare import Scored
from editeval.stats.intervals import StandardError
from editeval.stats.noninferiority import exact_end
from editeval.types import Metric

ALPHA = 0.05
MIN_CLUSTERS = 10
Scores = Mapping[Hashable, Scored]


@dataclass(frozen=True, slots=True)
class CheckpointStanding:
    """One of several models. Differences are in the metric's numbers, as measured on the samples that both have.

    `to_first`: model - first with its interval; `to_best`: model - the best of the others in [low, high]. None, and a
    word of `intervals` in `note`, if unknown.
    """

    mean: float | None
    num_scored: int
    to_first: float | None
    first_low: float | None
    first_high: float | None
    to_best: float | None
    best_low: float | None
    best_high: float | None
    may_be_best: bool
    note: str = ""


def standings(models: Sequence[Scores], metric: Metric) -> list[CheckpointStanding]:
    """In the order of `models`; each against the first, and against the best of the others."""
    sign = 1.0 if metric.is_higher_better else -1.0
    level = 1 - ALPHA / max(1, len(models) - 1)
    pairs = {(i, j): _difference(models[i], models[j], sign) for i in range(len(models)) for j in range(i)}
    ends = {pair: _ends(found, level) for pair, found in pairs.items()}
    ends |= {(j, i): (-high, -low) for (i, j), (low, high) in ends.items()}
    others = {i: [j for j in range(len(models)) if j != i] for i in range(len(models))}
    may_be_best = [i for i in others if all(ends[i, j][1] >= 0 for j in others[i])]
    found = []
    for i, scores in enumerate(models):
        values = [one.value for one in scores.values() if one.value is not None]
        means = {j: _point(pairs, i, j) for j in others[i]}
        nearest = min(means.values(), default=-math.inf)
        first = ends[i, 0] if i else (-math.inf, math.inf)
        low, high = _to_best(i, may_be_best, ends, others[i])
        found.append(
            CheckpointStanding(
                mean=math.fsum(values) / len(values) if values else None,
                num_scored=len(values),
                to_first=_shown(sign * means[0]) if i else None,
                first_low=_shown(min(sign * end for end in first)),
                first_high=_shown(max(sign * end for end in first)),
                to_best=_shown(sign * nearest),
                best_low=_shown(min(sign * low, sign * high)),
                best_high=_shown(max(sign * low, sign * high)),
                may_be_best=i in may_be_best,
                note=next((pairs[max(i, j), min(i, j)].note for j in others[i] if ends[i, j][0] == -math.inf), ""),
            )
        )
    return found


def _to_best(
    i: int, may_be_best: Sequence[int], ends: Mapping[tuple[int, int], tuple[float, float]], others: Sequence[int]
) -> tuple[float, float]:
    """Of model i - the best of `others`, given intervals of all differences of which those with the best hold."""
    rivals = [j for j in may_be_best if j != i]
    if i not in may_be_best:
        return min(ends[i, j][0] for j in rivals or others), max(ends[i, j][1] for j in rivals or others)
    low = min(ends[i, j][0] for j in rivals) if rivals else max(0.0, min((ends[i, j][0] for j in others), default=0.0))
    return low, min((ends[i, j][1] for j in others), default=0.0)


def is_worse(model: Scores, rival: Scores, metric: Metric, margin: float, alpha: float) -> bool:
    """Whether `model` is shown to be worse than `rival` by more than `margin`, in a look that may err with `alpha`.

    Not with fewer than MIN_CLUSTERS source images. Where nearly all differences are the same, `noninferiority` decides.
    """
    found = _difference(rival, model, 1.0 if metric.is_higher_better else -1.0)
    if found.mean is None or len(found.clusters) < MIN_CLUSTERS:
        return False
    if found.error is not None and found.error.value > 0:
        return replace(found.error, skew=0.0).interval(found.mean, 1 - 2 * alpha)[0] > margin
    if found.note not in ("", intervals.FEW_DISTINCT) or metric.low is None or metric.high is None:
        return False
    return exact_end(found.clusters, metric.high - metric.low, alpha, -1) > margin


@dataclass(frozen=True, slots=True)
class _Difference:
    """Of two models, larger is better for the first. No `mean` if they share nothing; no `error` if `note` says why."""

    clusters: Mapping[str, Sequence[float]]
    mean: float | None
    error: StandardError | None
    note: str


def _difference(one: Scores, other: Scores, sign: float) -> _Difference:
    pairs = ((key, mine, other[key]) for key, mine in one.items() if key in other)
    clusters = intervals.by_cluster(
        (mine.cluster, mine.sample or key, sign * (mine.value - theirs.value))
        for key, mine, theirs in pairs
        if mine.value is not None and theirs.value is not None
    )
    values = [value for found in clusters.values() for value in found]
    if not values:
        return _Difference(clusters, None, None, intervals.FEW_CLUSTERS)
    mean, note = math.fsum(values) / len(values), intervals.doubt([clusters])
    return _Difference(clusters, mean, None if note else intervals.of_mean(clusters, mean), note)


def _ends(found: _Difference, level: float) -> tuple[float, float]:
    """Without an interval anything is possible."""
    if found.mean is None or found.error is None:
        return -math.inf, math.inf
    return found.error.interval(found.mean, level)


def _point(pairs: Mapping[tuple[int, int], _Difference], i: int, j: int) -> float:
    """i - j as measured; -inf if nothing is shared."""
    mean = pairs[max(i, j), min(i, j)].mean
    return -math.inf if mean is None else mean if i > j else -mean


def _shown(value: float) -> float | None:
    return value + 0.0 if math.isfinite(value) else None
