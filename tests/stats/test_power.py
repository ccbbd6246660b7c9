"""Planning from a pilot: against scipy's noncentral t, and closed forms written here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from editeval.stats.power import Spread, detectable, power_of, samples_for, spread_of


def alone(values: list[float]) -> dict[str, list[float]]:
    return {str(n): [value] for n, value in enumerate(values)}


def exact_power(num: int, size: float, alpha: float) -> float:
    """Of a two-sided t test of `num` independent differences of standardised size `size`."""
    limit, shift = stats.t.ppf(1 - alpha / 2, num - 1), size * math.sqrt(num)
    wrong_side = stats.nct.cdf(-limit, num - 1, shift)  # scipy has NaN for what is too small
    return float(stats.nct.sf(limit, num - 1, shift) + (0.0 if math.isnan(wrong_side) else wrong_side))


def pilot(num: int = 40, sd: float = 2.0) -> Spread:
    values = np.random.default_rng(1).normal(0.3, 1, num)
    values *= sd / values.std(ddof=1)
    spread = spread_of(alone(list(values)))
    assert spread is not None
    return spread


@pytest.mark.parametrize("num", [3, 10, 54, 270, 5000])
@pytest.mark.parametrize("size", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_power_is_that_of_the_noncentral_t(num: int, size: float, alpha: float) -> None:
    assert power_of(pilot(), num, 2.0 * size, alpha) == pytest.approx(exact_power(num, size, alpha), abs=1e-9)


@pytest.mark.parametrize("size", [0.07, 0.2, 0.5, 1.3])
def test_the_number_of_samples_is_the_least_that_has_the_power(size: float) -> None:
    num = samples_for(pilot(), 2.0 * size)
    assert num is not None
    assert exact_power(num, size, 0.05) >= 0.8 > exact_power(num - 1, size, 0.05)


@pytest.mark.parametrize("num", [5, 54, 270])
def test_the_detectable_difference_is_the_root_of_the_power(num: int) -> None:
    root = optimize.brentq(lambda size: exact_power(num, size, 0.05) - 0.9, 1e-6, 50, xtol=1e-12)
    assert detectable(pilot(), num, power=0.9) == pytest.approx(2.0 * root, rel=1e-8)


def test_the_interval_of_the_spread_is_that_of_the_chi_square() -> None:
    spread = pilot()
    low, high = (2.0 * math.sqrt(39 / stats.chi2.ppf(q, 39)) for q in (0.975, 0.025))
    assert (spread.sd, spread.low, spread.high) == pytest.approx((2.0, low, high), rel=1e-12)
    assert spread.effect == pytest.approx(1.0)


def test_copies_of_a_sample_add_nothing() -> None:
    values = list(np.random.default_rng(2).normal(0, 1, 60))
    once, thrice = spread_of(alone(values)), spread_of({str(n): [value] * 3 for n, value in enumerate(values)})
    assert once is not None and thrice is not None
    needed = samples_for(once, 0.4), samples_for(thrice, 0.4)
    assert needed[0] is not None and needed[1] is not None
    assert thrice.effect == pytest.approx(3 * 179 / 177)  # the variance of copies is that of 180 values
    assert 3 * (needed[0] - 1) <= needed[1] <= 3 * needed[0]


@pytest.mark.parametrize("clusters", [{}, {"a": [1.0, 2.0]}, alone([3.0] * 20), {"a": [1.0, 3.0], "b": [3.0, 1.0]}])
def test_without_variation_between_clusters_there_is_no_plan(clusters: dict[str, list[float]]) -> None:
    assert spread_of(clusters) is None


def test_what_no_number_of_samples_can_show_has_none() -> None:
    assert samples_for(pilot(), 1e-9) is None
    assert samples_for(pilot(), 0.0) is None
    assert detectable(pilot(), 1) is None
    assert power_of(pilot(), 1, 100.0) == 0.0
    assert samples_for(pilot(), 1e9) == 2


def test_the_spread_is_inside_its_interval_as_often_as_it_says() -> None:
    chance, hits = np.random.default_rng(3), 0
    for _ in range(2000):
        spread = spread_of(alone(list(chance.normal(0, 1, 20))))
        assert spread is not None
        hits += spread.low <= 1 <= spread.high
    assert 0.935 <= hits / 2000 <= 0.965


@pytest.mark.parametrize("num", [30, 454, 2000])
@pytest.mark.parametrize("family", [1, 45, 495])
def test_the_detectable_difference_has_the_power_that_it_names_in_any_family(num: int, family: int) -> None:
    """Where scipy's noncentral t is NaN on the other side, it was up to a third too large."""
    for seed in range(5):
        values = np.random.default_rng(seed).normal(0, 3, num)
        spread = spread_of({str(n): [float(x)] for n, x in enumerate(values)})
        assert spread is not None
        found = detectable(spread, num, 0.05 / family)
        assert found is not None
        distance, limit = found / (spread.sd / math.sqrt(num)), stats.t.isf(0.025 / family, num - 1)
        assert stats.nct.sf(limit, num - 1, distance) == pytest.approx(0.8, abs=1e-6)
