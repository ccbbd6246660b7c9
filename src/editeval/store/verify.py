"""Does a run still hold what it recorded? Every image is hashed again; ledger, files and reports are compared.

Repair does only what is provably right: a picture found again in `edits/` goes back to its place, one that is lost or
altered makes its sample pending again, left-over temporary files go. Everything else is told, not touched. Many missing
pictures prove nothing (a folder moved away, a disk that is not mounted): then nothing is done unless the user insists.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editeval.errors import MachineError, Reason
from editeval.files import StrangeFileError
from editeval.store import barrier, connection, directories, ledger_seal, manifest
from editeval.store.ledger_events import Repaired
from editeval.store.records import SampleRow
from editeval.store.reused import content_of
from editeval.store.run_store import EDITS, RunStore, relative_path

_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True)
class Problem:
    """One disagreement.

    `kind`: missing | truncated | altered | unreadable | temporary | unknown_file | ledger | manifest | report |
    inputs | barrier.
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
    is_settled = store.is_writer or directories.writer_of(store.dir) is None
    problems = [Problem("ledger", store.path.name, found) for found in store.problems()]
    if manifest.is_changed(store.manifest):
        problems.append(Problem("manifest", manifest.NAME, "is not as editeval wrote it"))
    if store.ledger_state() == ledger_seal.CHANGED:
        what = "edits or scores in it were changed by something other than editeval; take the run from a backup"
        problems.append(Problem("ledger", store.path.name, what))
    problems += [Problem("barrier", store.path.name, found) for found in barrier.crossed(store).values()]
    problems += _check_images(store)
    if is_settled:
        problems += _check_files(store)
        found = check_exports(store, prefixes) if prefixes is not None else []
        problems += [Problem("report", where, detail) for where, detail in found]
    return problems


FEW, SMALL_SHARE = 2, 0.1
"""A repair gives up so many pictures, or that share of them, whichever is more, without asking."""


def repair(store: RunStore, problems: Sequence[Problem], accept_loss: bool = False) -> list[Problem]:
    """The problems that were fixed: pictures in their place again, or samples pending again, or files gone.

    Needs a writing store. Raises MachineError, having put back what was found, if more pictures are lost than
    FEW and SMALL_SHARE, or their folder is not there, and the user does not `accept_loss`.
    """
    if not store.is_writer:
        raise ValueError(f"{store.dir}: opened for reading; a repair needs RunStore.reopen")
    images = [problem for problem in problems if problem.is_repairable and problem.sample_id is not None]
    found = _put_back(store, images) if images else []
    lost = [problem for problem in images if problem not in found]
    num_images = sum(edit.path is not None for edit in store.edits(wanted_only=False))
    is_small = len(lost) <= max(FEW, SMALL_SHARE * num_images) and (store.dir / EDITS).is_dir()
    gone = [one for one in problems if one.kind == "unknown_file" and not (store.dir / one.where).exists()]
    fixed = [*found, *gone, *(one for one in problems if one.is_repairable and one not in images)]
    if is_small or not lost or accept_loss:
        store.forget_edits([str(problem.sample_id) for problem in lost])
        fixed += lost
    for problem in fixed:
        if problem not in (*found, *gone):
            with contextlib.suppress(FileNotFoundError):
                (store.dir / problem.where).unlink()
    fixed = [problem for problem in problems if problem in fixed]
    if fixed:
        store.record_event(Repaired(tuple(map(str, fixed))))
    if any(problem not in fixed for problem in lost):
        raise MachineError(
            f"{store.dir / EDITS}: {len(lost)} of {num_images} pictures are not as recorded, which proves no loss: put "
            "the folder back or mount its disk; if they are gone for good, --repair --accept-loss makes them again"
        )
    return fixed


