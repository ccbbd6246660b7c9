"""The statistics of a certificate against scipy's."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.stats import agreement

SCORES = st.lists(st.integers(0, 10).map(float), min_size=1, max_size=30)


@pytest.mark.parametrize(("count", "total"), [(54, 60), (0, 54), (54, 54), (1, 3), (30, 60), (1, 1)])
def test_wilson_is_the_interval_that_scipy_gives(count: int, total: int) -> None:
    from scipy import stats

    theirs = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert agreement.wilson(count, total) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@settings(deadline=None)
@given(SCORES, SCORES)
def test_auroc_is_the_mann_whitney_statistic(high: list[float], low: list[float]) -> None:
    from scipy import stats

    theirs = stats.mannwhitneyu(high, low, method="asymptotic").statistic / (len(high) * len(low))
    assert agreement.auroc(high, low) == pytest.approx(theirs, abs=1e-12)


def test_the_sign_flip_p_is_the_exact_one_up_to_sampling() -> None:
    from scipy import stats

    dice = random.Random(1)
    for shift in (0.0, 0.3, 0.6):
        differences = [dice.gauss(shift, 1.0) for _ in range(12)]
        exact = stats.permutation_test(
            (differences, [0.0] * 12),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            alternative="greater",
            n_resamples=2**13,
        ).pvalue
        ours = agreement.sign_flip_p(differences, 9999)
        assert ours == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 9999) ** 0.5 + 2e-4)


def test_no_difference_is_no_evidence_and_nothing_is_none() -> None:
    assert agreement.sign_flip_p([0.0] * 40, 999) == 1.0
    assert agreement.sign_flip_p([2.0] * 40, 999) == 1 / 1000
    assert agreement.sign_flip_p([], 999) is None
    assert agreement.auroc([], [1.0]) is None and agreement.mean([]) is None
    assert agreement.retest_sd([]) is None and agreement.modal_share([]) is None


def test_the_retest_sd_is_that_of_one_answer() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(5, 0.7, 20_000), rng.normal(5, 0.7, 20_000)
    assert agreement.retest_sd(list(first - second)) == pytest.approx(0.7, rel=0.03)
