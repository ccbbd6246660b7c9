"""`editeval compare` by scores: what it prints in every form, what it refuses, and when it fails a build."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Hashable
from dataclasses import asdict, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from command_line import cli
from editeval.certificates import certificate
from editeval.cli.view import shown_runs
from editeval.reports import comparison_tables
from editeval.reports.site.payload import read_block
from editeval.run import comparison
from editeval.run.compared_runs import read_scores
from editeval.run.comparison import by_scores
from editeval.stats.compare import Scored
from editeval.types import Metric

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 4, size: 64}}
diffusion_model: {type: simulated, params: {device_ids: [cpu], chances: {%s}}, execution: {backend: inprocess}}
reward_model: {type: %s, params: {device_ids: [cpu]%s}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
GOOD, BAD = "default: {partial: 0.1}", "default: {partial: 0.5, wrong_object: 0.4}"
FAILED = {"verdict": "not certified", "num_samples": 60, "created_at": 1.0, "checks": []}
"""The rest of a certificate that a judge did not get."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`also` is as good as `good`, with other luck; `part` has one category; `near`, `far`, `other` have distances."""
    folder = tmp_path_factory.mktemp("scores")
    distance = ("image_metrics", ", metrics: [l1, ssim]")
    runs: dict[str, tuple[str, tuple[str, str], tuple[str, ...]]] = {
        "good": (GOOD, ("reference", ""), ()),
        "bad": (BAD, ("reference", ""), ()),
        "also": (GOOD, ("reference", ""), ("--set", "diffusion_model.params.seed=7")),
        "part": (GOOD, ("reference", ""), ("--categories", "physical")),
        "near": (GOOD, distance, ()),
        "far": (BAD, distance, ()),
        "other": (BAD, ("image_metrics", ", metrics: [l1, ssim], region: outside_mask"), ()),
    }
    for name, (chances, judge, more) in runs.items():
        (folder / f"{name}.yaml").write_text(CONFIG % (chances, *judge), encoding="utf-8")
        done = cli("run", f"{name}.yaml", *more, cwd=folder)
        assert done.returncode in (0, 3), done.stderr
    return folder


def compare(place: Path, *arguments: str, **environment: str) -> CompletedProcess[str]:
    return cli("compare", *arguments, cwd=place, **environment)


