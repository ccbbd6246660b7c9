"""A run directory: manifest, ledger and edited images. Everything that finished is in it, whatever kills the process.

A file is on disk before its row, a row is on disk when the method returns. To be used by one thread.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from editeval import images
from editeval.errors import ImageError, MachineError, RunConflictError, UserError
from editeval.files import Folder
from editeval.store import connection, directories, ledger_seal, manifest
from editeval.store import ledger as ledgers
from editeval.store.directories import Lock
from editeval.store.ledger import Ledger
from editeval.store.ledger_events import Invocation
from editeval.store.ledger_seal import LedgerSeal
from editeval.store.manifest import Content, Manifest
from editeval.store.records import Json
from editeval.store.seal import is_sealed, seal_of
from editeval.types import Edit, Made, Outcome

EDITS = "edits"
_OF_STRANGE_DATA = (TypeError, LookupError, AttributeError, ValueError, ArithmeticError, RecursionError)
"""What a program raises that takes values for what it has written itself: of a stranger's run, that is one line."""


class RunStore(Ledger):
    """Made by `open` (create or continue, exclusive), `reopen` (continue, exclusive) or `read`; a context manager."""

    def __init__(
        self,
        directory: Path,
        content: Content,
        db: sqlite3.Connection,
        seal: LedgerSeal | None,
        lock: Lock | None,
    ) -> None:
        super().__init__(db, directory / ledgers.NAME, seal)
        self.dir = directory
        self.folder = Folder(directory)
        self.manifest = content
        self._lock = lock
        self.invocation: int | None = None  # seq of the event of this invocation, if it is one
        if not manifest.is_own(content):
            try:
                connection.check_types(db, self.path)
            except BaseException:
                db.close()
                raise

    @classmethod
    def open(cls, directory: Path, manifest: Manifest) -> RunStore:
        """The run in `directory`, new or continued, for this process alone; this invocation is on record.

        Raises RunConflictError if another process writes to it or it is another run (with the differences),
        MachineError if it cannot be written or its ledger is damaged.
        """
        with connection.translated(directory):
            directories.make_durable(directory)
            directories.check(directory)
            directories.make_durable(directory / EDITS)
        lock = Lock.acquire(directory)
        try:
            _sweep(directory)
            content = _settle(directory, manifest)
            store = cls(directory, content, *_open_ledger(directory, content["run_id"]), lock)
        except BaseException:
            lock.release()
            raise
        store.invocation = store.record_event(_invocation(content, manifest))
        return store

    @classmethod
    def reopen(cls, directory: Path) -> RunStore:
        """An existing run, for this process alone, to repair or add to. Raises as `open` and `read` do."""
        content = _existing(directory)
        lock = Lock.acquire(directory)
        try:
            return cls(directory, content, *_open_ledger(directory, content["run_id"]), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, directory: Path) -> RunStore:
        """An existing run, to look at; also while another process writes. Raises UserError if it is no run."""
        content = _existing(directory)
        store = cls(directory, content, connection.open_reader(directory / ledgers.NAME), None, None)
        _check_owner(store, content["run_id"])
        return store

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_strange = isinstance(error, _OF_STRANGE_DATA) and not self._is_as_written()
        self.close()
        if is_strange:
            what = f"it holds what editeval does not write ({type(error).__name__}: {error})"
            raise UserError(f"{self.dir}: {what}; take a sound copy, or the run from a backup") from error

    def _is_as_written(self) -> bool:
        """Whether this user has made it here, and no other program has changed it since."""
        try:
            return self.is_own and self.ledger_state() != ledger_seal.CHANGED
        except (UserError, *_OF_STRANGE_DATA):
            return False

    @property
    def is_writer(self) -> bool:
        return self._lock is not None

    @property
    def is_own(self) -> bool:
        """Whether this user, on this machine, gave all settings: the manifest, and what invocations changed in it."""
        if not manifest.is_own(self.manifest):
            return False
        changes = ((one.event.config_changes, one.event.seal) for one in self.events_of(Invocation))
        return all(is_sealed([self.manifest["run_id"], told], seal) for told, seal in changes if told)

    def ledger_state(self) -> str:
        """Whether its edits and scores are as they were recorded here: a word of ledger_seal. Reads every row."""
        with connection.translated(self.path):
            found = ledger_seal.state(self._db, self.manifest["run_id"])
        is_lost = found == ledger_seal.UNSEALED and "ledger" in self.manifest and manifest.is_own(self.manifest)
        return ledger_seal.CHANGED if is_lost else found

    def record_edit(
        self, outcome: Outcome[bytes], seed: int, flags: Sequence[str] = (), made: Made | None = None
    ) -> Edit:
        """The edit that is now on record: its PNG file first, then its row. A failed one has no file.

        `flags`: what is odd about it; `made`: what it was made of. Raises ValueError for an unknown or already edited
        sample, and for no PNG.
        """
        if not self.has_sample(outcome.key):
            raise ValueError(f"{self.dir}: {outcome.key!r} was never selected")
        if self.edit_of(outcome.key) is not None:
            raise ValueError(f"{self.dir}: {outcome.key!r} has an edit already; forget it first")
        edit = replace(_edit(outcome, seed), flags=tuple(flags), made=made)
        if outcome.value is not None:
            with connection.translated(self.edit_path(outcome.key)):
                self.folder.write(relative_path(outcome.key), outcome.value)
        self.add_edit(edit, outcome, self.invocation)
        return edit

    def edit_path(self, sample_id: str) -> Path:
        """Where the edit of this sample is, or would be. Depends on the id alone; holds nothing of its text."""
        return self.dir / relative_path(sample_id)

    def read_edit(self, edit: Edit) -> bytes:
        """The PNG of a done edit, exactly as it was recorded. Does not touch the ledger: any thread may call it.

        Raises ImageError if the edit failed or its file was altered; MachineError if the file is not there (a folder
        was moved, a disk is not mounted) or the disk fails: that says nothing about the edit.
        """
        if edit.path is None:
            raise ImageError(f"{edit.sample_id}: the edit failed, there is no image")
        path = self.edit_path(edit.sample_id)
        with connection.translated(path):
            try:
                data = self.folder.read(relative_path(edit.sample_id))
            except FileNotFoundError as error:
                raise MachineError(
                    f"{path}: on record, but not there; if {EDITS}/ was moved or its disk is not mounted, put it back; "
                    f"if not, `editeval verify --repair` on this run; what was recorded is safe"
                ) from error
        if images.sha256(data) != edit.sha256:
            raise ImageError(f"{path}: not the image that was recorded; run `editeval verify` on this run")
        return data


