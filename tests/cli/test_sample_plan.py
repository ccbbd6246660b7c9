"""`editeval plan`, what a further run can show; `editeval agreement`, how far its judges and people agree."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from command_line import cli
from editeval.run import results
from editeval.store.run_store import RunStore
from editeval.viewer import ratings

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 4, size: 64}}
diffusion_model:
  type: simulated
  params: {device_ids: [cpu], latency_s: 0, chances: {default: {partial: 0.5, identity: 0.3}}}
  execution: {backend: inprocess}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
SAID = {"perfect": "{type: target, params: {device_ids: [cpu]}, execution: {backend: inprocess}}"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of twenty samples: two of mediocre models, and one whose scores are all ten."""
    root = tmp_path_factory.mktemp("plan")
    (root / "one.yaml").write_text(CONFIG)
    (root / "two.yaml").write_text(
        CONFIG.replace("partial: 0.5, identity", "wrong_object: 0.4, over_edit: 0.3, identity")
    )
    head, _, tail = CONFIG.partition("diffusion_model:")
    (root / "perfect.yaml").write_text(
        f"{head}diffusion_model: {SAID['perfect']}\n{tail[tail.index('reward_model') :]}"
    )
    for name in ("one", "two", "perfect"):
        done = cli("run", f"{name}.yaml", "--display", "none", cwd=root)
        assert done.returncode == 0, done.stderr
        shutil.move(next(p for p in (root / "outputs").iterdir() if p.name.startswith(f"{name}-")), root / name)
    shutil.rmtree(root / "outputs")
    return root


def plan(place: Path, *arguments: str) -> dict[str, Any]:
    done = cli("plan", "--pilot", *arguments, "--json", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def scores(directory: Path) -> dict[str, tuple[str, float]]:
    with RunStore.read(directory) as store:
        rows = [(row.id, row.cluster, results.value_of(row, "overall")) for row in results.rows(store)]
    return {sample_id: (cluster, value) for sample_id, cluster, value in rows if value is not None}


def standard_error(values: list[tuple[str, float]]) -> float:
    """Cluster-robust, written out."""
    mean = sum(value for _, value in values) / len(values)
    sums = [sum(v - mean for c, v in values if c == name) for name in sorted({c for c, _ in values})]
    return math.sqrt(len(sums) / (len(sums) - 1) * sum(s * s for s in sums)) / len(values)


def test_two_pilots_plan_with_the_differences_of_the_samples_that_both_scored(made: Path) -> None:
    one, two = scores(made / "one"), scores(made / "two")
    differences = [(cluster, value - two[key][1]) for key, (cluster, value) in one.items()]
    found = plan(made, "one", "two", "--difference", "1.5")
    spread, needed = found["spread"], found["needed"]
    assert spread["sd"] == pytest.approx(np.std([value for _, value in differences], ddof=1))
    assert spread["sd"] * math.sqrt(spread["effect"] / 20) == pytest.approx(standard_error(differences))
    shift = 1.5 / standard_error(differences) * math.sqrt(needed["num"] / 20)
    df = (spread["df"] + 1) * needed["num"] / 20 - 1
    assert stats.nct.sf(stats.t.ppf(0.975, df), df, shift) == pytest.approx(0.8, abs=0.01)
    assert needed["low"] < needed["num"] < needed["high"]
    assert [one["num"] for one in found["shows"]] == [20] == [found["num_benchmark"]]


def test_what_is_planned_is_what_that_number_shows(made: Path) -> None:
    needed = plan(made, "one", "two", "--difference", "0.7")["needed"]["num"]
    assert plan(made, "one", "two", "--samples", str(needed))["shows"][0]["difference"] == pytest.approx(0.7, rel=0.01)


def test_one_pilot_says_what_it_assumes_of_the_other_model(made: Path) -> None:
    alone = " ".join(cli("plan", "--pilot", "one", "--difference", "1", cwd=made).stdout.split())
    assert "Assumed of the other model: scores as far apart, and a correlation of 0 with these" in alone
    assert "The benchmark has 20." in alone and "design effect" in alone
    free, bound = plan(made, "one"), plan(made, "one", "--correlation", "0.5")
    assert free["spread"]["sd"] == pytest.approx(math.sqrt(2) * bound["spread"]["sd"])
    assert "Assumed" not in cli("plan", "--pilot", "one", "two", "--difference", "1", cwd=made).stdout


def test_more_comparisons_and_more_power_take_more_samples(made: Path) -> None:
    numbers = [
        plan(made, "one", "--difference", "1", *more)["needed"]["num"]
        for more in ((), ("--power", "0.9"), ("--power", "0.9", "--comparisons", "10"))
    ]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("perfect --difference 1", "--pilot perfect: its scores: are all alike; without any spread nothing can be"),
        ("one one", "takes one run, or two different ones"),
        ("one two perfect", "takes one run, or two different ones"),
        ("one two --correlation 0", "--correlation: two pilots show how their scores go together; leave it out"),
        ("one --difference 0", "--difference: must be above 0, got 0"),
        ("one --difference nan", "--difference: must be above 0, got nan"),
        ("one --power 1", "--power: must be from 0.5 to below 1, got 1"),
        ("one --samples 1", "--samples: must be at least 2, got 1"),
        ("one --comparisons 0", "--comparisons: must be at least 1, got 0"),
        ("one --correlation 1", "--correlation: must be from -1 to below 1, got 1"),
        ("absent", "no run directory of this name"),
    ],
)
def test_what_cannot_be_planned_is_one_line(made: Path, arguments: str, said: str) -> None:
    done = cli("plan", "--pilot", *arguments.split(), cwd=made)
    assert done.returncode == 2 and said in done.stderr
    assert done.stderr.count("\n") == 1 and not done.stdout


