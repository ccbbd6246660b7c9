"""A run directory that an older version made (269a2e5: 5 samples of 64 px, editor `identity`, judge `reference`)."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

MADE = Path(__file__).parent.parent / "fixtures" / "run_of_269a2e5.tar.gz"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    run = tmp_path / "outputs" / "small-20d86c17"
    with tarfile.open(MADE) as archive:
        archive.extractall(run, filter="data")
    return run


def editeval(*arguments: object, cwd: Path) -> str:
    command = [sys.executable, "-m", "editeval", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def numbers(run: Path) -> dict[str, Any]:
    """What may not change of samples.jsonl: everything but fields that were added since."""

    def plain(row: Mapping[str, Any]) -> dict[str, Any]:
        scores = {name: (score["value"], score["reason"]) for name, score in row["scores"].items()}
        return {**row, "scores": scores}

    rows = map(json.loads, (run / "samples.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: plain(row) for row in rows}


def test_it_is_verified_reported_exported_and_shown_with_the_same_numbers(older: Path, tmp_path: Path) -> None:
    before = numbers(older)
    assert "5 images, 0 problems" in editeval("verify", older, cwd=tmp_path)
    assert "complete: every wanted sample is scored" in editeval("status", older, cwd=tmp_path)
    assert "10.00" in editeval("report", older, cwd=tmp_path)
    assert (older / "report.html").is_file() and numbers(older) == before and len(before) == 5
    exported = csv.DictReader(io.StringIO(editeval("export", older, "--to", "csv", "--output", "-", cwd=tmp_path)))
    assert [row["id"] for row in exported] == list(before)
    assert "physical/0000" in editeval("show", older, "physical/0000", cwd=tmp_path)
    assert "5 images, 0 problems" in editeval("verify", older, cwd=tmp_path), "its new reports are those of its ledger"


def test_scenes_of_another_version_stand_beside_no_edit(older: Path, tmp_path: Path) -> None:
    """The built-in benchmark draws other scenes under the same ids now."""
    assert "version 1 of 'procedural' was edited" in editeval("verify", older, cwd=tmp_path)
    editeval("report", older, cwd=tmp_path)
    report = json.loads((older / "report.json").read_text(encoding="utf-8"))
    assert any("not the one that was edited" in warning for warning in report["warnings"])
    pictures = [json.loads(line) for line in (older / "report" / "pictures.jsonl").read_text("utf-8").splitlines()]
    assert len(pictures) == 5 and not list((older / "report" / "pictures").iterdir()), "no source and no target"
    assert len(list((older / "report" / "thumbs").iterdir())) == 5, "one of each edit"
