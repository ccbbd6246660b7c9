"""The seal of a ledger: its rows are those that this user's editeval wrote on this machine, and no others.

Kept up to date in the transaction of each change, so that it fits whatever kills the process. It is the sum of one
keyed hash per row (an incremental multiset hash: Clarke et al., Asiacrypt 2003), hidden by a keyed mask, and a digest
of the samples, which change rarely and all at once. Only who has the user's key can make one for other rows. A whole
ledger put back to what it was at an earlier moment has the seal of that moment, and is not told from it.

Temporary triggers of this connection see each change, whichever statement makes it; none of them is in the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from editeval.store import connection, records
from editeval.store import seal as seals

FACT = "seal"
TABLES: Mapping[str, str] = {
    "edits": "sample_id, status, path, sha256, width, height, seed, reason, flags, source_sha256, inputs, editor_id, "
    "origin",
    "judgings": "id, judge, details",
    "scores": "judging_id, sample_id, place, judge, metric, value, raw, reason, inputs, origin",
    "kept_scores": "judging_id, sample_id, place, judge, metric, value, raw, reason, inputs, origin, edit_sha256",
}
"""What is sealed, row by row. Times, workers, attempts and events are not."""
SAMPLE = "id, position, category, cluster, instruction, description, language, subset"
_ENCODER = json.JSONEncoder(default=list)  # of bytes, which no column has unless somebody put them there
REPEAT = "repeat_of, seed_index"  # of samples that are repeats: those of older ledgers are none
_PAGE = 2000  # samples that become one text
_MODULUS = 1 << 256

SEALED, UNSEALED, CHANGED, ELSEWHERE = "sealed", "unsealed", "changed", "elsewhere"
"""As it was written | never sealed | by another program | since continued by another user, or on another machine."""


class LedgerSeal:
    """Of a ledger that is being written, by its one connection."""

    def __init__(self, db: sqlite3.Connection, key: bytes, total: int, number: int, samples: str) -> None:
        self._db, self._key = db, key
        self._total, self._number, self._samples = total, number, samples
        self._kept = total, samples  # as on disk
        records.make_kept_scores(db)
        db.create_function("editeval_row", -1, self._change)
        db.executescript("PRAGMA recursive_triggers = ON;" + "".join(_triggers()))  # else no replaced row is seen to go

    def _change(self, sign: int, table: str, *values: object) -> None:
        self._total = (self._total + sign * _row(self._key, table, values)) % _MODULUS

    @contextlib.contextmanager
    def samples_change(self) -> Iterator[None]:
        """Inside, in a transaction, samples are changed. If another program did so before, that stays known."""
        are_sealed = _samples(self._db) == self._samples
        yield
        self._samples = _samples(self._db) if are_sealed else CHANGED

    def write(self) -> None:
        """The seal is that of the open transaction; the last thing in there."""
        if (self._total, self._samples) != self._kept:
            self._number += 1
            text = json.dumps(_signed(self._key, self._number, self._total, self._samples))
            _put(self._db, text)

    def ended(self, is_committed: bool) -> None:
        """The transaction is over."""
        if is_committed:
            self._kept = self._total, self._samples
        else:
            self._total, self._samples = self._kept


@contextlib.contextmanager
def transaction(db: sqlite3.Connection, path: Path, seal: LedgerSeal | None) -> Iterator[sqlite3.Connection]:
    """All that is done in it, and the seal of it, is on record, or nothing."""
    is_committed = False
    with connection.translated(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            if seal is not None:
                seal.write()
            db.execute("COMMIT")
            is_committed = True
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk has already rolled back
                db.execute("ROLLBACK")
            raise
        finally:
            if seal is not None:
                seal.ended(is_committed)


def attach(db: sqlite3.Connection, run_id: str) -> LedgerSeal | None:
    """The seal of a ledger opened for writing, from now on kept up to date; None for one that has none."""
    key, kept = _key(run_id, is_made=False), _fact(db)
    found = None if kept is None else _opened(kept, key)
    if kept is not None and _is_of_another(kept, key):
        _put(db, json.dumps({"key": "", "by": "another user, or on another machine"}))
    return LedgerSeal(db, key, *found) if found else None  # one that does not fit stays: `verify` says so


def begin(db: sqlite3.Connection, run_id: str) -> None:
    """A ledger with nothing in it has a seal, if this user has a place for a key."""
    key = _key(run_id, is_made=True)
    if key:
        _put(db, json.dumps(_signed(key, 0, 0, "")))


def state(db: sqlite3.Connection, run_id: str) -> str:
    """Whether what is in the ledger is what was sealed. Reads every row, at one moment; changes nothing."""
    db.execute("BEGIN")
    try:
        kept, key = _fact(db), _key(run_id, is_made=False)
        if kept is None:
            return UNSEALED
        if _is_of_another(kept, key):
            return ELSEWHERE
        found = _opened(kept, key)
        if found is None:
            return CHANGED
        total = sum(_row(key, table, row) for table, row in _rows(db)) % _MODULUS
        return SEALED if found[0] == total and found[2] == _samples(db) else CHANGED
    finally:
        db.execute("ROLLBACK")


def _triggers() -> Iterator[str]:
    for table, columns in TABLES.items():
        old, new = (", ".join(f"{side}.{name.strip()}" for name in columns.split(",")) for side in ("old", "new"))
        removed, added = f"editeval_row(-1, '{table}', {old})", f"editeval_row(1, '{table}', {new})"
        for when, what in (("INSERT", added), ("DELETE", removed), ("UPDATE", f"{removed}, {added}")):
            name = f"seal_{table}_{when}"
            yield f"CREATE TEMP TRIGGER {name} AFTER {when} ON main.{table} BEGIN SELECT {what}; END;"


def _rows(db: sqlite3.Connection) -> Iterator[tuple[str, tuple[object, ...]]]:
    for table, columns in TABLES.items():
        for row in db.execute(f"SELECT {columns} FROM {table}"):
            yield table, row


def _samples(db: sqlite3.Connection) -> str:
    """Digest of all samples; empty without any."""
    digest, last = hashlib.sha256(), 0
    are_repeats = "repeat_of <> '' OR seed_index <> 1"
    for repeat in db.execute(f"SELECT id, {REPEAT} FROM samples WHERE {are_repeats} ORDER BY rowid"):
        digest.update(json.dumps(repeat).encode())
    sql = (
        f"SELECT MAX(rowid), json_group_array(json_array({SAMPLE})) FROM "
        f"(SELECT rowid, {SAMPLE} FROM samples WHERE rowid > ? ORDER BY rowid LIMIT {_PAGE})"
    )
    num_pages = 0
    while True:
        end, text = db.execute(sql, (last,)).fetchone()
        if end is None:
            return digest.hexdigest() if num_pages else ""
        digest.update(text.encode())
        last, num_pages = end, num_pages + 1


def _key(run_id: str, is_made: bool) -> bytes:
    """The user's key for the ledger of this run; empty if there is none."""
    own = seals.key(is_made)
    return hmac.digest(own, b"ledger:" + run_id.encode(), "sha256") if own else b""


