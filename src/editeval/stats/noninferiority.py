"""Is the second of two runs not worse than the first by a margin? Non-inferiority on paired scores.

Two tests of 5 % each, one-sided: the second run *passes* if the bad end of the interval of its mean difference lies
above -margin, and *fails* if the good end lies below; else nothing is decided. So a run that is worse by the margin
passes, and one that is not fails, in 5 % of cases at most. The interval is the cluster-robust t of `intervals`. Where
nearly all differences are the same, as with engines that give the same edits, t says nothing; there the share of
clusters that differ has an exact upper limit (Clopper and Pearson), and each may differ by the whole scale.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from editeval.stats import intervals
from editeval.stats.intervals import Clusters, StandardError
from editeval.types import Metric

ALPHA = 0.05  # of each of the two one-sided tests
POWER = 0.8  # with which `needed` samples would decide, and `num_pairs` would find `detectable`
SAME = 0.01  # of the scale: differences so close to each other are nearly the same
MOST = 1_000_000  # samples; a plan that needs more is none
_NORMAL = statistics.NormalDist()
Outcome = Literal["passes", "fails", "undecided"]
EXACT, T = "exact", "t"  # how the interval was made
WORDS = {
    intervals.FEW_CLUSTERS: "fewer than two source images have both scores",
    intervals.DOMINANT_CLUSTER: "one source image has more than a fifth of the samples",
    intervals.NO_VARIATION: "the scores do not vary",
}
"""Why there is no interval."""


@dataclass(frozen=True, slots=True)
class GatePair:
    """One edit of two runs. `first` and `second` None: not scored; `has_failed`: the second run's edit failed."""

    cluster: str
    first: float | None
    second: float | None
    has_failed: bool = False
    sample: str = ""  # whose edit it is, where a sample has several: they decide as one, by their mean


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """`difference`: mean of second - first in the metric's numbers; [low, high]: both ends at 95 %, one-sided.

    Of the samples that the first run scored, an edit that the second one failed to make has the worst score; a score
    that is missing for another reason is the worst one for the bad end of the interval and the best for the good end.
    """

    outcome: Outcome
    margin: float
    difference: float | None
    low: float | None
    high: float | None
    p: float | None  # of the hypothesis that the second is worse by the margin or more
    method: str  # EXACT or T; empty without an interval
    note: str  # why there is no interval: a word of `intervals`, or "no_scale"
    num_pairs: int  # samples that decide
    num_clusters: int
    num_failed: int  # edits of the second run, of those pairs
    num_unscored: int  # scores missing in the second run, of those pairs
    num_left_out: int  # samples without a score of the first run
    detectable: float | None  # the smallest margin that a second run as good as the first would pass, with POWER
    needed: int | None  # samples with which this difference would be decided, with POWER; None: no number is known


@dataclass(frozen=True, slots=True)
class _Ends:
    """An interval: its ends for an error of alpha on either side. Larger is better."""

    mean: float
    low: Callable[[float], float]
    high: Callable[[float], float]
    method: str
    detectable: float
    needed: Callable[[float], float]  # clusters that decide about a margin, as a multiple of those there are; or inf


def judge(pairs: Sequence[GatePair], metric: Metric, margin: float) -> GateVerdict:
    """`margin` > 0 in the metric's numbers; where lower is better, worse by the margin is higher by it."""
    kept = [pair for pair in pairs if pair.first is not None]
    worst, best = (metric.low, metric.high) if metric.is_higher_better else (metric.high, metric.low)
    num_failed = sum(pair.second is None and pair.has_failed for pair in kept)
    num_unscored = sum(pair.second is None and not pair.has_failed for pair in kept)
    found: list[_Ends | str] = []
    for filler in (worst, best):
        if (num_failed and worst is None) or (num_unscored and filler is None):
            found.append("no_scale")
        else:
            found.append(_ends(_differences(kept, metric, worst, filler), metric))
    bad, good = found
    mean = _mean(_differences(kept, metric, worst, None))
    told = GateVerdict(
        outcome="undecided",
        margin=margin,
        difference=None if mean is None else _raw(mean, metric),
        low=None,
        high=None,
        p=None,
        method="",
        note=next((one for one in found if isinstance(one, str)), ""),
        num_pairs=len({pair.sample or n for n, pair in enumerate(kept)}),
        num_clusters=len({pair.cluster for pair in kept}),
        num_failed=num_failed,
        num_unscored=num_unscored,
        num_left_out=len(pairs) - len(kept),
        detectable=None,
        needed=None,
    )
    return told if isinstance(bad, str) or isinstance(good, str) else _decided(told, bad, good, metric)


def _decided(told: GateVerdict, bad: _Ends, good: _Ends, metric: Metric) -> GateVerdict:
    low, high = bad.low(ALPHA), good.high(ALPHA)
    outcome: Outcome = "passes" if low > -told.margin else "fails" if high < -told.margin else "undecided"
    ends = sorted((_raw(low, metric), _raw(high, metric)))
    is_short = outcome == "undecided" and not told.num_unscored
    needed = bad.needed(told.margin) * told.num_pairs if is_short else math.inf
    return replace(
        told,
        outcome=outcome,
        low=ends[0],
        high=ends[1],
        p=_p_value(bad.low, -told.margin),
        method=bad.method,
        detectable=bad.detectable,
        needed=max(math.ceil(needed), told.num_pairs + 1) if needed <= MOST else None,
    )


