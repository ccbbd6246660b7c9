"""What one pass over the samples says, and the badge that follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_fakes import believable_rows, row_of

from editeval.reports.badge import decide_badge
from editeval.reports.data import INVALID, VALID, WARNED, Survey, coverage_of, survey
from editeval.types import Metric, Score


def seen(*rows: object) -> Survey:
    return survey(iter(rows), "overall")  # type: ignore[arg-type]


def test_counts_of_a_survey_add_up() -> None:
    rows = [*believable_rows(100), row_of(100, "pending")]
    found = seen(*rows)
    assert found.num_samples == 101
    assert found.num_samples == found.num_scored + found.num_unscored + found.num_failed + found.num_pending
    assert found.num_done == found.num_scored + found.num_unscored
    assert coverage_of(found)["scored"] == found.num_scored / 101
    assert sum(map(sum, found.histograms.values())) == found.num_scored


def test_score_of_a_failed_edit_is_not_counted() -> None:
    stray = {"overall": Score("s", "fake", "overall", 9.0)}
    found = seen(replace(row_of(0, "failed"), scores=stray))
    assert (found.num_scored, found.num_failed, found.highest) == (0, 1, None)


def test_done_edit_without_any_score_is_not_judged() -> None:
    found = seen(replace(row_of(0), scores={}), row_of(1))
    assert [(c.stage, c.reason, c.count) for c in found.causes] == [("judge", "not_judged", 1)]


def test_causes_carry_their_number_and_one_example() -> None:
    found = seen(row_of(0, "failed"), row_of(5, "failed"), row_of(1, value=None), row_of(2))
    assert [(c.stage, c.reason, c.count, c.example_id) for c in found.causes] == [
        ("edit", "oom", 2, "physical/0000"),
        ("judge", "unparsable", 1, "environmental/0001"),
    ]


def test_scores_at_both_ends_are_in_the_histogram() -> None:
    bins = seen(row_of(0, value=0.0), row_of(5, value=10.0)).histograms["physical"]
    assert (bins[0], bins[-1], sum(bins)) == (1, 1, 2)


@pytest.mark.parametrize("values", [(-3.25, -1.0, 2.5), (0.001, 0.002), (-7.0, -7.0), (0.0,), (9.5, -1e9)])
def test_scores_without_ends_are_all_in_a_histogram_as_wide_as_they_reach(values: tuple[float, ...]) -> None:
    scale = Metric("overall", None, None)
    found = survey(iter([row_of(5 * i, value=value) for i, value in enumerate(values)]), "overall", scale)
    low, high = scale.axis(found.lowest, found.highest)
    assert low <= min(values) <= max(values) <= high and low < high
    bins = found.histograms["physical"]
    assert sum(bins) == len(values)
    assert bins[min(49, int((values[0] - low) / (high - low) * 50))] >= 1


def test_an_axis_keeps_the_ends_that_a_scale_has() -> None:
    assert Metric("score").axis(3.0, 4.0) == (0.0, 10.0)
    assert Metric("sigma", 0.0, None).axis(0.31, 0.97) == (0.0, 1.0)
    assert Metric("loss", None, 0.0).axis(-2.5, -2.5) == (-3.0, 0.0)
    assert Metric("reward", None, None).axis(None, None) == (-1.0, 1.0)


def test_complete_run_without_oddities_is_valid() -> None:
    assert decide_badge(seen(row_of(0, value=3.0), row_of(1, value=4.0))) == (VALID, ())


def test_no_samples_and_nothing_scored_are_invalid() -> None:
    assert decide_badge(seen())[0] == INVALID
    badge, warnings = decide_badge(seen(row_of(0, "failed")))
    assert badge == INVALID
    assert str(warnings[0]) == "Nothing was scored: 0 of 1 sample."


@pytest.mark.parametrize(("num_failed", "badge"), [(0, VALID), (1, WARNED), (10, WARNED), (11, INVALID)])
def test_badge_turns_invalid_below_ninety_percent(num_failed: int, badge: str) -> None:
    rows = [row_of(i, "failed" if i < num_failed else "done", i / 20) for i in range(100)]
    assert decide_badge(seen(*rows))[0] == badge


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row_of(0), row_of(1, "failed"), *[row_of(i, value=i / 10) for i in range(2, 30)]], "edit"),
        ([row_of(0, value=1.0), replace(row_of(1), sha256=row_of(0).sha256)], "identical to the edit of another"),
        ([row_of(0, value=1.0), replace(row_of(1), flags=("unchanged",))], "identical to the source"),
        ([row_of(0), row_of(1)], "Every score is 7.00"),
        ([*[row_of(i, value=i / 10) for i in range(30)], row_of(30, value=None)], "gave no value"),
        ([*[row_of(i, value=i / 10) for i in range(30)], row_of(30, "pending")], "unfinished"),
    ],
)
def test_each_oddity_warns(rows: list[object], words: str) -> None:
    badge, warnings = decide_badge(seen(*rows))
    assert badge == WARNED
    assert any(words in str(warning) for warning in warnings)


def test_duplicates_count_every_edit_that_has_a_twin() -> None:
    rows = [replace(row_of(i), sha256=row_of(i // 2).sha256) for i in range(5)]
    assert seen(*rows).num_duplicates == 4
