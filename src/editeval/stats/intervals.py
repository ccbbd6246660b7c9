"""95 % intervals of a mean when samples come in clusters (edits of one source image resemble each other).

Cluster-robust standard error with Student's t: with S_c the sum of residuals of cluster c, of C clusters and n samples,
SE = sqrt(C / (C - 1) * sum S_c^2) / n. The same number as statsmodels' OLS on a constant with cov_type="cluster",
use_correction and df_correction. C - 1 degrees of freedom if all clusters weigh the same, fewer if they do not
(`_degrees_of_freedom`). With every cluster of one sample it is the ordinary t interval.

Where such an interval is known to be too narrow there is none, but a word for why: FEW_DISTINCT, DOMINANT_CLUSTER, ...
`bench/interval_coverage.py` prints how often the intervals that are left cover the truth.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.95
FEW_DISTINCT = "few_distinct"  # fewer than MIN_OFF_MODE values differ from the most frequent one
DOMINANT_CLUSTER = "dominant_cluster"  # one cluster has more than MAX_WEIGHT of the weight in the mean
FEW_CLUSTERS = "few_clusters"  # fewer than two, or a mean of categories with one of fewer than MIN_PER_CATEGORY
NO_VARIATION = "no_variation"  # the means of the clusters are all the same
ONE_ANCHOR_EDITOR = "one_anchor_editor"  # of equated scores: the error of the map for another editor is not known
CATEGORY_WITHOUT_ANCHOR = "category_without_anchor"  # nor is it for this category
EQUATED = "equated"  # nor is it for the difference of two editors
_OF_SAMPLES = (FEW_DISTINCT, DOMINANT_CLUSTER, FEW_CLUSTERS, NO_VARIATION)
NOTES = (*_OF_SAMPLES, ONE_ANCHOR_EDITOR, CATEGORY_WITHOUT_ANCHOR, EQUATED)
MIN_OFF_MODE = 10
MAX_WEIGHT = 0.2
MIN_PER_CATEGORY = 3
MIN_FOR_SKEW = 49  # degrees of freedom; with fewer the skewness is not known well enough to correct for it
_SAME = 0.01  # of the range: values so close count as one when the most frequent value is looked for
RESEMBLANCE = 0.3  # correlation within a cluster that the degrees of freedom are for
_NO_VARIATION = 1e-12  # a standard error below this is rounding, not spread
Clusters = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class StandardError:
    """Of a mean; `df` degrees of freedom for Student's t. `skew`: skewness of the mean itself, at most 1 in size."""

    value: float
    df: float
    skew: float = 0.0

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval."""
        return quantile(self.df) * self.value

    def interval(self, mean: float, level: float = LEVEL) -> tuple[float, float]:
        """The interval at `level`; it holds `mean`, though not in its middle if many clusters are skewed.

        With MIN_FOR_SKEW degrees of freedom and a skewness of the clusters beyond 1 the end in the long tail lies
        further out, by the correction of Johnson (1978, J. Am. Stat. Assoc. 73, 536): t alone is too short there. He
        moves the other end as well, which covers .93 of the means of 54 scores with a long tail instead of .95.
        """
        t, shift = quantile(self.df, level), 0.0
        if self.df >= MIN_FOR_SKEW and abs(self.skew) * math.sqrt(self.df + 1) > 1:
            shift = self.skew / 6 * (1 + 2 * t * t) * self.value
        return mean + min(shift, 0.0) - t * self.value, mean + max(shift, 0.0) + t * self.value


def quantile(df: float, level: float = LEVEL) -> float:
    """Of Student's t: half an interval in standard errors."""
    from scipy.special import stdtrit  # scipy.stats takes a second more to import

    return float(stdtrit(df, 0.5 + level / 2))


@dataclass(frozen=True, slots=True)
class Interval:
    """[low, high], or a word for why there is none: exactly one of the two."""

    low: float | None
    high: float | None
    note: str = ""
    kind: str = "t"  # by which rule: Student's t, or one of `stats.rates`


