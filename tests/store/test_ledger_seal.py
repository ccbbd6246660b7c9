"""The seal of a ledger fits after every way of working, and after no change by another program."""

from __future__ import annotations

import contextlib
import hmac
import shutil
import sqlite3
from pathlib import Path

import pytest
import store_fakes as fakes

from editeval.errors import UserError
from editeval.store import ledger_seal, seal
from editeval.store.ledger_seal import CHANGED, ELSEWHERE, SEALED, UNSEALED
from editeval.store.run_store import RunStore
from editeval.store.verify import verify


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two scored edits, a third that was made again and has its old scores back, a fourth that failed."""
    directory = tmp_path / "run"
    with RunStore.open(directory, fakes.manifest()) as store:
        store.select(fakes.samples(4))
        store.add_judging(fakes.JUDGING, "reference", {})
        for key in ("s000", "s001", "s002"):
            store.record_edit(fakes.done(key), seed=1)
            store.record_score_batch(fakes.JUDGING, [(fakes.scores(key, 5.0), fakes.done(key, 1))])
        store.record_edit(fakes.failed("s003"), seed=1)
        store.forget_edits(["s002", "s003"])
        store.record_edit(fakes.done("s002"), seed=1)
        store.record_edit(fakes.failed("s003"), seed=1)
        store.forget_scores(fakes.JUDGING, ["s000"])
        store.record_score_batch(fakes.JUDGING, [(fakes.scores("s000", 7.0), fakes.done("s000", 1))])
    return directory


def _state(run: Path) -> str:
    with RunStore.read(run) as store:
        return store.ledger_state()


def _sql(run: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as db, db:
        for statement in statements:
            db.execute(statement)


def test_a_ledger_that_editeval_alone_has_written_is_sealed_also_when_it_is_continued(run: Path) -> None:
    assert _state(run) == SEALED
    with RunStore.open(run, fakes.manifest()) as store:
        assert store.ledger_state() == SEALED
        store.select(fakes.samples(6))
        store.record_edit(fakes.done("s005"), seed=1)
        assert store.ledger_state() == SEALED
    assert _state(run) == SEALED


def test_a_transaction_that_is_taken_back_leaves_the_seal_as_it_was(run: Path) -> None:
    with RunStore.reopen(run) as store:
        with pytest.raises(RuntimeError, match="half"), store.transaction() as db:
            db.execute("DELETE FROM scores")
            raise RuntimeError("half")
        assert store.ledger_state() == SEALED
        store.forget_edits(["s000"])
    assert _state(run) == SEALED


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE scores SET value = value + 1 WHERE value IS NOT NULL",
        "UPDATE scores SET raw = 'another'",
        "UPDATE scores SET raw = x'00ff'",
        "DELETE FROM scores WHERE sample_id = 's001'",
        "INSERT INTO scores SELECT judging_id, 's003', place, judge, metric, value, raw, reason, seconds, inputs, "
        "origin FROM scores WHERE sample_id = 's001'",
        "UPDATE edits SET sha256 = 'f00d' WHERE sample_id = 's001'",
        'UPDATE judgings SET details = \'{"name": "gpt-5"}\'',
        "UPDATE samples SET category = 'easy' WHERE id = 's001'",
        "UPDATE samples SET position = NULL WHERE id = 's003'",
        "UPDATE samples SET repeat_of = 's001' WHERE id = 's003'",
        "DELETE FROM facts WHERE name = 'seal'",
        "UPDATE facts SET value = replace(value, '\"number\": ', '\"number\": 1') WHERE name = 'seal'",
        "UPDATE facts SET value = '[' WHERE name = 'seal'",
    ],
)
def test_what_another_program_changes_is_seen_and_stays_seen(run: Path, change: str) -> None:
    _sql(run, change)
    with RunStore.read(run) as store:
        assert store.ledger_state() == CHANGED
        assert [problem.kind for problem in verify(store)].count("ledger") == 1
    with RunStore.open(run, fakes.manifest()) as store:  # going on does not make it good
        store.select(fakes.samples(5))
        store.record_edit(fakes.done("s004"), seed=1)
    assert _state(run) == CHANGED


def test_a_value_that_no_score_can_have_is_one_line_also_in_ones_own_run(run: Path) -> None:
    _sql(run, "UPDATE scores SET value = 9e999 WHERE value IS NOT NULL")
    with pytest.raises(UserError, match="holds what editeval does not write"), RunStore.read(run) as store:
        list(store.scores(fakes.JUDGING))


def test_a_score_that_was_changed_while_it_was_kept_aside_is_seen(run: Path) -> None:
    with RunStore.reopen(run) as store:
        store.forget_edits(["s001"])
    _sql(run, "UPDATE kept_scores SET value = 9.5 WHERE sample_id = 's001' AND value IS NOT NULL")
    with RunStore.reopen(run) as store:
        store.record_edit(fakes.done("s001"), seed=1)
    assert _state(run) == CHANGED


def test_rows_of_two_moments_do_not_make_a_seal(run: Path) -> None:
    earlier = run.with_name("earlier.sqlite")
    shutil.copy(run / "ledger.sqlite", earlier)
    with RunStore.reopen(run) as store:
        store.forget_scores(fakes.JUDGING, ["s000"])
        store.record_score_batch(fakes.JUDGING, [(fakes.scores("s000", 1.0), fakes.done("s000", 1))])
    with contextlib.closing(sqlite3.connect(earlier)) as db:
        ((old,),) = db.execute("SELECT value FROM facts WHERE name = 'seal'").fetchall()
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as db, db:
        db.execute("UPDATE facts SET value = ? WHERE name = 'seal'", (old,))
    assert _state(run) == CHANGED


def test_a_run_that_another_user_has_continued_is_not_said_to_be_sealed(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as other:
        other.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
        seal.seal_of("a key is made")
        with RunStore.read(run) as store:
            assert store.ledger_state() == ELSEWHERE
        with RunStore.reopen(run) as store:
            store.forget_edits(["s000"])
    assert _state(run) == ELSEWHERE


def test_a_user_without_a_place_for_a_key_has_runs_without_a_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    fakes.work(tmp_path / "run", fakes.samples(2))
    assert _state(tmp_path / "run") == UNSEALED
    with RunStore.read(tmp_path / "run") as store:
        assert verify(store) == []


def test_every_column_that_decides_a_figure_is_sealed(run: Path) -> None:
    unsealed = {
        "edits": {"seq", "message", "traceback", "worker", "device", "started_at", "seconds", "attempt"}
        | {"peak_memory_gib", "invocation"},
        "scores": {"seconds"},
        "judgings": set(),
        "kept_scores": {"seconds"},
        "samples": set(),
    }
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as db:
        for table, left in unsealed.items():
            columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            listed = ledger_seal.TABLES.get(table, f"{ledger_seal.SAMPLE}, {ledger_seal.REPEAT}")
            assert columns - left == set(listed.split(", ")), table


def test_a_row_is_hashed_as_in_ledgers_that_exist() -> None:
    row = ("id", "a picture \u00e9", 0, 6.5, None, "")
    known = hmac.digest(b"k" * 32, b'["scores", "id", "a picture \\u00e9", 0, 6.5, null, ""]', "sha256")
    assert ledger_seal._row(b"k" * 32, "scores", row) == int.from_bytes(known)


def test_rows_that_differ_in_a_value_or_its_type_have_other_hashes() -> None:
    values = (
        1,
        1.0,
        "1",
        None,
        "",
        0,
        0.0,
        "None",
        "null",
        b"",
        b"1",
        b"\x01",
        "01",
        "[49]",
        "a",
        "\x00",
        "\U0001f600",
    )
    rows = [("scores", (one, "")) for one in values] + [("edits", (1, "")), ("scores", ("", 1)), ("scores", (1,))]
    assert len({ledger_seal._row(b"k" * 32, *row) for row in rows}) == len(rows)


@pytest.mark.parametrize("value", [5, True, 0.0, -0.0, 5e-324, 1e15, 0.1 + 0.2])
def test_a_number_is_sealed_as_it_is_read_back(run: Path, value: float) -> None:
    with RunStore.open(run, fakes.manifest()) as store:
        for _ in range(2):  # also when the row goes
            store.forget_scores(fakes.JUDGING, ["s000"])
            store.record_score_batch(fakes.JUDGING, [(fakes.scores("s000", value), fakes.done("s000", 1))])
    assert _state(run) == SEALED
