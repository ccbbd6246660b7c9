"""95 % intervals of a share: of yes among yes/no scores, of samples that were scored, of answers that were read.

Wilson's, and Clopper and Pearson's where fewer than MIN_OF_EACH are of one kind: Wilson's alone covers the truth in .84
of the draws near 0 and 1, the two together in .92 or more for every share and number (`bench/interval_coverage.py`).
Samples of one source image count as fewer, by the design effect (Korn and Graubard 1998, Survey Methodology 24, 193).
"""

from __future__ import annotations

from collections.abc import Iterable

from editeval.stats import intervals
from editeval.stats.agreement import wilson
from editeval.stats.intervals import Clusters, Interval
from editeval.types import Metric

WILSON, CLOPPER_PEARSON = "wilson", "clopper_pearson"
KINDS = (WILSON, CLOPPER_PEARSON)
MIN_OF_EACH = 4
_TAIL = (1 - intervals.LEVEL) / 2


def is_yes_no(values: Iterable[float], scale: Metric) -> bool:
    """Whether a metric says yes or no: all scores are at the two ends of its scale, and both occur or it is 0-1."""
    if scale.low is None or scale.high is None:
        return False
    seen = set(values)
    ends = {scale.low, scale.high}
    return bool(seen) and seen <= ends and (seen == ends or ends == {0, 1})


def clopper_pearson(count: float, total: float) -> tuple[float, float]:
    """The exact 95 % interval of the share `count` of `total`, which need not be whole numbers; `total` > 0."""
    from scipy.special import betaincinv

    low = 0.0 if count <= 0 else float(betaincinv(count, total - count + 1, _TAIL))
    return low, 1.0 if count >= total else float(betaincinv(count + 1, total - count, 1 - _TAIL))


def of_share(count: float, total: float) -> Interval:
    """Of the share `count` of `total` independent samples; there is none of nothing."""
    if total <= 0:
        return Interval(None, None, intervals.FEW_CLUSTERS)
    is_rare = min(count, total - count) < MIN_OF_EACH
    low, high = (clopper_pearson if is_rare else wilson)(count, total)
    return Interval(low, high, kind=CLOPPER_PEARSON if is_rare else WILSON)


def of_yes_no(clusters: Clusters, scale: Metric, mean: float) -> Interval:
    """Of the `mean` of yes/no scores on `scale`, in its units; or a word for why there is none.

    Of one sample for each source image it is `of_share` of them. The mean is not quite that of all scores where a
    sample has several seeds and one of them has no score.
    """
    sizes = [len(values) for values in clusters.values()]
    total = sum(sizes)
    assert scale.low is not None and scale.high is not None, "yes and no are the ends of a scale"
    if len(sizes) < 2:
        return Interval(None, None, intervals.FEW_CLUSTERS)
    if total > len(sizes) and max(sizes) > intervals.MAX_WEIGHT * total:
        return Interval(None, None, intervals.DOMINANT_CLUSTER)
    share = (mean - scale.low) / (scale.high - scale.low)
    effective = total if total == len(sizes) else total / _design_effect(clusters, scale, share)
    count = round(share * total) if total == len(sizes) else share * effective
    found = of_share(count, effective)
    assert found.low is not None and found.high is not None, "two images or more"
    width = scale.high - scale.low
    return Interval(scale.low + width * found.low, scale.low + width * found.high, kind=found.kind)


def _design_effect(clusters: Clusters, scale: Metric, share: float) -> float:
    """By which samples of shared source images count as fewer; 1 or more.

    Measured, with a correction for how few images measure it; where either kind is rare a measured one is luck, and the
    one of a correlation of RESEMBLANCE within an image takes its place if that is larger.
    """
    low, high = scale.low or 0.0, scale.high or 0.0
    sizes = [len(values) for values in clusters.values()]
    total = sum(sizes)
    error = intervals.of_mean(clusters, low + share * (high - low))
    assert error is not None, "two images or more"
    expected = 1 + intervals.RESEMBLANCE * (sum(size * size for size in sizes) / total - 1)
    if min(share, 1 - share) * total < intervals.MIN_OFF_MODE or not error.value:
        least, measured = expected, 1.0
    else:
        least, measured = 1.0, (error.value / (high - low)) ** 2 * total / (share * (1 - share))
    t_all, t_clusters = (intervals.quantile(df) for df in (total - 1, error.df))
    return max(1.0, least, measured * (t_clusters / t_all) ** 2)
