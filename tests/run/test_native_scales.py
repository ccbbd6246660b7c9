"""Scores on the scale of their benchmark, and metrics that are not every sample's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import fake_editor, report_of, run, samples_of

from editeval.reports.site.charts import axis
from editeval.run import results
from editeval.run.pipeline import RunResult
from editeval.stats.summary import summarise
from editeval.store.run_store import RunStore
from editeval.store.verify import verify
from editeval.types import Metric, OfficialMean, Score

ONE_TO_FIVE = Metric("overall", 1.0, 5.0)


def judged(tmp_path: Path, refuse: tuple[str, ...] = (), **params: Any) -> RunResult:
    judge = {"type": "fakes.fake_judge", "params": params, "execution": {"backend": "inprocess", "batch_size": 1}}
    editor = {**fake_editor(tmp_path, 1, refuse=list(refuse)), "execution": {"backend": "inprocess"}}
    return run(tmp_path / "out", diffusion_model=editor, reward_model=judge)


def summary(result: RunResult, metric: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        s for s in report_of(result)["summaries"] if (s["metric"], s["category"]) == (metric, "micro")
    )
    return found


def test_a_scale_is_kept_with_its_score_set_and_bounds_what_is_missing(tmp_path: Path) -> None:
    result = judged(tmp_path, refuse=("physical/0000",), value=4.0, ends=[1.0, 5.0])
    whole = summary(result, "overall")
    assert (whole["mean"], whole["num_scored"], whole["num_failed"]) == (4.0, 9, 1)
    assert (whole["lowest"], whole["highest"]) == (pytest.approx(3.7), pytest.approx(4.1))
    assert summary(result, "care")["lowest"] == pytest.approx(3.6), "a metric without a word is on 0-10"
    assert report_of(result)["scales"] == {
        "overall": {"name": "overall", "low": 1.0, "high": 5.0, "is_higher_better": True}
    }
    assert "mean 4.00 (1-5)" in (result.plan.dir / "report.md").read_text()
    assert 'aria-label="1 – 5"' in (result.plan.dir / "report.html").read_text()
    with RunStore.read(result.plan.dir) as store:
        assert results.scales(store, results.shown(store)) == {"overall": ONE_TO_FIVE}
        assert not list(results.stale_summaries(store))


def test_a_score_outside_its_scale_is_none(tmp_path: Path) -> None:
    result = judged(tmp_path, value=0.5, ends=[1.0, 5.0])
    scores = [sample["scores"]["overall"] for sample in samples_of(result)]
    assert {(score["value"], score["reason"]) for score in scores} == {(None, "exception")}
    with RunStore.read(result.plan.dir) as store:
        (said, *_) = (row.scores["overall"].raw for row in store.rows(result.plan.judging_id))
    assert "0.5 is outside 1-5" in said


def test_what_a_worker_sends_is_looked_at_again_before_it_is_kept(tmp_path: Path) -> None:
    result = judged(tmp_path, modes={"causal/0001": "eleven_unnoticed"})
    told = {s["id"]: s["scores"]["overall"] for s in samples_of(result)}
    assert (told["causal/0001"]["value"], told["causal/0001"]["reason"]) == (None, "bad_output")
    assert {score["value"] for key, score in told.items() if key != "causal/0001"} == {5.0}


def test_without_bounds_nothing_is_cut_and_what_is_missing_has_no_limit(tmp_path: Path) -> None:
    result = judged(tmp_path, refuse=("physical/0000",), value=-3.25, ends=[None, None])
    whole = summary(result, "overall")
    assert (whole["mean"], whole["lowest"], whole["highest"]) == (-3.25, None, None)
    assert "(no bounds)" in (result.plan.dir / "report.md").read_text()


def test_a_metric_that_does_not_apply_counts_neither_as_scored_nor_as_missing(tmp_path: Path) -> None:
    skipped = ["physical/0000", "causal/0001"]
    result = judged(tmp_path, value=7.0, skips=skipped)
    assert result.exit_code == 0
    care = summary(result, "care")
    assert [care[k] for k in ("num_samples", "num_scored", "num_unscored", "coverage")] == [8, 8, 0, 1.0]
    told = {s["id"]: s["scores"]["care"] for s in samples_of(result)}
    assert [told[key]["reason"] for key in skipped] == ["not_applicable"] * 2
    with RunStore.read(result.plan.dir) as store:
        assert verify(store, results.prefixes(results.shown(store))) == [], "its report counts as the ledger does"
    assert report_of(result)["coverage"]["parse_rate"] == 1.0
    with RunStore.read(result.plan.dir) as store:
        assert not list(results.stale_summaries(store))


def test_the_authors_number_stands_beside_ours_with_its_rule_and_what_it_rests_on(tmp_path: Path) -> None:
    skipped = ["physical/0000", "causal/0001"]
    result = judged(tmp_path, refuse=("cultural/0000",), value=3.26, official=["overall", "care"], skips=skipped)
    (found,) = report_of(result)["run"]["official"]
    assert (found["name"], found["value"], found["metrics"]) == ("theirs", 3.3, ["overall", "care"])
    assert (found["num_scored"], found["num_scores"]) == (16, 18), "two do not apply, two have no edit"
    said = "3.3 (mean of the categories' means of overall, care; rounded: result to 1); 16 of 18 scores"
    for name in ("report.md", "report.html"):
        text = (result.plan.dir / name).read_text().replace("&#39;", "'").replace("\\", "")
        assert said in text, name
    assert summary(result, "overall")["mean"] == 3.26, "our own numbers stay beside it"


def test_means_as_authors_make_them() -> None:
    scores = {"add": [4.0, 4.0, 1.0], "remove": [2.0]}
    assert OfficialMean("m", ("o",), "categories", digits=3).of(scores) == 2.5
    assert OfficialMean("m", ("o",), "samples").of(scores) == 2.75
    assert OfficialMean("m", ("o",), "samples", factor=25.0, offset=1.0).of(scores) == 43.75
    thirds = {"a": [10 / 3, 10 / 3], "b": [1.005]}
    assert OfficialMean("m", ("o",), "categories", 2, 2, 4).of(thirds) == pytest.approx((3.33 + 1.0) / 2)
    assert OfficialMean("m", ("o",), "categories").of({"a": [1.0], "b": []}) is None
    assert OfficialMean("m", ("o",), "samples").of({}) is None


def test_an_official_mean_of_some_categories_counts_those_alone_and_says_so() -> None:
    mean = OfficialMean("m", ("o", "p"), "samples", categories=("a", "b"))
    assert mean.of({"a": [1.0, 3.0], "b": [5.0], "c": [9.0], "d": []}) == 3.0
    assert mean.of({"c": [9.0]}) is None
    assert mean.rule == "mean of all scores of o, p in a, b"
    scaled = [OfficialMean("m", ("o",), "samples", factor=f, offset=o).rule for f, o in ((100, 0), (1, 1), (25, 1))]
    assert [rule.partition("each ")[2] for rule in scaled] == ["100 * score", "(score - 1)", "25 * (score - 1)"]


def test_intervals_are_cut_at_the_ends_of_the_scale_and_nowhere_else() -> None:
    entries = [("c", f"k{i}", "scored", 100.0 - i if i < 11 else 0.0) for i in range(12)]
    hundred = summarise(entries, "m", Metric("m", 0.0, 100.0))[0]  # type: ignore[arg-type]
    open_ended = summarise(entries, "m", Metric("m", 0.0, None))[0]  # type: ignore[arg-type]
    assert hundred.ci_high == 100.0 and open_ended.ci_high is not None and open_ended.ci_high > 100.0
    with pytest.raises(ValueError, match="scored"):
        summarise(entries, "m")  # type: ignore[arg-type]


def test_a_scale_says_where_a_score_lies_and_how_good_it_is() -> None:
    assert ONE_TO_FIVE.goodness(4.0) == 7.5 and Metric("d", 0.0, 1.0, is_higher_better=False).goodness(0.25) == 7.5
    assert Metric("m").goodness(7.3) == 7.3 and Metric("m", None, 3.0).goodness(1.0) is None
    ranges = [Metric("m", *ends).range for ends in ((0, 10), (1, 5), (0, None), (None, 2.5), (None, None))]
    assert ranges == ["0-10", "1-5", "at least 0", "at most 2.5", "no bounds"]
    assert not Metric("m", None, None).has(math.nan) and not Metric("m", None, None).has(math.inf)
    with pytest.raises(ValueError, match="low must be less"):
        Metric("m", 5.0, 1.0)
    with pytest.raises(ValueError, match="is no score"):
        Score("s", "j", "m", math.nan)
    assert ">1<" in str(axis((1.0, 5.0))) and ">10<" in str(axis((0.0, 10.0)))
