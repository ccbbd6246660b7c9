"""`editeval runs`, `--name` and what tables call a run: one folder of small runs for the whole module."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from command_line import cli
from editeval.certificates import certificate
from editeval.run.index import checkpoint_of, model_of
from editeval.store import manifest
from editeval.store.directories import LOCK, Lock
from editeval.store.run_store import RunStore

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model:
  type: simulated
  params: {latency_s: 0.0, device_ids: [cpu], chances: {default: {CHANCES}}}
  execution: {backend: inprocess}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
CHANCES = {"good": "partial: 0.1", "poor": "partial: 0.3, identity: 0.5"}
CONTROL = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
FAILED = {"verdict": "not certified", "num_samples": 60, "created_at": 1.0, "checks": []}
"""The rest of a certificate that a judge did not get."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two simulated editors, one of them called `mine`, of a part of the benchmark, and of edits alone."""
    root = tmp_path_factory.mktemp("runs")
    for name, chances in CHANCES.items():
        (root / f"{name}.yaml").write_text(CONFIG.replace("CHANCES", chances))
    (root / "control.yaml").write_text(CONTROL)
    assert cli("run", "good.yaml", "--name", "mine", cwd=root).returncode == 0
    assert cli("run", "poor.yaml", cwd=root).returncode == 0
    assert cli("run", "poor.yaml", "--limit", "5", "--fresh", "--name", "part", cwd=root).returncode == 0
    assert cli("run", "control.yaml", cwd=root).returncode == 0
    return root


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    return tmp_path


def listed(cwd: Path, *flags: str) -> dict[str, dict[str, Any]]:
    """The entries of `editeval runs --json`, by directory."""
    done = cli("runs", *flags, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return {one["run"]: one for one in json.loads(done.stdout)["runs"]}


def directory(cwd: Path, stem: str) -> Path:
    """The one run whose directory begins so."""
    return next(iter(sorted((cwd / "outputs").glob(f"{stem}-*"), key=lambda path: len(path.name))))


def test_a_line_has_the_numbers_of_the_report(made: Path) -> None:
    found = listed(made)
    assert len(found) == 4
    for name, one in found.items():
        report = json.loads((made / "outputs" / name / "report.json").read_bytes())
        whole = next((s for s in report["summaries"] if (s["category"], s["metric"]) == ("micro", one["metric"])), None)
        assert one["model"] == report["run"]["model"] and one["badge"] == report["badge"]
        assert one["mean"] == (whole["mean"] if whole else None)
        assert one["coverage"] == (report["coverage"]["scored"] if whole else 1.0)
        assert one["state"] == "complete" and one["subset"] == report["subset"]
    assert {one["model"] for one in found.values()} == {"mine", "simulated (poor)", "part", "identity"}


def test_eighty_columns_hold_every_line_and_a_part_is_told_from_the_whole(made: Path) -> None:
    lines = cli("runs", cwd=made, COLUMNS="80").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    (part,) = (line for line in lines if " part " in line)
    assert "5/5 of 10" in part
    assert any("simulated (poor)" in line and "10/10" in line for line in lines)


def test_runs_are_found_by_benchmark_and_model_and_the_newest_come_first(made: Path) -> None:
    assert {one["model"] for one in listed(made, "--model", "SIMULATED").values()} == {"simulated (poor)"}
    assert [one["model"] for one in listed(made, "--last", "2").values()] == ["identity", "part"]
    assert len(listed(made, "--benchmark", "procedural")) == 4 and not listed(made, "--benchmark", "gedit")
    assert cli("runs", "--model", "nobody", cwd=made).stdout == "outputs: no runs that match\n"


def test_a_name_is_a_label_and_no_part_of_the_run(place: Path) -> None:
    before = sorted(path.name for path in (place / "outputs").iterdir())
    assert cli("run", "good.yaml", "--name", "yours", cwd=place).returncode == 0
    assert sorted(path.name for path in (place / "outputs").iterdir()) == before
    assert cli("run", "good.yaml", cwd=place).returncode == 0, "without a name it keeps the one that it has"
    run = directory(place, "good")
    assert json.loads((run / "report.json").read_bytes())["run"]["model"] == "yours"
    for name in ("report.md", "report.html", "scores.csv"):
        assert "yours" in (run / name).read_text(encoding="utf-8"), name
    assert "model: yours" in cli("status", "yours", cwd=place).stdout
    assert "yours" in cli("export", "yours", "--to", "tex", "--output", "-", cwd=place).stdout
    assert cli("verify", "yours", cwd=place).returncode == 0


def test_names_are_taken_where_a_run_is_and_two_of_a_name_are_listed(place: Path) -> None:
    assert cli("compare", "mine", "poor.yaml", cwd=place).returncode == 2
    poor = directory(place, "poor").name
    assert cli("compare", "mine", poor, cwd=place).returncode == 0
    assert cli("compare", poor, "--baseline", "mine", cwd=place).returncode == 0
    assert directory(place, "good").name in cli("gate", "mine", poor, "--margin", "9", cwd=place).stdout
    assert "no run" not in cli("plan", "mine", "--difference", "1", cwd=place).stderr
    wrong = cli("status", "mien", cwd=place).stderr
    assert "did you mean 'mine'? runs in outputs: " in wrong and f"{directory(place, 'good').name} (mine)" in wrong
    assert cli("run", "control.yaml", "--name", "mine", cwd=place).returncode == 0
    done = cli("status", "mine", cwd=place)
    both = ", ".join(sorted(path.name for path in (directory(place, "good"), directory(place, "control"))))
    assert done.returncode == 2
    assert done.stderr == f"editeval: run 'mine': means {both}; name the directory\n"


@pytest.mark.parametrize("name", ["latest", "", " x", "two\nlines", "x" * 101, "\u202eevil"])
def test_a_name_that_cannot_be_typed_or_means_something_is_refused_in_one_line(made: Path, name: str) -> None:
    done = cli("run", "good.yaml", "--name", name, cwd=made)
    assert done.returncode == 2 and "--name: must be one line of at most 100 printable characters" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["名字", "a/b", "org/Model-1.0", "with space", "../up"])
