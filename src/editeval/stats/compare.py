"""Two runs compared sample by sample: only what both scored enters, so that no difference is one of selection."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from editeval.stats import intervals


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

    `difference` is the mean of first - second, None if nothing is shared; [low, high] its 95 % interval, the
    cluster-robust t of `intervals`, or None and in `interval_note` why there is none.
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
    interval_note: str = ""  # one of the words of `intervals`


def compare(first: Mapping[Hashable, Scored], second: Mapping[Hashable, Scored]) -> Comparison:
    """Both by sample; a sample is the same if its key is. Clusters are those of `first`."""
    clusters: dict[str, list[float]] = {}
    for key, one in first.items():
        other = second.get(key)
        if other is not None and one.value is not None and other.value is not None:
            clusters.setdefault(one.cluster, []).append(one.value - other.value)
    differences = [difference for values in clusters.values() for difference in values]
    wins, losses = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    counts = len(differences), wins, len(differences) - wins - losses, losses
    covered = _covered(first), _covered(second)
    if not differences:
        return Comparison(*counts, None, None, None, *covered)
    mean = math.fsum(differences) / len(differences)
    found = intervals.interval([clusters], [mean])
    return Comparison(*counts, mean, found.low, found.high, *covered, found.note)


def _covered(samples: Mapping[Hashable, Scored]) -> Covered:
    return Covered(sum(one.value is not None for one in samples.values()), len(samples))
