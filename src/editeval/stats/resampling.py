"""95 % intervals of statistics that are no means - correlations, agreement - over clusters (source images).

From MIN_FOR_BOOTSTRAP clusters on, percentiles of a bootstrap that draws whole clusters; with fewer, where percentiles
are too narrow, a jackknife that leaves out one cluster at a time, with Student's t. What lies between -1 and 1 is
jackknifed on Fisher's scale, unless it is nearly 1; a share of a variance, however many clusters, on that of log odds,
where percentiles of 50 samples covered the truth in .91. `bench/agreement_coverage.py` prints how often it is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from editeval.stats.intervals import FEW_CLUSTERS, LEVEL, NO_VARIATION

MIN_FOR_BOOTSTRAP = 50
MIN_CLUSTERS = 10  # with fewer there is no interval
NUM_DRAWS = 1000
_MOST_FOR_FISHER = 0.99  # beyond it one cluster moves Fisher's scale without end
_LEAST_ODDS = 0.001  # a share of less counts as that much
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


Kind = Literal["correlation", "share", "share of variance"]


def estimate(statistic: Statistic, clusters: Sequence[str], kind: Kind = "correlation") -> Estimate:
    """Of `statistic` over rows that lie in `clusters`, one name for each row.

    A correlation lies between -1 and 1, a share between 0 and 1.
    """
    members = _members(clusters)
    value = statistic(np.arange(len(clusters)))
    if value is None:
        return Estimate(None)
    if len(members) < MIN_CLUSTERS:
        return Estimate(value, note=FEW_CLUSTERS)
    is_drawn = len(members) >= MIN_FOR_BOOTSTRAP and kind != "share of variance"
    found = _bootstrap(statistic, members) if is_drawn else _jackknife(statistic, members, value, kind)
    if found is None or found[1] - found[0] < 1e-12:
        return Estimate(value, note=NO_VARIATION)
    least = -1.0 if kind == "correlation" else 0.0
    return Estimate(value, max(least, min(found[0], value)), min(1.0, max(found[1], value)))


def _members(clusters: Sequence[str]) -> list[Places]:
    """The rows of each cluster."""
    _, numbers = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1]) if len(clusters) else []


def _bootstrap(statistic: Statistic, members: Sequence[Places]) -> tuple[float, float] | None:
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


def _jackknife(statistic: Statistic, members: Sequence[Places], value: float, kind: Kind) -> tuple[float, float] | None:
    from scipy.special import stdtrit

    without = [statistic(np.concatenate([*members[:n], *members[n + 1 :]])) for n in range(len(members))]
    defined = [one for one in without if one is not None]
    if len(defined) < len(members):
        return None
    to, back = _SCALES[kind]
    if kind == "correlation" and max(map(abs, (value, *defined))) >= _MOST_FOR_FISHER:
        to, back = _SCALES["share"]
    known = [to(one) for one in defined]
    num, centre = len(known), math.fsum(known) / len(known)
    error = math.sqrt((num - 1) / num * math.fsum((one - centre) ** 2 for one in known))
    half = float(stdtrit(num - 1, (1 + LEVEL) / 2)) * error
    return back(to(value) - half), back(to(value) + half)


def _log_odds(share: float) -> float:
    kept = min(1 - _LEAST_ODDS, max(_LEAST_ODDS, share))
    return math.log(kept / (1 - kept))


_SCALES: dict[Kind, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "correlation": (math.atanh, math.tanh),
    "share": (float, float),
    "share of variance": (_log_odds, lambda odds: 1 / (1 + math.exp(-max(-700.0, min(700.0, odds))))),
}
"""Where a statistic is jackknifed, and the way back."""