def test_any_other_name_is_a_name(place: Path, name: str) -> None:
    assert cli("run", "good.yaml", "--name", name, cwd=place).returncode == 0
    assert name in cli("status", name, cwd=place).stdout


def test_a_result_that_changed_since_the_report_is_counted_again_and_marked(place: Path) -> None:
    run = directory(place, "poor")
    with RunStore.reopen(run) as store:
        gone = store.forget_edits([next(iter(store.edits())).sample_id])
    assert gone == 1
    one = listed(place)[run.name]
    assert (one["badge"], one["state"], one["num_scored"], one["num_samples"]) == ("", "unfinished", 9, 10)
    table = cli("runs", cwd=place, COLUMNS="80").stdout
    assert f"~{one['mean']:.2f}" in table and "so far" in table


def test_a_run_at_work_a_broken_one_and_links_are_a_line_or_none(place: Path) -> None:
    outputs = place / "outputs"
    (outputs / "broken").mkdir()
    (outputs / "broken" / manifest.NAME).write_text("{")
    (outputs / "no-ledger").mkdir()
    shutil.copy(directory(place, "good") / manifest.NAME, outputs / "no-ledger")
    (outputs / "pipe").mkdir()
    (outputs / "pipe" / manifest.NAME).symlink_to(directory(place, "good") / manifest.NAME)
    (outputs / "elsewhere").symlink_to(directory(place, "good"))
    held = Lock.acquire(directory(place, "poor"))
    try:
        found = listed(place)
    finally:
        held.release()
    assert found[directory(place, "poor").name]["state"] == "running" and (directory(place, "poor") / LOCK).exists()
    assert "elsewhere" not in found and "latest" not in found
    for name in ("broken", "no-ledger", "pipe"):
        assert found[name]["state"] == "broken" and found[name]["problem"] and "\n" not in found[name]["problem"]
    lines = cli("runs", cwd=place).stdout.splitlines()
    assert sum(line.startswith(("broken: not readable", "no-ledger: not readable")) for line in lines) == 2


def test_a_stranger_s_run_is_a_line_and_what_it_is_called_steers_no_terminal(place: Path) -> None:
    path = directory(place, "good") / manifest.NAME
    content = json.loads(path.read_bytes())
    content["config"]["evaluation"] = {"name": "\x1b[2Jevil\nrow"}
    path.write_text(json.dumps(content))
    with RunStore.read(path.parent) as store:
        assert not store.is_own
    shown = cli("runs", cwd=place).stdout
    assert "\x1b" not in shown and "evil" in shown
    assert sum("evil" in line for line in shown.splitlines()) == 1


def test_a_certificate_that_fails_shows_at_once(place: Path) -> None:
    one = listed(place)[directory(place, "good").name]
    assert one["badge"].startswith("valid")
    told = {"schema_version": certificate.SCHEMA_VERSION, "suite": certificate.SUITE, "key": one["score_set"]}
    certificate.write(place / "outputs", told | FAILED, [])
    found = listed(place)
    assert found[directory(place, "good").name]["badge"] == "invalid judge"
    assert found[directory(place, "poor").name + "-2"]["badge"] == "invalid judge (subset)"
    run = directory(place, "good")
    with RunStore.reopen(run) as store:
        store.forget_edits([next(iter(store.edits())).sample_id])
    assert not listed(place)[run.name]["badge"], "no report holds"
    (line,) = (line for line in cli("runs", cwd=place).stdout.splitlines() if line.startswith(run.name))
    assert "invalid judge" in line and "~" in line


def _manifest(editor: str, name: str = "config", **params: object) -> Any:
    identity = {"editor": editor, "params": params}
    return {"name": name, "identity": identity, "config": {"diffusion_model": {"type": editor, "params": params}}}


@pytest.mark.parametrize(
    ("content", "label"),
    [
        (_manifest("qwen_image_edit_plus", model_name="Qwen/Qwen-Image-Edit-2511"), "Qwen-Image-Edit-2511"),
        (_manifest("diffusers_pipeline", model_name="/data/checkpoint-500/"), "checkpoint-500"),
        (_manifest("x", model_name="/h/models--black--FLUX.2/snapshots/0a1b"), "FLUX.2"),
        (_manifest("x", model_name="a/M", lora=[{"path": "l/step-9/pytorch_lora_weights.safetensors"}]), "M + step-9"),
        (_manifest("x", model_name="a/M", lora=[{"path": "b/one"}, {"path": "two.safetensors"}]), "M + one + two"),
        (_manifest("openai_images", model="gpt-image-1"), "gpt-image-1"),
        (_manifest("identity"), "identity"),
        (_manifest("simulated", "good", chances={}), "simulated (good)"),
        (_manifest("simulated", chances={}), "simulated"),
        (_manifest("/home/me/my_editor.py:Mine", "my_editor", strength=1), "my_editor"),
    ],
)
def test_the_label_is_the_checkpoint_or_the_editor(content: Any, label: str) -> None:
    assert model_of(content) == label


@pytest.mark.parametrize("params", [{"model_name": 3}, {"lora": "x"}, {"model": "m", "lora": [{"path": 5}, 7]}, {}])
def test_parameters_of_any_shape_give_a_text(params: dict[str, object]) -> None:
    assert isinstance(checkpoint_of(params), str)
