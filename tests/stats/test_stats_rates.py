"""Intervals of shares: those of SciPy, and right often enough for every true share."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from editeval.stats import rates
from editeval.stats.agreement import wilson


@pytest.mark.parametrize("total", [1, 5, 54, 1000])
def test_both_rules_are_those_of_scipy(total: int) -> None:
    for count in {0, 1, 2, total // 3, total - 1, total}:
        if 0 <= count <= total:
            test = scipy.stats.binomtest(count, total)
            for ours, method in ((wilson, "wilson"), (rates.clopper_pearson, "exact")):
                known = test.proportion_ci(method=method)
                assert ours(count, total) == pytest.approx((known.low, known.high), abs=1e-10), (count, method)


@pytest.mark.parametrize("total", [2, 5, 12, 54, 270])
def test_no_true_share_is_covered_in_less_than_92_percent(total: int) -> None:
    """Exact: the chance of every count is known. Wilson's rule alone covers .84."""
    counts = np.arange(total + 1)
    ends = [(found.low, found.high) for found in (rates.of_share(int(count), total) for count in counts)]
    low, high = (np.array(side, dtype=float) for side in zip(*ends, strict=True))
    for share in (*np.geomspace(1e-4, 0.05, 100), *np.linspace(0.05, 0.5, 150)):
        covered = scipy.stats.binom.pmf(counts, total, share)[(low <= share) & (share <= high)].sum()
        assert covered > 0.92, share


def test_a_share_of_nothing_has_no_interval() -> None:
    assert rates.of_share(0, 0).low is None