def told(place: Path, *arguments: str) -> dict[str, Any]:
    done = compare(place, *arguments, "--json")
    assert done.returncode in (0, 4), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def scores(place: Path, name: str, metric: str = "overall") -> dict[str, float]:
    (run,) = (place / "outputs").glob(f"{name}-*")
    rows = map(json.loads, (run / "samples.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["scores"][metric]["value"] for row in rows}


def test_every_form_has_the_same_numbers_and_they_are_those_of_the_samples(place: Path) -> None:
    mine, theirs = scores(place, "good"), scores(place, "bad")
    document = told(place, "good", "bad")
    (pair,) = document["pairs"]
    assert pair["overall"]["difference"] == pytest.approx(sum(mine[k] - theirs[k] for k in mine) / 20, abs=1e-5)
    assert pair["overall"]["better"] == "first" and document["sentences"][0].startswith("good-")
    assert len(pair["categories"]) == document["families"]["categories"] == 5 or len(pair["categories"]) == 5
    for part in pair["categories"]:
        both = [mine[k] - theirs[k] for k in mine if k.startswith(part["category"])]
        assert part["difference"] == pytest.approx(sum(both) / 4, abs=1e-5) and part["num_shared"] == 4
        assert part["reason"] in ("unreliable", "identical"), "four images decide nothing"
    lines = list(csv.DictReader(io.StringIO(compare(place, "good", "bad", "--to", "csv").stdout)))
    assert [line["category"] for line in lines] == ["", *(part["category"] for part in pair["categories"])]
    assert float(lines[0]["difference"]) == pair["overall"]["difference"] and lines[0]["p"]
    assert {line["is_judge_trusted"] for line in lines} == {"True"}
    for form in ("md", "tex"):
        done = compare(place, "good", "bad", "--to", form, "--output", f"table.{form}")
        text = (place / f"table.{form}").read_text(encoding="utf-8")
        assert done.returncode == 0 and f"+{pair['overall']['difference']:.2f}" in text and "physical" in text
    compare(place, "good", "bad", "--json", GITHUB_STEP_SUMMARY=str(place / "summary.md"))
    assert (place / "summary.md").read_text(encoding="utf-8") == (place / "table.md").read_text(encoding="utf-8") + "\n"
    (run,) = (place / "outputs").glob("good-*")
    (other,) = (place / "outputs").glob("bad-*")
    assert by_scores([run, other]) == document


def test_the_terminal_fits_80_columns_and_ends_in_a_sentence(place: Path) -> None:
    done = cli("compare", "good", "bad", "also", cwd=place, COLUMNS="80")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Places: " in done.stdout.replace("\n", " ") and "A - B" in done.stdout and "20/20" in done.stdout
    document = told(place, "good", "bad", "also")
    assert {run["name"].split("-")[0]: (run["best"], run["worst"]) for run in document["runs"]}["bad"] == (3, 3)
    undecided = next(pair for pair in document["pairs"] if pair["b"] == "C" and pair["a"] == "A")["overall"]
    assert undecided["reason"] in ("not_distinguishable", "unreliable", "identical")


def test_lower_is_better_where_the_metric_says_so(place: Path) -> None:
    document = told(place, "near", "far")
    overall = document["pairs"][0]["overall"]
    assert overall["difference"] < 0 and overall["better"] == "first" and overall["wins"] > overall["losses"]
    assert "lower is better" in compare(place, "near", "far").stdout
    assert told(place, "near", "far", "--metric", "ssim")["pairs"][0]["overall"]["difference"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("good",), "compare takes two runs or more, got 1"),
        (("good", "part"), "cover different samples (20 and 4, 4 in common); --intersect"),
        (("far", "other"), "were judged differently (params.region whole and outside_mask); --intersect"),
        (("good", "near"), "different scales cannot be compared"),
        (("good", "bad", "--metric", "beauty"), "--metric beauty: good-"),
        (("good", "bad", "--fail-on-regression", "0.1"), "name a run with --baseline"),
        (("good", "--baseline", "bad", "--fail-on-regression", "nan"), "must be 0 or more"),
        (("good", "bad", "--output", "x"), "--output: as what?"),
        (("good", "bad", "--to", "md", "--output", "none/x.md"), "--output none/x.md: cannot be written"),
        (("good", "bad", "--seed", "3"), "--seed: is about verdicts on pairs"),
        (("good", "bad", "--judge", "j.yaml", "--metric", "x"), "--metric: is about the scores of the runs"),
    ],
)
def test_what_does_not_fit_is_one_line_and_no_number(place: Path, arguments: tuple[str, ...], said: str) -> None:
    done = compare(place, *arguments)
    assert done.returncode == 2 and said in done.stderr and not done.stdout
    assert len(done.stderr.splitlines()) == 1


def test_what_differs_is_said_where_the_shared_samples_are_asked_for(place: Path) -> None:
    document = told(place, "good", "part", "--intersect")
    assert [run["num_samples"] for run in document["runs"]] == [4, 4]
    assert "cover different samples" in document["remarks"][0]
    done = compare(place, "far", "other", "--intersect")
    assert done.returncode == 0 and "Differs: " in done.stdout and "params.region" in done.stdout.replace("\n", "")


def test_runs_with_equal_scores_are_called_identical(place: Path, tmp_path: Path) -> None:
    (run,) = (place / "outputs").glob("good-*")
    shutil.copytree(run, tmp_path / "outputs" / "again-00000000")
    found = cli("compare", str(run), "again-00000000", "--json", cwd=tmp_path)
    document = json.loads(found.stdout)
    overall = document["pairs"][0]["overall"]
    assert (overall["reason"], overall["ties"], overall["p"]) == ("identical", 20, 1.0)
    assert "NaN" not in found.stdout and "the same score on all 20 samples" in document["sentences"][0]


