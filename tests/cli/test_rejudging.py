"""`editeval score`, `reparse` and `report --scores`: other scores of the same edits, and the old ones stay."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from editeval.store.ledger_events import ScoresForgotten
from editeval.store.run_store import RunStore

pytestmark = pytest.mark.slow

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}}
reward_model: {type: fakes.replying_judge, params: {device_ids: [cpu]}}
logging: {console_output: false}
"""
OTHER = """\
reward_models:
  exact: {type: reference, params: {device_ids: [cpu]}}
  words: {type: fakes.replying_judge, params: {device_ids: [cpu], protocol: rubric, text: "Score: 4"}}
prompts:
  physical: &asked {system_prompt: Grade., user_prompt_template: "Done: {edit_instruction}"}
  environmental: *asked
  cultural: *asked
  causal: *asked
  referential: *asked
"""


def cli(*arguments: str, cwd: Path, expected: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "editeval", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expected, (arguments, done.stdout, done.stderr)
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "other.yaml").write_text(OTHER, encoding="utf-8")
    cli("run", "small.yaml", "--allow-code", cwd=tmp_path, expected=3)  # some label masses are below 0.9
    return tmp_path


def latest(folder: Path) -> Path:
    return folder / "outputs" / "latest"


def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((latest(folder) / "report.json").read_text(encoding="utf-8"))
    return content


def shown(folder: Path) -> list[tuple[str, str]]:
    return [(judging["name"], judging["prefix"]) for judging in report(folder)["run"]["judgings"]]


def kept(folder: Path) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "editeval", "status", "--json"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    return {judging["name"]: judging for judging in json.loads(done.stdout)["judgings"]}


def scores(folder: Path, judging_id: str) -> dict[str, dict[str, tuple[float | None, str]]]:
    with RunStore.read(latest(folder)) as store:
        return {r.id: {m: (s.value, s.reason) for m, s in r.scores.items()} for r in store.rows(judging_id)}


def num_edit_attempts(folder: Path) -> int:
    with RunStore.read(latest(folder)) as store:
        return sum(1 for _ in store.attempts("edit"))


def test_a_run_is_judged_again_without_editing_and_every_judging_can_be_shown(folder: Path) -> None:
    first = kept(folder)["replying_judge"]
    before = scores(folder, first["id"])
    headline = report(folder)["summaries"]
    added = cli("score", "latest", "other.yaml", "--allow-code", cwd=folder)
    assert "words.overall" in added.stdout, "the table is of the new scores"
    assert "still show replying_judge (fakes.replying_judge" in added.stderr
    assert "--scores exact --scores words" in added.stderr
    assert shown(folder) == [("replying_judge", "")] and report(folder)["summaries"] == headline
    cli("verify", cwd=folder)
    cli("report", "--scores", "exact", "--scores", "words", "--allow-code", cwd=folder)
    assert shown(folder) == [("exact", ""), ("words", "words.")]
    assert {s["metric"]: s["mean"] for s in report(folder)["summaries"] if s["category"] == "micro"} == {
        "overall": 0.0,
        "completeness": 0.0,
        "preservation": 10.0,
        "words.overall": 4.0,
    }
    assert num_edit_attempts(folder) == 10 and scores(folder, first["id"]) == before
    assert {name: judging["is_shown"] for name, judging in kept(folder).items()} == {
        "replying_judge": False,
        "exact": True,
        "words": True,
    }
    cli("verify", cwd=folder)
    again = cli("score", "latest", "other.yaml", "--allow-code", cwd=folder)
    assert "words.overall" in again.stdout  # complete already: the same report, at once
    cli("report", "--judging", "words", "--judging", first["id"][:8], "--allow-code", cwd=folder, expected=3)
    assert shown(folder) == [("words", ""), ("replying_judge", "replying_judge.")]
    cli("verify", cwd=folder)
    cli("report", "--allow-code", cwd=folder, expected=3)
    assert shown(folder) == [("words", ""), ("replying_judge", "replying_judge.")], "a choice stays"
    markdown = (latest(folder) / "report.md").read_text(encoding="utf-8").replace("\\", "")
    assert f"scores: words (fakes.replying_judge, protocol rubric, {kept(folder)['words']['id']}); repl" in markdown
    assert f"also kept: exact (reference, {kept(folder)['exact']['id']})" in markdown


