"""How well scores agree: with other scores, with people, with what is known. Of nothing they are None.

Those of a certificate take samples as independent: they come from scenes of their own, there are no clusters.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Floats = NDArray[np.float64]

_Z = 1.959963984540054  # of a 95 % interval


def wilson(count: float, total: float) -> tuple[float, float]:
    """Wilson's 95 % interval of the share `count` of `total`; `total` > 0."""
    share, spread = count / total, _Z * _Z / total
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    low = 0.0 if count == 0 else max(0.0, centre - half)
    return low, 1.0 if count == total else min(1.0, centre + half)


def auroc(high: Sequence[float], low: Sequence[float]) -> float | None:
    """Probability that a random one of `high` is above a random one of `low`; a tie counts half."""
    if not high or not low:
        return None
    ordered = sorted(low)
    wins = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in high)
    return wins / (2 * len(high) * len(low))


def sign_flip_p(differences: Sequence[float], num_flips: int) -> float | None:
    """p of a mean difference above 0 by chance: the share of random sign changes that give at least this sum.

    One-sided, seeded; the observed signs count as one of the draws, so the least is 1 / (num_flips + 1).
    """
    if not differences:
        return None
    values = np.asarray(differences)
    signs = np.random.default_rng(0).integers(0, 2, (num_flips, len(values)), dtype=np.int8) * 2 - 1
    reached = (signs * values).sum(axis=1) >= values.sum() - 1e-9 * np.abs(values).sum()
    return (1 + int(reached.sum())) / (num_flips + 1)


def mean(values: Sequence[float]) -> float | None:
    """Exact sum, rounded once."""
    return math.fsum(values) / len(values) if values else None


def retest_sd(differences: Sequence[float]) -> float | None:
    """Standard deviation of one answer, from differences between two answers to the same request."""
    squares = mean([d * d for d in differences])
    return None if squares is None else math.sqrt(squares / 2)


def modal_share(values: Sequence[float]) -> float | None:
    """Share of the most frequent value, to three decimals."""
    if not values:
        return None
    rounded = [round(value, 3) for value in values]
    return max(rounded.count(value) for value in set(rounded)) / len(rounded)


def spearman(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float | None:
    """Rank correlation; ties share their mean rank. None where one side is constant."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Sequence[float] | Floats) -> Floats:
    _, places, counts = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    means: Floats = np.cumsum(counts) - (counts - 1) / 2
    return means[places]


def fisher_mean(correlations: Sequence[float]) -> float | None:
    """Mean of correlations by way of Fisher's z; a perfect one is taken as nearly so."""
    ends = [max(-1 + 1e-12, min(1 - 1e-12, r)) for r in correlations]
    average = mean([math.atanh(r) for r in ends])
    return None if average is None else math.tanh(average)


def tanh_of_mean(correlations: Sequence[float]) -> float | None:
    """What VIEScore and EditReward print as an average of correlations: Fisher's way back without the way there."""
    average = mean(correlations)
    return None if average is None else math.tanh(average)


def without_last_bits(values: Sequence[float]) -> list[float]:
    """Equal numbers are equal, whatever the order in which they were added up."""
    return [round(value, 9) for value in values]


def credit(people: float, margin: float, tied: float = 0.0, threshold: float = 0.0) -> float:
    """1 for a judge that says what people said about a pair, 0 for one that does not; `tied` if only one says a tie.

    people  1 if the first edit is better, 0 if the second is, 0.5 for a tie
    margin  how much better the judge finds the first; a tie up to `threshold` on either side
    """
    said = TIE if abs(margin) <= threshold else float(margin > 0)
    return 1.0 if said == people else tied if TIE in (said, people) else 0.0


TIE = 0.5


def tie_threshold(people: Sequence[float], margins: Sequence[float]) -> float:
    """The margin up to which to call ties so that most pairs are right (tie calibration, arXiv 2305.14324).

    Of equally good ones the least. It is chosen on the pairs that it is measured on: what it gives is an upper bound.
    """
    return _calibrated(np.asarray(people, dtype=float), np.asarray(margins, dtype=float))[0]


def calibrated_share(people: Floats, margins: Floats) -> float | None:
    """Share of pairs that are right at `tie_threshold`. None without pairs."""
    return _calibrated(people, margins)[1] / len(people) if len(people) else None


def _calibrated(people: Floats, margins: Floats) -> tuple[float, int]:
    """The threshold, and how many pairs are right at it."""
    sizes = np.abs(margins)
    order = np.argsort(sizes, kind="stable")
    is_tie, is_right = people[order] == TIE, people[order] == (margins[order] > 0)
    sizes = sizes[order]
    right = np.concatenate([[0], np.cumsum(is_tie)]) + np.concatenate([np.cumsum(is_right[::-1])[::-1], [0]])
    places = np.unique(np.concatenate([[0.0], sizes]))
    called = np.searchsorted(sizes, places, side="right")  # how many are ties at each threshold
    best = int(np.argmax(right[called]))
    return float(places[best]), int(right[called][best])


def readable_verdicts(chosen: T, verdicts: Iterable[T | None]) -> tuple[int, int]:
    """(right, readable) of the verdicts about one pair, as MMRB2 counts them: each order's verdict is one."""
    said = [verdict for verdict in verdicts if verdict is not None]
    return said.count(chosen), len(said)


def fleiss_kappa(ratings: Sequence[Sequence[float]]) -> float | None:
    """Agreement of raters beyond chance; a row per subject, as many ratings in each. None if all are the same value."""
    values = sorted({value for row in ratings for value in row})
    if len(values) < 2:
        return None
    counts = np.array([[row.count(value) for value in values] for row in map(list, ratings)], dtype=float)
    num_raters = counts.sum(axis=1)[0]
    observed = ((counts**2).sum(axis=1) - num_raters) / (num_raters * (num_raters - 1))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return float((observed.mean() - chance) / (1 - chance))


def krippendorff_alpha(ratings: Sequence[Sequence[float]] | Floats, is_ordinal: bool = True) -> float | None:
    """Krippendorff's alpha; a row per subject, NaN where a rater has not rated it. None if all are the same value.

    A row of fewer than two ratings has nothing to agree with, and is left out. On an ordinal scale it is that of an
    interval scale on the ratings' mean ranks: the ordinal distance of two values is the squared difference of these.
    """
    table = np.asarray(ratings, dtype=float)
    table = table[(~np.isnan(table)).sum(axis=1) >= 2] if table.size else np.zeros((0, 2))
    is_rated = ~np.isnan(table)
    values = table[is_rated]
    if len(values) == 0 or values.min() == values.max():
        return None
    if is_ordinal:
        table = np.full(table.shape, np.nan)
        table[is_rated] = _ranks(values)
    counts = is_rated.sum(axis=1)
    within = (np.nanvar(table, axis=1) * counts**2 / (counts - 1)).sum()
    total = np.nanvar(table) * len(values)
    return float(1 - within * (len(values) - 1) / (len(values) * total))


def kendall_tau_b(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float | None:
    """Kendall's rank correlation with ties. None where one side is constant."""
    from scipy.stats import kendalltau

    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    how = "asymptotic" if len(first) > 2 else "exact"  # of a p that is not used; each fails where the other does not
    return float(kendalltau(first, second, method=how).statistic)