@pytest.mark.parametrize(
    ("run", "baseline", "margin", "code"),
    [("bad", "good", "0.5", 4), ("good", "bad", "0.5", 0), ("bad", "good", "10", 0), ("far", "near", "0", 4)],
)
def test_a_run_that_may_be_worse_by_more_than_the_margin_fails(
    place: Path, run: str, baseline: str, margin: str, code: int
) -> None:
    done = compare(place, run, "--baseline", baseline, "--fail-on-regression", margin)
    assert done.returncode == code, done.stdout
    assert ("can be worse" in done.stdout.replace("\n", " ")) == (code == 4)


def test_several_runs_are_compared_with_the_baseline_alone(place: Path) -> None:
    document = told(place, "good", "also", "--baseline", "bad")
    assert [(pair["a"], pair["b"]) for pair in document["pairs"]] == [("A", "C"), ("B", "C")]
    assert document["families"]["overall"] == 2 and document["runs"][0]["best"] is None


@pytest.mark.parametrize(
    ("metric", "gone", "why"),
    [
        (Metric("lpips", 0.0, None, is_higher_better=False), "new", "no_end"),
        (Metric("lpips", 0.0, None, is_higher_better=False), "old", ""),
        (Metric("reward", None, None), "old", "no_end"),
        (Metric("reward", None, None), "", ""),
    ],
)
def test_a_missing_score_without_an_end_of_the_scale_passes_no_gate(metric: Metric, gone: str, why: str) -> None:
    def side(name: str, shift: float) -> dict[Hashable, Scored]:
        values = {n: n % 7 / 10 + shift * (n % 3) for n in range(40)}
        return {n: Scored(f"c{n}", None if name == gone and not n else value) for n, value in values.items()}

    (found,) = comparison._family([(side("new", 0.001), side("old", 0.0), False)], metric)
    gate = comparison._gate([{"a": "A", "overall": comparison._row(*found)}], metric, 5.0)
    assert gate["runs"][0]["is_regression"] == bool(why) and gate["runs"][0]["why"] == why
    said = comparison_tables._gate("new", gate["runs"][0], {"gate": gate, "metric": asdict(metric)})
    assert ("no end that they could be at" in said) == bool(why)


def test_equal_scores_on_fewer_images_than_a_test_takes_pass_no_gate() -> None:
    same: dict[Hashable, Scored] = {n: Scored(f"c{n}", 1.0) for n in range(3)}
    metric = Metric("accuracy", 0.0, 1.0)
    (found,) = comparison._family([(same, same, False)], metric)
    (told,) = comparison._gate([{"a": "A", "overall": comparison._row(*found)}], metric, 0.1)["runs"]
    assert told["is_regression"] and told["why"] == "no_interval"


def test_the_viewer_shows_the_p_of_the_command_for_three_runs(place: Path) -> None:
    runs = [next((place / "outputs").glob(f"{name}-*")) for name in ("good", "bad", "also")]
    shown, _ = comparison.Comparing(runs, False)([read_block(run) for run in runs])
    printed = [pair["overall"] for pair in by_scores(runs)["pairs"]]
    assert [one["p_holm"] for one in shown] == [one["p_holm"] for one in printed[:2]]
    assert {key: shown[0][key] for key in printed[0]} == printed[0]


def test_a_sample_that_does_not_have_the_metric_is_left_out_of_a_run_whose_edit_failed(place: Path) -> None:
    first, second = (read_scores(next((place / "outputs").glob(f"{name}-*"))) for name in ("good", "also"))
    key, *kept = second.scored
    without = replace(second.only(kept), inapplicable=frozenset([key]))
    runs = comparison.comparable([first, without])
    assert [set(run.scored) for run in runs] == [set(kept)] * 2
    assert comparison._fitting(runs, comparison.ComparisonPlan()) == []