def relative_path(sample_id: str) -> str:
    return f"{EDITS}/{hashlib.sha256(sample_id.encode()).hexdigest()[:32]}.png"


def _edit(outcome: Outcome[bytes], seed: int) -> Edit:
    data = outcome.value
    width, height = (None, None) if data is None else png_size(outcome.key, data)
    return Edit(
        sample_id=outcome.key,
        status="failed" if data is None else "done",
        path=None if data is None else relative_path(outcome.key),
        sha256=None if data is None else images.sha256(data),
        width=width,
        height=height,
        seed=seed,
        error=outcome.error,
        worker=outcome.worker,
        device=outcome.device,
        started_at=outcome.started_at,
        seconds=outcome.seconds,
        attempt=outcome.attempt,
        peak_memory_gib=outcome.peak_memory_gib,
    )


def png_size(key: str, data: bytes) -> tuple[int, int]:
    """(width, height) of a PNG. Raises ValueError for anything else."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        raise ValueError(f"{key}: the edit is not a PNG ({len(data)} bytes)")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _existing(directory: Path) -> Content:
    if not directories.is_run(directory):
        raise UserError(f"{directory}: not a run directory: it has no {manifest.NAME}")
    directories.check(directory)
    content = manifest.read(directory / manifest.NAME)
    if not Folder(directory).is_file(ledgers.NAME):
        raise UserError(f"{directory}: its {ledgers.NAME} is missing; restore it from a backup, or use --fresh")
    return content


def _settle(directory: Path, wanted: Manifest) -> Content:
    """Content of the directory's manifest: the one that is there, if it is of the same run, else `wanted`.

    The ledger comes first: a manifest says that its ledger is complete, so a missing one is damage, not a beginning.
    """
    path = directory / manifest.NAME
    if path.exists():
        content = _existing(directory)
        check_identity(directory, content, wanted.identity)
        return content
    if not (directory / ledgers.NAME).exists():
        connection.create(directory / ledgers.NAME)
    content = manifest.sealed(wanted.as_dict())
    _open_ledger(directory, wanted.run_id)[0].close()
    with connection.translated(path):
        Folder(directory).write(manifest.NAME, manifest.to_json(content))
    return content


def check_identity(directory: Path, content: Content, wanted: Json) -> None:
    """Raises RunConflictError if the run in `directory`, whose manifest is `content`, is not that of `wanted`."""
    if content["run_id"] == manifest.run_id(wanted):
        return
    changed = manifest.differences(content["identity"], wanted)
    listed = "; ".join(f"{key}: {old!r} there, {new!r} now" for key, (old, new) in changed.items())
    raise RunConflictError(
        f"{directory}: another run: {listed}; undo the change, or start a new directory with --fresh"
    )


def _open_ledger(directory: Path, run_id: str) -> tuple[sqlite3.Connection, LedgerSeal | None]:
    """Ready to write, and the one of this run; with its seal, if it has one."""
    path = directory / ledgers.NAME
    db = connection.open_writer(path)
    ledger = Ledger(db, path)
    try:
        if ledger.fact("run_id") is None:
            with ledger.transaction():
                db.execute("INSERT INTO facts VALUES ('run_id', ?)", (run_id,))
                ledger_seal.begin(db, run_id)
        _check_owner(ledger, run_id)
        seal = ledger_seal.attach(db, run_id)
    except BaseException:
        db.close()
        raise
    return db, seal


def _check_owner(ledger: Ledger, run_id: str) -> None:
    owner = ledger.fact("run_id")
    if owner != run_id:
        raise RunConflictError(
            f"{ledger.path}: the ledger of run {str(owner)[:8]}, not of {run_id[:8]}; "
            "put the right one back, or start a new directory with --fresh"
        )


def _invocation(content: Content, wanted: Manifest) -> Invocation:
    """What this invocation was, and how its settings differ from those in the manifest."""
    changes = manifest.differences(content["config"], wanted.config)
    return Invocation(
        argv=tuple(wanted.argv),
        pid=os.getpid(),
        host=wanted.host,
        versions=wanted.versions,
        devices=tuple(wanted.devices),
        config_changes=changes,
        seal=seal_of([content["run_id"], changes]) if changes else None,
        origin_changes=manifest.differences(content["origins"], wanted.origins),
        command=wanted.command,
        warnings=wanted.warnings,
        editing=wanted.editing,
    )


def _sweep(directory: Path) -> None:
    """Half-written files that a killed process left behind are gone. Only for the holder of the lock."""
    with connection.translated(directory):
        for where in ("", f"{EDITS}/"):
            for name in Folder(directory).names(where.rstrip("/")):
                if name.startswith(".") and name.endswith(".tmp"):
                    Folder(directory).remove(f"{where}{name}")
