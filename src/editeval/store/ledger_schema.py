"""The ledger's tables, as an ordered list of steps. A step that has been released is never changed; add one instead.

`PRAGMA user_version` says how many steps a ledger has taken.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

APPLICATION_ID = 0x65646974  # "edit": tells our ledger from any other SQLite file


def _create_tables(db: sqlite3.Connection) -> None:
    """Samples, edits, judgings, scores; attempts and events are only ever added to."""
    for statement in (
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # position is the place in the latest selection; NULL: known, but not wanted now
        """CREATE TABLE samples (
            id TEXT PRIMARY KEY, position INTEGER, category TEXT NOT NULL, cluster TEXT NOT NULL,
            instruction TEXT NOT NULL, description TEXT NOT NULL)""",
        "CREATE INDEX samples_by_position ON samples (position)",
        """CREATE TABLE edits (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, sample_id TEXT NOT NULL UNIQUE REFERENCES samples (id),
            status TEXT NOT NULL CHECK (status IN ('done', 'failed')), path TEXT, sha256 TEXT,
            width INTEGER, height INTEGER, seed INTEGER NOT NULL, reason TEXT, message TEXT, traceback TEXT,
            worker INTEGER NOT NULL, device TEXT NOT NULL, started_at REAL NOT NULL, seconds REAL NOT NULL,
            attempt INTEGER NOT NULL, peak_memory_gib REAL,
            CHECK ((status = 'done') = (path IS NOT NULL AND sha256 IS NOT NULL AND reason IS NULL)))""",
        "CREATE TABLE judgings (id TEXT PRIMARY KEY, judge TEXT NOT NULL, details TEXT NOT NULL)",
        # place 0 is the headline metric
        """CREATE TABLE scores (
            judging_id TEXT NOT NULL REFERENCES judgings (id), sample_id TEXT NOT NULL REFERENCES edits (sample_id),
            place INTEGER NOT NULL, judge TEXT NOT NULL, metric TEXT NOT NULL, value REAL, raw TEXT NOT NULL,
            reason TEXT NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (judging_id, sample_id, metric),
            CHECK ((value IS NULL) = (reason <> '')))""",
        "CREATE INDEX scores_by_sample ON scores (sample_id)",
        """CREATE TABLE attempts (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, stage TEXT NOT NULL, judging_id TEXT NOT NULL,
            sample_id TEXT NOT NULL, attempt INTEGER NOT NULL, worker INTEGER NOT NULL, device TEXT NOT NULL,
            started_at REAL NOT NULL, seconds REAL NOT NULL, peak_memory_gib REAL,
            reason TEXT, message TEXT, traceback TEXT)""",
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL)""",
        "CREATE INDEX events_by_kind ON events (kind)",
    ):
        db.execute(statement)


def _add_flags(db: sqlite3.Connection) -> None:
    """What is odd about an edit, words separated by spaces; NULL where it was not checked."""
    db.execute("ALTER TABLE edits ADD COLUMN flags TEXT")


def _add_inputs(db: sqlite3.Connection) -> None:
    """What edits and scores were made of, and the run they were taken over from; NULL where it was not recorded."""
    for name in ("source_sha256", "inputs", "editor_id", "origin"):
        db.execute(f"ALTER TABLE edits ADD COLUMN {name} TEXT")
    for name in ("inputs", "origin"):
        db.execute(f"ALTER TABLE scores ADD COLUMN {name} TEXT")


def _add_invocations(db: sqlite3.Connection) -> None:
    """Under which invocation (seq of its event) an edit was made, NULL where not recorded; and what is looked up.

    The partial indexes hold what `status` asks for and little else: one entry per sample, or per failure.
    """
    for statement in (
        "ALTER TABLE edits ADD COLUMN invocation INTEGER",
        "CREATE INDEX attempts_by_sample ON attempts (sample_id)",
        "CREATE INDEX attempts_by_stage ON attempts (stage, judging_id, started_at)",
        "CREATE INDEX attempts_again ON attempts (stage, judging_id, started_at) WHERE attempt > 1",
        "CREATE INDEX attempts_failed ON attempts (started_at) WHERE reason IS NOT NULL",
        "CREATE INDEX edits_by_status ON edits (status)",
        "CREATE INDEX edits_without ON edits (reason) WHERE reason <> ''",
        "CREATE INDEX scores_of_headline ON scores (judging_id, sample_id, value) WHERE place = 0",
        "CREATE INDEX scores_without ON scores (judging_id, reason) WHERE place = 0 AND reason <> ''",
    ):
        db.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create_tables,
    _add_flags,
    _add_inputs,
    _add_invocations,
)


def migrate(db: sqlite3.Connection) -> None:
    """`db` has taken every step; each is one transaction, so a kill leaves the version before it."""
    done = version(db)
    for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            step(db)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise


def version(db: sqlite3.Connection) -> int:
    """Number of steps taken."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])
