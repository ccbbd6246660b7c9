"""Two runs compared sample by sample: only what both scored enters, so that no difference is one of selection."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

NUM_RESAMPLES = 2000
SEED = 0  # the same runs give the same interval
_DRAWS_AT_ONCE = 2_000_000  # of clusters, 16 MB
_NO_VARIATION = 1e-12


@dataclass(frozen=True, slots=True)
class Scored:
    """One sample of a run: its score on 0-10, or None, and the cluster (source image) that it belongs to."""

    cluster: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Covered:
    num_scored: int
    num_samples: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`first` against `second` on the `num_shared` samples that both scored = wins + ties + losses.

    `difference` is the mean of first - second, None if nothing is shared; [low, high] its 95 % interval, None for
    fewer than two clusters or if every difference is the same: a width of zero would claim certainty.
    """

    num_shared: int
    wins: int
    ties: int
    losses: int
    difference: float | None
    low: float | None
    high: float | None
    first: Covered
    second: Covered


def compare(first: Mapping[Hashable, Scored], second: Mapping[Hashable, Scored]) -> Comparison:
    """Both by sample; a sample is the same if its key is. Clusters are those of `first`."""
    clusters: dict[str, list[float]] = {}
    for key, one in first.items():
        other = second.get(key)
        if other is not None and one.value is not None and other.value is not None:
            clusters.setdefault(one.cluster, []).append(one.value - other.value)
    differences = [difference for values in clusters.values() for difference in values]
    mean = math.fsum(differences) / len(differences) if differences else None
    interval = bootstrapped(list(clusters.values())) if differences else None
    low, high = interval or (None, None)
    wins, losses = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    ties = len(differences) - wins - losses
    return Comparison(len(differences), wins, ties, losses, mean, low, high, _covered(first), _covered(second))


def bootstrapped(clusters: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Percentile bootstrap of the mean over all values, 95 %: whole clusters are drawn with replacement.

    With fewer than some twenty clusters such an interval is known to be too narrow.
    """
    import numpy as np

    count = len(clusters)
    values = [value for cluster in clusters for value in cluster]
    if count < 2 or max(values) - min(values) <= _NO_VARIATION:
        return None
    sums = np.array([math.fsum(cluster) for cluster in clusters])
    sizes = np.array([len(cluster) for cluster in clusters], dtype=float)
    rng = np.random.default_rng(SEED)
    means: list[float] = []
    while len(means) < NUM_RESAMPLES:
        rows = min(NUM_RESAMPLES - len(means), max(1, _DRAWS_AT_ONCE // count))
        drawn = rng.integers(0, count, size=(rows, count))
        means += (sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)).tolist()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _covered(samples: Mapping[Hashable, Scored]) -> Covered:
    return Covered(sum(one.value is not None for one in samples.values()), len(samples))
