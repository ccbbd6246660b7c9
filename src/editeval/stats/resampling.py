"""95 % intervals of statistics that are no means - correlations, agreement - over clusters (source images).

From MIN_FOR_BOOTSTRAP clusters on, percentiles of a bootstrap that draws whole clusters; with fewer, where percentiles
are too narrow, a jackknife that leaves out one cluster at a time, with Student's t. What lies between -1 and 1 is
jackknifed on Fisher's scale, unless it is nearly 1. `bench/agreement_coverage.py` prints how often it is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from editeval.stats.intervals import FEW_CLUSTERS, LEVEL, NO_VARIATION

MIN_FOR_BOOTSTRAP = 50
MIN_CLUSTERS = 10  # with fewer there is no interval
NUM_DRAWS = 1000
_MOST_FOR_FISHER = 0.99  # beyond it one cluster moves Fisher's scale without end
_MAX_UNDEFINED = 0.05  # share of draws in which a statistic may be undefined
Places = NDArray[np.int64]
Statistic = Callable[[Places], float | None]
"""statistic(places of the rows, some of them repeatedly) -> its value, None where it is not defined."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic, and its 95 % interval, or in `note` why there is none. `value` None: it is not defined here."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""  # one of the words of `intervals`


def estimate(statistic: Statistic, clusters: Sequence[str], is_correlation: bool = True) -> Estimate:
    """Of `statistic` over rows that lie in `clusters`, one name for each row.

    `is_correlation`: it lies between -1 and 1; else between 0 and 1.
    """
    members = _members(clusters)
    value = statistic(np.arange(len(clusters)))
    if value is None:
        return Estimate(None)
    if len(members) < MIN_CLUSTERS:
        return Estimate(value, note=FEW_CLUSTERS)
    found = (_bootstrap if len(members) >= MIN_FOR_BOOTSTRAP else _jackknife)(statistic, members, value, is_correlation)
    if found is None or found[1] - found[0] < 1e-12:
        return Estimate(value, note=NO_VARIATION)
    least = -1.0 if is_correlation else 0.0
    return Estimate(value, max(least, min(found[0], value)), min(1.0, max(found[1], value)))


def _members(clusters: Sequence[str]) -> list[Places]:
    """The rows of each cluster."""
    _, numbers = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1]) if len(clusters) else []


def _bootstrap(
    statistic: Statistic, members: Sequence[Places], _: float, is_correlation: bool
) -> tuple[float, float] | None:
    chance = np.random.default_rng(0)
    draws = [
        statistic(np.concatenate([members[place] for place in chance.integers(0, len(members), len(members))]))
        for _ in range(NUM_DRAWS)
    ]
    known = [draw for draw in draws if draw is not None]
    if len(known) < (1 - _MAX_UNDEFINED) * NUM_DRAWS:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _jackknife(
    statistic: Statistic, members: Sequence[Places], value: float, is_correlation: bool
) -> tuple[float, float] | None:
    from scipy.special import stdtrit

    without = [statistic(np.concatenate([*members[:n], *members[n + 1 :]])) for n in range(len(members))]
    defined = [one for one in without if one is not None]
    if len(defined) < len(members):
        return None
    is_fisher = is_correlation and max(map(abs, (value, *defined))) < _MOST_FOR_FISHER
    known = [math.atanh(one) if is_fisher else one for one in defined]
    num, centre = len(known), math.fsum(known) / len(known)
    error = math.sqrt((num - 1) / num * math.fsum((one - centre) ** 2 for one in known))
    half = float(stdtrit(num - 1, (1 + LEVEL) / 2)) * error
    middle = math.atanh(value) if is_fisher else value
    ends = middle - half, middle + half
    return (math.tanh(ends[0]), math.tanh(ends[1])) if is_fisher else ends
