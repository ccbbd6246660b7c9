"""Summaries: only scores enter a mean, everything else is counted and bounds it."""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.stats.summary import Entry, State, summarise
from editeval.types import Metric, Summary


def scored(value: float, category: str = "a", cluster: str = "") -> Entry:
    return (category, cluster, "scored", value)


def missing(state: State, category: str = "a") -> Entry:
    return (category, "", state, None)


def named(summaries: list[Summary]) -> dict[str, Summary]:
    return {summary.category: summary for summary in summaries}


STATISTICS = ("mean", "std", "median", "min", "max", "ci_low", "ci_high", "lowest", "highest")


def test_statistics_of_nothing_are_none() -> None:
    summaries = summarise([], "overall")
    assert [summary.category for summary in summaries] == ["macro", "micro"]
    for summary in summaries:
        assert (summary.num_samples, summary.coverage) == (0, 0.0)
        assert all(getattr(summary, name) is None for name in STATISTICS)


def test_where_nothing_is_scored_only_the_bounds_are_known() -> None:
    for summary in summarise([missing("failed"), missing("unscored")], "overall"):
        assert (summary.num_samples, summary.num_scored, summary.num_failed, summary.num_unscored) == (2, 0, 1, 1)
        assert all(getattr(summary, name) is None for name in STATISTICS[:7])
        assert (summary.lowest, summary.highest) == (0.0, 10.0)


def test_failed_and_unscored_samples_never_enter_a_mean_and_widen_the_bounds() -> None:
    only = summarise([scored(8.0), scored(6.0), missing("failed"), missing("unscored")], "overall")[0]
    assert (only.mean, only.median, only.std, only.min, only.max) == (7.0, 7.0, 1.0, 6.0, 8.0)
    assert (only.num_samples, only.num_scored, only.num_failed, only.num_unscored) == (4, 2, 1, 1)
    assert (only.lowest, only.highest, only.coverage) == (3.5, 8.5, 0.5)


def test_a_single_score_has_no_spread_and_no_interval() -> None:
    for summary in summarise([scored(7.3)], "overall"):
        assert (summary.mean, summary.median, summary.std) == (7.3, 7.3, 0.0)
        assert (summary.ci_low, summary.ci_high) == (None, None)
        assert (summary.lowest, summary.highest) == (7.3, 7.3)


def test_equal_scores_have_no_interval_instead_of_one_of_no_width() -> None:
    for value in (0.0, 0.1, 10.0):
        for summary in summarise([scored(value, category) for category in "aabb"], "overall"):
            assert (summary.mean, summary.std) == (value, 0.0)
            assert (summary.ci_low, summary.ci_high) == (None, None)


def test_one_cluster_has_no_interval_however_many_samples_it_has() -> None:
    only = summarise([scored(value, cluster="image") for value in (1.0, 5.0, 9.0)], "overall")[0]
    assert only.std is not None and only.std > 0 and only.ci_low is None and only.ci_high is None


def test_clusters_whose_residuals_cancel_have_no_interval() -> None:
    entries = [scored(value, cluster=cluster) for cluster in "xyz" for value in (0.1, 0.7)]
    assert summarise(entries, "overall")[0].ci_low is None


def test_intervals_stay_on_the_scale() -> None:
    values = [0.0, 1.0, 2.0, 3.0, 7.0, 8.0, 9.0, 10.0, 0.5, 9.5]
    only = summarise([scored(value, cluster=f"{n % 5}") for n, value in enumerate(sorted(values * 2))], "overall")[0]
    assert only.ci_low is not None and only.ci_high is not None and 0.0 < only.ci_low < only.ci_high < 10.0
    apart = [scored(value, cluster=f"{n // 4}") for n, value in enumerate(sorted(values * 2))]
    assert (summarise(apart, "overall")[0].ci_low, summarise(apart, "overall")[0].ci_high) == (0.0, 10.0)


def test_categories_come_in_order_of_first_appearance_then_macro_and_micro() -> None:
    entries = [scored(9.0, "z"), scored(1.0, "a"), scored(3.0, "z"), scored(2.0, "物理")]
    assert [summary.category for summary in summarise(entries, "overall")] == ["z", "a", "物理", "macro", "micro"]
    assert {summary.metric for summary in summarise(entries, "preservation")} == {"preservation"}


def test_macro_weighs_categories_and_micro_weighs_samples() -> None:
    entries = [scored(10.0, "a"), scored(2.0, "b"), scored(4.0, "b"), scored(6.0, "b")]
    found = named(summarise(entries, "overall"))
    assert (found["macro"].mean, found["micro"].mean) == (7.0, 5.5)
    assert (found["macro"].min, found["macro"].max, found["macro"].std) == (4.0, 10.0, 3.0)
    assert found["macro"].num_scored == found["micro"].num_scored == 4


