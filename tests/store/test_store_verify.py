"""`verify` finds every planted fault, `repair` fixes only what is provably right."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import store_fakes as fakes

from editeval.store.ledger_events import Repaired
from editeval.store.run_store import RunStore
from editeval.store.verify import Problem, repair, verify

SHOWN = {fakes.JUDGING: ""}  # what the reports of the run below show


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Four samples: three judged edits (one without a score), one failed edit; exports that fit."""
    directory = tmp_path / "run"
    with RunStore.open(directory, fakes.manifest()) as store:
        store.select(fakes.samples(4))
        for key in ("s000", "s001", "s002"):
            store.record_edit(fakes.done(key), seed=1)
        store.record_edit(fakes.failed("s003"), seed=1)
        for judging_id in ("older", fakes.JUDGING):
            store.add_judging(judging_id, "reference", {})
            for key, value in (("s000", 5.0), ("s001", 6.0), ("s002", None)):
                value = value if judging_id == fakes.JUDGING else 1.0
                store.record_score_batch(judging_id, [(fakes.scores(key, value), fakes.done(key, 1))])
        _export(store)
    return directory


def _export(store: RunStore) -> None:
    lines = []
    for row in store.rows(fakes.JUDGING):
        edit = {"status": row.status, "sha256": row.sha256, "seed": 1, "error": None}
        scores = {metric: {"value": s.value, "reason": s.reason} for metric, s in row.scores.items()}
        lines.append(json.dumps({"id": row.id, "category": row.category, "edit": edit, "scores": scores}) + "\n")
    (store.dir / "samples.jsonl").write_text("".join(lines))
    micro = [
        {"metric": metric, "category": "micro", "num_samples": 4, "num_failed": 1, "num_scored": num_scored}
        for metric, num_scored in (("overall", 2), ("preservation", 3))
    ]
    coverage = {"num_samples": 4, "num_edited": 3, "num_failed": 1, "num_pending": 0}
    report = {"run": {"num_samples": 4}, "coverage": coverage, "summaries": micro}
    (store.dir / "report.json").write_text(json.dumps(report))


def _found(run: Path) -> list[Problem]:
    with RunStore.read(run) as store:
        return verify(store, SHOWN)


