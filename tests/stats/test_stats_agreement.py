"""Correlation of ranks and agreement of raters, against numbers from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from editeval.stats.agreement import fisher_mean, fleiss_kappa, krippendorff_alpha, spearman


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