def test_a_category_without_scores_leaves_macro_unknown_but_bounded() -> None:
    found = named(summarise([scored(6.0, "a"), scored(8.0, "a"), missing("failed", "b")], "overall"))
    assert found["macro"].mean is None and found["macro"].ci_low is None
    assert (found["macro"].lowest, found["macro"].highest) == (3.5, 8.5)
    assert found["micro"].mean == 7.0


@pytest.mark.parametrize(
    "entry",
    [
        ("a", "", "scored", None),
        ("a", "", "scored", math.nan),
        ("a", "", "scored", 10.5),
        ("a", "", "scored", -0.1),
        ("a", "", "failed", 0.0),
        ("a", "", "unscored", 5.0),
    ],
)
def test_a_value_that_contradicts_its_state_is_refused(entry: Entry) -> None:
    with pytest.raises(ValueError, match="entry 0 is"):
        summarise([entry], "overall")


VALUES = st.floats(0, 10).map(lambda value: round(value, 3)) | st.sampled_from([0.0, 0.1, 10.0]) | st.floats(0, 10)
ENTRIES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "y", "z"]), st.just("scored"), VALUES),
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["", "x"]), st.sampled_from(["failed", "unscored"]), st.none()
        ),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(ENTRIES)
def test_counts_add_up_and_every_bound_holds(entries: list[Entry]) -> None:
    found = named(summarise(entries, "overall"))
    for name, summary in found.items():
        assert summary.num_samples == summary.num_scored + summary.num_failed + summary.num_unscored
        if summary.mean is None:
            assert summary.interval_note == ""
            continue
        assert summary.min is not None and summary.median is not None and summary.max is not None
        assert summary.min <= summary.mean <= summary.max and summary.min <= summary.median <= summary.max
        assert summary.lowest is not None and summary.highest is not None
        assert 0 <= summary.lowest <= summary.mean + 1e-12 and summary.mean - 1e-12 <= summary.highest <= 10
        if summary.coverage == 1 and name != "macro":
            assert summary.lowest == summary.mean == summary.highest
        assert (summary.ci_low is None) == (summary.ci_high is None) == bool(summary.interval_note)
        if summary.ci_low is not None and summary.ci_high is not None:
            assert 0 <= summary.ci_low <= summary.mean <= summary.ci_high <= 10 and summary.ci_low < summary.ci_high
    parts = [summary for name, summary in found.items() if name not in ("macro", "micro")]
    for total in (found["macro"], found["micro"]):
        assert total.num_samples == sum(part.num_samples for part in parts) == len(entries)
        assert total.num_scored == sum(part.num_scored for part in parts)


@settings(max_examples=100, deadline=None)
@given(ENTRIES, st.randoms(use_true_random=False))
def test_no_number_depends_on_the_order_of_arrival(entries: list[Entry], chance: random.Random) -> None:
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert named(summarise(entries, "overall")) == named(summarise(shuffled, "overall"))


@settings(max_examples=100, deadline=None)
@given(ENTRIES)
def test_micro_is_what_the_standard_library_computes(entries: list[Entry]) -> None:
    values = [value for *_, value in entries if value is not None]
    micro = named(summarise(entries, "overall"))["micro"]
    if not values:
        assert micro.mean is None
        return
    assert micro.mean == pytest.approx(statistics.mean(values), abs=1e-12)
    assert micro.std == pytest.approx(statistics.pstdev(values), abs=1e-9)
    assert micro.median == statistics.median(values)
    num_missing = len(entries) - len(values)
    assert micro.lowest == pytest.approx(statistics.mean([*values, *[0.0] * num_missing]), abs=1e-12)
    assert micro.highest == pytest.approx(statistics.mean([*values, *[10.0] * num_missing]), abs=1e-12)


YES_NO = Metric("accuracy", 0.0, 1.0)


def test_a_yes_no_metric_has_the_interval_of_a_share_in_every_row_of_samples() -> None:
    entries = [scored(float(n % 3 == 0), "often") for n in range(54)] + [scored(0.0, "never") for _ in range(54)]
    rows = named(summarise(entries, "accuracy", YES_NO))
    told = {name: (row.interval_kind, row.ci_low, row.ci_high) for name, row in rows.items()}
    wilson = scipy.stats.binomtest(18, 54).proportion_ci(method="wilson")
    exact = scipy.stats.binomtest(0, 54).proportion_ci(method="exact")
    assert told["often"] == ("wilson", pytest.approx(wilson.low, abs=1e-10), pytest.approx(wilson.high, abs=1e-10))
    assert told["never"] == ("clopper_pearson", 0.0, pytest.approx(exact.high, abs=1e-10))
    assert told["micro"][0] == "wilson" and told["macro"][0] == "t"