def _key_name(key: bytes) -> str:
    """By which a key is known without being shown."""
    return hmac.digest(key, b"name", "sha256").hex()[:16] if key else ""


def _row(key: bytes, table: str, values: tuple[object, ...]) -> int:
    """A keyed hash of the row. Another one would call each ledger changed that was sealed before."""
    return int.from_bytes(hmac.digest(key, _ENCODER.encode([table, *values]).encode(), "sha256"))


def _mask(key: bytes, number: int) -> int:
    return int.from_bytes(hmac.digest(key, f"mask:{number}".encode(), "sha256"))


def _signed(key: bytes, number: int, total: int, samples: str) -> dict[str, str | int]:
    said: dict[str, str | int] = {"key": _key_name(key), "number": number, "samples": samples}
    said["rows"] = f"{total ^ _mask(key, number):064x}"
    return {**said, "hmac": hmac.digest(key, seals.canonical(said), "sha256").hex()}


def _opened(kept: Mapping[str, object], key: bytes) -> tuple[int, int, str] | None:
    """(sum, number, digest of the samples) in a seal made with `key`; None: it was not."""
    number, rows, samples = kept.get("number"), kept.get("rows"), kept.get("samples")
    if not key or not isinstance(number, int) or not isinstance(rows, str) or not isinstance(samples, str):
        return None
    try:
        total = int(rows, 16) ^ _mask(key, number)
    except ValueError:
        return None
    return (total, number, samples) if kept == _signed(key, number, total, samples) else None


def _is_of_another(kept: Mapping[str, object], key: bytes) -> bool:
    return "key" in kept and kept["key"] != _key_name(key)


def _fact(db: sqlite3.Connection) -> dict[str, object] | None:
    found = db.execute("SELECT value FROM facts WHERE name = ?", (FACT,)).fetchone()
    try:
        kept = json.loads(found[0]) if found else None
    except (ValueError, RecursionError):
        kept = {}
    return kept if isinstance(kept, dict) else None if found is None else {}


def _put(db: sqlite3.Connection, text: str) -> None:
    db.execute("INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (FACT, text))