def _put_back(store: RunStore, images: Sequence[Problem]) -> list[Problem]:
    """Those of `images` whose picture is in its place now: it had come back, or lay in `edits/` under another name."""
    edits = {problem: store.edit_of(str(problem.sample_id)) for problem in images}
    wanted = {problem: str(edit.sha256) for problem, edit in edits.items() if edit is not None}
    back = [problem for problem, digest in wanted.items() if _fault(store, problem.where, digest) is None]
    by_digest: dict[str, list[Problem]] = {}
    for problem, digest in wanted.items():
        if problem not in back:
            by_digest.setdefault(digest, []).append(problem)
    own = {relative_path(sample_id) for sample_id in store.sample_ids()} if by_digest else set()
    for path in _inside(store.dir / EDITS) if by_digest else ():
        data = content_of(path)
        same = by_digest.pop(hashlib.sha256(data).hexdigest(), [])
        for problem in same:
            with connection.translated(store.dir / problem.where):
                store.folder.write(problem.where, data)
        if same and f"{EDITS}/{path.name}" not in own:
            path.unlink()  # it is in its place
        back += same
    return back


def _check_images(store: RunStore) -> Iterator[Problem]:
    for edit in store.edits(wanted_only=False):
        if edit.path is None:
            continue
        if edit.path != relative_path(edit.sample_id):
            yield Problem("ledger", store.path.name, f"{edit.sample_id!r} has the path {edit.path!r}")
            continue
        fault = _fault(store, edit.path, str(edit.sha256))
        if fault is not None:
            kind, detail = fault
            yield Problem(kind, edit.path, f"{detail} (sample {edit.sample_id!r})", edit.sample_id)


