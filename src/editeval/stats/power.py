"""How many samples a wanted difference takes, and what difference a number of samples can show, from a pilot.

Exact for Student's t of paired differences: the noncentral t of the two-sided test. Samples that share a source image
count for less: the pilot's cluster-robust standard error is what one sample is worth, and its degrees of freedom grow
with the number of samples. The spread is itself measured; `Spread.low` and `.high` are its 95 % interval for normal
differences, so that what is planned with it is a range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from editeval.stats import intervals
from editeval.stats.intervals import Clusters, StandardError

ALPHA = 1 - intervals.LEVEL
POWER = 0.8
MOST = 1_000_000_000  # samples; beyond that there is no answer


@dataclass(frozen=True, slots=True)
class Spread:
    """How much one sample tells. `sd`: of one sample; times sqrt(`effect`) it gives the standard error of a mean.

    `effect`: the design effect of clusters, 1 where samples of one source image are as different as any others.
    """

    num: int
    num_clusters: int
    sd: float
    effect: float
    df: float
    low: float  # [low, high] is the 95 % interval of `sd`
    high: float
    note: str = ""  # why the interval of the pilot's own mean would be too narrow: one of the words of `intervals`

    def times(self, factor: float) -> Spread:
        """Of values that are `factor` times as far apart."""
        return Spread(
            *(self.num, self.num_clusters, self.sd * factor, self.effect, self.df),
            *(self.low * factor, self.high * factor, self.note),
        )


def spread_of(clusters: Clusters) -> Spread | None:
    """Of values by cluster; None for fewer than two clusters, and where all clusters have the same mean."""
    values = [value for group in clusters.values() for value in group]
    mean = math.fsum(values) / len(values) if values else 0.0
    error = intervals.of_mean(clusters, mean)
    return spread_with(values, mean, len(clusters), error, intervals.doubt([clusters])) if error else None


def spread_with(
    values: Sequence[float], mean: float, num_clusters: int, error: StandardError | None, note: str
) -> Spread | None:
    """The same of values whose mean has this error, and whose interval this note, as `intervals` has them."""
    if error is None or error.value <= 1e-12 * max(1.0, max(values), -min(values)):
        return None
    from scipy.special import chdtri

    sd = math.sqrt(math.fsum([(value - mean) ** 2 for value in values]) / (len(values) - 1))
    low, high = (sd * math.sqrt(error.df / float(chdtri(error.df, tail))) for tail in (ALPHA / 2, 1 - ALPHA / 2))
    effect = error.value**2 * len(values) / sd**2
    return Spread(len(values), num_clusters, sd, effect, error.df, low, high, note)


def power_of(spread: Spread, num: float, difference: float, alpha: float = ALPHA) -> float:
    """Probability that the test on `num` samples finds a true difference of this size, whatever its sign."""
    from scipy.special import nctdtr, stdtrit

    df = (spread.df + 1) * num / spread.num - 1
    if df <= 0:
        return 0.0
    distance = abs(difference) / _error(spread, num)
    limit = float(stdtrit(df, 1 - alpha / 2))
    wrong_side = float(nctdtr(df, distance, -limit))  # NaN, in scipy, where it is less than 1e-14
    return 1 - float(nctdtr(df, distance, limit)) + (0.0 if math.isnan(wrong_side) else wrong_side)


def samples_for(spread: Spread, difference: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """The least number of samples that finds a true `difference` with this power; None beyond MOST."""
    most = 2
    while power_of(spread, most, difference, alpha) < power:
        most *= 2
        if most > MOST:
            return None
    return int(_first(lambda num: power_of(spread, int(num), difference, alpha) >= power, most // 2, most, 1))


def detectable(spread: Spread, num: float, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The least true difference that `num` samples find with this power; None where they are too few for a test."""
    if (spread.df + 1) * num / spread.num <= 1:
        return None
    most = _error(spread, num)
    while power_of(spread, num, most, alpha) < power:
        most *= 2
    return _first(lambda size: power_of(spread, num, size, alpha) >= power, 0.0, most, most * 1e-13)


def _error(spread: Spread, num: float) -> float:
    """Standard error of the mean of `num` samples."""
    return spread.sd * math.sqrt(spread.effect / num)


def _first(holds: Callable[[float], bool], low: float, high: float, step: float) -> float:
    """The least value for which it holds, between `low`, for which it does not, and `high`, to within `step`."""
    while high - low > step:
        middle = (low + high) // 2 if step == 1 else (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
