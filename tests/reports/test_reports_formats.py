"""JSON Schemas of what programs read, JUnit, Vega-Lite, the folder for the Hub, and the summary of a CI step."""

from __future__ import annotations

import io
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from command_line import cli
from editeval.errors import ConfigError
from editeval.reports import hub_folder
from editeval.reports.hub_folder import write_eval_results

SIMULATED = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model: {type: classical, params: {device_ids: [cpu]}, execution: {backend: inprocess, max_attempts: 1}}
reward_model: {type: fakes.redness_judge, params: {blind_from: 128}, execution: {backend: inprocess}}
"""
PLAIN = SIMULATED.replace("type: classical", "type: identity").replace("blind_from: 128", "blind_from: 256")
BARE = PLAIN.partition("reward_model")[0]
RUNS = {"failing": SIMULATED, "plain": PLAIN, "bare": BARE, "whole": PLAIN}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with failed edits and unscored ones, with `--first`, and without a judge."""
    found = tmp_path_factory.mktemp("formats")
    for name, text in RUNS.items():
        (found / f"{name}.yaml").write_text(text, encoding="utf-8")
        more = ("--first", "3") if name == "plain" else ()
        summary = {"GITHUB_STEP_SUMMARY": str(found / "summary.md")} if name == "plain" else {}
        done = cli("run", f"{name}.yaml", "--allow-code", "--display", "none", *more, cwd=found, **summary)
        assert done.returncode in (0, 3), done.stderr
    return found


def run_of(folder: Path, name: str) -> Path:
    (found,) = (folder / "outputs").glob(f"{name}-*")
    return found


