"""p of flipped signs, several comparisons at once, places, and what could have been found: against other code."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product

import numpy as np
import pytest
from scipy import stats

from editeval.stats import decisions, signflip
from editeval.stats.compare import Comparison, Scored, compare, compare_all, mcnemar_p
from editeval.types import Metric

SCALE = Metric("overall")
YES_NO = Metric("accuracy", 0.0, 1.0)


def runs_of(differences: list[list[float]]) -> tuple[dict[Hashable, Scored], dict[Hashable, Scored]]:
    """Two runs that differ by these, by cluster."""
    flat = [(str(c), k, d) for c, values in enumerate(differences) for k, d in enumerate(values)]
    first: dict[Hashable, Scored] = {(c, k): Scored(c, 5 + d) for c, k, d in flat}
    return first, {(c, k): Scored(c, 5.0) for c, k, _ in flat}


def test_with_few_clusters_p_is_scipys_exact_permutation_test() -> None:
    chance = np.random.default_rng(5)
    for count in (2, 6, 9, 13):
        sums = chance.normal(0.4, 1, count).round(1)
        expected = stats.permutation_test(
            (sums,), lambda x, axis: x.sum(axis), permutation_type="samples", n_resamples=np.inf, vectorized=True
        )
        (found,) = signflip.p_values([list(sums)])
        assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
        assert found.floor == 2.0 ** -(int((sums != 0).sum()) - 1)


def test_with_many_clusters_p_is_drawn_the_same_whatever_else_is_asked() -> None:
    chance = np.random.default_rng(6)
    many = [list(chance.normal(0.1, 1, count)) for count in (40, 700, 1400)]
    found = signflip.p_values(many)
    for values, one in zip(many, found, strict=True):
        assert signflip.p_values([values]) == [one] == signflip.p_values([[-x for x in values]])
        assert one.floor == 1 / 10_000
        assert abs(one.p - stats.ttest_1samp(values, 0).pvalue) < 0.02, "so many are nearly normal"


def test_mcnemars_p_is_the_binomial_one_and_that_of_flipped_signs() -> None:
    for wins, losses in product((0, 1, 4, 7), repeat=2):
        expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
        assert mcnemar_p(wins, losses) == pytest.approx(expected, abs=1e-12)
        (flipped,) = signflip.p_values([[1.0] * wins + [-1.0] * losses])
        assert flipped.p == pytest.approx(expected, abs=1e-12)


def test_only_scores_at_the_two_ends_of_their_scale_get_mcnemars_test() -> None:
    first: dict[Hashable, Scored] = {str(n): Scored(str(n), float(n > 3)) for n in range(30)}
    second: dict[Hashable, Scored] = {str(n): Scored(str(n), float(n > 12)) for n in range(30)}
    told = compare(first, second, YES_NO)
    assert told.mcnemar == told.p == mcnemar_p(9, 0) and told.interval_note == "few_distinct"
    assert decisions.decide([told], True)[0].better == "first", "it needs no interval"
    assert compare(first, second, Metric("share", 0.0, 2.0)).mcnemar is None
    shared: dict[Hashable, Scored] = {key: Scored(str(int(str(key)) // 3), one.value) for key, one in first.items()}
    clustered = compare(shared, second, YES_NO)
    assert clustered.mcnemar == mcnemar_p(9, 0) and clustered.p != clustered.mcnemar, "three to an image"


def test_holm_is_monotone_and_that_of_the_step_down_definition() -> None:
    p_values = [0.01, 0.04, 0.03, 0.005, 1.0]
    assert decisions.holm(p_values) == pytest.approx([0.04, 0.09, 0.09, 0.025, 1.0])
    assert decisions.holm([]) == [] and decisions.holm([0.2]) == [0.2]


def test_places_follow_from_what_is_decided_alone() -> None:
    better = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "d")]
    assert decisions.rank_intervals("abcd", better) == {"a": (1, 1), "b": (2, 3), "c": (2, 4), "d": (3, 4)}
    assert decisions.rank_intervals(["x"], []) == {"x": (1, 1)}


def test_what_could_have_been_found_is_at_the_first_step_of_its_family() -> None:
    chance = np.random.default_rng(2)
    told = compare_all([runs_of([[x] for x in chance.normal(0, 1, 40)]) for _ in range(28)], SCALE)
    for one, decision in zip(told, decisions.decide(told, True), strict=True):
        if decision.better:
            continue
        assert one.spread is not None and decision.detectable is not None
        critical, noncentral = stats.t.ppf(1 - 0.05 / 28 / 2, 39), decision.detectable / (one.spread.sd / 40**0.5)
        power = stats.nct.sf(critical, 39, noncentral) + stats.nct.cdf(-critical, 39, noncentral)
        assert power == pytest.approx(0.8, abs=1e-10)


def test_so_many_more_samples_bring_what_can_be_found_down_to_what_was_seen() -> None:
    chance = np.random.default_rng(8)
    told = compare(*runs_of([[x] for x in chance.normal(0.15, 1, 100)]), SCALE)
    (decision,) = decisions.decide([told], True)
    assert decision.reason == decisions.NOT_DISTINGUISHABLE and decision.num_more and decision.detectable
    assert told.difference is not None
    ratio = (100 + decision.num_more) / 100
    assert decision.detectable / ratio**0.5 == pytest.approx(abs(told.difference), rel=0.01)
    near_nothing = compare(*runs_of([[x] for x in (1.0, -1.0) * 50]), SCALE)
    assert decisions.decide([near_nothing], True)[0].num_more is None


@pytest.mark.parametrize(
    ("differences", "reason"),
    [
        ([], decisions.NOTHING_SHARED),
        ([[0.0]] * 40, decisions.IDENTICAL),
        ([[1.0, 2.0, 1.5]], decisions.UNRELIABLE),
        ([[1.0], [1.2], [1.1], [1.3], [1.4]], decisions.UNRELIABLE),
        ([[1.0, 2.0, 1.5] * 30, *[[1.0 + n / 10] for n in range(9)]], decisions.UNRELIABLE),
        ([[1.0 - n % 3] for n in range(60)], decisions.NOT_DISTINGUISHABLE),
    ],
)
def test_what_decides_nothing_says_why(differences: list[list[float]], reason: str) -> None:
    told = compare(*runs_of(differences), SCALE)
    (decision,) = decisions.decide([told], True)
    assert (decision.better, decision.reason) == ("", reason)
    assert (told.p is None) == (reason in (decisions.NOTHING_SHARED, decisions.UNRELIABLE)) == bool(told.p_note)
    assert (decision.detectable is not None) == (reason == decisions.NOT_DISTINGUISHABLE)


def with_missing(metric: Metric, num_missing: int) -> Comparison:
    first, second = runs_of([[1.0 + n % 4 / 10] for n in range(100)])
    missing: dict[Hashable, Scored] = {("gone", n): Scored(f"gone {n}", None) for n in range(num_missing)}
    there: dict[Hashable, Scored] = {key: Scored(one.cluster, 5.0) for key, one in missing.items()}
    return compare(first | missing, second | there, metric)


def test_a_sign_that_the_missing_scores_could_turn_decides_nothing() -> None:
    few, many = with_missing(SCALE, 10), with_missing(SCALE, 40)
    assert few.is_identified and decisions.decide([few], True)[0].better == "first"
    assert not many.is_identified and decisions.decide([many], True)[0].reason == decisions.NOT_IDENTIFIED
    assert (few.lowest, few.highest) == (pytest.approx((115 - 50) / 110), pytest.approx((115 + 50) / 110))
    is_open = with_missing(Metric("reward", None, None), 10)
    assert not is_open.is_bounded_by_scale and is_open.lowest == pytest.approx(115 / 110), "the lowest seen is 5.0"


def test_the_better_one_has_the_lower_score_where_the_metric_says_so() -> None:
    first, second = runs_of([[1.0 + n % 4 / 10] for n in range(50)])
    told = compare(first, second, Metric("lpips", 0.0, None, is_higher_better=False))
    assert decisions.decide([told], is_higher_better=False)[0].better == "second"


def test_a_decision_holds_for_the_family_and_not_alone() -> None:
    chance = np.random.default_rng(1)
    pairs = [runs_of([[x] for x in chance.normal(shift, 1, 60)]) for shift in (0.31, *[0.0] * 9)]
    told = compare_all(pairs, SCALE)
    assert told[0].p is not None and told[0].p < 0.05 and decisions.decide(told[:1], True)[0].better
    assert not decisions.decide(told, True)[0].better
    assert [compare(*pair, SCALE) for pair in pairs] == told
