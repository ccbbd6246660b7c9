"""A submission's file: packed, unpacked with nothing taken on trust, and the ledger in it without what is private."""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from editeval.errors import UserError
from editeval.files import Folder
from editeval.store import ledger as ledgers
from editeval.store import manifest
from editeval.store.ledger_events import Load, Planted, ScoreSetsChosen, SubsetChosen
from editeval.store.run_store import EDITS

ABOUT = "submission.json"
FOLDER = "submission"
MAX_MEMBER = 4 << 30  # bytes of one file
MAX_TOTAL = 64 << 30  # bytes of all of them
MAX_MEMBERS = 1_000_000
_BLOCK = 512
_CHUNK = 1 << 20
_NAME = re.compile(
    rf"{FOLDER}/(?P<name>{re.escape(ABOUT)}|{re.escape(manifest.NAME)}|{re.escape(ledgers.NAME)}"
    rf"|report\.json|samples\.jsonl|{EDITS}/[0-9a-f]{{32}}\.png)"
)
_FACTS = ("run_id", "benchmark_used", "edits made elsewhere")
_EVENTS = (ScoreSetsChosen.kind, SubsetChosen.kind, Load.kind, Planted.kind)


def pack(members: Iterable[tuple[str, BinaryIO, int]], out: BinaryIO) -> None:
    """A gzipped tar of (name, content, size): plain files without times and owners: equal content is equal bytes."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, content, size in members:
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size, entry.mode = size, 0o644
            tar.addfile(entry, content)


def unpack(path: Path, folder: Path) -> None:
    """What is in the file at `path` lies in `folder`. UserError, one line, for anything that `pack` does not write.

    Header by header, in chunks: links, other kinds of members, other names, a name twice and sizes beyond the limits
    are refused before anything is written for them.
    """
    place, seen, total = Folder(folder), set[str](), 0
    place.make(EDITS)
    try:
        with gzip.open(path) as packed:
            for name, size in _headers(packed):
                total += size
                if name in seen or len(seen) >= MAX_MEMBERS or size > MAX_MEMBER or total > MAX_TOTAL:
                    why = "is in it twice" if name in seen else "is more than a submission may hold"
                    raise UserError(f"{path}: {name}: {why}; it was not made by `editeval submit`")
                seen.add(name)
                with place.replacing(name, is_durable=False) as file:
                    _copy(packed, file, size)
                _exactly(packed, -size % _BLOCK)
    except (OSError, EOFError, zlib.error, tarfile.HeaderError, _BadMemberError) as error:
        why = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise UserError(f"{path}: not a submission: {why}; `editeval submit RUN -o FILE` makes one") from error
    missing = [
        name for name in (ABOUT, manifest.NAME, ledgers.NAME, "report.json", "samples.jsonl") if name not in seen
    ]
    if missing:
        raise UserError(f"{path}: {missing[0]} is missing; it was not made by `editeval submit`, or was changed")


class _BadMemberError(Exception):
    """What `pack` does not write."""


def _headers(packed: gzip.GzipFile) -> Iterator[tuple[str, int]]:
    """(name, size) of each member; after each its content is to be read, and the padding."""
    while (block := _exactly(packed, _BLOCK)) != bytes(_BLOCK):
        entry = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        match = _NAME.fullmatch(entry.name)
        if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or match is None or entry.size < 0:
            raise _BadMemberError(f"it holds {entry.name[:80]!r}, which is no file of a submission")
        yield match["name"], entry.size


def _exactly(packed: gzip.GzipFile, size: int) -> bytes:
    data = packed.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _copy(packed: gzip.GzipFile, out: BinaryIO, size: int) -> None:
    while size:
        data = _exactly(packed, min(size, _CHUNK))
        out.write(data)
        size -= len(data)


def opened(path: Path) -> tuple[BinaryIO, int]:
    """A file to pack, and its size."""
    return path.open("rb"), path.stat().st_size


def held(data: bytes) -> tuple[BinaryIO, int]:
    return io.BytesIO(data), len(data)


def reduce(path: Path, score_sets: Iterable[str], clean: Callable[[str], str], details: Mapping[str, str]) -> None:
    """The ledger copy at `path` holds what the scores of `score_sets` follow from, and nothing of the machine.

    Attempts, times, workers, other score sets, samples that are not wanted and most events go, also from free pages of
    the file. `clean` takes places and secrets from a text; `details` are those of the score sets, cleaned.
    """
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DELETE FROM attempts")
        db.execute("DROP TABLE IF EXISTS kept_scores")
        wanted = list(score_sets)
        marks = ", ".join("?" for _ in wanted) or "''"
        db.execute(f"DELETE FROM scores WHERE judging_id NOT IN ({marks})", wanted)
        db.execute(f"DELETE FROM judgings WHERE id NOT IN ({marks})", wanted)
        for table, column in (("scores", "sample_id"), ("edits", "sample_id"), ("samples", "id")):
            db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM samples WHERE position IS NULL)")
        db.execute(
            "UPDATE edits SET traceback = NULL, worker = 0, device = '', started_at = 0, seconds = 0, "
            "peak_memory_gib = NULL, invocation = NULL, attempt = 1"
        )
        db.execute("UPDATE scores SET seconds = 0")
        for name, text in db.execute("SELECT sample_id, message FROM edits WHERE message IS NOT NULL").fetchall():
            db.execute("UPDATE edits SET message = ? WHERE sample_id = ?", (clean(text), name))
        for name, text in details.items():
            db.execute("UPDATE judgings SET details = ? WHERE id = ?", (text, name))
        controls = _controls(db, wanted, clean)
        db.execute(f"DELETE FROM facts WHERE name NOT IN ({', '.join('?' for _ in _FACTS)})", _FACTS)
        db.execute(f"DELETE FROM events WHERE kind NOT IN ({', '.join('?' for _ in _EVENTS)})", _EVENTS)
        for table, key, column in (("facts", "name", "value"), ("events", "seq", "data")):
            for name, text in db.execute(f"SELECT {key}, {column} FROM {table}").fetchall():
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (clean(text), name))
        db.executemany("INSERT INTO facts VALUES (?, ?)", controls)
        db.execute("UPDATE events SET at = 0")
        db.execute("VACUUM")
    finally:
        db.close()


def _controls(db: sqlite3.Connection, score_sets: Iterable[str], clean: Callable[[str], str]) -> list[tuple[str, str]]:
    """The facts of the controls of `score_sets`; messages of those that have no value are cleaned."""
    kept = []
    for one in score_sets:
        rows = db.execute("SELECT name, value FROM facts WHERE instr(name, ?) = 1", (f"control {one} ",)).fetchall()
        for name, text in rows:
            told = [
                row | {"raw": row["raw"] if row["reason"] is None else clean(row["raw"])} for row in json.loads(text)
            ]
            kept.append((name, json.dumps(told)))
        kept += db.execute("SELECT name, value FROM facts WHERE name = ?", (f"controls {one}",)).fetchall()
    return kept
