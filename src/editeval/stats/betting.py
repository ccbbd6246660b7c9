"""Intervals of a mean that hold at every look: confidence sequences by betting.

With probability 1 - alpha the interval holds the mean of values in 0-1 after every one of them at once, whenever and
for whatever reason one looks, or stops: that is what a stopping rule needs and a 95 % interval for one look does not
give. Hedged capital with predictable bets, Waudby-Smith and Ramdas, JRSS B 86 (2024), arXiv 2010.09686, section 4.
What it takes: the order of the values is settled before any is known, and each has the same mean given those before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_GRID: Floats = np.linspace(0.0, 1.0, 1001)  # 0.5 is one of its points
_MAX_SHARE = 0.5  # of the capital that a bet may lose


def interval(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """What none of the looks at the first 1, 2, ... of `values` has ruled out; (0, 1) without values.

    Its ends are those of a grid of 0.001, outwards. 0.5 lies outside if and only if `is_ruled_out` says so.
    """
    held = ~_ruled_out(values, _GRID, alpha)
    if not held.any():  # as rare as a miss: the mean alone is left
        mean = math.fsum(values) / len(values)
        return mean, mean
    inside = np.flatnonzero(held)
    low, high = max(inside[0] - 1, 0), min(inside[-1] + 1, len(_GRID) - 1)
    return float(_GRID[low]), float(_GRID[high])


def is_ruled_out(values: Sequence[float], mean: float, alpha: float) -> bool:
    """Whether `mean` was ruled out at one of the looks."""
    return bool(_ruled_out(values, np.array([mean]), alpha)[0])


def _ruled_out(values: Sequence[float], means: Floats, alpha: float) -> NDArray[np.bool_]:
    """Which of `means` some look has ruled out."""
    x = np.asarray(values, dtype=np.float64)
    if not len(x):
        return np.zeros(len(means), dtype=np.bool_)
    bets = _bets(x, alpha)[:, None]
    with np.errstate(divide="ignore"):
        above = np.minimum(bets, _MAX_SHARE / means)
        below = np.minimum(bets, _MAX_SHARE / (1.0 - means))
    gains = x[:, None] - means
    most = np.maximum(np.cumsum(np.log1p(above * gains), axis=0), np.cumsum(np.log1p(-below * gains), axis=0))
    return np.asarray((most - math.log(2.0)).max(axis=0) >= -math.log(alpha))


def _bets(x: Floats, alpha: float) -> Floats:
    """How much is bet on each value, from those before it alone."""
    times = np.arange(1, len(x) + 1)
    means = (0.5 + np.cumsum(x)) / (times + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (times + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    return np.asarray(np.sqrt(2.0 * math.log(2.0 / alpha) / (before * times * np.log1p(times))))
