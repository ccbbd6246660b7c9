"""report.json, samples.jsonl, scores.csv: exact, equal for equal runs, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import json
import math
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_fakes import row_of

from editeval.reports.data import Report
from editeval.reports.tables import (
    guarded,
    replacing,
    unguarded,
    write_report_json,
    write_samples_jsonl,
    write_scores_csv,
)
from editeval.store.records import SampleRow
from editeval.types import Score, Summary

Make = Callable[..., Report]
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
    "＝1+1",
    "＋1",
    "＠x",
    " =1",
    "\ufeff=1",
    "'x",
]


def test_samples_line_has_exactly_the_agreed_fields(make_report: Make, tmp_path: Path) -> None:
    rows = [row_of(0, value=2.0), row_of(1, value=None), row_of(2, "failed"), row_of(3, "pending")]
    path = write_samples_jsonl(make_report(rows), tmp_path)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == [row.id for row in rows]
    assert lines[0] == {
        "id": "physical/0000",
        "category": "physical",
        "edit": {"status": "done", "sha256": rows[0].sha256, "seed": 1000, "error": None},
        "scores": {
            "completeness": {"value": 1.8, "reason": None, "judge": "fake", "protocol": None},
            "overall": {"value": 2.0, "reason": None, "judge": "fake", "protocol": None},
            "preservation": {"value": 2.1, "reason": None, "judge": "fake", "protocol": None},
        },
    }
    assert lines[1]["scores"]["overall"] | {"judge": ""} == {
        "value": None,
        "reason": "unparsable",
        "judge": "",
        "protocol": None,
    }
    assert lines[2]["edit"]["error"] == {"reason": "oom", "message": rows[2].error_message}
    assert lines[2]["scores"] == {}
    assert lines[3]["edit"]["status"] == "pending"


def test_samples_are_equal_for_equal_runs_whatever_they_took(make_report: Make, tmp_path: Path) -> None:
    row = row_of(0)
    other = replace(row, seconds=99.0, device="cuda:3", worker=3, attempt=2, scores=dict(reversed(row.scores.items())))
    first = write_samples_jsonl(make_report([row]), tmp_path).read_bytes()
    assert write_samples_jsonl(make_report([other]), tmp_path).read_bytes() == first


def test_every_line_survives_hostile_text(make_report: Make, tmp_path: Path) -> None:
    nasty = 'a"b\\c\nd\u2028e\x85f\x1b[31mg\ud800h 物理'
    path = write_samples_jsonl(make_report([replace(row_of(0), id=nasty)]), tmp_path)
    (line,) = path.read_text("utf-8").splitlines()
    assert json.loads(line)["id"] == nasty


def test_report_json_is_complete_and_has_no_nan(make_report: Make, rows: list[SampleRow], tmp_path: Path) -> None:
    nothing = Summary("overall", "empty", 2, 0, 1, 1, *[None] * 7, 0.0, 10.0)
    report = make_report(rows, summaries=(nothing,), timing={"wall_s": math.nan, "edit_s": 1.5})

    def refuse(text: str) -> None:
        raise AssertionError(text)

    document = json.loads(write_report_json(report, tmp_path).read_text("utf-8"), parse_constant=refuse)
    assert document["schema_version"] == 1
    expected = {"run", "badge", "coverage", "summaries", "timing", "policies", "batches", "provenance"}
    assert expected <= document.keys()
    assert document["timing"] == {"wall_s": None, "edit_s": 1.5}
    assert document["summaries"][0]["mean"] is None
    assert document["summaries"][0]["coverage"] == 0.0
    assert document["batches"][0].keys() == {"index", "started_at", "seconds", "slowest_worker"}
    assert document["coverage"]["num_samples"] == 270


def test_csv_has_one_row_per_sample_and_typed_numbers(make_report: Make, tmp_path: Path) -> None:
    rows = [row_of(0, value=2.5), row_of(1, value=None), row_of(2, "failed")]
    path = write_scores_csv(make_report(rows), tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["overall"] for row in table] == ["2.5", "", ""]
    assert [row["overall_reason"] for row in table] == ["", "unparsable", ""]
    assert [row["error_reason"] for row in table] == ["", "", "oom"]
    assert path.read_text("utf-8").splitlines()[1].startswith('0,"physical/0000"')


@pytest.mark.parametrize("text", FORMULAS)
def test_no_csv_cell_starts_a_formula(make_report: Make, tmp_path: Path, text: str) -> None:
    row = replace(row_of(0), id=text, instruction=text, category=text, error_message=text, cluster=text)
    row = replace(row, scores={text: Score("s", "fake", text, None, reason=text)})
    path = write_scores_csv(make_report([row], summaries=()), tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        header, cells = list(csv.reader(file))
    hits = [cell for cell in [*header, *cells] if unguarded(cell) == text]
    assert len(hits) == 7
    assert all(cell.startswith("'") for cell in hits)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_guarded_text_is_safe_and_loses_nothing(text: str) -> None:
    cell = guarded(text)
    assert unicodedata.normalize("NFKC", cell)[:1] not in tuple("=+-@\t\r\n\0")
    assert unguarded(cell) == text


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_memory_does_not_grow_with_the_samples(make_report: Make, tmp_path: Path) -> None:
    def many(count: int) -> Callable[[], Iterator[SampleRow]]:
        return lambda: (row_of(index % 50) for index in range(count))

    def peak(count: int) -> int:
        report = make_report([row_of(0)], samples=many(count), survey=None)
        tracemalloc.start()
        write_samples_jsonl(report, tmp_path)
        write_scores_csv(report, tmp_path)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1)  # what is imported and compiled on the way is paid once
    assert peak(4000) < peak(1000) + 3000 * 64  # a row is a kilobyte; finding doubles takes 8 bytes, a few times
