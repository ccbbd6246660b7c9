"""A gate decides by one-sided ends of the paired difference, and never for want of samples."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from editeval.stats.noninferiority import GatePair, judge
from editeval.types import Metric

SCALE = Metric("overall")
ERROR = Metric("lpips", 0.0, 1.0, is_higher_better=False)


def pairs_of(differences: np.ndarray, first: float = 5.0) -> list[GatePair]:
    return [GatePair(str(n), first, first + float(one)) for n, one in enumerate(differences)]


def some(mean: float = 0.0, count: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.6, count)


def test_the_ends_and_p_are_those_of_scipys_one_sided_t_test() -> None:
    differences = some(-0.05)
    told = judge(pairs_of(differences), SCALE, 0.2)
    test = stats.ttest_1samp(differences, -0.2, alternative="greater")
    ends = stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    assert told.p == pytest.approx(test.pvalue, abs=1e-9)
    assert (told.low, told.high) == (pytest.approx(ends.low, abs=1e-10), pytest.approx(ends.high, abs=1e-10))
    assert told.method == "t" and told.difference == pytest.approx(differences.mean())


@pytest.mark.parametrize("num_odd", [0, 1, 7])
def test_where_nearly_all_are_the_same_the_limit_is_that_of_clopper_and_pearson(num_odd: int) -> None:
    differences = np.array([0.0] * (200 - num_odd) + [-1.0] * num_odd)
    told = judge(pairs_of(differences), SCALE, 0.1)
    limit = stats.binomtest(num_odd, 200, alternative="less").proportion_ci(0.95).high
    assert told.method == "exact" and told.low == pytest.approx(-10 * limit, abs=1e-9)
    assert told.outcome == "undecided", "what was not seen in 200 samples may still cost more than the margin"


def test_the_number_that_would_decide_decides() -> None:
    few = judge(pairs_of(np.zeros(200)), SCALE, 0.1)
    assert few.needed is not None and 299 <= few.needed <= 305
    assert judge(pairs_of(np.zeros(few.needed)), SCALE, 0.1).outcome == "passes"
    short = judge(pairs_of(some(0.0, 30)), SCALE, 0.1)
    assert short.outcome == "undecided" and short.needed is not None and short.needed > 30


@given(st.integers(0, 1000), st.sampled_from([-1.0, -0.3, 0.0, 0.4]))
@settings(max_examples=25, deadline=None)
def test_a_metric_where_lower_is_better_is_decided_as_its_mirror_image(seed: int, mean: float) -> None:
    differences = some(mean, 60, seed) / 10
    higher = judge(pairs_of(differences, 0.5), dataclasses.replace(ERROR, is_higher_better=True), 0.02)
    lower = judge(pairs_of(-differences, 0.5), ERROR, 0.02)
    assert lower.outcome == higher.outcome and lower.p == pytest.approx(higher.p)
    assert higher.low is not None and higher.high is not None
    assert (lower.low, lower.high) == (pytest.approx(-higher.high), pytest.approx(-higher.low))


def test_an_edit_that_failed_has_the_worst_score_and_a_missing_score_widens_both_ends() -> None:
    whole = pairs_of(some(0.0, 150) / 3)
    assert judge(whole, SCALE, 0.1).outcome == "passes"
    failed = [dataclasses.replace(one, second=None, has_failed=True) if n < 15 else one for n, one in enumerate(whole)]
    told = judge(failed, SCALE, 0.1)
    assert told.outcome == "fails" and told.num_failed == 15 and told.num_pairs == 150
    unscored = [dataclasses.replace(one, has_failed=False) for one in failed]
    bounds = judge(unscored, SCALE, 0.1)
    assert bounds.outcome == "undecided" and bounds.num_unscored == 15 and bounds.needed is None
    assert bounds.low is not None and bounds.high is not None and bounds.low < -0.3 and bounds.high > 0.3


def test_samples_that_the_first_run_has_no_score_of_say_nothing() -> None:
    known = pairs_of(some())
    more = [*known, GatePair("x", None, 0.0), GatePair("y", None, None, has_failed=True)]
    assert judge(more, SCALE, 0.2) == dataclasses.replace(judge(known, SCALE, 0.2), num_left_out=2)


@pytest.mark.parametrize("pairs", [[], [GatePair("a", 5.0, 5.0)], [GatePair("a", 5.0, float(n)) for n in range(9)]])
def test_one_source_image_or_none_decides_nothing(pairs: list[GatePair]) -> None:
    told = judge(pairs, SCALE, 0.1)
    assert (told.outcome, told.low, told.p, told.note) == ("undecided", None, None, "few_clusters")


def test_without_a_worst_value_a_failed_edit_leaves_it_open() -> None:
    open_ended = Metric("reward", None, None)
    pairs = pairs_of(some(0.0, 200) / 10)
    assert judge(pairs, open_ended, 0.1).outcome == "passes"
    told = judge([*pairs, GatePair("x", 5.0, None, has_failed=True)], open_ended, 0.1)
    assert (told.outcome, told.note) == ("undecided", "no_scale")


def test_the_seeds_of_a_sample_decide_as_one() -> None:
    pairs = [
        GatePair(f"s{n}", 5.0, 5.0 + value + end, sample=f"s{n}")
        for n, value in enumerate(some())
        for end in (-0.3, 0.3)
    ]
    several, one = judge(pairs, SCALE, 0.2), judge(pairs_of(some()), SCALE, 0.2)
    assert (several.num_pairs, several.num_clusters) == (one.num_pairs, one.num_clusters) == (80, 80)
    assert (several.low, several.high, several.p) == pytest.approx((one.low, one.high, one.p), abs=1e-9)