def test_another_judge_in_the_configuration_ends_a_choice_and_the_same_one_does_not(folder: Path) -> None:
    cli("score", "latest", "other.yaml", "--allow-code", cwd=folder)
    cli("report", "--scores", "words", "--allow-code", cwd=folder)
    cli("run", "small.yaml", "--allow-code", cwd=folder, expected=3)
    assert shown(folder) == [("words", "")]
    cli("run", "small.yaml", "--allow-code", "--set", "reward_model.params.min_label_mass=0.5", cwd=folder)
    assert shown(folder) == [("replying_judge", "")] and report(folder)["coverage"]["num_scored"] == 10
    cli("run", "small.yaml", "--allow-code", cwd=folder, expected=3)
    assert shown(folder) == [("replying_judge", "")]
    with RunStore.read(latest(folder)) as store:
        assert sum(1 for _ in store.attempts("judge")) == 40


def test_scores_of_a_run_without_a_judge_are_shown_at_once(folder: Path) -> None:
    cli("run", "small.yaml", "--set", "reward_model=null", cwd=folder)
    assert shown(folder) == []
    cli("score", "latest", "other.yaml", "--allow-code", cwd=folder)
    assert shown(folder) == [("exact", ""), ("words", "words.")]
    cli("run", "small.yaml", "--set", "reward_model=null", cwd=folder)
    assert shown(folder) == [("exact", ""), ("words", "words.")]
    cli("verify", cwd=folder)


def test_a_parameter_of_the_judge_can_be_set_and_nothing_of_the_edits(folder: Path) -> None:
    cli("score", "--allow-code", "--set", "reward_model.params.min_label_mass=0.5", cwd=folder)
    names = list(kept(folder))
    assert names[0] == "replying_judge" and names[1].startswith("replying_judge-") and len(names) == 2
    assert report(folder)["coverage"]["num_scored"] < 10
    cli("report", "--scores", names[1], "--allow-code", cwd=folder)
    assert report(folder)["coverage"]["num_scored"] == 10
    refused = cli("score", "--set", "diffusion_model.params.seed=3", cwd=folder, expected=2)
    assert refused.stderr.startswith("editeval: --set diffusion_model: belongs to the run")
    (folder / "empty.yaml").write_text("benchmark: {type: procedural}\n", encoding="utf-8")
    missing = cli("score", "latest", "empty.yaml", cwd=folder, expected=2)
    assert "reward_model: missing" in missing.stderr and missing.stderr.count("\n") == 1


def test_an_unknown_judging_is_one_line_that_lists_them(folder: Path) -> None:
    refused = cli("report", "--scores", "nobody", "--allow-code", cwd=folder, expected=2)
    judging_id = kept(folder)["replying_judge"]["id"]
    assert refused.stderr == (
        f"editeval: --scores nobody: no such score set; the run has replying_judge ({judging_id})\n"
    )


def test_replies_are_read_again_with_another_threshold(folder: Path) -> None:
    parent = kept(folder)["replying_judge"]
    before = scores(folder, parent["id"])
    low = sum(reason == "low_mass" for row in before.values() for _, reason in row.values())
    assert 0 < low < 40
    done = cli("reparse", "--min-label-mass", "0.5", "--allow-code", cwd=folder)
    assert f"{low} of 40 scores change" in done.stdout and "now scored, was low_mass" in done.stdout
    child = kept(folder)["replying_judge-reparsed"]
    assert child["parent"] == parent["id"] and child["num_scored"] == 10
    after = scores(folder, child["id"])
    assert scores(folder, parent["id"]) == before
    for sample_id, row in before.items():
        assert all(after[sample_id][metric] == said for metric, said in row.items() if said[0] is not None)
        assert all(value is not None for value, _ in after[sample_id].values())
    assert shown(folder) == [("replying_judge", "")], "the headline of the report is what it was"
    assert "replying_judge-reparsed" in report(folder)["run"]["also_kept"][0]
    cli("verify", cwd=folder)
    chosen = ("--scores", "replying_judge-reparsed", "--judging", "replying_judge")  # --judging: its old name
    cli("report", *chosen, "--allow-code", cwd=folder, expected=3)
    assert shown(folder) == [("replying_judge-reparsed", ""), ("replying_judge", "replying_judge.")]
    cli("verify", cwd=folder)
    again = cli("reparse", "--judging", "replying_judge", "--min-label-mass", "0.5", "--allow-code", cwd=folder)
    assert f"({child['id']})" in again.stdout and len(kept(folder)) == 2


