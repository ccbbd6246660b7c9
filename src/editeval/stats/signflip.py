"""p of paired differences whose clusters keep or change their sign, all patterns of signs being equally likely.

Exact under the hypothesis that nothing changes if the two runs change places on a source image, however its scores are
distributed and however many samples it has. The statistic is the sum, so also the mean. All patterns are counted while
there are at most EXACT of them; else NUM_DRAWS are drawn, and p = (as extreme + 1) / (NUM_DRAWS + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NUM_DRAWS = 9_999
EXACT = 2**13  # patterns, half of which are the others with all signs turned
_SEED = 20261130
_BLOCK = 512  # clusters whose signs are drawn together
_COLUMNS = 512  # comparisons that are counted together
_ROUNDING = 1e-12  # of the sum of sizes: patterns so close to the one seen are as extreme
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chance:
    """p, and the smallest that it can be with so many clusters or draws."""

    p: float
    floor: float


def p_values(sums: Sequence[Sequence[float]]) -> list[Chance]:
    """Of each list of clusters' summed differences, two-sided. One without a difference has p 1.

    Equal whatever else is in `sums`, and whatever sign all of a list have.
    """
    columns = [np.array([x for x in one if x != 0.0]) for one in sums]
    found = {n: _exact(one) for n, one in enumerate(columns) if 2 ** max(len(one) - 1, 0) <= EXACT}
    drawn = [n for n in range(len(columns)) if n not in found]
    for start in range(0, len(drawn), _COLUMNS):
        chosen = drawn[start : start + _COLUMNS]
        found |= zip(chosen, _drawn([columns[n] for n in chosen]), strict=True)
    return [found[n] for n in range(len(columns))]


def _exact(values: Floats) -> Chance:
    """The last sign stays: the other half of the patterns gives the same sizes."""
    if not len(values):
        return Chance(1.0, 1.0)
    totals = values[-1:]
    for value in values[:-1]:
        totals = np.concatenate([totals + value, totals - value])
    return Chance(float(np.mean(np.abs(totals) >= _least(values))), 1 / len(totals))


def _drawn(columns: Sequence[Floats]) -> list[Chance]:
    longest = max(map(len, columns))
    totals = np.zeros((NUM_DRAWS, len(columns)))
    for block, start in enumerate(range(0, longest, _BLOCK)):
        width = min(_BLOCK, longest - start)
        part = np.zeros((width, len(columns)))
        for number, values in enumerate(columns):
            mine = values[start : start + width]
            part[: len(mine), number] = mine
        totals += _signs(block)[:, :width].astype(np.float64) @ part
    extreme = (np.abs(totals) >= np.array([_least(one) for one in columns])).sum(axis=0)
    return [Chance((int(count) + 1) / (NUM_DRAWS + 1), 1 / (NUM_DRAWS + 1)) for count in extreme]


@lru_cache(maxsize=4)
def _signs(block: int) -> NDArray[np.int8]:
    """(NUM_DRAWS, _BLOCK) of 1 and -1, those of the clusters from block * _BLOCK on."""
    bits = np.random.default_rng([_SEED, block]).integers(0, 256, (NUM_DRAWS, _BLOCK // 8), np.uint8)
    return np.unpackbits(bits, axis=1).view(np.int8) * np.int8(2) - np.int8(1)


def _least(values: Floats) -> float:
    """How large a sum has to be to be as extreme as the one that was seen."""
    return float(abs(values.sum()) - _ROUNDING * np.abs(values).sum())