def test_scores_that_another_program_changed_are_not_compared(place: Path, tmp_path: Path) -> None:
    runs = [next((place / "outputs").glob(f"{name}-*")) for name in ("good", "bad")]
    for run in runs:
        shutil.copytree(run, tmp_path / run.name)
    with contextlib.closing(sqlite3.connect(tmp_path / runs[1].name / "ledger.sqlite")) as db, db:
        assert db.execute("UPDATE scores SET value = 9.9 WHERE metric = 'overall'").rowcount == 20
    done = cli("compare", runs[0].name, runs[1].name, "--output-dir", str(tmp_path), cwd=place)
    assert done.returncode == 2 and not done.stdout and "changed by another program" in done.stderr
    done = cli("leaderboard", str(tmp_path), cwd=place)
    assert f"left out: {runs[1].name}: scores in it were changed" in " ".join(done.stdout.split()), done.stdout
    assert "9.90" not in done.stdout
    sound, changed = shown_runs([tmp_path / run.name for run in runs], False)
    assert sound.change is None and sound.block()["warnings"] == read_block(sound.dir)["warnings"]
    english, chinese = changed.block()["warnings"][0]
    assert english == f"{runs[1].name}: {changed.change}" and "changed by another program" in english
    assert chinese.startswith(f"{runs[1].name}: 其中的分数")


def test_a_difference_that_is_the_same_on_every_image_is_decided() -> None:
    first: dict[Hashable, Scored] = {n: Scored(f"c{n}", 0.1 + n * 0.3) for n in range(20)}
    second = {key: Scored(one.cluster, (one.value or 0) - 0.1) for key, one in first.items()}
    metric = Metric("m", 0.0, 10.0)
    ((found, said),) = comparison._family([(first, second, False)], metric)
    assert found.interval_note == "no_variation" and said.better == "first"
    assert "all source images differ alike" in comparison_tables._evidence(comparison._row(found, said))


def test_a_judge_that_failed_its_certificate_is_named_and_passes_no_gate(place: Path, tmp_path: Path) -> None:
    runs = [next((place / "outputs").glob(f"{name}-*")) for name in ("good", "bad")]
    for run in runs:
        shutil.copytree(run, tmp_path / run.name)
    words = (runs[0].name, "--baseline", runs[1].name, "--fail-on-regression", "0.5", "--output-dir", str(tmp_path))
    assert cli("compare", *words, cwd=place).returncode == 0
    key = read_scores(runs[0]).judge
    told = {"schema_version": certificate.SCHEMA_VERSION, "suite": certificate.SUITE, "key": key}
    certificate.write(tmp_path, told | FAILED, [])
    done = cli("compare", *words, cwd=place)
    assert "Invalid judge" in cli("compare", *words, "--to", "tex", cwd=place).stdout
    lines = list(csv.DictReader(io.StringIO(cli("compare", *words, "--to", "csv", cwd=place).stdout)))
    assert {line["is_judge_trusted"] for line in lines} == {"False"}
    text = " ".join(done.stdout.split())
    assert done.returncode == 4 and "the judge failed a certificate or its controls: a regression" in text
    assert f"Invalid judge: it failed a certificate or its controls in {runs[0].name}, {runs[1].name}" in text


def test_a_pipe_keeps_its_place(place: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for words in (("compare", "good", "bad", "--to", "csv", "--output"), ("leaderboard", "--to", "csv", "-o")):
        done = cli(*words, str(tmp_path / "pipe"), cwd=place)
        assert done.returncode == 2 and "a device or a pipe" in done.stderr and len(done.stderr.splitlines()) == 1
    assert (tmp_path / "pipe").is_fifo() and len(list(tmp_path.iterdir())) == 1
