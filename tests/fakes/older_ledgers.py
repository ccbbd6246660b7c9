"""Ledgers as versions of before left them."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from editeval.files import from_json
from editeval.store import manifest, seal


def as_of_version(directory: Path, version: int) -> None:
    """The ledger loses what later versions added, and the manifest says nothing of a seal of it."""
    content = from_json((directory / manifest.NAME).read_bytes())
    rest = {name: value for name, value in content.items() if name not in ("ledger", "seal")}
    sealed = {**rest, "seal": {"sha256": hashlib.sha256(seal.canonical(rest)).hexdigest(), "hmac": seal.seal_of(rest)}}
    (directory / manifest.NAME).write_bytes(manifest.to_json(sealed))
    added = {2: ["flags"], 3: ["source_sha256", "inputs", "editor_id", "origin"], 4: ["invocation"]}
    with closing(sqlite3.connect(directory / "ledger.sqlite")) as db, db:
        found = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> ''")}
        for name in found - {"samples_by_position", "scores_by_sample", "events_by_kind"}:
            db.execute(f"DROP INDEX {name}")
        for step in range(version + 1, 5):
            for column in added[step]:
                db.execute(f"ALTER TABLE edits DROP COLUMN {column}")
        for column in ("language", "subset") if version < 5 else ():
            db.execute(f"ALTER TABLE samples DROP COLUMN {column}")
        for column in ("repeat_of", "seed_index"):
            db.execute(f"ALTER TABLE samples DROP COLUMN {column}")
        for column in ("inputs", "origin") if version < 3 else ():
            db.execute(f"ALTER TABLE scores DROP COLUMN {column}")
        db.execute("DELETE FROM facts WHERE name = 'seal'")
        db.execute(f"PRAGMA user_version = {version}")