def test_another_aggregation_of_the_same_answers_is_a_judging_of_its_own(folder: Path) -> None:
    (parent,) = kept(folder).values()
    before = scores(folder, parent["id"])
    cli("reparse", "--min-label-mass", "0", "--protocol", "pointwise_mean", "--allow-code", cwd=folder)
    after = scores(folder, kept(folder)["replying_judge-reparsed"]["id"])
    assert scores(folder, parent["id"]) == before
    for row in after.values():
        parts = [row[metric][0] for metric in ("following", "preservation", "quality")]
        assert row["overall"][0] == pytest.approx(sum(parts) / 3)
    assert any(after[key]["overall"] != before[key]["overall"] for key in before)


def test_what_another_reading_would_not_change_is_not_kept(folder: Path) -> None:
    done = cli("reparse", cwd=folder)
    assert done.stdout.endswith("0 of 40 scores change; nothing was added\n")
    assert list(kept(folder)) == ["replying_judge"]


def test_what_cannot_be_read_again_is_refused_in_one_line(folder: Path) -> None:
    other = cli("reparse", "--protocol", "viescore", cwd=folder, expected=2)
    assert other.stderr.startswith("editeval: --protocol viescore: asks other questions than pointwise did")
    assert cli("reparse", "--protocol", "viescor", cwd=folder, expected=2).stderr.count("\n") == 1
    assert "between 0 and 1" in cli("reparse", "--min-label-mass", "7", cwd=folder, expected=2).stderr
    cli("score", "latest", "other.yaml", "--allow-code", cwd=folder)
    several = cli("reparse", cwd=folder, expected=2)
    assert "say whose replies" in several.stderr and "exact (" in several.stderr
    pixels = cli("reparse", "--judging", "exact", cwd=folder, expected=2)
    assert "keeps no replies that could be read again" in pixels.stderr and pixels.stderr.count("\n") == 1


def test_what_was_never_answered_stays_unscored(tmp_path: Path) -> None:
    text = CONFIG.replace("device_ids: [cpu]}}\nlogging", "device_ids: [cpu], falls_over: causal}}\nlogging")
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    cli("run", "small.yaml", "--allow-code", cwd=tmp_path, expected=3)
    done = cli("reparse", "--min-label-mass", "0", "--allow-code", cwd=tmp_path, expected=3)
    assert "exception" not in done.stdout.split("kept as the judging")[0]
    rows = scores(tmp_path, kept(tmp_path)["replying_judge-reparsed"]["id"])
    reasons = {i: {reason for _, reason in row.values()} for i, row in rows.items()}
    assert {i for i, found in reasons.items() if found == {"exception"}} == {"causal/0000", "causal/0001"}
    assert sum(found == {""} for found in reasons.values()) == 8


def test_a_retry_covers_every_judge_of_the_configuration(tmp_path: Path) -> None:
    judges = (
        "reward_models:\n"
        "  first: {type: fakes.replying_judge, params: {device_ids: [cpu]}}\n"
        "  second: {type: reference, params: {device_ids: [cpu]}}\n"
    )
    text = "\n".join(line for line in CONFIG.splitlines() if "reward_model" not in line) + "\n" + judges
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    cli("run", "small.yaml", "--allow-code", cwd=tmp_path, expected=3)
    low = sum(
        value[0] is None for value in [r["overall"] for r in scores(tmp_path, kept(tmp_path)["first"]["id"]).values()]
    )
    done = cli("retry", "--only", "low_mass", "--allow-code", cwd=tmp_path, expected=3)
    assert "trying again 0 edits and the scores of" in done.stderr and low > 0
    with RunStore.read(latest(tmp_path)) as store:
        forgotten = [one.event for one in store.events_of(ScoresForgotten)]
    assert [event.judging_id for event in forgotten] == [kept(tmp_path)["first"]["id"]]
