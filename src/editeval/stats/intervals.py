"""95 % intervals of a mean when samples come in clusters (edits of one source image resemble each other).

Cluster-robust standard error with Student's t: with S_c the sum of residuals of cluster c, of C clusters and n samples,
SE = sqrt(C / (C - 1) * sum S_c^2) / n, C - 1 degrees of freedom. The same number as statsmodels' OLS on a constant with
cov_type="cluster", use_correction and df_correction. With every cluster of one sample it is the ordinary t interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.95
_NO_VARIATION = 1e-12  # a standard error below this is rounding, not spread


@dataclass(frozen=True, slots=True)
class StandardError:
    """Of a mean; `df` degrees of freedom for Student's t."""

    value: float
    df: float

    @property
    def half_width(self) -> float | None:
        """Half of the 95 % interval; None if nothing varies: a width of zero would claim certainty."""
        if self.value <= _NO_VARIATION:
            return None
        from scipy.special import stdtrit  # the quantile of Student's t; scipy.stats takes a second more to import

        return float(stdtrit(self.df, 0.5 + LEVEL / 2)) * self.value


def of_mean(clusters: Mapping[str, Sequence[float]], mean: float) -> StandardError | None:
    """Of the mean over all values of `clusters`; None for fewer than two clusters."""
    num_values = sum(len(values) for values in clusters.values())
    return _robust([math.fsum(x - mean for x in values) / num_values for values in clusters.values()])


def of_macro_mean(categories: Sequence[Mapping[str, Sequence[float]]], means: Sequence[float]) -> StandardError | None:
    """Of the mean of category means, `means` being those of `categories` (clusters of values each).

    Clusters that stay inside their category: the categories are independent, SE = sqrt(sum SE_k^2) / K, with
    Welch-Satterthwaite degrees of freedom; None if a category has fewer than two clusters. Clusters that cross
    categories: cluster-robust over all of them, a value of category k weighing 1 / (K n_k).
    """
    num_names = sum(len(clusters) for clusters in categories)
    if num_names == len(set().union(*categories)):
        return _independent([of_mean(clusters, mean) for clusters, mean in zip(categories, means, strict=True)])
    totals: dict[str, list[float]] = {}
    for clusters, mean in zip(categories, means, strict=True):
        weight = len(categories) * sum(len(values) for values in clusters.values())
        for name, values in clusters.items():
            totals.setdefault(name, []).append(math.fsum(x - mean for x in values) / weight)
    return _robust([math.fsum(parts) for parts in totals.values()])


def _robust(totals: Sequence[float]) -> StandardError | None:
    """`totals`: one weighted sum of residuals per cluster."""
    count = len(totals)
    if count < 2:
        return None
    return StandardError(math.sqrt(math.fsum(s * s for s in totals) * count / (count - 1)), count - 1)


def _independent(errors: Sequence[StandardError | None]) -> StandardError | None:
    known = [error for error in errors if error is not None]
    if not known or len(known) < len(errors):
        return None
    total = math.fsum(error.value**2 for error in known)
    if total == 0:
        return StandardError(0.0, 1)
    df = total**2 / math.fsum(error.value**4 / error.df for error in known)
    return StandardError(math.sqrt(total) / len(known), df)
