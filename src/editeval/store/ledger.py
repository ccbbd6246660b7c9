"""Everything that is asked of the ledger, and the only SQL of the program (its tables are in `schema`).

One connection, one thread. Every method that changes something is one transaction: durable when it returns.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from editeval.errors import BenchmarkError
from editeval.store import connection
from editeval.store.records import Attempt, Counts, Row, ScoreSet
from editeval.store.rows import EDIT_COLUMNS, failure_columns, insert_edit, read_edit, read_failure, storable_text
from editeval.types import Edit, Outcome, Sample, Score

NAME = "ledger.sqlite"
RESELECTED = "reselected"
CHANGES = ("edits_forgotten", "scores_forgotten", RESELECTED)  # events after which results are others than before
_PAGE = 256  # rows held in memory while streaming
_SCORE = "judging_id, sample_id, place, judge, metric, value, raw, reason, seconds, inputs"
_SAMPLE = "position, id, category, cluster, instruction, description"
Scored = tuple[Sequence[Score], Outcome[Any]]


class Ledger:
    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self.path = path

    def close(self) -> None:
        with connection.translated(self.path):
            self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with connection.translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has already rolled back
                    self._db.execute("ROLLBACK")
                raise

    def _query(self, sql: str, *values: Any) -> list[Any]:
        with connection.translated(self.path):
            return self._db.execute(sql, values).fetchall()

    query, transaction = _query, _transaction  # for the other files of this package

    def problems(self) -> list[str]:
        """What the thorough check of the file's structure finds; empty if all is well."""
        with connection.translated(self.path):
            found = connection.check_pages(self._db, thorough=True)
            strays = self._db.execute("PRAGMA foreign_key_check").fetchmany(10)
        return found + [f"row {row[1]} of {row[0]} belongs to nothing in {row[2]}" for row in strays]

    def fact(self, name: str) -> str | None:
        found = self._query("SELECT value FROM facts WHERE name = ?", name)
        return found[0][0] if found else None

    def set_fact(self, name: str, value: str) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value)
            )

    # samples -----------------------------------------------------------------------------------------------------

    def select(self, samples: Iterable[Sample]) -> None:
        """Exactly `samples`, in this order, are wanted. Writes only from the first difference to what was wanted."""
        rows = (_sample_row(position, sample) for position, sample in enumerate(samples))
        with connection.translated(self.path):
            known = self._db.execute(f"SELECT {_SAMPLE} FROM samples WHERE position IS NOT NULL ORDER BY position")
            num_same, changed = 0, None
            for row in rows:
                if known.fetchone() != row:
                    changed = row
                    break
                num_same += 1
            is_same = changed is None and known.fetchone() is None
            known.close()
        if not is_same:
            self._reselect(num_same, itertools.chain([changed] if changed else [], rows))

    def _reselect(self, num_same: int, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._transaction() as db:
            _insert_event(db, RESELECTED, {"num_same": num_same})
            db.execute("UPDATE samples SET position = NULL WHERE position >= ?", (num_same,))
            db.executemany(
                f"INSERT INTO samples ({_SAMPLE}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "position = excluded.position, category = excluded.category, cluster = excluded.cluster, "
                "instruction = excluded.instruction, description = excluded.description",
                rows,
            )
            count, last = db.execute("SELECT COUNT(position), MAX(position) FROM samples").fetchone()
            if count and count != last + 1:
                raise BenchmarkError(
                    f"benchmark: {last + 1} samples with only {count} different ids; make every id unique"
                )

    def sample_ids(self) -> Iterator[str]:
        """Every sample that this run ever wanted."""
        with connection.translated(self.path):
            for (sample_id,) in self._db.execute("SELECT id FROM samples"):
                yield sample_id

    def has_sample(self, sample_id: str) -> bool:
        return bool(self._query("SELECT 1 FROM samples WHERE id = ?", sample_id))

    # edits and attempts ------------------------------------------------------------------------------------------

    def pending_edits(self) -> list[str]:
        found = self._query(
            "SELECT s.id FROM samples s LEFT JOIN edits e ON e.sample_id = s.id "
            "WHERE s.position IS NOT NULL AND e.seq IS NULL ORDER BY s.position"
        )
        return [row[0] for row in found]

    def add_edit(self, edit: Edit, outcome: Outcome[Any], invocation: int | None = None) -> None:
        """`invocation`: seq of the event of the invocation that made it; None: unknown."""
        with self._transaction() as db:
            insert_edit(db, edit, invocation)
            _insert_attempt(db, "edit", "", outcome)

    def add_attempt(self, stage: str, judging_id: str, outcome: Outcome[Any]) -> None:
        with self._transaction() as db:
            _insert_attempt(db, stage, judging_id, outcome)

    def attempts(self, stage: str | None, sample_id: str | None) -> Iterator[Attempt]:
        chosen = {f" AND {n} = ?": v for n, v in (("+stage", stage), ("sample_id", sample_id)) if v is not None}
        sql = (
            "SELECT seq, stage, judging_id, sample_id, attempt, worker, device, started_at, seconds, peak_memory_gib, "
            f"reason, message, traceback FROM attempts WHERE seq > ?{''.join(chosen)} ORDER BY seq LIMIT {_PAGE}"
        )
        last = 0
        while page := self._query(sql, last, *chosen.values()):
            for row in page:
                fields: list[Any] = [*row[:10], read_failure(row[10:])]
                yield Attempt(*fields)
            last = page[-1][0]

    def edit_of(self, sample_id: str) -> Edit | None:
        found = self._query(f"SELECT {EDIT_COLUMNS} FROM edits e WHERE e.sample_id = ?", sample_id)
        return read_edit(found[0]) if found else None

    def edits(self, wanted_only: bool) -> Iterator[Edit]:
        """In order of completion."""
        condition = "AND s.position IS NOT NULL" if wanted_only else ""
        sql = (
            f"SELECT e.seq, {EDIT_COLUMNS} FROM edits e JOIN samples s ON s.id = e.sample_id "
            f"WHERE e.seq > ? {condition} ORDER BY e.seq LIMIT ?"
        )
        last = 0
        while page := self._query(sql, last, _PAGE):
            for row in page:
                edit = read_edit(row[1:])
                if edit is not None:
                    yield edit
            last = page[-1][0]

    def forget_edits(self, sample_ids: Sequence[str]) -> int:
        """Number of edits that are pending again, their scores with them; an event says what was forgotten."""
        with self._transaction() as db:
            forgotten = []
            for sample_id in sample_ids:
                row = db.execute("SELECT status, sha256 FROM edits WHERE sample_id = ?", (sample_id,)).fetchone()
                if row is None:
                    continue
                forgotten.append({"sample_id": sample_id, "status": row[0], "sha256": row[1]})
                db.execute("DELETE FROM scores WHERE sample_id = ?", (sample_id,))
                db.execute("DELETE FROM edits WHERE sample_id = ?", (sample_id,))
            if forgotten:
                _insert_event(db, "edits_forgotten", {"edits": forgotten})
        return len(forgotten)

    # judgings and scores -----------------------------------------------------------------------------------------

    def add_judging(self, judging_id: str, judge: str, details: dict[str, Any]) -> None:
        if not self._query("SELECT 1 FROM judgings WHERE id = ?", judging_id):
            with self._transaction() as db:
                db.execute("INSERT INTO judgings VALUES (?, ?, ?)", (judging_id, judge, _json(details)))

    def judgings(self) -> list[ScoreSet]:
        """In the order in which they were added."""
        found = self._query("SELECT id, judge, details FROM judgings ORDER BY rowid")
        return [ScoreSet(row[0], row[1], json.loads(row[2])) for row in found]

    def pending_scores(self, judging_id: str) -> list[str]:
        found = self._query(
            "SELECT s.id FROM samples s JOIN edits e ON e.sample_id = s.id AND e.status = 'done' "
            "WHERE s.position IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM scores c WHERE c.judging_id = ? AND c.sample_id = s.id) ORDER BY s.position",
            judging_id,
        )
        return [row[0] for row in found]

    def has_scores(self, judging_id: str, sample_id: str) -> bool:
        sql = "SELECT 1 FROM scores WHERE judging_id = ? AND sample_id = ? LIMIT 1"
        return bool(self._query(sql, judging_id, sample_id))

    def add_scores(self, judging_id: str, batch: Iterable[Scored], inputs: Mapping[str, str]) -> None:
        with self._transaction() as db:
            for scores, outcome in batch:
                made_of = inputs.get(outcome.key)
                db.executemany(
                    f"INSERT INTO scores ({_SCORE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    ((*_score_row(judging_id, place, score), made_of) for place, score in enumerate(scores)),
                )
                _insert_attempt(db, "judge", judging_id, outcome)

    def forget_scores(self, judging_id: str, sample_ids: Sequence[str]) -> None:
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM scores WHERE judging_id = ? AND sample_id = ?", ((judging_id, i) for i in sample_ids)
            )
            _insert_event(db, "scores_forgotten", {"judging_id": judging_id, "sample_ids": list(sample_ids)})

    # reading -----------------------------------------------------------------------------------------------------

    def rows(self, judging_id: str | None) -> Iterator[Row]:
        """Wanted samples in order with the scores of one judging, by metric."""
        return self.labelled_rows({} if judging_id is None else {judging_id: ""})

    def labelled_rows(self, prefixes: Mapping[str, str]) -> Iterator[Row]:
        """Wanted samples in order, a page at a time: writing between two rows is allowed.

        `prefixes`: judging id -> what the labels of its metrics begin with.
        """
        last = -1
        while page := self._query(
            "SELECT s.position, s.id, s.category, s.cluster, s.instruction, s.description, "
            f"{EDIT_COLUMNS} FROM samples s "
            "LEFT JOIN edits e ON e.sample_id = s.id WHERE s.position > ? ORDER BY s.position LIMIT ?",
            last,
            _PAGE,
        ):
            scores: dict[str, dict[str, Score]] = {}
            for judging_id, prefix in prefixes.items():
                self._add_page_scores(scores, judging_id, prefix, (last, page[-1][0]))
            for position, sample_id, category, cluster, instruction, description, *edit in page:
                found = scores.get(sample_id, {})
                yield Row(sample_id, category, cluster, instruction, description, position, read_edit(edit), found)
            last = page[-1][0]

    def _add_page_scores(
        self, scores: dict[str, dict[str, Score]], judging_id: str, prefix: str, page: tuple[int, int]
    ) -> None:
        """`scores` by sample and label hold those of the positions after the first of `page`, up to the second."""
        found = self._query(
            "SELECT c.sample_id, c.judge, c.metric, c.value, c.raw, c.reason, c.seconds FROM samples s "
            "CROSS JOIN scores c ON c.judging_id = ? AND c.sample_id = s.id "
            "WHERE s.position > ? AND s.position <= ? ORDER BY s.position, c.place",
            judging_id,
            *page,
        )
        for row in found:
            scores.setdefault(row[0], {})[prefix + row[2]] = Score(*row)

    def counts(self, judging_id: str | None) -> Counts:
        wanted, has_others = self._query(
            "SELECT COUNT(position), EXISTS (SELECT 1 FROM samples WHERE position IS NULL) "
            "FROM samples WHERE position IS NOT NULL"
        )[0]
        only = "JOIN samples s ON s.id = t.sample_id AND s.position IS NOT NULL" if has_others else ""
        edits = dict(self._query(f"SELECT t.status, COUNT(*) FROM edits t {only} GROUP BY t.status"))
        scored, judged = self._query(
            f"SELECT COUNT(t.value), COUNT(*) FROM scores t {only} WHERE t.judging_id = ? AND t.place = 0", judging_id
        )[0]
        return Counts(wanted, edits.get("done", 0), edits.get("failed", 0), scored, judged - scored)

    # events ------------------------------------------------------------------------------------------------------

    def add_event(self, kind: str, data: dict[str, Any]) -> int:
        """Its seq."""
        with self._transaction() as db:
            return _insert_event(db, kind, data)

    def events(self, kind: str | None) -> list[dict[str, Any]]:
        found = self._query(
            "SELECT seq, at, kind, data FROM events WHERE ? IS NULL OR kind = ? ORDER BY seq",
            kind,
            kind,
        )
        return [{"seq": row[0], "at": row[1], "kind": row[2], "data": json.loads(row[3])} for row in found]


