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

from editeval.errors import MachineError
from editeval.store import queries
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
        store.record_edit(fakes.done("s001", fakes.png("other bytes")), seed=1)
        assert store.pending_scores(fakes.JUDGING) == ["s001"]
        assert len(store.events_of(Repaired)) == 1


def test_an_edit_made_again_with_equal_bytes_has_its_scores_again_and_those_of_other_bytes_stay_as_history(
    run: Path,
) -> None:
    with RunStore.reopen(run) as store:
        before = list(store.rows(fakes.JUDGING))
        store.forget_edits(["s000", "s001"])
        store.record_edit(fakes.done("s000"), seed=1)
        store.record_edit(fakes.done("s001", fakes.png("other bytes")), seed=1)
        after = list(store.rows(fakes.JUDGING))
        assert after[0].scores == before[0].scores and after[1].scores == {}
        assert (
            sorted(queries.scored_by(store, "s000")) == [fakes.JUDGING, "older"]
            and queries.scored_by(store, "s001") == []
        )
        kept = store.query("SELECT DISTINCT sample_id, raw FROM kept_scores WHERE metric = 'overall'")
        assert kept == [("s001", "said")], "the paid reply about the bytes that were lost"
        store.forget_edits(["s001"])
        store.record_edit(fakes.done("s001"), seed=1)
        assert list(store.rows(fakes.JUDGING))[1].scores == before[1].scores


def _taken_away(run: Path) -> None:
    (run / "edits").rename(run.parent / "elsewhere")


def _not_mounted(run: Path) -> None:
    _taken_away(run)
    (run / "edits").mkdir()


@pytest.mark.parametrize("away", [_taken_away, _not_mounted])
def test_pictures_that_are_away_are_no_loss_until_the_user_says_so(run: Path, away: Callable[[Path], None]) -> None:
    away(run)
    with RunStore.reopen(run) as store:
        before = list(store.rows(fakes.JUDGING))
        with pytest.raises(MachineError, match=r"3 of 3 pictures .* --accept-loss"):
            repair(store, verify(store))
        assert list(store.rows(fakes.JUDGING)) == before and store.pending_edits() == []
        edit = store.edit_of("s000")
        assert edit is not None
        with pytest.raises(MachineError, match="on record, but not there"):
            store.read_edit(edit)
        assert len(repair(store, verify(store), accept_loss=True)) == 3
        assert store.pending_edits() == ["s000", "s001", "s002"]


def test_a_picture_found_under_another_name_goes_back_to_its_place(run: Path) -> None:
    for number, key in enumerate(("s000", "s001", "s002")):
        path = _image(run, key)
        path.rename(path.with_name(f"holiday {number}.png"))
    _flip(run / "edits" / "holiday 2.png")
    with RunStore.reopen(run) as store:
        before = list(store.rows(fakes.JUDGING))
        problems = verify(store)
        fixed = repair(store, problems)
        assert [p.where for p in problems if p not in fixed] == ["edits/holiday 2.png"], "not its bytes"
        assert list(store.rows(fakes.JUDGING))[:2] == before[:2] and store.pending_edits() == ["s002"]
    assert [p.where for p in _found(run) if p.kind != "report"] == ["edits/holiday 2.png"]


def test_a_picture_that_came_back_since_it_was_missed_is_no_loss(run: Path) -> None:
    path = _image(run, "s000")
    path.rename(run / "away.png")
    problems = [p for p in _found(run) if p.kind != "report"]
    (run / "away.png").rename(path)
    with RunStore.reopen(run) as store:
        assert repair(store, problems) == problems and store.pending_edits() == []
    assert _found(run) == []


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
    found = [p for p in _found(run) if p.kind == "ledger" and "precious" in p.detail]
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