def by_cluster(values: Iterable[tuple[str, Hashable, float]]) -> dict[str, list[float]]:
    """Of (cluster, sample, value): by cluster one value for each sample, the mean over its seeds."""
    found: defaultdict[str, dict[Hashable, float]] = defaultdict(dict)
    several: dict[tuple[str, Hashable], list[float]] = {}
    for cluster, sample, value in values:
        samples = found[cluster]
        if sample in samples:
            several.setdefault((cluster, sample), [samples[sample]]).append(value)
        else:
            samples[sample] = value
    for (cluster, sample), seeds in several.items():
        found[cluster][sample] = math.fsum(seeds) / len(seeds)
    return {cluster: list(samples.values()) for cluster, samples in found.items()}


def interval(
    categories: Sequence[Clusters], means: Sequence[float], further: StandardError | str | None = None
) -> Interval:
    """Of the mean of `means`, which are those of `categories`: clusters of values each, none empty, one or more.

    `further`: an error of the mean that more samples would not lessen, or a note for why that is not known.
    """
    note = doubt(categories) or (further if isinstance(further, str) else "")
    error = None if note else of_macro_mean(categories, means)
    mean = math.fsum(means) / len(means)
    found = of_error(mean, error, note)
    if found.low is None or found.high is None:
        return found
    low, high = found.low, found.high
    if isinstance(further, StandardError):  # never narrower than either, as with Welch's degrees of freedom it could be
        low, high = (mean + sign * math.hypot(end - mean, further.half_width) for sign, end in ((-1, low), (1, high)))
    return Interval(low, high)


def of_error(mean: float, error: StandardError | None, note: str) -> Interval:
    """Of a mean with this error; `note` is what `doubt` says of it."""
    if note or error is None or error.value <= _NO_VARIATION:
        return Interval(None, None, note or NO_VARIATION)
    return Interval(*error.interval(mean))


def doubt(categories: Sequence[Clusters]) -> str:
    """Why an interval of the mean of the means of `categories` would be too narrow; empty if nothing is known."""
    names = set().union(*categories)
    if len(names) < 2 or (len(categories) > 1 and min(map(len, categories)) < MIN_PER_CATEGORY):
        return FEW_CLUSTERS
    if _heaviest(categories) > MAX_WEIGHT + _NO_VARIATION:
        return DOMINANT_CLUSTER
    if _is_nearly_constant([x for clusters in categories for values in clusters.values() for x in values]):
        return FEW_DISTINCT
    return ""


def _heaviest(categories: Sequence[Clusters]) -> float:
    """The largest share of the weight that a cluster has."""
    if len(categories) == 1:
        sizes = [len(values) for values in categories[0].values()]
        return max(sizes) / sum(sizes)
    weights: dict[str, float] = {}
    for clusters in categories:
        weight = 1 / (sum(map(len, clusters.values())) * len(categories))
        for name, values in clusters.items():
            weights[name] = weights.get(name, 0.0) + weight * len(values)
    return max(weights.values())


def _is_nearly_constant(values: Collection[float]) -> bool:
    """Whether fewer than MIN_OFF_MODE values differ from the most frequent one by more than _SAME of their range."""
    ordered = sorted(values)
    width, most = _SAME * (ordered[-1] - ordered[0]), len(ordered) - MIN_OFF_MODE
    return most <= 0 or any(ordered[i + most] - ordered[i] <= width for i in range(MIN_OFF_MODE))


def of_mean(clusters: Clusters, mean: float) -> StandardError | None:
    """Of the mean over all values of `clusters`; None for fewer than two clusters."""
    return of_macro_mean([clusters], [mean])


def of_macro_mean(categories: Sequence[Clusters], means: Sequence[float]) -> StandardError | None:
    """Of the mean of category means, `means` being those of `categories`; None if one has fewer than two clusters.

    A value of category k weighs 1 / (K n_k), and its residual is enlarged by sqrt(C_k / (C_k - 1)); the residuals of a
    cluster are added up over all categories before they are squared. So categories without a common cluster are
    independent, SE = sqrt(sum SE_k^2) / K, with Welch-Satterthwaite degrees of freedom.
    """
    if min(map(len, categories), default=0) < 2:
        return None
    merged = _merged(categories, means) if len(categories) > 1 else _parts(categories[0], means[0])
    squared = math.fsum(total**2 for total, _, _ in merged)
    cubed = math.fsum(total**3 for total, _, _ in merged)
    is_nested = len(categories) > 1 and len(merged) == sum(map(len, categories))
    df = _nested_degrees_of_freedom(categories, means) if is_nested else _degrees_of_freedom(merged)
    return StandardError(math.sqrt(squared), df, cubed / squared**1.5 if squared else 0.0)