def _sample_row(position: int, sample: Sample) -> tuple[Any, ...]:
    try:
        sample.id.encode()
    except UnicodeEncodeError as error:
        raise BenchmarkError(f"benchmark: sample {position}: the id {sample.id!r} is not valid Unicode") from error
    texts = (sample.category, sample.cluster or sample.id, sample.instruction, sample.description)
    return (position, sample.id, *map(storable_text, texts))


def _score_row(judging_id: str, place: int, score: Score) -> tuple[Any, ...]:
    said = (score.value, storable_text(score.raw), storable_text(score.reason), score.seconds)
    return (judging_id, score.sample_id, place, score.judge, score.metric, *said)


def _insert_attempt(db: sqlite3.Connection, stage: str, judging_id: str, outcome: Outcome[Any]) -> None:
    values = (stage, judging_id, outcome.key, outcome.attempt, outcome.worker, outcome.device, outcome.started_at)
    db.execute(
        "INSERT INTO attempts (stage, judging_id, sample_id, attempt, worker, device, started_at, seconds, "
        "peak_memory_gib, reason, message, traceback) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (*values, outcome.seconds, outcome.peak_memory_gib, *failure_columns(outcome.error)),
    )


def _insert_event(db: sqlite3.Connection, kind: str, data: dict[str, Any]) -> int:
    added = db.execute("INSERT INTO events (at, kind, data) VALUES (?, ?, ?)", (time.time(), kind, _json(data)))
    assert added.lastrowid is not None, "a row was inserted"
    return added.lastrowid


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, allow_nan=False)
