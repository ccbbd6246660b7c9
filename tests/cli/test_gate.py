"""`editeval gate`: scores against a margin decide, pixels explain, and runs of other things are refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from command_line import cli
from editeval.certificates import certificate
from editeval.store.run_store import RunStore

BASE = """\
benchmark: {type: procedural, params: {num_per_category: 8, size: 64}}
diffusion_model: {type: EDITOR, params: {device_ids: [cpu, cpu]}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
REENCODED = "{device_ids: [cpu], latency_s: 0, chances: {default: {target_reencoded: 1.0}}}"
FAILING = "{device_ids: [cpu], latency_s: 0, chances: {causal: {failed: 0.5}}}"
CONFIGS = {
    "good": BASE.replace("EDITOR", "target"),
    "twin": BASE.replace("EDITOR", "simulated").replace("{device_ids: [cpu, cpu]}", REENCODED),
    "bad": BASE.replace("EDITOR", "identity"),
    "failing": BASE.replace("EDITOR", "simulated").replace("{device_ids: [cpu, cpu]}", FAILING),
    "seeded": BASE.replace("EDITOR", "identity").replace("cpu, cpu]", "cpu], seed: 7"),
    "fewer": BASE.replace("EDITOR", "identity").replace("logging", "evaluation: {limit: 5}\nlogging"),
    "judged": BASE.replace("EDITOR", "identity").replace(
        "type: reference, params: {", "type: reference, params: {object_share: 0.5, "
    ),
    "bare": BASE.replace("EDITOR", "target").replace("reward_model", "x").replace("x: {type: reference", "#"),
}
FAILED = {"verdict": "not certified", "num_samples": 60, "created_at": 1.0, "checks": []}
"""The rest of a certificate that a judge did not get."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("gate")
    for name, text in CONFIGS.items():
        (root / f"{name}.yaml").write_text(text)
        assert cli("run", f"{name}.yaml", cwd=root).returncode in (0, 3), name
    return root


def test_an_engine_as_good_passes_and_a_worse_one_fails(made: Path) -> None:
    passed = cli("gate", "good", "twin", "--margin", "25%", cwd=made)
    assert passed.returncode == 0 and "passes: twin-" in passed.stdout, passed.stdout + passed.stderr
    failed = cli("gate", "good", "bad", "--margin", "0.1", "--json", cwd=made)
    told = json.loads(failed.stdout)
    assert failed.returncode == 4 and told["outcome"] == "fails"
    assert told["scores"]["difference"] == pytest.approx(-10, abs=0.01) and told["scores"]["num_pairs"] == 40


def test_what_is_not_decided_says_how_many_samples_would(made: Path) -> None:
    found = cli("gate", "good", "twin", "--margin", "0.1", cwd=made)
    assert found.returncode == 3
    assert "cannot be decided with 40 samples" in found.stdout and "would decide" in found.stdout


def test_a_judge_that_failed_decides_nothing_and_runs_have_the_names_they_were_given(
    made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made / "outputs", tmp_path / "outputs", symlinks=True)
    shutil.copy(made / "good.yaml", tmp_path)
    assert cli("run", "good.yaml", "--name", "first", cwd=tmp_path).returncode == 0
    told = json.loads(cli("gate", "first", "bad", "--margin", "0.1", "--json", cwd=tmp_path).stdout)
    assert told["outcome"] == "fails" and told["runs"]["a"]["name"] == "first"
    assert told["sentence"].startswith("fails: bad-") and "is worse than first by" in told["sentence"]
    (run,) = tmp_path.glob("outputs/bad-*")
    key = next(one["id"] for one in json.loads((run / "report.json").read_bytes())["run"]["judgings"])
    failed = {"schema_version": certificate.SCHEMA_VERSION, "suite": certificate.SUITE, "key": key}
    certificate.write(tmp_path / "outputs", failed | FAILED, [])
    found = cli("gate", "first", "bad", "--margin", "0.1", cwd=tmp_path)
    assert found.returncode == 3 and "the judge failed a certificate" in " ".join(found.stdout.split())


def test_an_edit_that_failed_in_the_second_run_counts_as_the_worst_score(made: Path) -> None:
    told = json.loads(cli("gate", "good", "failing", "--margin", "0.1", "--json", cwd=made).stdout)["scores"]
    assert told["num_failed"] > 0 and told["num_pairs"] == 40
    assert told["difference"] == pytest.approx(-10 * told["num_failed"] / 40, abs=0.05)
    back = json.loads(cli("gate", "failing", "good", "--margin", "0.1", "--json", cwd=made).stdout)["scores"]
    assert back["num_left_out"] == told["num_failed"] and back["difference"] == pytest.approx(0, abs=0.05)


def test_a_score_that_is_missing_leaves_it_open_and_names_the_way_out(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "outputs", tmp_path / "outputs", symlinks=True)
    (run,) = tmp_path.glob("outputs/twin-*")
    with RunStore.reopen(run) as store:
        causal = [name for name in store.sample_ids() if name.startswith("causal/")]
        store.forget_scores(store.judgings()[0].id, causal)  # as `retry` does
    found = cli("gate", "good", "twin", "--margin", "25%", cwd=tmp_path)
    assert found.returncode == 3 and "8 scores are missing in the second run" in found.stdout, found.stdout
    with sqlite3.connect(run / "ledger.sqlite") as connection:
        connection.execute("UPDATE scores SET value = 9.9")
    changed = cli("gate", "good", "twin", "--margin", "25%", cwd=tmp_path)
    assert changed.returncode == 2 and "changed by another program" in changed.stderr and not changed.stdout


def test_pixels_are_shown_as_diagnosis_with_the_paths_of_what_differs_most(made: Path) -> None:
    edits = json.loads(cli("gate", "good", "bad", "--margin", "1", "--json", cwd=made).stdout)["edits"]
    assert edits["num"] == 40 and edits["num_same_bytes"] == 0 and len(edits["most_different"]) == 5
    changes = [one["l1"] for one in edits["most_different"]]
    assert changes == sorted(changes, reverse=True) and changes[0] > edits["median"]["l1"] > 0
    assert all(Path(one[path]).is_file() for one in edits["most_different"] for path in ("edit_a", "edit_b"))
    shown = cli("gate", "good", "bad", "--margin", "1", "--to", "md", cwd=made).stdout
    assert "they decide nothing" in shown and "PSNR" in shown


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("seeded", "other base seeds, 0 and 7"),
        ("fewer", "cover different samples (40 and 5, 5 in common)"),
        ("judged", "were judged differently (params.object_share 0.01 and 0.5)"),
        ("bare", "has no scores"),
        ("good", "name two runs"),
    ],
)
def test_runs_of_something_else_are_refused_in_one_line(made: Path, second: str, said: str) -> None:
    found = cli("gate", "good", second, "--margin", "0.1", cwd=made)
    assert found.returncode == 2 and said in found.stderr and len(found.stderr.splitlines()) == 1, found.stderr


@pytest.mark.parametrize("margin", ["-1", "nan", "inf", "10", "101%", "x", "1e", ""])
def test_a_margin_that_is_none_is_refused(made: Path, margin: str) -> None:
    found = cli("gate", "good", "bad", f"--margin={margin}", cwd=made)
    assert found.returncode == 2 and "--margin" in found.stderr and len(found.stderr.splitlines()) == 1


def test_json_and_markdown_at_the_same_time_are_refused(made: Path) -> None:
    found = cli("gate", "good", "bad", "--margin=1", "--json", "--to=md", cwd=made)
    assert found.returncode == 2 and "choose one" in found.stderr