def _differences(kept: Sequence[GatePair], metric: Metric, worst: float | None, filler: float | None) -> Clusters:
    """second - first by cluster, larger is better; `filler` for scores that are missing, None leaves them out."""
    found: list[tuple[str, Hashable, float]] = []
    for number, pair in enumerate(kept):
        second = pair.second if pair.second is not None else worst if pair.has_failed else filler
        if second is not None and pair.first is not None:
            difference = second - pair.first
            found.append((pair.cluster, pair.sample or number, difference if metric.is_higher_better else -difference))
    return intervals.by_cluster(found)


def _mean(clusters: Clusters) -> float | None:
    values = [value for mine in clusters.values() for value in mine]
    return math.fsum(values) / len(values) if values else None


def _raw(value: float, metric: Metric) -> float:
    """As the metric counts."""
    return (value if metric.is_higher_better else -value) + 0.0


def _ends(clusters: Clusters, metric: Metric) -> _Ends | str:
    """The interval of the mean, or a word for why there is none."""
    mean = _mean(clusters)
    if mean is None:
        return intervals.FEW_CLUSTERS
    note = intervals.doubt([clusters])
    error = None if note else intervals.of_mean(clusters, mean)
    if error is not None and error.value > 0:
        return _by_t(error, mean)
    if note not in ("", intervals.FEW_DISTINCT):
        return note
    if metric.low is None or metric.high is None:
        return "no_scale"
    return _exact(clusters, mean, metric.high - metric.low)


def _by_t(error: StandardError, mean: float) -> _Ends:
    distance = (_NORMAL.inv_cdf(1 - ALPHA) + _NORMAL.inv_cdf(POWER)) * error.value

    def needed(margin: float) -> float:
        short = abs(mean + margin)
        return (distance / short) ** 2 if short > 0 else math.inf

    def end(alpha: float, place: int) -> float:
        return error.interval(mean, 1 - 2 * alpha)[place]

    return _Ends(mean, lambda alpha: end(alpha, 0), lambda alpha: end(alpha, 1), T, distance, needed)


def _exact(clusters: Clusters, mean: float, span: float) -> _Ends:
    rare = _Rare.of(clusters, span)

    def needed(margin: float) -> float:
        enough = 1.0
        while rare.end(ALPHA, -1, enough) <= -margin and enough * len(clusters) <= MOST:
            enough *= 1.01
        return enough

    least = rare.end(ALPHA, -1)
    return _Ends(mean, lambda alpha: rare.end(alpha, -1), lambda alpha: rare.end(alpha, 1), EXACT, mean - least, needed)


@dataclass(frozen=True, slots=True)
class _Rare:
    """Clusters, of which most differ by between `least` and `most`; the odd ones may differ by `span`."""

    num: int
    num_odd: int
    least: float
    most: float
    span: float

    @classmethod
    def of(cls, clusters: Clusters, span: float) -> _Rare:
        least, most = _usual([value for mine in clusters.values() for value in mine], SAME * span)
        num_odd = sum(any(not least <= value <= most for value in mine) for mine in clusters.values())
        return cls(len(clusters), num_odd, least, most, span)

    def end(self, alpha: float, sign: int, times: float = 1.0) -> float:
        """One end (`sign` -1: the lower) of the mean; `times` as many clusters, of which the same share is odd."""
        share = _upper_share(self.num_odd * times, self.num * times, alpha)
        return (1 - share) * (self.least if sign < 0 else self.most) + share * sign * self.span


def exact_end(clusters: Clusters, span: float, alpha: float, sign: int) -> float:
    """One end (`sign` -1: the lower) of the mean where most clusters have nearly the same difference.

    A cluster that has not may differ by `span`.
    """
    return _Rare.of(clusters, span).end(alpha, sign)


def _usual(values: Sequence[float], width: float) -> tuple[float, float]:
    """The least and the greatest of as many values as lie within `width` of each other."""
    ordered = sorted(values)
    ends = [bisect_right(ordered, value + width) for value in ordered]
    first = max(range(len(ordered)), key=lambda place: ends[place] - place)
    return ordered[first], ordered[ends[first] - 1]


def _upper_share(count: float, num: float, alpha: float) -> float:
    """What a true share, of which `count` of `num` were seen, is not above, with confidence 1 - alpha."""
    from scipy.special import betaincinv

    return 1.0 if count >= num else float(betaincinv(count + 1, num - count, 1 - alpha))


def _p_value(low: Callable[[float], float], limit: float) -> float:
    """The smallest alpha at which the bad end lies above `limit`."""
    below, above = 0.0, 1.0
    for _ in range(50):
        middle = (below + above) / 2
        below, above = (below, middle) if low(middle) > limit else (middle, above)
    return above
