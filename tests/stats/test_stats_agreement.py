"""Correlation of ranks and agreement of raters, against numbers from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from editeval.stats.agreement import (
    calibrated_share,
    credit,
    fisher_mean,
    fleiss_kappa,
    kendall_tau_b,
    krippendorff_alpha,
    spearman,
    tie_threshold,
)


def test_spearman_is_scipys_with_ties_and_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 5, 30).tolist(), rng.integers(0, 4, 30).tolist()
        assert spearman(first, second) == pytest.approx(float(spearmanr(first, second)[0]))


def test_of_constants_there_is_no_correlation_and_no_agreement() -> None:
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert spearman([], []) is None
    assert fleiss_kappa([[1, 1], [1, 1]]) is None
    assert krippendorff_alpha([[1, 1], [1, 1]]) is None


def test_fishers_mean_is_that_of_z() -> None:
    assert fisher_mean([0.2, 0.8]) == pytest.approx(math.tanh((math.atanh(0.2) + math.atanh(0.8)) / 2))
    assert fisher_mean([1.0]) == pytest.approx(1.0)
    assert fisher_mean([]) is None


def test_kappa_and_alpha_by_hand() -> None:
    """Two raters, four subjects: 0 0, 1 1, 0 1, 1 1."""
    ratings = [[0, 0], [1, 1], [0, 1], [1, 1]]
    chance = (3 / 8) ** 2 + (5 / 8) ** 2
    assert fleiss_kappa(ratings) == pytest.approx((0.75 - chance) / (1 - chance))
    assert krippendorff_alpha(ratings) == pytest.approx(1 - (8 - 1) * 2 / (2 * 3 * 5))
    assert krippendorff_alpha([[1, 1], [2, 2], [3, 3]]) == pytest.approx(1.0)


def test_on_an_ordinal_scale_near_is_better_than_far() -> None:
    near, far = [[1, 2], [2, 2], [3, 3], [1, 1]], [[1, 3], [2, 2], [3, 3], [1, 1]]
    good, bad = krippendorff_alpha(near), krippendorff_alpha(far)
    assert good is not None and bad is not None
    assert good > bad


def alpha_by_coincidences(table: list[list[float]], is_ordinal: bool) -> float:
    """As Krippendorff writes it: a matrix of coincidences, and distances between its values."""
    rows = [[x for x in row if not math.isnan(x)] for row in table]
    rows = [row for row in rows if len(row) > 1]
    values = sorted({x for row in rows for x in row})
    seen = {(a, b): 0.0 for a in values for b in values}
    for row in rows:
        for i, a in enumerate(row):
            for j, b in enumerate(row):
                seen[a, b] += (i != j) / (len(row) - 1)
    totals = {a: sum(seen[a, b] for b in values) for a in values}
    num = sum(totals.values())

    def distance(a: float, b: float) -> float:
        between = [totals[x] for x in values if min(a, b) <= x <= max(a, b)]
        return float((sum(between) - (totals[a] + totals[b]) / 2) ** 2 if is_ordinal else (a - b) ** 2)

    observed = sum(seen[a, b] * distance(a, b) for a in values for b in values) / num
    chance = sum(totals[a] * totals[b] * distance(a, b) for a in values for b in values) / (num * (num - 1))
    return 1 - observed / chance


@pytest.mark.parametrize("is_ordinal", [True, False])
def test_alpha_is_that_of_coincidences_with_gaps(is_ordinal: bool) -> None:
    chance = np.random.default_rng(1)
    for _ in range(10):
        table = np.clip(chance.integers(1, 6, (25, 1)) + chance.integers(-1, 2, (25, 4)), 1, 5).astype(float)
        table[chance.random(table.shape) < 0.4] = np.nan
        found = krippendorff_alpha(table, is_ordinal)
        assert found == pytest.approx(alpha_by_coincidences(table.tolist(), is_ordinal), abs=1e-10)


def test_alpha_is_undefined_without_two_ratings_of_anything() -> None:
    nan = math.nan
    assert krippendorff_alpha([[1, nan], [nan, 2]]) is None
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([[1, 1], [1, nan], [nan, 2]]) is None  # the 2 has nothing to agree with


def test_tau_b_is_scipys_and_undefined_for_a_constant() -> None:
    chance = np.random.default_rng(2)
    first, second = chance.integers(0, 4, 40).tolist(), chance.integers(0, 6, 40).tolist()
    assert kendall_tau_b(first, second) == pytest.approx(float(kendalltau(first, second)[0]), abs=1e-10)
    assert kendall_tau_b(first, [1.0] * 40) is None
    assert (kendall_tau_b([1, 2], [5, 3]), kendall_tau_b([1, 2], [3, 3])) == (-1.0, None)


def test_the_calibrated_share_is_the_best_of_all_thresholds() -> None:
    chance = np.random.default_rng(3)
    people, margins = chance.choice([0.0, 0.5, 1.0], 60), np.round(chance.normal(0, 2, 60), 1)
    shares = {
        threshold: sum(credit(p, m, threshold=threshold) for p, m in zip(people, margins, strict=True)) / 60
        for threshold in [0.0, *np.abs(margins)]
    }
    best = max(shares.values())
    assert calibrated_share(people, margins) == pytest.approx(best)
    assert tie_threshold(list(people), list(margins)) == min(t for t, share in shares.items() if share == best)
    assert calibrated_share(np.array([]), np.array([])) is None
