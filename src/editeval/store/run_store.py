"""A run directory: manifest, ledger and edited images. Everything that finished is in it, whatever kills the process.

A file is on disk before its row, a row is on disk when the method returns. To be used by one thread.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from editeval import files, images
from editeval.errors import ImageError, RunConflictError, UserError
from editeval.store import connection, directories, manifest
from editeval.store import ledger as ledgers
from editeval.store.ledger import Ledger
from editeval.store.lock import Lock
from editeval.store.manifest import Manifest
from editeval.store.records import Attempt, Counts, Row, ScoreSet
from editeval.types import Edit, Made, Outcome, Sample, Score

EDITS = "edits"


class RunStore:
    """Made by `open` (create or continue, exclusive), `reopen` (continue, exclusive) or `read`; a context manager."""

    def __init__(self, directory: Path, content: dict[str, Any], ledger: Ledger, lock: Lock | None) -> None:
        self.dir = directory
        self.manifest = content
        self.ledger = ledger  # for the other files of this package
        self._lock = lock
        self.invocation: int | None = None  # seq of the event of this invocation, if it is one

    @classmethod
    def open(cls, directory: Path, manifest: Manifest) -> RunStore:
        """The run in `directory`, new or continued, for this process alone; this invocation is on record.

        Raises RunConflictError if another process writes to it or it is another run (with the differences),
        MachineError if it cannot be written or its ledger is damaged.
        """
        with connection.translated(directory):
            directories.make_durable(directory / EDITS)
        lock = Lock.acquire(directory)
        try:
            _sweep(directory)
            content = _settle(directory, manifest)
            store = cls(directory, content, _open_ledger(directory, content["run_id"]), lock)
        except BaseException:
            lock.release()
            raise
        store.invocation = store.ledger.add_event("invocation", _invocation(content, manifest))
        return store

    @classmethod
    def reopen(cls, directory: Path) -> RunStore:
        """An existing run, for this process alone, to repair or add to. Raises as `open` and `read` do."""
        content = _existing(directory)
        lock = Lock.acquire(directory)
        try:
            return cls(directory, content, _open_ledger(directory, content["run_id"]), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, directory: Path) -> RunStore:
        """An existing run, to look at; also while another process writes. Raises UserError if it is no run."""
        content = _existing(directory)
        path = directory / ledgers.NAME
        ledger = Ledger(connection.open_reader(path), path)
        _check_owner(ledger, content["run_id"])
        return cls(directory, content, ledger, None)

    def close(self) -> None:
        try:
            self.ledger.close()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_writer(self) -> bool:
        return self._lock is not None

    def select(self, samples: Iterable[Sample]) -> None:
        """Exactly `samples` are wanted, in this order; others stay in the ledger. Cheap if nothing changed.

        Raises BenchmarkError for duplicate ids.
        """
        self.ledger.select(samples)

    def pending_edits(self) -> list[str]:
        """Wanted samples without an edit, done or failed, in benchmark order."""
        return self.ledger.pending_edits()

    def pending_scores(self, judging_id: str) -> list[str]:
        """Wanted samples whose edit is done and that this judging has not seen, in benchmark order."""
        return self.ledger.pending_scores(judging_id)

    def has_scores(self, judging_id: str, sample_id: str) -> bool:
        """Whether this judging has seen the sample, scored or not."""
        return self.ledger.has_scores(judging_id, sample_id)

    def record_edit(
        self, outcome: Outcome[bytes], seed: int, flags: Sequence[str] = (), made: Made | None = None
    ) -> Edit:
        """The edit that is now on record: its PNG file first, then its row. A failed one has no file.

        `flags`: what is odd about it; `made`: what it was made of. Raises ValueError for an unknown or already edited
        sample, and for no PNG.
        """
        if not self.ledger.has_sample(outcome.key):
            raise ValueError(f"{self.dir}: {outcome.key!r} was never selected")
        if self.ledger.edit_of(outcome.key) is not None:
            raise ValueError(f"{self.dir}: {outcome.key!r} has an edit already; forget it first")
        edit = replace(_edit(outcome, seed), flags=tuple(flags), made=made)
        if outcome.value is not None:
            path = self.edit_path(outcome.key)
            with connection.translated(path):
                files.write_atomic(path, outcome.value)
        self.ledger.add_edit(edit, outcome, self.invocation)
        return edit

    def record_attempt(self, stage: str, outcome: Outcome[Any], judging_id: str = "") -> None:
        """An attempt that was not the last one is on record. `stage` is "edit" or "judge"."""
        self.ledger.add_attempt(stage, judging_id, outcome)

    def attempts(self, stage: str | None = None, sample_id: str | None = None) -> Iterator[Attempt]:
        """Every attempt, last ones included, in the order in which they were recorded."""
        return self.ledger.attempts(stage, sample_id)

    def add_judging(self, judging_id: str, judge: str, details: dict[str, Any]) -> None:
        """The judging is known; one that already is stays as it is."""
        self.ledger.add_judging(judging_id, judge, details)

    def judgings(self) -> list[ScoreSet]:
        """In the order in which they were added."""
        return self.ledger.judgings()

    def record_scores(self, judging_id: str, sample_id: str, scores: Sequence[Score], outcome: Outcome[Any]) -> None:
        """All scores of one sample are on record, the headline metric first, and the attempt that gave them."""
        if outcome.key != sample_id:
            raise ValueError(f"{self.dir}: scores of {sample_id!r} with the outcome of {outcome.key!r}")
        self.record_score_batch(judging_id, [(scores, outcome)])

    def record_score_batch(
        self,
        judging_id: str,
        batch: Sequence[tuple[Sequence[Score], Outcome[Any]]],
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        """Several samples in one transaction: (scores, outcome) each; all of them are recorded or none.

        `inputs`: by sample, a digest of all that the judge was shown.
        """
        for scores, outcome in batch:
            if not scores or any(score.sample_id != outcome.key for score in scores):
                raise ValueError(f"{self.dir}: {outcome.key!r} needs scores, all of them its own")
        self.ledger.add_scores(judging_id, batch, inputs or {})

    def forget_edits(self, ids: Sequence[str]) -> int:
        """Number of edits that are pending again, done or failed; their scores go, their attempts stay on record."""
        return self.ledger.forget_edits(ids)

    def forget_scores(self, judging_id: str, ids: Sequence[str]) -> None:
        """Their scores under this judging are pending again; their attempts stay on record."""
        self.ledger.forget_scores(judging_id, ids)

    def fact(self, name: str) -> str | None:
        return self.ledger.fact(name)

    def set_fact(self, name: str, value: str) -> None:
        self.ledger.set_fact(name, value)

    def record_event(self, kind: str, data: dict[str, Any]) -> None:
        self.ledger.add_event(kind, data)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """{"seq", "at", "kind", "data"} each, in order of recording."""
        return self.ledger.events(kind)

    def edit_of(self, sample_id: str) -> Edit | None:
        return self.ledger.edit_of(sample_id)

    def edit_path(self, sample_id: str) -> Path:
        """Where the edit of this sample is, or would be. Depends on the id alone; holds nothing of its text."""
        return self.dir / relative_path(sample_id)

    def read_edit(self, edit: Edit) -> bytes:
        """The PNG of a done edit, exactly as it was recorded. Does not touch the ledger: any thread may call it.

        Raises ImageError if the edit failed, or its file is not there or was altered; MachineError if the disk fails,
        which says nothing about the edit.
        """
        if edit.path is None:
            raise ImageError(f"{edit.sample_id}: the edit failed, there is no image")
        path = self.edit_path(edit.sample_id)
        with connection.translated(path):
            try:
                data = path.read_bytes()
            except FileNotFoundError as error:
                raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
        if images.sha256(data) != edit.sha256:
            raise ImageError(f"{path}: not the image that was recorded; run `editeval verify` on this run")
        return data

    def rows(self, judging_id: str | None) -> Iterator[Row]:
        """Wanted samples in benchmark order with edit and scores, streamed: memory does not grow with their number."""
        return self.ledger.rows(judging_id)

    def edits(self, wanted_only: bool = True) -> Iterator[Edit]:
        """In order of completion, streamed."""
        return self.ledger.edits(wanted_only)

    def counts(self, judging_id: str | None) -> Counts:
        """Where the wanted samples stand; without a judging nothing is scored."""
        return self.ledger.counts(judging_id)


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


def _existing(directory: Path) -> dict[str, Any]:
    if not directories.is_run(directory):
        raise UserError(f"{directory}: not a run directory: it has no {manifest.NAME}")
    content = manifest.read(directory / manifest.NAME)
    if not (directory / ledgers.NAME).is_file():
        raise UserError(f"{directory}: its {ledgers.NAME} is missing; restore it from a backup, or use --fresh")
    return content


def _settle(directory: Path, wanted: Manifest) -> dict[str, Any]:
    """Content of the directory's manifest: the one that is there, if it is of the same run, else `wanted`.

    The ledger comes first: a manifest says that its ledger is complete, so a missing one is damage, not a beginning.
    """
    path = directory / manifest.NAME
    if path.exists():
        content = _existing(directory)
        _check_identity(directory, content, wanted)
        return content
    if not (directory / ledgers.NAME).exists():
        connection.create(directory / ledgers.NAME)
    content = wanted.as_dict()
    _open_ledger(directory, wanted.run_id).close()
    with connection.translated(path):
        files.write_atomic(path, manifest.to_json(content))
    return content


def _check_identity(directory: Path, content: dict[str, Any], wanted: Manifest) -> None:
    if content["run_id"] == wanted.run_id:
        return
    changed = manifest.differences(content["identity"], wanted.identity)
    listed = "; ".join(f"{key}: {old!r} there, {new!r} now" for key, (old, new) in changed.items())
    raise RunConflictError(
        f"{directory}: another run: {listed}; undo the change, or start a new directory with --fresh"
    )


def _open_ledger(directory: Path, run_id: str) -> Ledger:
    path = directory / ledgers.NAME
    ledger = Ledger(connection.open_writer(path), path)
    try:
        if ledger.fact("run_id") is None:
            ledger.set_fact("run_id", run_id)
        _check_owner(ledger, run_id)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _check_owner(ledger: Ledger, run_id: str) -> None:
    owner = ledger.fact("run_id")
    if owner != run_id:
        raise RunConflictError(
            f"{ledger.path}: the ledger of run {str(owner)[:8]}, not of {run_id[:8]}; "
            "put the right one back, or start a new directory with --fresh"
        )


def _invocation(content: dict[str, Any], wanted: Manifest) -> dict[str, Any]:
    """What this invocation was, and how its settings differ from those in the manifest."""
    changed = manifest.differences(content["config"], wanted.config).items()
    moved = manifest.differences(content["origins"], wanted.origins).items()
    return {
        "argv": list(wanted.argv),
        "pid": os.getpid(),
        "host": dict(wanted.host),
        "versions": dict(wanted.versions),
        "devices": list(wanted.devices),
        "config_changes": {key: list(values) for key, values in changed},
        "origin_changes": {key: list(values) for key, values in moved},
        **wanted.setting,
    }


def _sweep(directory: Path) -> None:
    """Half-written files that a killed process left behind are gone. Only for the holder of the lock."""
    with connection.translated(directory):
        for folder in (directory, directory / EDITS):
            for path in folder.glob(".*.tmp"):
                path.unlink(missing_ok=True)