def schema(name: str) -> Any:
    return json.loads((files("editeval") / "reports" / "schemas" / f"{name}.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("name", RUNS)
def test_reports_and_samples_keep_their_published_schema(name: str, folder: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    run = run_of(folder, name)
    for kind in ("report", "samples"):
        jsonschema.Draft202012Validator.check_schema(schema(kind))
    jsonschema.validate(json.loads((run / "report.json").read_text("utf-8")), schema("report"))
    lines = (run / "samples.jsonl").read_text("utf-8").splitlines()
    for line in lines:
        jsonschema.validate(json.loads(line), schema("samples"))
    assert len(lines) == (3 if name == "plain" else 10)
    one = json.loads(lines[0])
    for wrong in ({**one, "more": 1}, {**one, "edit": {**one["edit"], "sha256": None, "status": "done"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema("samples"))


def test_junit_fails_what_has_no_score_and_nothing_else(folder: Path) -> None:
    done = cli("export", str(run_of(folder, "failing")), "--to", "junit", "--output", "-", cwd=folder)
    suite = ET.fromstring(done.stdout.partition("?>")[2])
    lines = (run_of(folder, "failing") / "samples.jsonl").read_text("utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    failed = [one for one in samples if one["edit"]["status"] == "failed"]
    unscored = [s for s in samples if s not in failed and s["scores"]["overall"]["value"] is None]
    assert failed and unscored, "the run has both"
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors")}
    assert counts == {"tests": "10", "failures": str(len(failed)), "errors": str(len(unscored))}
    assert {case.get("type") for case in suite.iter("failure")} == {"refused"}


def test_vega_holds_the_means_and_their_intervals_in_the_chart_itself(folder: Path) -> None:
    done = cli("export", str(run_of(folder, "plain")), "--to", "vega", "--output", "-", cwd=folder)
    chart = json.loads(done.stdout)
    report = json.loads((run_of(folder, "plain") / "report.json").read_text("utf-8"))
    means = {one["category"]: one["mean"] for one in report["summaries"] if one["mean"] is not None}
    assert {one["category"]: one["mean"] for one in chart["data"]["values"]} == means
    assert chart["layer"][1]["encoding"]["x"]["scale"] == {"domain": [0.0, 10.0]}
    bare = cli("export", str(run_of(folder, "bare")), "--to", "vega", cwd=folder)
    assert bare.returncode == 2 and "has no scores, so there is no chart" in bare.stderr


def test_the_folder_for_the_hub_has_edits_scores_and_a_card(folder: Path) -> None:
    import yaml

    run = run_of(folder, "plain")
    assert cli("export", str(run), "--to", "hf", cwd=folder).returncode == 0
    lines = [json.loads(line) for line in (run / "hf" / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == 3 and all((run / "hf" / one["file_name"]).is_file() for one in lines)
    _, head, text = (run / "hf" / "README.md").read_text("utf-8").split("---\n", 2)
    (entry,) = yaml.safe_load(head)["model-index"]
    assert entry["name"] == "identity" and "3 of 3 samples are scored" in text
    assert entry["results"][0]["metrics"][0]["args"]["coverage"] == 1.0
    assert cli("export", str(run), "--to", "hf", cwd=folder).returncode == 0, "again: it is replaced"
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").write_text("years of work")
    refused = cli("export", str(run), "--to", "hf", "--output", "mine", cwd=folder)
    assert refused.returncode == 2 and "is there already, and no export" in refused.stderr
    assert (folder / "mine" / "thesis.txt").is_file()


def test_a_result_for_a_models_repository_is_in_the_form_of_the_hub_and_says_what_it_is(folder: Path) -> None:
    import yaml

    asked = ("--to", "eval-results", "--task", "owner/bench:edits/all")
    part = cli("export", str(run_of(folder, "plain")), *asked, cwd=folder)
    assert part.returncode == 2 and "no result for the Hub: it is a part of the benchmark" in part.stderr
    run = run_of(folder, "whole")
    assert cli("export", str(run), *asked, cwd=folder).returncode == 0
    (entry,) = yaml.safe_load((run / "eval_results.yaml").read_text("utf-8"))
    report = json.loads((run / "report.json").read_text("utf-8"))
    (mean,) = [s["mean"] for s in report["summaries"] if (s["metric"], s["category"]) == ("overall", "macro")]
    assert entry["dataset"] == {"id": "owner/bench", "task_id": "edits/all"} and entry["value"] == mean
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])
    assert (
        entry["notes"].startswith("editeval; mean over categories of overall") and "10 of 10 samples" in entry["notes"]
    )


def test_huggingface_hub_reads_the_result_of_a_run(folder: Path) -> None:
    import yaml

    hub = pytest.importorskip("huggingface_hub")
    done = cli(
        "export", str(run_of(folder, "whole")), "--to", "eval-results", "--task", "o/b:t", "--output", "-", cwd=folder
    )
    (parsed,) = hub.parse_eval_result_entries(yaml.safe_load(done.stdout))
    assert (parsed.dataset_id, parsed.task_id) == ("o/b", "t") and parsed.value is not None and parsed.notes


def test_the_authors_number_is_the_result_of_an_official_run() -> None:
    mean = {"metric": "overall", "category": "macro", "mean": 6.5, "ci_low": 6.0, "ci_high": 7.0}
    number = {"name": "Bench Avg", "value": 6.123}
    claim = {"is_official": True, "numbers": [number, {"name": "Bench SC", "value": 7.0}], "lines": ["official: 6.123"]}
    run = {"name": "r", "created_at": 0.0, "judgings": [{"judge": "j", "protocol": "p"}], "official_claim": claim}
    report = {"run": run, "headline_metric": "overall", "subset": None, "badge": "valid"}
    report |= {"summaries": [{**mean, "num_scored": 9, "num_samples": 9}], "coverage": {"is_headline": True}}

    def written(**changed: object) -> str:
        out = io.StringIO()
        write_eval_results({**report, **changed}, "a/b:c", out)
        return out.getvalue()

    assert "value: 6.123" in written() and "official: 6.123; judge j p" in written() and "1970-01-01" in written()
    several = {**claim, "numbers": [number, {**number, "value": 5.9}]}
    for other in ({**claim, "is_official": False}, several):
        assert "value: 6.5" in written(run={**run, "official_claim": other})
    for changed, why in (
        ({"badge": "invalid judge"}, "it is invalid judge"),
        ({"subset": {"num": 9}}, "a part of the benchmark"),
        ({"summaries": []}, "no scores"),
        ({"coverage": {"is_headline": False}}, "too few of its samples"),
    ):
        with pytest.raises(ConfigError, match=why):
            written(**changed)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--to", "csv", "--push", "a/b"), "--push: only with --to hf"),
        (("--to", "eval-results"), "--to eval-results: add --task OWNER/NAME:TASK_ID"),
        (("--to", "hf", "--task", "a/b:c"), "--task: only with --to eval-results, got --to hf"),
        (("--to", "eval-results", "--task", "b:c"), "--task: must be OWNER/NAME:TASK_ID"),
        (("--to", "hf", "--push", "b"), "--push: must be owner/name"),
        (("--to", "hf", "--output", "-"), "makes a folder"),
    ],
)
def test_what_cannot_be_pushed_is_one_line(flags: tuple[str, ...], words: str, folder: Path) -> None:
    done = cli("export", str(run_of(folder, "plain")), *flags, cwd=folder)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1


def test_a_push_without_a_network_leaves_the_folder_and_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest.importorskip("huggingface_hub.constants"), "HF_HUB_OFFLINE", True)
    done = cli("export", str(run_of(folder, "plain")), "--to", "hf", "--push", "a/b", cwd=folder)
    assert done.returncode == 2 and "HF_HUB_OFFLINE is set; the folder is written" in done.stderr
    assert (run_of(folder, "plain") / "hf" / "metadata.jsonl").is_file()


def test_a_push_creates_a_private_data_set_and_sends_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked: list[tuple[object, ...]] = []

    class Api:
        def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> None:
            asked.append((repo_id, repo_type, private, exist_ok))

        def upload_folder(self, *, repo_id: str, repo_type: str, folder_path: Path) -> None:
            asked.append((repo_id, repo_type, folder_path))

    monkeypatch.setattr(pytest.importorskip("huggingface_hub.constants"), "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HfApi", Api)
    assert hub_folder.push(tmp_path, "a/b") == "https://huggingface.co/datasets/a/b"
    assert asked == [("a/b", "dataset", True, True), ("a/b", "dataset", tmp_path)]


def test_a_step_of_github_gets_the_report_as_markdown(folder: Path) -> None:
    assert (folder / "summary.md").read_text("utf-8") == (run_of(folder, "plain") / "report.md").read_text(
        "utf-8"
    ) + "\n"
