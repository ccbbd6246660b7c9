"""A run directory that an older version made (269a2e5: 5 samples of 64 px, editor `identity`, judge `reference`)."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from command_line import cli
from editeval.reports.site.payload import ROW

MADE = Path(__file__).parent.parent / "fixtures" / "run_of_269a2e5.tar.gz"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    run = tmp_path / "outputs" / "small-20d86c17"
    with tarfile.open(MADE) as archive:
        archive.extractall(run, filter="data")
    return run


def editeval(*arguments: object, cwd: Path) -> str:
    done = cli(*map(str, arguments), cwd=cwd)
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
    found = editeval("verify", older, cwd=tmp_path)
    assert "5 images, 0 problems" in found and "an older version of it, which cannot be made any more" in found
    assert "complete: every wanted sample is scored" in editeval("status", older, cwd=tmp_path)
    assert "10.00" in editeval("report", older, cwd=tmp_path)
    assert (older / "report.html").is_file() and numbers(older) == before and len(before) == 5
    exported = csv.DictReader(io.StringIO(editeval("export", older, "--to", "csv", "--output", "-", cwd=tmp_path)))
    assert [row["id"] for row in exported] == list(before)
    assert "physical/0000" in editeval("show", older, "physical/0000", cwd=tmp_path)
    assert "5 images, 0 problems" in editeval("verify", older, cwd=tmp_path), "its new reports are those of its ledger"


def test_its_report_shows_no_sources_and_targets_of_a_newer_benchmark(older: Path, tmp_path: Path) -> None:
    editeval("report", older, cwd=tmp_path)
    text = (older / "report" / "data" / "rows-0.js").read_text(encoding="utf-8")
    rows = json.loads(text.partition("0, ")[2].removesuffix(");\n"))
    places = {name: list(ROW).index(name) for name in ("source", "target", "edited")}
    shown = {name: [row[place] is not None for row in rows] for name, place in places.items()}
    assert shown == {"source": [False] * 5, "target": [False] * 5, "edited": [True] * 5}
    warnings = json.loads((older / "report.json").read_text(encoding="utf-8"))["warnings"]
    assert any("not the one that was edited" in warning for warning in warnings)
