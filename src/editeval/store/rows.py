"""Edits, failures and texts as the ledger's tables hold them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from editeval.types import Edit, Failure, Made

EDIT_COLUMNS = (
    "e.sample_id, e.status, e.path, e.sha256, e.width, e.height, e.seed, e.reason, e.message, e.traceback, "
    "e.worker, e.device, e.started_at, e.seconds, e.attempt, e.peak_memory_gib, e.flags, "
    "e.source_sha256, e.inputs, e.editor_id, e.origin"
)


def insert_edit(db: sqlite3.Connection, edit: Edit, invocation: int | None = None) -> None:
    """One more row, within the caller's transaction."""
    values: list[Any] = [edit.sample_id, edit.status, edit.path, edit.sha256, edit.width, edit.height, edit.seed]
    values += [*failure_columns(edit.error), edit.worker, edit.device, edit.started_at, edit.seconds, edit.attempt]
    made = edit.made
    values += [edit.peak_memory_gib, " ".join(edit.flags), made and made.source_sha256, made and made.inputs]
    values += [made and made.editor_id, edit.origin, invocation]
    columns = f"{EDIT_COLUMNS.replace('e.', '')}, invocation"
    db.execute(f"INSERT INTO edits ({columns}) VALUES ({', '.join('?' * len(values))})", values)


def read_edit(row: Sequence[Any]) -> Edit | None:
    if row[0] is None:
        return None
    flags, source, inputs, editor_id, origin = row[16:21]
    made = Made(source, inputs, editor_id or "") if source and inputs else None
    fields: list[Any] = [*row[:7], read_failure(row[7:10]), *row[10:16], tuple((flags or "").split())]
    return Edit(*[*fields, made, origin or ""])


def failure_columns(error: Failure | None) -> tuple[str | None, str | None, str | None]:
    if error is None:
        return None, None, None
    return storable_text(error.reason), storable_text(error.message), storable_text(error.traceback)


def read_failure(row: Sequence[Any]) -> Failure | None:
    return Failure(*row) if row[0] is not None else None


def storable_text(text: str) -> str:
    """`text` as SQLite can hold it: half a surrogate pair (a judge may say anything) becomes its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
