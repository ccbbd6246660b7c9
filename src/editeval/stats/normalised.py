"""Where a model stands between the unchanged source and the target: (model - identity) / (target - identity).

0 is what the judge gives for doing nothing, 1 what it gives for the known right edit. The model's mean is over all
scored samples; the two controls were judged on a few of them. The interval is by the delta method: with the ratio R and
its denominator D, a cluster adds [m - (1 - R) i - R t] / D, where m, i and t are its shares in the deviations of the
three means. So a source image that is in all three counts once. Where D is less than MIN_ERRORS standard errors above 0
the method does not hold, and there is no number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from editeval.stats import intervals
from editeval.stats.intervals import Clusters

MIN_ERRORS = 5.0
MIN_CLUSTERS = 5  # source images of the controls
NO_CONTRAST = "no_contrast"  # the target is not clearly above the unchanged source
FEW_CONTROLS = "few_controls"


@dataclass(frozen=True, slots=True)
class Normalised:
    """The ratio with its 95 % interval, or without one and why; `value` None: there is no number either."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


def normalised(
    model: Clusters, identity: Clusters, target: Clusters, is_higher_better: bool = True, doubt: str = ""
) -> Normalised:
    """Of scores by cluster; the clusters of the controls are among those of the model, or not.

    `doubt`: why the model's mean has no interval; then the ratio has none.
    """
    if min(map(len, (model, identity, target))) < MIN_CLUSTERS:
        return Normalised(None, note=FEW_CONTROLS)
    base = _mean(identity)
    contrast = _mean(target) - base
    error = _error([(identity, -1.0), (target, 1.0)])
    if (contrast if is_higher_better else -contrast) <= max(MIN_ERRORS * error, 1e-9):
        return Normalised(None, note=NO_CONTRAST)
    ratio = (_mean(model) - base) / contrast
    if doubt:
        return Normalised(ratio, note=doubt)
    parts = [(model, 1 / contrast), (identity, -(1 - ratio) / contrast), (target, -ratio / contrast)]
    error = _error(parts)
    if error <= 1e-12:
        return Normalised(ratio, note=intervals.NO_VARIATION)
    half = intervals.quantile(_degrees_of_freedom(parts)) * error
    return Normalised(ratio, ratio - half, ratio + half)


def _mean(clusters: Clusters) -> float:
    return math.fsum(x for values in clusters.values() for x in values) / sum(map(len, clusters.values()))


def _residuals(clusters: Clusters) -> Mapping[str, float]:
    """What each cluster adds to the deviation of the mean, enlarged by sqrt(C / (C - 1))."""
    mean, num = _mean(clusters), sum(map(len, clusters.values()))
    enlarged = math.sqrt(len(clusters) / (len(clusters) - 1)) / num
    return {name: enlarged * math.fsum(x - mean for x in values) for name, values in clusters.items()}


def _error(parts: Sequence[tuple[Clusters, float]]) -> float:
    """Of the sum of the means, each times its factor."""
    summed: dict[str, float] = {}
    for clusters, factor in parts:
        for name, residual in _residuals(clusters).items():
            summed[name] = summed.get(name, 0.0) + factor * residual
    return math.sqrt(math.fsum(total**2 for total in summed.values()))


def _degrees_of_freedom(parts: Sequence[tuple[Clusters, float]]) -> float:
    """Welch and Satterthwaite's, as if the means were independent; those of a mean without spread count for nothing."""
    variances = []
    for clusters, factor in parts:
        error = intervals.of_mean(clusters, _mean(clusters))
        assert error is not None, "MIN_CLUSTERS or more"
        variances.append(((factor * error.value) ** 2, error.df))
    total = math.fsum(variance for variance, _ in variances)
    return total**2 / math.fsum(variance**2 / df for variance, df in variances) if total else 1.0
