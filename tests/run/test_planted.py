"""A run of the stand-in says the mean that it was given, counted here by hand, beside the one that it measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_fakes import report_of, row_of

from editeval.config.load import load_mapping
from editeval.editors.simulated import RUNGS, SimulatedParams, answer, chances_of
from editeval.errors import ConfigError
from editeval.images import encode_png
from editeval.judges.reference import ReferenceJudge, ReferenceParams
from editeval.reports.format import planted_line
from editeval.reports.markdown import render_report_md
from editeval.run.comparison import ComparisonPlan, by_scores
from editeval.run.pipeline import RunResult, evaluate
from editeval.run.plan import seed_of
from editeval.store.ledger_events import Planted
from editeval.store.run_store import RunStore
from editeval.types import JudgeRequest

CHANCES = {
    "physical": {"partial": 0.5, "identity": 0.2},
    "causal": {"over_edit": 0.3, "wrong_object": 0.3, "failed": 0.2},
    "default": {"refused": 0.5},
}


def run(output_dir: Path, editor: str = "simulated", judge: str = "reference", **more: Any) -> RunResult:
    params = {
        "device_ids": ["cpu"],
        **({"chances": more.pop("chances", CHANCES), "latency_s": 0.0} if editor == "simulated" else {}),
        **({"skill": more.pop("skill")} if "skill" in more else {}),
    }
    config = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 3, "size": 64}},
        "diffusion_model": {"type": editor, "params": params, "execution": {"backend": "inprocess"}},
        "reward_model": {"type": judge, "params": {"device_ids": ["cpu"]}, "execution": {"backend": "inprocess"}},
        "evaluation": {"output_dir": str(output_dir), **more},
        "logging": {"console_output": False},
    }
    return evaluate(load_mapping(config, "here", environ={"EDITEVAL_ALLOW_CODE": "1"}), ["editeval", "test"])


def by_hand(result: RunResult) -> float:
    """Expected sum of scores by the expected number of scores, rung by rung and sample by sample."""
    judge, total, count = ReferenceJudge(ReferenceParams()), 0.0, 0.0
    for sample in result.plan.samples:
        assert sample.target is not None and sample.mask is not None
        images = sample.image.read(), sample.target.read()
        for name, chance in chances_of(SimulatedParams(CHANCES), sample.id).items():
            if name in RUNGS:
                edited = encode_png(answer(name, images, seed_of(0, sample.id)))
                asked = JudgeRequest(sample.id, (images[0],), edited, "", images[1], sample.mask.read())
                value = judge.judge([asked])[0][0].value
                assert value is not None
                total, count = total + chance * value, count + chance
    return total / count


def test_the_planted_mean_is_the_one_that_the_chances_and_the_judges_scores_give(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.report is not None and result.exit_code == 3
    found = result.report.run["planted"]
    assert found["mean"] == pytest.approx(by_hand(result), abs=1e-9)
    assert list(found["categories"]) == ["physical", "environmental", "cultural", "causal", "referential"]
    assert found["categories"]["environmental"] == 10.0, "who is not refused gets the target"
    written = json.loads((result.plan.dir / "report.json").read_bytes())
    assert written["run"]["planted"] == found
    line = str(planted_line(result.report))
    assert line.startswith(f"mean {found['mean']:.2f}; measured ") and line.endswith(
        ("]: inside", "]: outside", ", without an interval")
    )
    text = render_report_md(result.report)
    assert "simulated: answers are drawn" in text and "- planted: mean" in text


def test_it_is_counted_once_for_a_selection_and_again_for_another(tmp_path: Path) -> None:
    first, again = run(tmp_path), run(tmp_path)
    fewer = run(tmp_path, first=3)
    assert again.plan.dir == first.plan.dir == fewer.plan.dir
    with RunStore.read(first.plan.dir) as store:
        assert len(store.events_of(Planted)) == 2
    assert first.report is not None and fewer.report is not None
    assert list(fewer.report.run["planted"]["categories"]) == ["physical"]


def test_a_comparison_of_two_simulated_editors_holds_the_planted_difference_beside_the_measured_one(
    tmp_path: Path,
) -> None:
    usual, better = run(tmp_path, name="usual"), run(tmp_path, name="better", skill=0.9)
    assert usual.report is not None and better.report is not None
    true = better.report.run["planted"]["mean"] - usual.report.run["planted"]["mean"]
    told = by_scores([better.plan.dir, usual.plan.dir])
    assert true > 0.5 and told["pairs"][0]["planted"] == pytest.approx(true)
    said = [line for line in told["sentences"] if line.startswith("Planted: better less usual is +")]
    assert len(said) == 1 and said[0].endswith((": inside.", ": outside.", ", without an interval."))
    other = by_scores([better.plan.dir, usual.plan.dir], ComparisonPlan(metric="preservation"))
    assert other["pairs"][0]["planted"] is None, "the truth is known of the headline alone"
    fewer = run(tmp_path, first=9, name="fewer")
    shared = by_scores([better.plan.dir, fewer.plan.dir], ComparisonPlan(is_intersected=True))
    assert shared["pairs"][0]["planted"] is None, "nor of a part of the samples"


def test_runs_of_one_name_are_told_apart_by_their_directories(tmp_path: Path) -> None:
    first, second = run(tmp_path, name="same"), run(tmp_path, name="same", skill=0.9)
    told = by_scores([first.plan.dir, second.plan.dir])
    assert [one["name"] for one in told["runs"]] == [first.plan.dir.name, second.plan.dir.name]


@pytest.mark.parametrize(("editor", "judge"), [("identity", "reference"), ("simulated", "fakes.fake_judge")])
def test_nothing_is_said_of_another_editor_or_by_another_judge(tmp_path: Path, editor: str, judge: str) -> None:
    report = run(tmp_path, editor, judge).report
    assert report is not None and report.run["planted"] is None and planted_line(report) is None


def test_chances_of_a_category_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"chances: no sample's id begins with 'physicl/' or 'x/'; use causal, .*default"
    ):
        run(tmp_path, chances={"physicl": {"partial": 0.5}, "x": {"partial": 0.5}})


def test_a_truth_that_was_missed_is_called_that(tmp_path: Path) -> None:
    report = report_of([row_of(i) for i in range(12)], tmp_path)
    whole = report.headline("micro")
    assert whole is not None and whole.ci_high is not None and whole.ci_low is not None
    for mean, word in ((whole.ci_high + 0.01, "outside"), (whole.ci_low, "inside"), (whole.ci_low - 0.01, "outside")):
        report.run["planted"] = {"mean": mean}  # type: ignore[index]
        assert str(planted_line(report)).endswith(f"]: {word}")
