"""`editeval retry` tries again what failed, and only that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from command_line import cli

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model:
  type: fakes.fake_editor
  params: {device_ids: [cpu], notes: NOTES, out_of_memory: {causal/0000: 3}, refuse: [cultural/0000]}
  execution: {backend: inprocess}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
"""


def statuses(folder: Path) -> dict[str, str]:
    lines = (folder / "outputs" / "latest" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["id"]: (row["edit"]["error"] or {}).get("reason", row["edit"]["status"]) for row in rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    text = CONFIG.replace("NOTES", str(tmp_path / "notes"))
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    done = cli("run", "small.yaml", "--allow-code", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "To try again what failed: editeval retry outputs/small-" in done.stderr
    return tmp_path


def test_what_failed_is_tried_again_by_reason(folder: Path) -> None:
    assert statuses(folder)["causal/0000"] == "oom" and statuses(folder)["cultural/0000"] == "refused"
    wrong = cli("retry", "--only", "timeout", "--allow-code", cwd=folder)
    assert wrong.returncode == 2 and "no sample failed for that reason" in wrong.stderr
    done = cli("retry", "--only", "oom,timeout", "--allow-code", cwd=folder)
    assert done.returncode == 3, done.stderr
    assert "Starting batch edit: 1 images on 1 GPUs" in done.stderr
    assert statuses(folder)["causal/0000"] == "done" and statuses(folder)["cultural/0000"] == "refused"
    assert cli("verify", cwd=folder).returncode == 0


def test_a_retry_covers_what_the_latest_invocation_wanted(folder: Path) -> None:
    assert cli("run", "small.yaml", "--allow-code", "--limit", "2", cwd=folder).returncode == 0
    assert cli("run", "small.yaml", "--allow-code", cwd=folder).returncode == 3
    assert cli("retry", "--allow-code", cwd=folder).returncode == 3
    assert len(statuses(folder)) == 5
    assert cli("report", "--allow-code", cwd=folder).returncode == 3


def test_a_retry_that_is_refused_forgets_no_failure(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (64, 64), (9, 9, 9)).save(picture)
    (tmp_path / "m.jsonl").write_text('{"id": "a", "image": "a.png", "instruction": "sing a song"}\n', encoding="utf-8")
    (tmp_path / "small.yaml").write_text(
        "benchmark: {type: image_folder, params: {path: ., manifest: m.jsonl}}\n"
        "diffusion_model: {type: classical, execution: {backend: inprocess}}\n",
        encoding="utf-8",
    )
    assert cli("run", "small.yaml", cwd=tmp_path).returncode == 3
    before = cli("show", "--json", "latest", "a", cwd=tmp_path).stdout
    Image.new("RGB", (64, 64), (9, 9, 7)).save(picture)
    refused = cli("retry", cwd=tmp_path)
    assert refused.returncode == 2 and "changed since its edits" in refused.stderr
    assert "trying again" not in refused.stderr
    assert cli("show", "--json", "latest", "a", cwd=tmp_path).stdout == before and '"failed"' in before
