"""How well scores agree: with other scores, with people, with what is known. Of nothing they are None.

Those of a certificate take samples as independent: they come from scenes of their own, there are no clusters.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

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


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Rank correlation; ties share their mean rank. None where one side is constant."""
    if len(first) < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Sequence[float]) -> list[float]:
    _, places, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts - 1) / 2
    return [float(rank) for rank in means[places]]


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
    sizes = np.abs(np.asarray(margins, dtype=float))
    order = np.argsort(sizes, kind="stable")
    is_tie = np.asarray(people, dtype=float)[order] == TIE
    is_right = np.asarray([credit(p, m, threshold=-1.0) for p, m in zip(people, margins, strict=True)])[order]
    sizes = sizes[order]
    right = np.concatenate([[0], np.cumsum(is_tie)]) + np.concatenate([np.cumsum(is_right[::-1])[::-1], [0]])
    places = np.unique(np.concatenate([[0.0], sizes]))
    called = np.searchsorted(sizes, places, side="right")  # how many are ties at each threshold
    return float(places[int(np.argmax(right[called]))])


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


def krippendorff_alpha(ratings: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha on an ordinal scale; a row per subject, without gaps. None if all are the same value."""
    values = sorted({value for row in ratings for value in row})
    if len(values) < 2:
        return None
    pairs = np.zeros((len(values), len(values)))
    for row in map(list, ratings):
        counts = np.array([row.count(value) for value in values], dtype=float)
        pairs += (np.outer(counts, counts) - np.diag(counts)) / (len(row) - 1)
    totals = pairs.sum(axis=1)
    reached = np.cumsum(totals) - totals / 2  # the middle of a value's ranks
    distance = (reached[:, None] - reached[None, :]) ** 2
    expected = (np.outer(totals, totals) * distance).sum() / (totals.sum() - 1)
    return float(1 - (pairs * distance).sum() / expected)
