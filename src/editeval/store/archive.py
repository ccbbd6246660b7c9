"""A whole run in one file, sound also while the run goes on: first the ledger, then the files that it names."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from editeval import images
from editeval.errors import UserError
from editeval.files import Folder
from editeval.store import connection, directories, manifest
from editeval.store import ledger as ledgers
from editeval.store.ledger import Ledger
from editeval.store.run_store import RunStore, relative_path

REPORTS = ("report.json", "samples.jsonl", "scores.csv", "report.md", "report.html", "report")
BESIDE = ("gpu.csv",)
TRIES = 3  # a retry of the run may replace edits while they are read


def write_archive(store: RunStore, out: BinaryIO) -> None:
    """An uncompressed tar file of the run. Reports are in it unless the run goes on: then they are of before.

    Every edit in it is the one that its ledger names. Raises UserError for an edit that is not there, or is another.
    """
    for left in reversed(range(TRIES)):
        out.seek(0)
        out.truncate()
        with tempfile.TemporaryDirectory(prefix="editeval-") as place:
            copy = Path(place, ledgers.NAME)
            with connection.translated(store.path), contextlib.closing(sqlite3.connect(copy)) as db:
                store.back_up(db)
            try:
                _write(store, copy, out)
                return
            except (FileNotFoundError, _AnotherEditError) as error:
                if not left:
                    what = f"not the image on record ({error}); `editeval verify` says which are wrong"
                    raise UserError(f"{store.dir}: {what}") from error


class _AnotherEditError(Exception):
    """The file of an edit is not the one that the copied ledger names."""


def _write(store: RunStore, ledger: Path, out: BinaryIO) -> None:
    with tarfile.open(fileobj=out, mode="w") as tar, ledger.open("rb") as file:

        def add(name: str, data: BinaryIO, size: int) -> None:
            entry = tarfile.TarInfo(f"{store.dir.name}/{name}")
            entry.size, entry.mode, entry.mtime = size, 0o644, int(store.manifest["created_at"])
            tar.addfile(entry, data)

        add(manifest.NAME, *_held(store.folder.read(manifest.NAME)))
        add(ledgers.NAME, file, ledger.stat().st_size)
        with contextlib.closing(Ledger(connection.open_reader(ledger), ledger)) as kept:
            for edit in kept.edits(wanted_only=False):
                if edit.path is not None:
                    name = relative_path(edit.sample_id)
                    data = store.folder.read(name)
                    if images.sha256(data) != edit.sha256:
                        raise _AnotherEditError(name)
                    add(name, *_held(data))
        is_settled = directories.writer_of(store.dir) is None
        rated = [name for name in store.folder.names("") if name.startswith("ratings") and name.endswith(".json")]
        for name in (*rated, *BESIDE, *(REPORTS if is_settled else ())):
            for found in _files(store.folder, name):
                add(found, *_held(store.folder.read(found)))


def _held(data: bytes) -> tuple[BinaryIO, int]:
    return io.BytesIO(data), len(data)


def _files(folder: Folder, name: str) -> Iterator[str]:
    """`name`, if it is a file; if it is a folder, the files in it, but no temporary ones."""
    if folder.is_folder(name):
        for below in folder.names(name):
            if not below.startswith("."):
                yield from _files(folder, f"{name}/{below}")
    elif folder.is_file(name):
        yield name