def _fault(store: RunStore, name: str, sha256: str) -> tuple[str, str] | None:
    try:
        with os.fdopen(store.folder.open(name), "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return None
            size = file.seek(0, 2)
            file.seek(max(0, size - len(_PNG_END)))
            is_whole = file.read() == _PNG_END
    except FileNotFoundError:
        return "missing", "recorded, but not there"
    except StrangeFileError:
        return "unreadable", "a link, a folder or the like stands there; put the picture itself there"
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
        if path.name.startswith(".") and path.name.endswith(".tmp") and (path.is_symlink() or not path.is_dir()):
            yield Problem("temporary", where, "left by a process that was killed while writing")
        elif path.parent.name == EDITS and path.parent != store.dir and where not in own:
            yield Problem("unknown_file", where, "belongs to no sample of this run")


def _inside(directory: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(directory.iterdir())
    return []


AGAIN = "`editeval report RUN` writes it again"
_TOLERANCE = 1e-6
_MAX_CELL = 1 << 30  # characters; an instruction may be long
Prefixes = Mapping[str, str]  # judging id -> what its metrics' labels begin with


def check_exports(store: RunStore, prefixes: Prefixes) -> list[tuple[str, str]]:
    """(file, what is wrong) for the exports that are there; `prefixes` are those of the score sets that they show."""
    return list(_faults(store, prefixes))


def reported_ids(run_dir: Path) -> list[str]:
    """The judgings that report.json says it shows; none if it is not there, or does not say."""
    try:
        shown = json.loads((run_dir / "report.json").read_bytes())["run"]["judgings"]
        return [str(judging["id"]) for judging in shown]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _faults(store: RunStore, prefixes: Prefixes) -> Iterator[tuple[str, str]]:
    files = (("samples.jsonl", _samples_fault), ("scores.csv", _table_fault), ("report.json", _report_fault))
    for name, compare in files:
        path = store.dir / name
        fault = compare(store, path, prefixes) if path.exists() else None
        if fault is not None:
            yield name, fault


def _samples_fault(store: RunStore, path: Path, prefixes: Prefixes) -> str | None:
    try:
        with path.open(encoding="utf-8") as file:
            for number, (line, row) in enumerate(itertools.zip_longest(file, store.labelled_rows(prefixes)), start=1):
                if line is None or row is None:
                    return f"{'fewer' if line is None else 'more'} lines than wanted samples; {AGAIN}"
                fault = _line_fault(json.loads(line), row)
                if fault:
                    return f"line {number}: {fault}; {AGAIN}"
    except (OSError, ValueError, AttributeError) as error:
        return f"cannot be read: {error}; {AGAIN}"
    return None


def _table_fault(store: RunStore, path: Path, prefixes: Prefixes) -> str | None:
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, (line, row) in enumerate(
                itertools.zip_longest(csv.DictReader(file), store.labelled_rows(prefixes)), start=2
            ):
                if line is None or row is None:
                    return f"{'fewer' if line is None else 'more'} rows than wanted samples; {AGAIN}"
                if not _fits(line, row):
                    return f"row {number}: {row.id!r} differs from the ledger; {AGAIN}"
    except (OSError, ValueError, csv.Error) as error:
        return f"cannot be read: {error}; {AGAIN}"
    finally:
        csv.field_size_limit(limit)
    return None


def _fits(line: Mapping[str, str | None], row: SampleRow) -> bool:
    """Whether a row of the table is what the ledger has; texts may carry the apostrophe that guards spreadsheets."""
    expected = (row.status, row.sha256 or "")
    told = {metric: _number(line.get(metric) or line.get(f"'{metric}")) for metric in row.scores}
    recorded = {metric: score.value for metric, score in row.scores.items()}
    is_id = line.get("id") in (row.id, f"'{row.id}")
    return is_id and (line.get("status"), line.get("sha256")) == expected and _agree(_known(told), _known(recorded))


def _number(cell: str | None) -> float | None:
    return float(cell) if cell else None


def _line_fault(line: dict[str, Any], row: SampleRow) -> str:
    if line.get("id") != row.id:
        return f"sample {line.get('id')!r}, {row.id!r} in the ledger"
    edit = line.get("edit") or {}
    recorded = (row.status, row.sha256) if row.status != "pending" else (None, None)
    told = (edit.get("status"), edit.get("sha256")) if edit.get("status") in ("done", "failed") else (None, None)
    if told != recorded:
        return f"edit of {row.id!r} is {told}, {recorded} in the ledger"
    if (line.get("language", ""), line.get("named_subset", "")) != (row.language, row.subset):
        return f"language or named subset of {row.id!r} differs from the ledger"
    values = {metric: score.get("value") for metric, score in (line.get("scores") or {}).items()}
    if not _agree(_known(values), _known({metric: score.value for metric, score in row.scores.items()})):
        return f"scores of {row.id!r} differ from the ledger"
    return ""


def _known(values: Mapping[str, Any]) -> dict[str, float]:
    return {metric: float(value) for metric, value in values.items() if value is not None}


def _agree(told: Mapping[str, float], recorded: Mapping[str, float]) -> bool:
    return told.keys() == recorded.keys() and all(abs(told[m] - recorded[m]) <= _TOLERANCE for m in told)


def _report_fault(store: RunStore, path: Path, prefixes: Prefixes) -> str | None:
    try:
        report = json.loads(path.read_bytes())
        summaries = [s for s in _summaries(report) if s.get("category") == "micro"]
        coverage, run = report["coverage"], report["run"]
        ids = [str(judging["id"]) for judging in run["judgings"]] if "judgings" in run else list(prefixes)
        told = [run["num_samples"], *(coverage[f"num_{name}"] for name in ("samples", "edited", "failed", "pending"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"cannot be read: {error!r}; {AGAIN}"
    counts = store.counts(None)
    recorded = [counts.num_wanted] * 2 + [counts.num_edited, counts.num_failed, counts.num_pending_edits]
    if ids != list(prefixes):
        return f"shows the scores {', '.join(ids) or 'of no judge'}, the run {', '.join(prefixes) or 'none'}; {AGAIN}"
    if told != recorded:
        return f"(samples, samples, edited, failed, pending) {told}, {recorded} in the ledger; {AGAIN}"
    scored: Counter[str] = Counter()
    inapplicable: Counter[str] = Counter()
    for row in store.labelled_rows(prefixes):
        scored.update(metric for metric, score in row.scores.items() if score.value is not None)
        inapplicable.update(m for m, score in row.scores.items() if score.reason == Reason.NOT_APPLICABLE)
    for summary in summaries:
        metric = str(summary.get("metric"))
        wanted = (counts.num_wanted - inapplicable[metric], counts.num_failed, scored[metric])
        found = (summary.get("num_samples"), summary.get("num_failed"), summary.get("num_scored"))
        if found != wanted:
            return f"{summary.get('metric')}: (samples, failed, scored) {found}, {wanted} in the ledger; {AGAIN}"
    return None


def _summaries(report: Any) -> Iterator[dict[str, Any]]:
    found = report.get("summaries") if isinstance(report, dict) else None
    if not isinstance(found, list):
        raise ValueError("it has no list of summaries")
    yield from (summary for summary in found if isinstance(summary, dict))