def test_yes_and_no_at_the_ends_of_another_scale_are_in_its_units_and_graded_scores_are_no_rate() -> None:
    share = named(summarise([scored(float(n % 3 == 0)) for n in range(54)], "x", YES_NO))["micro"]
    tens = named(summarise([scored(10.0 * (n % 3 == 0)) for n in range(54)], "x"))["micro"]
    assert tens.ci_low == pytest.approx(10 * (share.ci_low or 0)) and tens.interval_kind == "wilson"
    graded = named(summarise([scored(5.0), *(scored(10.0 * (n % 3 == 0)) for n in range(54))], "x"))["micro"]
    assert graded.interval_kind == "t"
    same = named(summarise([scored(10.0) for _ in range(54)], "x"))["micro"]
    assert (same.interval_kind, same.interval_note) == ("", "few_distinct"), "nothing shows that it is yes or no"


def test_yes_no_scores_of_shared_images_count_as_fewer() -> None:
    alone = [scored(float(n % 3 == 0)) for n in range(60)]
    shared = [scored(float(n % 3 == 0), cluster=f"image{n % 3}-{n // 15}") for n in range(60)]
    one, other = (named(summarise(entries, "x", YES_NO))["micro"] for entries in (alone, shared))
    assert (one.ci_high or 0) - (one.ci_low or 0) < (other.ci_high or 0) - (other.ci_low or 0)
    three = [scored(float(n % 2), cluster=str(n % 3)) for n in range(60)]
    assert named(summarise(three, "x", YES_NO))["micro"].interval_note == "dominant_cluster"


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40))
def test_quartiles_are_those_of_numpy_and_ends_are_counted(values: list[float]) -> None:
    row = named(summarise([scored(value) for value in values], "overall"))["micro"]
    low, high = np.quantile(values, [0.25, 0.75])
    assert (row.lower_quartile, row.upper_quartile) == (pytest.approx(low), pytest.approx(high))
    assert (row.num_at_low, row.num_at_high) == (values.count(0.0), values.count(10.0))
    bounded = named(summarise([scored(value) for value in values], "x", Metric("x", 0.0, None)))["micro"]
    assert bounded.num_at_high is None


def test_the_seeds_of_a_sample_are_one_observation_of_their_mean() -> None:
    chance = random.Random(5)
    samples = {f"s{n}": [chance.uniform(0, 10) for _ in range(1 + n % 4)] for n in range(40)}
    entries: list[Entry] = [("a", name, "scored", value, name) for name, row in samples.items() for value in row]
    entries += [("a", "s0", "failed", None, "s0"), ("a", "gone", "unscored", None, "gone")]
    row = named(summarise(entries, "overall"))["micro"]
    means = [statistics.fmean(values) for values in samples.values()]
    assert row.mean == pytest.approx(statistics.fmean(means), abs=1e-12)
    expected = scipy.stats.t.interval(0.95, 39, statistics.fmean(means), scipy.stats.sem(means))
    assert (row.ci_low, row.ci_high) == pytest.approx(expected, abs=1e-10)
    assert (row.num_samples, row.num_distinct, row.num_distinct_scored) == (len(entries), 41, 40)
    groups = [values for values in samples.values() if len(values) > 1]
    within = sum(statistics.variance(values) * (len(values) - 1) for values in groups)
    assert row.seed_sd == pytest.approx((within / sum(len(values) - 1 for values in groups)) ** 0.5)


def test_where_nothing_is_missing_the_mean_of_samples_is_that_of_edits() -> None:
    values = {f"s{n}": [float((n * 7 + s * 3) % 11) % 10 for s in range(4)] for n in range(30)}
    by_sample: list[Entry] = [("a", name, "scored", value, name) for name, row in values.items() for value in row]
    alone: list[Entry] = [("a", name, "scored", value) for name, row in values.items() for value in row]
    one, other = (named(summarise(entries, "overall"))["micro"] for entries in (by_sample, alone))
    assert (one.mean, one.ci_low, one.ci_high) == pytest.approx((other.mean, other.ci_low, other.ci_high), abs=1e-12)
    assert (one.median, one.std, one.num_at_low) == (other.median, other.std, other.num_at_low)


def test_the_interval_of_a_rate_stands_around_the_mean_of_samples() -> None:
    rows = {f"s{n}": [float((n + s) % 3 == 0) for s in range(1 + n % 3)] for n in range(60)}
    entries: list[Entry] = [("a", name, "scored", value, name) for name, row in rows.items() for value in row]
    row = named(summarise(entries, "x", YES_NO))["micro"]
    assert row.mean == pytest.approx(statistics.fmean(map(statistics.fmean, rows.values())))
    assert row.interval_kind == "wilson" and row.ci_low < row.mean < row.ci_high  # type: ignore[operator]
