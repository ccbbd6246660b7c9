"""Does a run still hold what it recorded? Every image is hashed again; ledger, files and reports are compared.

Repair does only what is provably right: a lost or altered image makes its sample pending again, left-over
temporary files go. Everything else is told, not touched.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editeval.store import barrier, exports, lock
from editeval.store.ledger_events import Repaired
from editeval.store.run_store import EDITS, RunStore, relative_path

_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True)
class Problem:
    """One disagreement.

    `kind`: missing | truncated | altered | unreadable | temporary | unknown_file | ledger | report | inputs |
    barrier.
    """

    kind: str
    where: str  # relative to the run directory
    detail: str
    sample_id: str | None = None

    @property
    def is_repairable(self) -> bool:
        return self.kind in ("missing", "truncated", "altered", "temporary")

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.detail}"


def verify(store: RunStore, prefixes: Mapping[str, str] | None = None) -> list[Problem]:
    """Everything that is wrong with the run; empty if nothing is. Reads every image once, changes nothing.

    `prefixes` says what the reports show: judging id -> what the labels of its metrics begin with; None: they are
    not looked at.

    While another process writes to the run, files that may be its unfinished work are not counted.
    """
    is_settled = store.is_writer or lock.holder(store.dir) is None
    problems = [Problem("ledger", store.path.name, found) for found in store.problems()]
    problems += [Problem("barrier", store.path.name, found) for found in barrier.crossed(store).values()]
    problems += _check_images(store)
    if is_settled:
        problems += _check_files(store)
        found = exports.check(store, prefixes) if prefixes is not None else []
        problems += [Problem("report", where, detail) for where, detail in found]
    return problems


def repair(store: RunStore, problems: Sequence[Problem]) -> list[Problem]:
    """The problems that were fixed: their samples are pending again, or their files gone. Needs a writing store."""
    if not store.is_writer:
        raise ValueError(f"{store.dir}: opened for reading; a repair needs RunStore.reopen")
    fixable = [problem for problem in problems if problem.is_repairable]
    store.forget_edits([problem.sample_id for problem in fixable if problem.sample_id is not None])
    for problem in fixable:
        with contextlib.suppress(FileNotFoundError):
            (store.dir / problem.where).unlink()
    if fixable:
        store.record_event(Repaired(tuple(map(str, fixable))))
    return fixable


def _check_images(store: RunStore) -> Iterator[Problem]:
    for edit in store.edits(wanted_only=False):
        if edit.path is None:
            continue
        if edit.path != relative_path(edit.sample_id):
            yield Problem("ledger", store.path.name, f"{edit.sample_id!r} has the path {edit.path!r}")
            continue
        fault = _fault(store.dir / edit.path, str(edit.sha256))
        if fault is not None:
            kind, detail = fault
            yield Problem(kind, edit.path, f"{detail} (sample {edit.sample_id!r})", edit.sample_id)


def _fault(path: Path, sha256: str) -> tuple[str, str] | None:
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return None
            size = file.seek(0, 2)
            file.seek(max(0, size - len(_PNG_END)))
            is_whole = file.read() == _PNG_END
    except FileNotFoundError:
        return "missing", "recorded, but not there"
    except OSError as error:
        return "unreadable", f"{error.strerror}; check the disk, its content may be sound"
    if not is_whole:
        return "truncated", f"{size} bytes without the end of a PNG"
    return "altered", "not the bytes that were recorded"


def _check_files(store: RunStore) -> Iterator[Problem]:
    # An image of a pending sample is no fault: a kill between file and row leaves one, the next edit replaces it.
    own = {relative_path(sample_id) for sample_id in store.sample_ids()}
    for path in sorted([*store.dir.iterdir(), *_inside(store.dir / EDITS)]):
        where = path.relative_to(store.dir).as_posix()
        if path.name.startswith(".") and path.name.endswith(".tmp"):
            yield Problem("temporary", where, "left by a process that was killed while writing")
        elif path.parent.name == EDITS and path.parent != store.dir and where not in own:
            yield Problem("unknown_file", where, "belongs to no sample of this run")


def _inside(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []
