"""Controls: what they say of a judge, what they cost, and that they are no samples."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from command_line import cli
from editeval.metrics import Metric, Summary
from editeval.reports.badge import control_lines
from editeval.run import control_checks
from editeval.run.controls import ARMS, ControlAnswer
from editeval.stats.normalised import normalised
from editeval.stats.summary import summarise
from editeval.store.run_store import RunStore
from editeval.types import Sample

QUICK = {"size": 64, "num_per_category": 12}


def config(folder: Path, controls: object = None, **benchmark: object) -> Path:
    path = folder / "c.yaml"
    stage = {"execution": {"backend": "inprocess", "device_ids": ["cpu"], "batch_size": 4}}
    content: dict[str, Any] = {
        "benchmark": {"type": "procedural", "params": QUICK | benchmark},
        "diffusion_model": {"type": "classical", "execution": {"backend": "inprocess", "device_ids": ["cpu"]}},
        "reward_model": {"type": "reference", **stage},
        "evaluation": {"output_dir": str(folder / "out"), **({} if controls is None else {"controls": controls})},
    }
    path.write_text(json.dumps(content))
    return path


def report_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "latest" / "report.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controls")
    assert cli("run", str(config(folder)), cwd=folder).returncode == 3, "some edits fail"
    return folder


def facts(folder: Path) -> dict[str, str]:
    with RunStore.read((folder / "out" / "latest").resolve()) as store:
        return {str(name): str(value) for name, value in store.query("SELECT name, value FROM facts")}


def test_sixty_samples_with_targets_get_ten_of_each_control_and_they_enter_no_mean(finished: Path) -> None:
    report = report_in(finished)
    controls = report["run"]["controls"]
    assert controls["num_asked"] == 40 and {one["num_scored"] for one in controls["means"].values()} == {10}
    assert (controls["means"]["identity"]["mean"], controls["means"]["target"]["mean"]) == (0.0, 10.0)
    assert controls["means"]["wrong_target"]["mean"] < 1
    assert [check["status"] for check in controls["checks"]][:2] == ["passed", "passed"]  # JPEG at 64 pixels is seen
    whole = next(s for s in report["summaries"] if (s["metric"], s["category"]) == ("overall", "micro"))
    assert whole["num_samples"] == 60 and controls["normalised"]["value"] == pytest.approx(whole["mean"] / 10)
    low, note = controls["normalised"]["low"], controls["normalised"]["note"]
    assert (low is None) is bool(note) and note == whole["interval_note"]
    lines = (finished / "out" / "latest" / "samples.jsonl").read_text().splitlines()
    assert len(lines) == 60
    markdown = (finished / "out" / "latest" / "report.md").read_text()
    assert "- controls: unchanged source 0.00, target 10.00" in markdown and "- normalised: 0." in markdown


def test_what_a_kill_left_open_is_asked_and_nothing_twice(finished: Path, tmp_path: Path) -> None:
    """As after a kill between the last sample and the last control: some answers are not on record."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder, symlinks=True)
    path = config(folder)
    run = (folder / "out" / "latest").resolve()
    before = facts(folder)
    lost = sorted(name for name in before if name.startswith("control "))[:3]
    with sqlite3.connect(run / "ledger.sqlite") as db:
        for name in before:
            if name.startswith("control ") and name not in lost:
                marked = json.dumps([{**row, "raw": "kept"} for row in json.loads(before[name])])
                db.execute("UPDATE facts SET value = ? WHERE name = ?", (marked, name))
        db.executemany("DELETE FROM facts WHERE name = ?", [(name,) for name in lost])
    db.close()
    assert cli("run", str(path), cwd=folder).returncode in (0, 3)
    after = facts(folder)
    answered = {name: json.loads(after[name]) for name in before if name.startswith("control ")}
    assert {name for name, rows in answered.items() if rows[0]["raw"] != "kept"} == set(lost)
    assert report_in(folder)["run"]["controls"]["num_asked"] == 40


def test_off_asks_none_a_number_asks_as_many_and_few_samples_get_none_by_themselves(tmp_path: Path) -> None:
    for controls, num in ((False, 0), (2, 8), (None, 0)):
        folder = tmp_path / str(controls)
        folder.mkdir()
        assert cli("run", str(config(folder, controls, num_per_category=1)), cwd=folder).returncode in (0, 3)
        assert sum(name.startswith("control ") for name in facts(folder)) == num
    wrong = cli("run", str(config(tmp_path, "some", num_per_category=1)), cwd=tmp_path)
    assert wrong.returncode == 2 and "evaluation.controls" in wrong.stderr and "Traceback" not in wrong.stderr
    dry = cli("run", str(config(tmp_path, 3, num_per_category=1)), "--dry-run", cwd=tmp_path)
    assert dry.returncode == 0 and "12 controls (identity, target, wrong_target, jpeg_95 of 3 samples)" in dry.stdout


# -- what follows from them ----------------------------------------------------------------------------------------


def judged(values: dict[str, list[float]]) -> tuple[list[ControlAnswer], list[Sample]]:
    ids = [f"s{n}" for n in range(max(map(len, values.values())))]
    samples = [Sample(one, "a", (object(),), "x") for one in ids]  # type: ignore[arg-type]
    found = [
        ControlAnswer(arm, ids[n], {"overall": value}) for arm, row in values.items() for n, value in enumerate(row)
    ]
    return found, samples


def sources(samples: list[Sample]) -> dict[str, str]:
    return {sample.id: sample.cluster or sample.id for sample in samples}


def told(values: dict[str, list[float]], model: list[float] | None = None) -> dict[str, Any]:
    found, samples = judged(values)
    scores = model or [5.0 + n % 3 for n in range(len(samples))]
    whole = summarise([("a", f"s{n}", "scored", x) for n, x in enumerate(scores)], "overall")[-1]
    known = {f"s{n}": x for n, x in enumerate(scores)}
    block = control_checks.block(found, sources(samples), Metric("overall"), known, whole)
    assert block is not None
    return dict(block)


GOOD = {"identity": [0.0, 1.0] * 6, "target": [9.0, 10.0] * 6, "wrong_target": [2.0] * 12, "jpeg_95": [0.2, 1.0] * 6}


def statuses(block: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in block["checks"]}


def test_a_judge_that_likes_doing_nothing_is_unsound_and_one_that_reads_no_instruction_is_warned_about() -> None:
    assert set(statuses(told(GOOD)).values()) == {"passed"}
    assert control_checks.is_sound(told(GOOD), reads_instruction=True) and not control_checks.warnings("j", told(GOOD))
    lazy = told(GOOD | {"identity": [10.0] * 12})
    assert statuses(lazy)["target_above_identity"] == "failed"
    assert not control_checks.is_sound(lazy, reads_instruction=True) and control_checks.is_sound(lazy, False)
    (first, *_) = control_checks.warnings("judge", lazy)
    assert "the known right edit does not score above the unchanged source (difference -0.50" in str(first)
    blind = told(GOOD | {"wrong_target": GOOD["target"]})
    assert statuses(blind)["target_above_wrong_target"] == "failed"
    assert statuses(told(GOOD | {"target": [10.0] + [0.0, 1.0] * 5 + [1.0]}))["target_above_identity"] == "warned"
    assert statuses(told(GOOD | {"jpeg_95": [3.0] * 12}))["jpeg_95_like_identity"] == "warned"
    assert control_checks.is_sound(None, reads_instruction=True)


def test_there_is_no_normalised_score_where_target_and_source_are_not_clearly_apart() -> None:
    assert told(GOOD | {"target": [0.0, 2.0] * 6})["normalised"]["note"] == "no_contrast"
    few = {arm: GOOD[arm][:3] for arm in ARMS}
    assert told(few)["normalised"]["note"] == "few_controls" and told(few)["checks"] == []


def test_a_check_with_too_few_answers_is_said_and_one_that_was_not_asked_for_is_not() -> None:
    silent = [ControlAnswer("wrong_target", f"s{n}", {"overall": None}) for n in range(4, 12)]
    found, samples = judged({"identity": [0.0, 1.0] * 6, "target": [9.0, 10.0] * 6, "wrong_target": [2.0] * 4})
    known = {f"s{n}": 5.0 + n % 3 for n in range(12)}
    whole = summarise([("a", key, "scored", x) for key, x in known.items()], "overall")[-1]
    block = control_checks.block([*found, *silent], sources(samples), Metric("overall"), known, whole)
    assert block is not None and block["not_measured"] == [{"name": "target_above_wrong_target", "num_pairs": 4}]
    (said,) = control_checks.warnings("j", block)  # JPEG 95 was not asked, and the first check passed
    assert "the check target_above_wrong_target was not made: 4 samples with a score for both edits" in str(said)
    assert control_checks.is_sound(block, reads_instruction=True)
    nothing = control_checks.block(silent, sources(samples), Metric("overall"), known, whole)
    assert nothing is not None and nothing["means"] == {} and nothing["not_measured"] == []
    mute = [ControlAnswer(arm, one.id, {"overall": None}) for arm in ARMS for one in samples]
    none = control_checks.block(mute, sources(samples), Metric("overall"), known, whole)
    assert len(control_checks.warnings("j", none)) == 3
    (line,) = control_lines({"controls": none})
    assert "unchanged source -" in str(line[1])


def test_lower_may_be_better() -> None:
    clusters = [
        {str(n): [x] for n, x in enumerate(values)} for values in ([5.0, 6.0] * 6, [10.0, 9.0] * 6, [0.0, 1.0] * 6)
    ]
    found = normalised(*clusters, is_higher_better=False)
    assert found.value == pytest.approx(4 / 9) and found.low is not None
    assert normalised(*clusters).note == "no_contrast"


def test_the_error_is_that_of_a_jackknife_over_source_images() -> None:
    """An independent implementation; both are right to the first order, so they agree to some percent."""
    chance = np.random.default_rng(5)
    image = chance.normal(0, 1, 120)
    model = {str(n): list(5 + image[n] + chance.normal(0, 1, 2)) for n in range(120)}
    identity = {str(n): [1 + 0.3 * image[n] + chance.normal(0, 0.5)] for n in range(120)}
    target = {str(n): [9 + 0.3 * image[n] + chance.normal(0, 0.5)] for n in range(120)}

    def ratio(left_out: int) -> float:
        m, i, t = (
            np.mean([x for n, xs in one.items() if n != str(left_out) for x in xs]) for one in (model, identity, target)
        )
        return float((m - i) / (t - i))

    left = np.array([ratio(n) for n in range(120)])
    error = np.sqrt(119 / 120 * np.sum((left - left.mean()) ** 2))
    found = normalised(model, identity, target)
    assert found.value == pytest.approx(ratio(-1)) and found.low is not None and found.high is not None
    half = (found.high - found.low) / 2
    low, high = (scipy.stats.t.ppf(0.975, df) * error for df in (357, 119))
    assert 0.98 * low < half < 1.02 * high


def test_a_doubtful_mean_has_no_normalised_interval() -> None:
    whole = Summary("overall", "micro", 12, 12, 0, 0, 5.0, *[None] * 8, interval_note="few_distinct")
    found, samples = judged(GOOD)
    block = control_checks.block(found, sources(samples), Metric("overall"), {f"s{n}": 5.0 for n in range(12)}, whole)
    assert block is not None
    ratio: Any = block["normalised"]
    assert ratio["value"] is not None and (ratio["low"], ratio["note"]) == (None, "few_distinct")


def test_controls_that_are_asked_for_and_cannot_be_put_are_said(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from PIL import Image\n\n\ndef samples():\n"
        "    for n in range(3):\n"
        "        yield {'id': str(n), 'image': Image.new('RGB', (32, 32), (n, 0, 0)), 'instruction': 'Make it blue.'}\n"
    )
    path = config(tmp_path, 3)
    content = json.loads(path.read_text()) | {"benchmark": {"type": str(tmp_path / "own.py")}}
    path.write_text(json.dumps(content | {"reward_model": {"type": "image_metrics", "params": {"metrics": ["l1"]}}}))
    done = cli("run", str(path), "--dry-run", "--allow-code", cwd=tmp_path)
    assert "evaluation.controls: none can be put: no sample has a target" in done.stdout, done.stderr