def _image(run: Path, key: str) -> Path:
    with RunStore.read(run) as store:
        return store.edit_path(key)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def _change_ledger(run: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as db, db:
        db.execute(sql)


def test_a_sound_run_has_no_problems(run: Path) -> None:
    assert _found(run) == []


FAULTS: list[tuple[str, Callable[[Path], object]]] = [
    ("missing", lambda path: path.unlink()),
    ("altered", _flip),
    ("altered", lambda path: path.write_bytes(fakes.png("another"))),
    ("truncated", lambda path: path.write_bytes(path.read_bytes()[:-5])),
    ("truncated", lambda path: path.write_bytes(b"")),
]


@pytest.mark.parametrize(("kind", "plant"), FAULTS)
def test_a_lost_or_altered_image_is_found_and_becomes_pending(
    run: Path, kind: str, plant: Callable[[Path], object]
) -> None:
    (run / "samples.jsonl").unlink()
    (run / "report.json").unlink()
    plant(_image(run, "s001"))
    (problem,) = _found(run)
    assert (problem.kind, problem.sample_id, problem.is_repairable) == (kind, "s001", True)
    assert "s001" in str(problem) and problem.where.startswith("edits/")
    with RunStore.reopen(run) as store:
        num_attempts = len(list(store.attempts()))
        assert repair(store, verify(store, SHOWN)) == [problem]
        assert store.pending_edits() == ["s001"]
        assert store.counts(fakes.JUDGING).num_edited == 2
        assert len(list(store.attempts())) == num_attempts
        assert verify(store, SHOWN) == []
        store.record_edit(fakes.done("s001"), seed=1)
        assert store.pending_scores(fakes.JUDGING) == ["s001"]
        assert len(store.events_of(Repaired)) == 1


def test_temporary_files_are_found_and_removed_and_unknown_files_are_told_and_kept(run: Path) -> None:
    temporary = [run / "edits" / ".abc.png.123.tmp", run / ".manifest.json.9.tmp"]
    for path in [*temporary, run / "edits" / "holiday.png"]:
        path.write_bytes(b"?")
    (run / "notes.txt").write_text("people may keep notes in a run")
    found = _found(run)
    assert sorted((p.kind, p.where) for p in found) == [
        ("temporary", ".manifest.json.9.tmp"),
        ("temporary", "edits/.abc.png.123.tmp"),
        ("unknown_file", "edits/holiday.png"),
    ]
    with RunStore.reopen(run) as store:
        assert len(repair(store, found)) == 2
    assert [p.kind for p in _found(run)] == ["unknown_file"]
    assert not any(path.exists() for path in temporary) and (run / "edits" / "holiday.png").exists()


def test_an_image_whose_row_was_never_written_is_no_fault(run: Path) -> None:
    with RunStore.reopen(run) as store:
        store.select([*fakes.samples(4), fakes.sample("next")])
        store.edit_path("next").write_bytes(fakes.png("next"))
        assert [p.where for p in verify(store, SHOWN) if p.kind != "report"] == []
        store.record_edit(fakes.done("next"), seed=1)


def test_unfinished_work_of_a_living_writer_is_no_fault(run: Path) -> None:
    with RunStore.reopen(run):
        (run / "edits" / ".abc.png.123.tmp").write_bytes(b"half")
        assert _found(run) == []
    assert [p.kind for p in _found(run)] == ["temporary"]


def test_an_image_path_that_was_bent_is_told_and_never_followed(run: Path) -> None:
    outside = run.parent / "precious.png"
    outside.write_bytes(b"precious")
    _change_ledger(run, "UPDATE edits SET path = '../precious.png' WHERE sample_id = 's000'")
    found = [p for p in _found(run) if p.kind == "ledger"]
    assert len(found) == 1 and not found[0].is_repairable
    with RunStore.reopen(run) as store:
        assert repair(store, verify(store)) == []
    assert outside.read_bytes() == b"precious"


def test_an_index_that_lost_its_rows_is_found(run: Path) -> None:
    _change_ledger(run, "PRAGMA journal_mode = DELETE")
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'samples_by_position'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with (run / "ledger.sqlite").open("r+b") as file:
        file.seek((root - 1) * size + 3)
        file.write(b"\0\0")  # the page says that it holds no entries
    assert "ledger" in {p.kind for p in _found(run)}


def _edit_line(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def plant(run: Path) -> None:
        lines = (run / "samples.jsonl").read_text().splitlines()
        first = json.loads(lines[0])
        change(first)
        (run / "samples.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")

    return plant


def _edit_report(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def plant(run: Path) -> None:
        report = json.loads((run / "report.json").read_text())
        change(report)
        (run / "report.json").write_text(json.dumps(report))

    return plant


def _append_line(run: Path) -> None:
    with (run / "samples.jsonl").open("a") as file:
        file.write("{}\n")


LIES: list[tuple[str, Callable[[Path], None]]] = [
    ("line 1: sample 'x'", _edit_line(lambda line: line.update(id="x"))),
    ("line 1: edit of", _edit_line(lambda line: line["edit"].update(sha256="0" * 64))),
    ("line 1: edit of", _edit_line(lambda line: line["edit"].update(status="failed"))),
    ("line 1: scores of", _edit_line(lambda line: line["scores"]["overall"].update(value=5.01))),
    ("line 1: scores of", _edit_line(lambda line: line["scores"].pop("overall"))),
    ("fewer lines", lambda run: os.truncate(run / "samples.jsonl", 0)),
    ("more lines", _append_line),
    ("cannot be read", lambda run: (run / "samples.jsonl").write_text("nonsense") and None),
    ("overall: (samples, failed, scored) (4, 1, 3)", _edit_report(lambda r: r["summaries"][0].update(num_scored=3))),
    ("overall: (samples, failed, scored) (5, 1, 2)", _edit_report(lambda r: r["summaries"][0].update(num_samples=5))),
    ("no list of summaries", _edit_report(lambda r: r.pop("summaries"))),
    ("[4, 4, 4, 1, 0], [4, 4, 3, 1, 0] in the ledger", _edit_report(lambda r: r["coverage"].update(num_edited=4))),
    ("[5, 4, 3, 1, 0], [4, 4, 3, 1, 0] in the ledger", _edit_report(lambda r: r["run"].update(num_samples=5))),
    ("shows the scores older, the run", _edit_report(lambda r: r["run"].update(judgings=[{"id": "older"}]))),
    ("KeyError('coverage')", _edit_report(lambda r: r.pop("coverage"))),
    ("cannot be read", lambda run: (run / "report.json").write_text("{") and None),
]


@pytest.mark.parametrize(("message", "plant"), LIES)
def test_an_export_that_does_not_fit_the_ledger_is_found(
    run: Path, message: str, plant: Callable[[Path], None]
) -> None:
    plant(run)
    (problem,) = _found(run)
    assert problem.kind == "report" and message in problem.detail and "editeval report" in problem.detail


def test_repairing_needs_a_writer(run: Path) -> None:
    with RunStore.read(run) as store, pytest.raises(ValueError, match="reopen"):
        repair(store, [])
