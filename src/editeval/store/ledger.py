"""The ledger of a run: its samples, edits, scores, attempts and events (the tables are in `connection`).

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
from typing import Any, TypeVar

from editeval.errors import BenchmarkError
from editeval.store import connection, ledger_events, ledger_seal, records
from editeval.store.ledger_events import E, EditsForgotten, Event, OtherEvent, Recorded, Reselected, ScoresForgotten
from editeval.store.records import Attempt, Counts, Details, SampleRow, ScoreSet, read_edit, storable_text, value_of
from editeval.types import Edit, Outcome, Sample, Score

NAME = "ledger.sqlite"
_PAGE = 256  # rows held in memory while streaming
_SCORE = "judging_id, sample_id, place, judge, metric, value, raw, reason, seconds, inputs"
_SAMPLE = "position, id, category, cluster, instruction, description, language, subset, repeat_of, seed_index"
T = TypeVar("T")


class Ledger:
    """What is on record. `RunStore` is one, with the files of its run."""

    def __init__(self, db: sqlite3.Connection, path: Path, seal: ledger_seal.LedgerSeal | None = None) -> None:
        self._db = db
        self._seal = seal  # None: it has none, or is read
        self.path = path  # of the ledger's file

    def close(self) -> None:
        with connection.translated(self.path):
            self._db.close()

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """All that is done in it is on record, or nothing. For the files of this package."""
        return ledger_seal.transaction(self._db, self.path, self._seal)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows. For the files of this package."""
        with connection.translated(self.path):
            return self._db.execute(sql, values).fetchall()

    def back_up(self, copy: sqlite3.Connection) -> None:
        """`copy` holds all that is on record at this moment, whoever writes."""
        with connection.translated(self.path):
            self._db.backup(copy)

    def problems(self) -> list[str]:
        """What the thorough check of the file's structure finds; empty if all is well."""
        with connection.translated(self.path):
            found = connection.check_pages(self._db, thorough=True)
            strays = self._db.execute("PRAGMA foreign_key_check").fetchmany(10)
        return found + [f"row {row[1]} of {row[0]} belongs to nothing in {row[2]}" for row in strays]

    def fact(self, name: str) -> str | None:
        found = self.query("SELECT value FROM facts WHERE name = ?", name)
        return str(found[0][0]) if found else None

    def set_fact(self, name: str, value: str) -> None:
        sql = "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        with self.transaction() as db:
            db.execute(sql, (name, value))

    # samples -----------------------------------------------------------------------------------------------------

    def select(self, samples: Iterable[Sample]) -> None:
        """Exactly `samples` are wanted, in this order; others stay on record. Cheap if nothing changed.

        Writes only from the first difference to what was wanted. Raises BenchmarkError for duplicate ids.
        """
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

    def _reselect(self, num_same: int, rows: Iterable[tuple[int | str, ...]]) -> None:
        with self.transaction() as db, self._seal.samples_change() if self._seal else contextlib.nullcontext():
            _insert_event(db, Reselected(num_same))
            db.execute("UPDATE samples SET position = NULL WHERE position >= ?", (num_same,))
            db.executemany(
                f"INSERT INTO samples ({_SAMPLE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "position = excluded.position, category = excluded.category, cluster = excluded.cluster, "
                "instruction = excluded.instruction, description = excluded.description, "
                "language = excluded.language, subset = excluded.subset, "
                "repeat_of = excluded.repeat_of, seed_index = excluded.seed_index",
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
        return bool(self.query("SELECT 1 FROM samples WHERE id = ?", sample_id))

    # edits and attempts ------------------------------------------------------------------------------------------

    def pending_edits(self) -> list[str]:
        """Wanted samples without an edit, done or failed, in benchmark order: all first seeds, then the second ones."""
        found = self.query(
            "SELECT s.id FROM samples s LEFT JOIN edits e ON e.sample_id = s.id "
            "WHERE s.position IS NOT NULL AND e.seq IS NULL ORDER BY s.seed_index, s.position"
        )
        return [row[0] for row in found]

    def add_edit(self, edit: Edit, outcome: Outcome[T], invocation: int | None = None) -> None:
        """`invocation`: seq of the event of the invocation that made it; None: unknown."""
        with self.transaction() as db:
            records.insert_edit(db, edit, invocation)
            _insert_attempt(db, "edit", "", outcome)

    def record_attempt(self, stage: str, outcome: Outcome[T], judging_id: str = "") -> None:
        """An attempt that was not the last one is on record. `stage` is "edit" or "judge"."""
        with self.transaction() as db:
            _insert_attempt(db, stage, judging_id, outcome)

    def attempts(self, stage: str | None = None, sample_id: str | None = None) -> Iterator[Attempt]:
        """Every attempt, last ones included, in the order in which they were recorded."""
        chosen = {f" AND {n} = ?": v for n, v in (("+stage", stage), ("sample_id", sample_id)) if v is not None}
        sql = (
            "SELECT seq, stage, judging_id, sample_id, attempt, worker, device, started_at, seconds, peak_memory_gib, "
            f"reason, message, traceback FROM attempts WHERE seq > ?{''.join(chosen)} ORDER BY seq LIMIT {_PAGE}"
        )
        last = 0
        while page := self.query(sql, last, *chosen.values()):
            for row in page:
                fields: list[Any] = [*row[:10], records.read_failure(row[10:])]
                yield Attempt(*fields)
            last = page[-1][0]

    def edit_of(self, sample_id: str) -> Edit | None:
        found = self.query(f"SELECT {records.EDIT_COLUMNS} FROM edits e WHERE e.sample_id = ?", sample_id)
        return read_edit(found[0]) if found else None

    def edits(self, wanted_only: bool = True) -> Iterator[Edit]:
        """In order of completion, streamed."""
        sql = (
            f"SELECT e.seq, {records.EDIT_COLUMNS} FROM edits e JOIN samples s ON s.id = e.sample_id "
            f"WHERE e.seq > ? {'AND s.position IS NOT NULL' if wanted_only else ''} ORDER BY e.seq LIMIT ?"
        )
        last = 0
        while page := self.query(sql, last, _PAGE):
            yield from (read_edit(row[1:]) for row in page)
            last = page[-1][0]

    def forget_edits(self, sample_ids: Sequence[str]) -> int:
        """Number of edits that are pending again, done or failed; their attempts stay on record.

        Their scores are kept aside: an edit made again with equal bytes has them again.
        """
        with self.transaction() as db:
            forgotten = []
            for sample_id in sample_ids:
                row = db.execute("SELECT status, sha256 FROM edits WHERE sample_id = ?", (sample_id,)).fetchone()
                if row is None:
                    continue
                forgotten.append({"sample_id": sample_id, "status": row[0], "sha256": row[1]})
                if row[1]:
                    records.keep_scores(db, sample_id, row[1])
                db.execute("DELETE FROM scores WHERE sample_id = ?", (sample_id,))
                db.execute("DELETE FROM edits WHERE sample_id = ?", (sample_id,))
            if forgotten:
                _insert_event(db, EditsForgotten(tuple(forgotten)))
        return len(forgotten)

    # score sets and scores ---------------------------------------------------------------------------------------

    def add_judging(self, judging_id: str, judge: str, details: Details) -> None:
        """The score set is known; one that already is stays as it is."""
        if not self.query("SELECT 1 FROM judgings WHERE id = ?", judging_id):
            with self.transaction() as db:
                db.execute(
                    "INSERT INTO judgings VALUES (?, ?, ?)", (judging_id, judge, json.dumps(details, allow_nan=False))
                )

    def judgings(self) -> list[ScoreSet]:
        """In the order in which they were added."""
        found = self.query("SELECT id, judge, details FROM judgings ORDER BY rowid")
        return [ScoreSet(row[0], row[1], value_of(self.path, row[2])) for row in found]

    def pending_scores(self, judging_id: str) -> list[str]:
        """Wanted samples whose edit is done and that have no scores in this set, in the order of `pending_edits`."""
        found = self.query(
            "SELECT s.id FROM samples s JOIN edits e ON e.sample_id = s.id AND e.status = 'done' "
            "WHERE s.position IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM scores c WHERE c.judging_id = ? AND c.sample_id = s.id) ORDER BY s.seed_index, s.position",
            judging_id,
        )
        return [row[0] for row in found]

    def record_score_batch(
        self,
        judging_id: str,
        batch: Sequence[tuple[Sequence[Score], Outcome[T]]],
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        """Scores of several samples, the headline first, and their outcomes: all of them are recorded or none.

        `inputs`: by sample, a digest of all that the judge was shown.
        """
        for scores, outcome in batch:
            if not scores or any(score.sample_id != outcome.key for score in scores):
                raise ValueError(f"{self.path}: {outcome.key!r} needs scores, all of them its own")
        with self.transaction() as db:
            for scores, outcome in batch:
                made_of = inputs.get(outcome.key) if inputs else None
                db.executemany(
                    f"INSERT INTO scores ({_SCORE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    ((*_score_row(judging_id, place, score), made_of) for place, score in enumerate(scores)),
                )
                _insert_attempt(db, "judge", judging_id, outcome)

    def forget_scores(self, judging_id: str, sample_ids: Sequence[str]) -> None:
        """Their scores in this set are pending again; their attempts stay on record."""
        with self.transaction() as db:
            db.executemany(
                "DELETE FROM scores WHERE judging_id = ? AND sample_id = ?", ((judging_id, i) for i in sample_ids)
            )
            _insert_event(db, ScoresForgotten(judging_id, tuple(sample_ids)))

    # reading -----------------------------------------------------------------------------------------------------

    def rows(self, judging_id: str | None) -> Iterator[SampleRow]:
        """Wanted samples in benchmark order with the scores of one set, by metric."""
        return self.labelled_rows({} if judging_id is None else {judging_id: ""})

    def labelled_rows(self, prefixes: Mapping[str, str], label: str = "") -> Iterator[SampleRow]:
        """Wanted samples in order, a page at a time (writing in between is allowed), with all scores, or `label` alone.

        `prefixes`: score set -> what the labels of its metrics begin with.
        """
        sql = (
            f"SELECT {records.ROW_COLUMNS} FROM samples s LEFT JOIN edits e ON e.sample_id = s.id "
            "WHERE s.position > ? ORDER BY s.position LIMIT ?"
        )
        last = -1
        while page := self.query(sql, last, _PAGE):
            scores: dict[str, dict[str, Score]] = {}
            first, last = last, page[-1][4]
            for judging_id, prefix in prefixes.items():
                found = self.query(
                    "SELECT c.sample_id, c.judge, c.metric, c.value, c.raw, c.reason, c.seconds FROM samples s "
                    "CROSS JOIN scores c ON c.judging_id = ? AND c.sample_id = s.id "
                    "WHERE s.position BETWEEN ? AND ? AND ? IN ('', ? || c.metric) ORDER BY s.position, c.place",
                    *(judging_id, first + 1, last, label, prefix),
                )
                for row in found:
                    scores.setdefault(row[0], {})[prefix + row[2]] = Score(*row)
            for row in page:
                fields: list[Any] = [*row[:15], scores.get(row[0], {}), tuple(row[15].split()), *row[16:]]
                yield SampleRow(*fields)

    def counts(self, judging_id: str | None) -> Counts:
        """How many wanted samples are in which state; without a score set nothing is scored."""
        wanted, has_others = self.query(
            "SELECT COUNT(position), EXISTS (SELECT 1 FROM samples WHERE position IS NULL) "
            "FROM samples WHERE position IS NOT NULL"
        )[0]
        only = "JOIN samples s ON s.id = t.sample_id AND s.position IS NOT NULL" if has_others else ""
        edits = {row[0]: row[1] for row in self.query(f"SELECT status, COUNT(*) FROM edits t {only} GROUP BY 1")}
        scored, judged = self.query(
            f"SELECT COUNT(t.value), COUNT(*) FROM scores t {only} WHERE t.judging_id = ? AND t.place = 0", judging_id
        )[0]
        return Counts(wanted, edits.get("done", 0), edits.get("failed", 0), scored, judged - scored)

    # events ------------------------------------------------------------------------------------------------------

    def record_event(self, event: Event) -> int:
        """Its seq."""
        with self.transaction() as db:
            return _insert_event(db, event)

    def events(self) -> list[Recorded[Event]]:
        """Every event, in order of recording."""
        found = self.query("SELECT seq, at, kind, data FROM events ORDER BY seq")
        return [
            Recorded(seq, at, ledger_events.event_of(kind, value_of(self.path, data))) for seq, at, kind, data in found
        ]

    def events_of(self, kind: type[E]) -> list[Recorded[E]]:
        """The events of one kind, in order of recording; those without what that kind needs are left out."""
        found = self.query("SELECT seq, at, data FROM events WHERE kind = ? ORDER BY seq", kind.kind)
        read = ((seq, at, ledger_events.event_of(kind.kind, value_of(self.path, data))) for seq, at, data in found)
        return [Recorded(seq, at, event) for seq, at, event in read if isinstance(event, kind)]

    def latest(self, kind: type[E]) -> Recorded[E] | None:
        """The last event of this kind."""
        last, sql = "", "SELECT seq, at, data FROM events WHERE kind = ? {} ORDER BY seq DESC LIMIT 1"
        while found := self.query(sql.format(last), kind.kind):
            seq, at, data = found[0]
            event = ledger_events.event_of(kind.kind, value_of(self.path, data))
            if isinstance(event, kind):
                return Recorded(seq, at, event)
            last = f"AND seq < {int(seq)}"  # it lacks what that kind needs
        return None


def _sample_row(position: int, sample: Sample) -> tuple[int | str, ...]:
    try:
        sample.id.encode()
    except UnicodeEncodeError as error:
        raise BenchmarkError(f"benchmark: sample {position}: the id {sample.id!r} is not valid Unicode") from error
    texts = (sample.category, sample.cluster or sample.id, sample.instruction, sample.description)
    stored = map(storable_text, (*texts, sample.language, sample.subset))
    return (position, sample.id, *stored, sample.repeat_of, sample.seed_index)


def _score_row(judging_id: str, place: int, score: Score) -> tuple[str | int | float | None, ...]:
    given = (score.value, storable_text(score.raw), storable_text(score.reason), score.seconds)
    return (judging_id, score.sample_id, place, score.judge, score.metric, *given)


def _insert_attempt(db: sqlite3.Connection, stage: str, judging_id: str, outcome: Outcome[T]) -> None:
    values = (stage, judging_id, outcome.key, outcome.attempt, outcome.worker, outcome.device, outcome.started_at)
    db.execute(
        "INSERT INTO attempts (stage, judging_id, sample_id, attempt, worker, device, started_at, seconds, "
        "peak_memory_gib, reason, message, traceback) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (*values, outcome.seconds, outcome.peak_memory_gib, *records.failure_columns(outcome.error)),
    )


def _insert_event(db: sqlite3.Connection, event: Event) -> int:
    text = json.dumps(event.data) if isinstance(event, OtherEvent) else records.as_json(event)
    added = db.execute("INSERT INTO events (at, kind, data) VALUES (?, ?, ?)", (time.time(), event.kind, text))
    assert added.lastrowid is not None, "a row was inserted"
    return added.lastrowid