_Part = tuple[float, float, float]
"""What a cluster adds to the mean: its weighted residual, its weight, its values' squared weights added up."""


def _parts(clusters: Clusters, mean: float, num_categories: int = 1) -> list[_Part]:
    """One for each cluster, in their order."""
    weight = 1 / (num_categories * sum(map(len, clusters.values())))
    enlarged = weight * math.sqrt(len(clusters) / (len(clusters) - 1))
    return [
        (enlarged * math.fsum([x - mean for x in values]), weight * len(values), weight**2 * len(values))
        for values in clusters.values()
    ]


def _merged(categories: Sequence[Clusters], means: Sequence[float]) -> list[_Part]:
    """One for each cluster, over all categories."""
    known: dict[str, list[_Part]] = {}
    for clusters, mean in zip(categories, means, strict=True):
        for name, part in zip(clusters, _parts(clusters, mean, len(categories)), strict=True):
            known.setdefault(name, []).append(part)
    summed = ((math.fsum(column) for column in zip(*parts, strict=True)) for parts in known.values())
    return [(total, weight, squares) for total, weight, squares in summed]


def _variance(weight: float, squares: float) -> float:
    """Of a cluster's own mean, as a share of that of one value, if its values correlate by RESEMBLANCE."""
    return RESEMBLANCE + (1 - RESEMBLANCE) * squares / weight**2


def _degrees_of_freedom(parts: Sequence[_Part]) -> float:
    """Satterthwaite's of the sum of squared residuals; C - 1 if all clusters weigh the same. The weights sum to 1.

    With u_c = w_c (b_c - sum w_d b_d), b_c independent with variance v_c, the covariance of u is M_cd = w_c w_d
    (v_c [c = d] - v_c w_c - v_d w_d + sum w^2 v), and df = trace(M)^2 / trace(M^2). With C - 1 instead, uneven
    clusters had a type-I error of .06 to .11.
    """
    most = len(parts) - 1
    if len({part[1:] for part in parts}) == 1:
        return most
    rows = [(w * w, v := _variance(w, squares), v * w) for _, w, squares in parts]
    p = math.fsum(w * v for w, v, _ in rows)
    s0, s1, s2 = (math.fsum(w * y**power for w, _, y in rows) for power in (0, 1, 2))
    trace = math.fsum(w * (v - 2 * y + p) for w, v, y in rows)
    diagonal = math.fsum(w**2 * ((v - 2 * y + p) ** 2 - (p - 2 * y) ** 2) for w, v, y in rows)
    squared = diagonal + (p * s0) ** 2 + 2 * s2 * s0 - 4 * p * s1 * s0 + 2 * s1**2
    return min(most, trace**2 / squared)


def _nested_degrees_of_freedom(categories: Sequence[Clusters], means: Sequence[float]) -> float:
    """Welch-Satterthwaite's, with the variances that were measured, or if fewer with those of equal spread.

    With measured ones alone a small category whose scores happen to be alike seems to matter little: beside a category
    of three images the interval covered the truth in .92 of the draws.
    """
    known = []
    for clusters, mean in zip(categories, means, strict=True):
        parts = _parts(clusters, mean)
        measured = math.fsum(total**2 for total, _, _ in parts)
        expected = math.fsum(weight**2 * _variance(weight, squares) for _, weight, squares in parts)
        known.append((measured, expected, _degrees_of_freedom(parts)))
    return min(_welch([(v, df) for v, _, df in known]), _welch([(v, df) for _, v, df in known]))


def _welch(parts: Sequence[tuple[float, float]]) -> float:
    """Of a sum of variances, each with its own degrees of freedom."""
    total = math.fsum(variance for variance, _ in parts)
    return total**2 / math.fsum(variance**2 / df for variance, df in parts) if total else math.inf
