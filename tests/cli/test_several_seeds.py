"""`--num-seeds K`: each sample is edited K times, and nothing that a run without it makes is another thing with it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from command_line import cli
from editeval import open_run
from editeval.store.run_store import RunStore

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model:
  type: simulated
  params: {seed: 3, latency_s: 0, device_ids: [cpu, cpu]}
  execution: {backend: inprocess}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess, batch_size: 3}}
logging: {console_output: false}
"""


def latest(folder: Path) -> Path:
    return (folder / "outputs" / "latest").resolve()


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((latest(folder) / "report.json").read_text(encoding="utf-8"))
    return found


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "samples.jsonl").read_text("utf-8").splitlines()]


def micro(folder: Path) -> dict[str, Any]:
    return next(one for one in report(folder)["summaries"] if (one["metric"], one["category"]) == ("overall", "micro"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of one seed, then of three in the same directory."""
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    done = cli("run", "small.yaml", cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    (folder / "one.jsonl").write_bytes((latest(folder) / "samples.jsonl").read_bytes())
    (folder / "plan").write_text(cli("run", "small.yaml", "--num-seeds", "3", "--dry-run", cwd=folder).stdout, "utf-8")
    done = cli("run", "small.yaml", "--num-seeds", "3", cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    (folder / "stdout").write_text(done.stdout, encoding="utf-8")
    (folder / "stderr").write_text(done.stderr, encoding="utf-8")
    return folder


def test_more_seeds_in_the_same_run_edit_only_what_is_new(place: Path) -> None:
    assert len(list((place / "outputs").glob("small-*"))) == 1
    plan = (place / "plan").read_text("utf-8")
    assert "procedural: 10 samples x 3 seeds" in plan and "20 to make" in plan and "physical: 2\n" in plan
    assert "20 to judge" in plan or "failed" in plan


def test_the_first_seed_is_what_a_run_without_the_flag_makes(place: Path) -> None:
    before = [json.loads(line) for line in (place / "one.jsonl").read_text("utf-8").splitlines()]
    first = [line for line in lines(latest(place)) if line["seed_index"] == 1]
    assert [{k: v for k, v in line.items() if k not in ("sample", "seed_index")} for line in first] == before
    assert all(line["sample"] == line["id"] for line in first)


def test_each_seed_of_a_sample_has_an_id_a_seed_and_an_edit_of_its_own(place: Path) -> None:
    found = lines(latest(place))
    assert [line["id"] for line in found[:4]] == [
        *(f"{found[0]['sample']}{end}" for end in ("", "#2", "#3")),
        found[3]["sample"],
    ]
    assert len({line["edit"]["seed"] for line in found}) == 30
    with (latest(place) / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["cluster"] for row in rows if row["sample"] == found[0]["sample"]} == {rows[0]["cluster"]}


def test_the_first_seeds_of_all_samples_come_first(place: Path, tmp_path: Path) -> None:
    done = cli("run", "small.yaml", "--num-seeds", "2", "--fresh", "--output-dir", str(tmp_path), cwd=place)
    assert done.returncode in (0, 3), done.stderr
    with RunStore.read((tmp_path / "latest").resolve()) as store:
        tries = list(store.attempts())
    for stage in ("edit", "judge"):
        repeats = [one.sample_id.endswith("#2") for one in tries if one.stage == stage]
        assert any(repeats) and sorted(repeats) == repeats


def test_counts_are_of_edits_and_say_of_how_many_samples(place: Path) -> None:
    run, whole, stdout = report(place)["run"], micro(place), (place / "stdout").read_text("utf-8")
    assert (run["num_seeds"], run["num_distinct"], run["num_samples"]) == (3, 10, 30)
    assert (whole["num_samples"], whole["num_distinct"]) == (30, 10) and report(place)["subset"] is None
    flat = " ".join(stdout.split())
    assert f"of 30 edits scored ({whole['coverage'] * 100:.1f}".removesuffix(".0") in flat
    assert f"of {whole['num_distinct_scored']} of 10 samples" in flat
    assert "3 seeds for each of 10 samples; scores of one sample differ by" in flat


def test_the_mean_is_that_of_the_samples_means_also_where_an_edit_failed(place: Path) -> None:
    scores: dict[str, list[float]] = {}
    for line in lines(latest(place)):
        value = line["scores"].get("overall", {}).get("value")
        if value is not None:
            scores.setdefault(line["sample"], []).append(value)
    assert {len(found) for found in scores.values()} > {3}, "an edit failed"
    assert micro(place)["mean"] == pytest.approx(fmean(map(fmean, scores.values())), abs=1e-6)


def test_fewer_seeds_answer_with_those_alone(place: Path, tmp_path: Path) -> None:
    copied = tmp_path / "outputs"
    done = cli("run", "small.yaml", "--num-seeds", "2", "--output-dir", str(copied), cwd=place)
    assert done.returncode in (0, 3), done.stderr
    found, three = lines((copied / "latest").resolve()), lines(latest(place))
    assert found == [line for line in three if line["seed_index"] <= 2]


def test_verify_export_and_status_know_of_them(place: Path) -> None:
    run = latest(place)
    assert "0 problems" in cli("verify", str(run), cwd=place).stdout
    assert "10 samples x 3 seeds" in cli("status", str(run), cwd=place).stdout
    table = cli("export", str(run), "--to", "csv", "--output", "-", cwd=place).stdout.splitlines()
    assert '"sample","seed_index"' in table[0] and ",2" in table[2]
    assert "30, 3 seeds" in cli("runs", "outputs", cwd=place).stdout


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "many", "1000000000"])
def test_a_number_of_seeds_that_is_none_is_one_line(place: Path, given: str) -> None:
    done = cli("run", "small.yaml", f"--num-seeds={given}", "--dry-run", cwd=place)
    told = done.stderr.strip().splitlines()
    assert done.returncode == 2 and "--num-seeds" in told[-1] and "Traceback" not in done.stderr
    done = cli("check", "small.yaml", "--set", f"diffusion_model.params.num_seeds={given}", cwd=place)
    assert done.returncode == 2 and "num_seeds" in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_folder_of_edits_has_no_seeds(place: Path) -> None:
    (place / "made").mkdir(exist_ok=True)
    changed = CONFIG.replace("type: simulated", "type: imported").replace("seed: 3, latency_s: 0", "folder: made")
    (place / "made.yaml").write_text(changed, encoding="utf-8")
    done = cli("check", "made.yaml", "--num-seeds", "2", cwd=place)
    assert done.returncode == 2 and "--num-seeds" in done.stderr and "one edit of each sample" in done.stderr


@pytest.fixture(scope="module")
def several(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs called one, three (of one model, 1 and 3 seeds) and better (3 seeds of a better one)."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "small.yaml").write_text(CONFIG.replace("num_per_category: 2", "num_per_category: 6"), encoding="utf-8")
    better = ("--set", "diffusion_model.params.skill=0.9")
    for name, flags in (("one", ()), ("three", ("--num-seeds", "3")), ("better", ("--num-seeds", "3", *better))):
        done = cli("run", "small.yaml", "--name", name, "--fresh", *flags, cwd=folder)
        assert done.returncode in (0, 3), done.stderr
    return folder


def test_compare_pairs_seeds_and_counts_samples(several: Path) -> None:
    told = json.loads(cli("compare", "better", "three", "--to", "json", cwd=several).stdout)
    (pair,) = told["pairs"]
    assert pair["overall"]["num_shared"] <= 30 and pair["overall"]["first"]["num_samples"] == 90
    assert pair["overall"]["difference"] > 0 and [run["num_seeds"] for run in told["runs"]] == [3, 3]
    assert ", 3 seeds" in cli("compare", "better", "three", cwd=several).stdout


def test_compare_of_runs_with_other_seeds_takes_those_that_all_have_and_says_so(several: Path) -> None:
    done = cli("compare", "three", "one", "--to", "json", cwd=several)
    told = json.loads(done.stdout)
    assert told["remarks"] == ["three has 3 seeds for each sample; the first of them counts"]
    assert told["pairs"][0]["overall"]["reason"] == "identical" and told["runs"][0]["num_samples"] == 30


def test_a_gate_wants_the_same_seeds(several: Path) -> None:
    done = cli("gate", "one", "three", "--margin", "0.5", cwd=several)
    assert done.returncode == 2 and "have 1 and 3 seeds for each sample" in done.stderr
    told = json.loads(cli("gate", "three", "better", "--margin", "5", "--json", cwd=several).stdout)
    assert told["scores"]["num_pairs"] <= 30


def test_a_leaderboard_keeps_other_numbers_of_seeds_apart(several: Path) -> None:
    (several / "board").mkdir(exist_ok=True)
    done = cli("leaderboard", "one", "three", "better", "--to", "json", "--output", "-", cwd=several)
    tables = json.loads(done.stdout)["tables"]
    assert sorted((table["num_seeds"], len(table["rows"])) for table in tables) == [(1, 1), (3, 2)]


def test_a_plan_is_one_of_samples_with_as_many_seeds(several: Path) -> None:
    plans = [
        json.loads(cli("plan", "--pilot", name, "--difference", "1", "--json", cwd=several).stdout)
        for name in ("one", "three")
    ]
    assert [plan["num_seeds"] for plan in plans] == [1, 3] and plans[1]["spread"]["num"] <= 30
    assert plans[1]["spread"]["sd"] < plans[0]["spread"]["sd"]
    told = cli("plan", "--pilot", "three", "--difference", "1", cwd=several).stdout
    assert "3 seeds for each sample" in " ".join(told.split())


def test_a_submission_of_several_seeds_is_read_again_to_the_same_digits(several: Path) -> None:
    done = cli("submit", "three", "--output", "three.tar", cwd=several)
    assert done.returncode == 0, done.stderr
    checked = cli("verify-submission", "three.tar", cwd=several)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_python_gets_a_row_for_each_edit(several: Path) -> None:
    one, three = (open_run(next((several / "outputs").glob(name))) for name in ("small-????????", "small-*-2"))
    rows = three.scores()
    assert [row["seed_index"] for row in rows[:4]] == [1, 2, 3, 1] and rows[1]["sample"] == rows[0]["id"]
    assert "edits scored" in repr(three) and "sample" not in one.scores()[0]