def test_a_pilot_of_few_samples_and_one_of_another_judge_are_refused(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    assert (
        cli("run", "one.yaml", "--first", "5", "--output-dir", "few", "--display", "none", cwd=tmp_path).returncode == 0
    )
    few = cli("plan", "--pilot", "latest", "--output-dir", "few", cwd=tmp_path)
    assert "its scores: there are 5; a plan takes at least 10 scored samples" in few.stderr
    other = (
        (tmp_path / "one.yaml")
        .read_text()
        .replace("type: reference, params: {", "type: reference, params: {object_share: 0.4, ")
    )
    (tmp_path / "other.yaml").write_text(other)
    assert cli("run", "other.yaml", "--display", "none", cwd=tmp_path).returncode == 0
    mixed = cli("plan", "--pilot", "one", "latest", cwd=tmp_path)
    assert "shows the same judge's of both" in mixed.stderr and mixed.returncode == 2
    (tmp_path / "larger.yaml").write_text(CONFIG.replace("size: 64", "size: 72"))
    assert cli("run", "larger.yaml", "--display", "none", cwd=tmp_path).returncode == 0
    larger = cli("plan", "--pilot", "one", "latest", cwd=tmp_path)
    assert "are of different benchmarks" in larger.stderr and larger.returncode == 2


def rated(place: Path, name: str, rows: list[str]) -> str:
    (place / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return name


def people(made: Path, *models: str) -> list[str]:
    """Two raters who see what the judge sees, in whole steps; bob is blind to every third edit."""
    rows = []
    for model in models:
        for n, (sample_id, (_, value)) in enumerate(sorted(scores(made / model).items())):
            ann = 1 + round(value / 2.5)
            rows += [f"{sample_id},{model},{ann},ann", f"{sample_id},{model},{3 if n % 3 == 0 else ann},bob"]
    return rows


def agreement(place: Path, *arguments: str) -> dict[str, Any]:
    done = cli("agreement", *arguments, "--json", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_judge_agrees_with_people_as_scipy_says(made: Path, tmp_path: Path) -> None:
    table = rated(tmp_path, "people.csv", ["sample,model,rating,rater", *people(made, "one", "two")])
    found = agreement(made, "one", "two", "--ratings", str(tmp_path / table))
    mean: dict[tuple[str, str], list[float]] = {}
    for row in people(made, "one", "two"):
        sample_id, model, rating, _ = row.split(",")
        mean.setdefault((model, sample_id), []).append(float(rating))
    judge = [scores(made / model)[sample_id][1] for model, sample_id in mean]
    said = [sum(ratings) / 2 for ratings in mean.values()]
    side = found["sides"][0]
    assert (side["first"], side["second"], side["num"], found["num_ratings"]) == ("reference", "people", 40, 80)
    assert side["spearman"]["value"] == pytest.approx(float(stats.spearmanr(judge, said)[0]), abs=1e-10)
    assert side["kendall"]["value"] == pytest.approx(float(stats.kendalltau(judge, said)[0]), abs=1e-10)
    assert side["alpha_ordinal"] is None and side["pairs"]["num"] == 20
    assert side["spearman"]["low"] < side["spearman"]["value"] <= side["spearman"]["high"]
    assert 0.3 < found["people"]["alpha_interval"]["value"] < 1 and found["people"]["raters"] == ["ann", "bob"]


def test_ratings_of_the_viewer_are_read_by_rater_and_stars_before_verdicts(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "one", tmp_path / "one")
    ids = sorted(scores(made / "one"))
    for rater in ("", "ann", "bob"):
        seen = {sample_id: {"stars": 1 + (n + len(rater)) % 5, "blind": True} for n, sample_id in enumerate(ids[:12])}
        ratings.change(tmp_path / "one", "id", seen | {ids[13]: {"verdict": "good"}}, ids, rater)
    found = agreement(tmp_path, "one")
    assert found["people"]["raters"] == ["", "ann", "bob"] and found["kind"] == "stars"
    assert (found["num_ratings"], found["num_other_kind"], found["num_blind"]) == (36, 3, 36)
    assert found["sides"][0]["alpha_interval"] is None  # the judge's scale is 0-10
    told = cli("agreement", "one", cwd=tmp_path).stdout
    assert "36 ratings (stars, 1-5), 36 made blind." in told and "3 ratings of another kind are left out" in told


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["sample,score", "a,1"], "must have the columns sample, rating, lacks rating"),
        (["sample,rating", "a,good"], "bad.csv:2: rating: must be a number, got 'good'"),
        (["sample,rating", "a,nan"], "bad.csv:2: rating: must be a number, got 'nan'"),
        (["sample,rating", "a,-1e308"], "bad.csv:2: rating: must be a number of at most 1e+09 in size, got '-1e308'"),
        (["sample,rating", "a,4,5"], "bad.csv:2: has more cells than there are columns"),
        (["sample,rating,rating", "a,4,5"], "has two columns 'rating'"),
        (["sample,rating", ",1"], "bad.csv:2: sample: must be an id"),
        (["sample,rating"], "no rating is in it"),
        (["sample,rating,rater", *(f"a,1,r{n}" for n in range(5001))], "has 5,001 raters, of at most 5,000"),
        (["sample,rating", "nobody,1"], "sample 'nobody' and all others are in none of the runs"),
        (["sample,rating", "causal/0000,1", "causal/0000,2"], "a rater without a name has rated causal/0000 twice"),
    ],
)
def test_ratings_that_cannot_be_read_are_one_line(made: Path, tmp_path: Path, rows: list[str], said: str) -> None:
    done = cli("agreement", "one", "--ratings", str(tmp_path / rated(tmp_path, "bad.csv", rows)), cwd=made)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_agreement_of_nothing_and_without_the_model_s_name_is_one_line(made: Path, tmp_path: Path) -> None:
    assert "one judge and no ratings" in cli("agreement", "one", cwd=made).stderr
    table = str(tmp_path / rated(tmp_path, "people.csv", ["sample,rating", "causal/0000,1"]))
    assert "which model's edit?" in cli("agreement", "one", "two", "--ratings", table, cwd=made).stderr
    os.mkfifo(tmp_path / "pipe.csv")  # opening it would wait for somebody who writes
    assert "is no file" in cli("agreement", "one", "--ratings", str(tmp_path / "pipe.csv"), cwd=made).stderr
    assert "must be .csv, .tsv or .json" in cli("agreement", "one", "--ratings", "one.yaml", cwd=made).stderr
    assert "no such score set" in cli("agreement", "one", "--judges", "nobody", cwd=made).stderr
    assert (
        "--metric style: reference of one gives overall"
        in cli("agreement", "one", "--metric", "style", cwd=made).stderr
    )


def test_two_judges_of_one_scale_have_an_alpha_and_a_mean_difference(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "one", tmp_path / "one")
    (tmp_path / "one.yaml").write_text(
        "reward_model: {type: reference, params: {device_ids: [cpu], object_share: 0.2}}"
    )
    assert cli("score", "one", "one.yaml", "--display", "none", cwd=tmp_path).returncode == 0
    side = agreement(tmp_path, "one")["sides"][0]
    assert side["alpha_interval"]["value"] is not None and side["difference"] is not None
    assert side["within"] is None and side["pairs"] is None
