"""Opening a ledger safely, and one place where its errors become advice.

A committed row survives a power cut: WAL with synchronous=FULL, or DELETE with EXTRA on network file systems.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from editeval.errors import MachineError, RunConflictError
from editeval.files import Folder, write_atomic
from editeval.machine import host

BUSY_TIMEOUT_S = 30.0
MAX_NUMBER = 1e15  # no time, score or size of ours is larger
MAX_CELL = 256_000_000  # bytes of a text or a row; the longest of ours are events about every sample
_NOT_OURS = (
    "SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%' "
    "OR sql LIKE '% AS (%' OR sql LIKE '%GENERATED%' LIMIT 1"
)
_RESTORE = "restore a backup of the whole directory, or start over with --fresh (it deletes nothing)"
_UNREAD = re.compile(r"error code=(\d+)")
_DISK = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "the disk reported an error (or a quota or file-size limit was hit); check the disk",
    sqlite3.SQLITE_READONLY: "it is read-only; make the directory writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it exists and that its directory is writable",
    sqlite3.SQLITE_PROTOCOL: "its file system gives no lock; check the mount, or put output_dir on a local disk",
    sqlite3.SQLITE_PERM: "no permission; make the directory writable",
}


def create(path: Path) -> None:
    """An empty ledger of the newest version is at `path`, on disk and complete, or nothing is."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(db)
        with translated(path):
            write_atomic(path, db.serialize())
    finally:
        db.close()


def open_writer(path: Path, mountinfo: Path = host.MOUNTINFO) -> sqlite3.Connection:
    """A checked and migrated ledger, ready to write. To be used by one thread; the run's lock keeps others out.

    Raises MachineError for a file that is corrupt, empty, not a ledger, newer than this program or not writable.
    """
    with translated(path):
        db = _connect(path, "mode=rw")
        try:
            mode = host.journal_mode(path, mountinfo)
            if mode == "DELETE":  # a log left by a local disk is taken over without shared memory
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
            _check(db, path)
            db.execute(f"PRAGMA journal_mode = {mode}")
            db.execute("PRAGMA locking_mode = NORMAL")
            db.execute(f"PRAGMA synchronous = {'FULL' if mode == 'WAL' else 'EXTRA'}")
            db.execute("PRAGMA foreign_keys = ON")
            migrate(db)
        except BaseException:
            db.close()
            raise
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """A ledger to read, also while a writer is at work and on a read-only disk. Never changes the file."""
    with translated(path):
        try:
            db = _connect_reader(path, "mode=ro")
        except sqlite3.OperationalError as error:
            if not _is(error, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or not path.exists():
                raise
            log = Folder(path.parent).stat(f"{path.name}-wal")  # of a writer that was killed, where it has content
            db = _merged_copy(path) if log is not None and log.st_size else _connect_reader(path, "immutable=1")
    return db


def _merged_copy(path: Path) -> sqlite3.Connection:
    """A ledger on a read-only disk with what its log holds: put together in a copy, which nobody else sees."""
    with tempfile.TemporaryDirectory(prefix="editeval-") as place:
        copy = Path(place, path.name)
        for suffix in ("", "-wal"):
            descriptor = Folder(path.parent).open(f"{path.name}{suffix}")
            with os.fdopen(descriptor, "rb") as file, copy.with_name(f"{path.name}{suffix}").open("xb") as ours:
                shutil.copyfileobj(file, ours)
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
        return _connect_reader(copy, "immutable=1")  # it stays open when its name is gone


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """SQLite opens by name: the three files of a ledger are themselves, and what is in them is only data."""
    for suffix in ("", "-wal", "-shm", "-journal"):  # not opened: closing one would free SQLite's locks on it
        Folder(path.parent).is_file(f"{path.name}{suffix}")
    db = sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)
    return db


def _connect_reader(path: Path, mode: str) -> sqlite3.Connection:
    db = _connect(path, mode)
    try:
        db.execute("PRAGMA query_only = ON")
        _check_kind(db, path)
        return db if version(db) == len(MIGRATIONS) else _migrated_copy(db)
    except BaseException:
        db.close()
        raise


def _migrated_copy(db: sqlite3.Connection) -> sqlite3.Connection:
    """An older ledger as this program knows it, in memory: a reader must not change the file. Closes `db`."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.backup(copy)
        migrate(copy)
    except BaseException:
        copy.close()
        raise
    db.close()
    return copy


def check_pages(db: sqlite3.Connection, thorough: bool = False) -> list[str]:
    """What is wrong with the file's structure; empty if nothing is. `thorough` compares the indexes too."""
    pragma = "integrity_check" if thorough else "quick_check"
    found = [" ".join(str(row[0]).split()) for row in db.execute(f"PRAGMA {pragma}(10)")]
    for code in map(int, _UNREAD.findall(" ".join(found))):
        if code & 0xFF == sqlite3.SQLITE_IOERR:  # the disk failed, which says nothing about the page
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = code
            raise error
    return [] if found == ["ok"] else found


def _check(db: sqlite3.Connection, path: Path) -> None:
    _check_kind(db, path)
    problems = check_pages(db)
    if problems:
        raise MachineError(f"{path}: the ledger is corrupt: {problems[0]}; {_RESTORE}")


def _check_kind(db: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size == 0:
        raise MachineError(f"{path}: the ledger is empty (0 bytes); {_RESTORE}")
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise MachineError(f"{path}: an SQLite file, but not a ledger of editeval; {_RESTORE}")
    if db.execute(_NOT_OURS).fetchone():
        raise MachineError(f"{path}: it holds views, triggers or computed columns, none of which is ours; {_RESTORE}")
    found, known = version(db), len(MIGRATIONS)
    if found > known:
        raise MachineError(f"{path}: ledger version {found}, this editeval knows up to {known}; upgrade editeval")


def check_types(db: sqlite3.Connection, path: Path) -> None:
    """Raises MachineError for values that are not of their column's type, as a stranger's ledger may hold."""
    kinds = {"TEXT": "text", "INTEGER": "integer", "REAL": "real"}
    with translated(path):
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if '"' in table:
                raise MachineError(f"{path}: {table!r} is no table of ours; {_RESTORE}")
            columns = [(row[1], kinds.get(row[2], "")) for row in db.execute(f'PRAGMA table_info("{table}")')]
            wrong = [f"typeof(\"{name}\") NOT IN ('{kind}', 'null')" for name, kind in columns if kind]
            wrong += [f'abs("{name}") > {MAX_NUMBER}' for name, kind in columns if kind == "real"]
            if wrong and db.execute(f'SELECT 1 FROM "{table}" WHERE {" OR ".join(wrong)} LIMIT 1').fetchone():
                raise MachineError(f"{path}: {table}: values of another type than editeval writes; {_RESTORE}")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of the disk and of SQLite leave as one line that names `path`; bugs stay what they are."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ValueError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise _translate(path, error) from error
    except OSError as error:
        where = error.filename or path
        what = error.strerror or str(error)
        hint = "; free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
        raise MachineError(f"{where}: {what}{hint}; what was recorded is safe, the same command continues") from error


def _translate(path: Path, error: sqlite3.DatabaseError) -> Exception:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    is_unreadable = primary is None and isinstance(error, sqlite3.OperationalError)  # a text that is not UTF-8
    if primary == sqlite3.SQLITE_TOOBIG:
        what = f"a text of more than {MAX_CELL >> 20} MiB, from a sample or a reply, or the file is corrupt"
        return MachineError(f"{path}: {what}; shorten the text; for a corrupt file: {_RESTORE}")
    if is_unreadable or primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return MachineError(f"{path}: the ledger is corrupt: {error}; {_RESTORE}")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RunConflictError(
            f"{path}: another program holds the ledger for more than {BUSY_TIMEOUT_S:.0f} s; close it"
        )
    if primary in _DISK:
        advice = _DISK[primary]
        return MachineError(f"{path}: {error}: {advice}; what was recorded is safe, the same command continues")
    return error


def _is(error: sqlite3.Error, *primary_codes: int) -> bool:
    return (error.sqlite_errorcode & 0xFF) in primary_codes


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}?{mode}"


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


def _add_groups(db: sqlite3.Connection) -> None:
    """Language and named subset of a sample; empty where the data do not say, and in runs of versions before."""
    for name in ("language", "subset"):
        db.execute(f"ALTER TABLE samples ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


def _add_repeats(db: sqlite3.Connection) -> None:
    """Of which sample one is a further edit with another seed, and with which; a sample of its own is no repeat."""
    db.execute("ALTER TABLE samples ADD COLUMN repeat_of TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE samples ADD COLUMN seed_index INTEGER NOT NULL DEFAULT 1")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create_tables,
    _add_flags,
    _add_inputs,
    _add_invocations,
    _add_groups,
    _add_repeats,
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
