"""What a ledger hands out besides `Edit`, `Score` and events, and how its tables keep that."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, TypedDict, TypeVar, get_args, get_origin, get_type_hints

from editeval.errors import MachineError
from editeval.files import from_json
from editeval.types import Edit, Failure, Made, Score

T = TypeVar("T")
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """Everything that is known about one wanted sample. `status` is "done", "failed" or "pending"."""

    id: str
    category: str
    instruction: str
    cluster: str  # never empty in a ledger: a sample without one is its own
    position: int  # in the benchmark, from 0
    status: str
    sha256: str | None
    seed: int | None
    error_reason: str | None
    error_message: str | None
    seconds: float | None
    device: str | None
    worker: int | None
    attempt: int | None
    edited_path: str | None  # relative to the run directory
    scores: Mapping[str, Score]  # by label of the metric, the headline first
    flags: tuple[str, ...] = ()  # what is odd about a done edit: black | constant | unchanged
    started_at: float | None = None  # unix seconds
    width: int | None = None  # of the edit
    height: int | None = None
    description: str = ""
    peak_memory_gib: float | None = None
    language: str = ""  # of the instruction, as the benchmark spells it; empty: not said
    subset: str = ""  # the named part of the benchmark that it is in; empty: in none
    repeat_of: str = ""  # id of the sample that it edits once more, with another seed; empty: of none
    seed_index: int = 1  # 1: the first seed of its sample

    @property
    def sample(self) -> str:
        """Id of the sample whose edit this is one of."""
        return self.repeat_of or self.id


ROW_COLUMNS = (  # of a SampleRow in the order of its fields, but for the scores
    "s.id, s.category, s.instruction, s.cluster, s.position, COALESCE(e.status, 'pending'), e.sha256, e.seed, "
    "e.reason, e.message, e.seconds, e.device, e.worker, e.attempt, e.path, COALESCE(e.flags, ''), e.started_at, "
    "e.width, e.height, s.description, e.peak_memory_gib, s.language, s.subset, s.repeat_of, s.seed_index"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one request, kept for ever. `error` is None if it succeeded."""

    seq: int  # order of recording; gaps and clock jumps mean nothing
    stage: str  # "edit" or "judge"
    judging_id: str  # empty for edits
    sample_id: str
    attempt: int
    worker: int
    device: str
    started_at: float
    seconds: float
    peak_memory_gib: float | None
    error: Failure | None


class Details(TypedDict, total=False):
    """What a run keeps of a judge beside its scores; older runs kept less."""

    name: str  # in the configuration
    params: Json
    seed: int
    batch_size: int
    requested_type: str
    identity: Json
    inputs: Listed  # weights and code, file by file
    parent: str  # of a score set that reads the replies of another one again
    official: Sequence[Mapping[str, Any]]  # the fields of every OfficialMean
    official_use: Mapping[str, Any]  # the fields of an OfficialUse
    scales: Mapping[str, Mapping[str, Any]]  # of the metrics that are not 0-10: the fields of a Metric
    bridge: Mapping[str, Any]  # that the scores of `parent` went through: the fields of a Bridge


class Listed(TypedDict, total=False):
    """Weights and code of a plug-in, file by file."""

    weights: Mapping[str, Mapping[str, str]]  # parameter -> file -> size and digest
    code: Mapping[str, str]  # module -> digest


@dataclass(frozen=True, slots=True)
class ScoreSet:
    """One way of scoring this run. Its id is the caller's fingerprint of judge, parameters and prompts."""

    id: str
    judge: str
    details: Details


@dataclass(frozen=True, slots=True)
class ScoreSetEntry:
    """A score set as a decision names it."""

    name: str
    id: str
    judge: str
    protocol: str
    metrics: tuple[str, ...]
    parent: str


@dataclass(frozen=True, slots=True)
class EditSettings:
    """How an invocation edits."""

    policy: str
    max_drift: int | None
    devices: tuple[str, ...]  # one per worker
    limit: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the wanted samples stand. Scored and unscored refer to the headline metric of one judging."""

    num_wanted: int
    num_edited: int
    num_failed: int
    num_scored: int
    num_unscored: int

    @property
    def num_pending_edits(self) -> int:
        return self.num_wanted - self.num_edited - self.num_failed

    @property
    def num_pending_scores(self) -> int:
        """Edited samples that this judging has not seen."""
        return self.num_edited - self.num_scored - self.num_unscored


EDIT_COLUMNS = (
    "e.sample_id, e.status, e.path, e.sha256, e.width, e.height, e.seed, e.reason, e.message, e.traceback, "
    "e.worker, e.device, e.started_at, e.seconds, e.attempt, e.peak_memory_gib, e.flags, "
    "e.source_sha256, e.inputs, e.editor_id, e.origin"
)


def insert_edit(db: sqlite3.Connection, edit: Edit, invocation: int | None = None) -> None:
    """One more row, within the caller's transaction."""
    values: list[object] = [edit.sample_id, edit.status, edit.path, edit.sha256, edit.width, edit.height, edit.seed]
    values += [*failure_columns(edit.error), edit.worker, edit.device, edit.started_at, edit.seconds, edit.attempt]
    made = edit.made
    values += [edit.peak_memory_gib, " ".join(edit.flags), made and made.source_sha256, made and made.inputs]
    values += [made and made.editor_id, edit.origin, invocation]
    columns = f"{EDIT_COLUMNS.replace('e.', '')}, invocation"
    db.execute(f"INSERT INTO edits ({columns}) VALUES ({', '.join('?' * len(values))})", values)
    if edit.sha256:
        restore_scores(db, edit)


KEPT = "judging_id, sample_id, place, judge, metric, value, raw, reason, seconds, inputs, origin"


def make_kept_scores(db: sqlite3.Connection) -> None:
    """The table `kept_scores` is there."""
    db.execute(f"CREATE TABLE IF NOT EXISTS kept_scores AS SELECT {KEPT}, '' AS edit_sha256 FROM scores WHERE 0")


def keep_scores(db: sqlite3.Connection, sample_id: str, sha256: str) -> None:
    """The scores of an edit that is being forgotten move to the table `kept_scores`: replies may have been paid for."""
    make_kept_scores(db)
    db.execute(f"INSERT INTO kept_scores SELECT {KEPT}, ? FROM scores WHERE sample_id = ?", (sha256, sample_id))


def restore_scores(db: sqlite3.Connection, edit: Edit) -> None:
    """The scores that were kept of the same bytes are its scores again; those of other bytes stay as history.

    Not "bad_image": that judge saw a damaged file.
    """
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept_scores'").fetchone() is None:
        return
    same = "FROM kept_scores WHERE sample_id = ? AND edit_sha256 = ? AND reason <> 'bad_image'"
    db.execute(f"INSERT OR REPLACE INTO scores ({KEPT}) SELECT {KEPT} {same}", (edit.sample_id, edit.sha256))
    db.execute(f"DELETE {same}", (edit.sample_id, edit.sha256))


def read_edit(row: Sequence[Any]) -> Edit:
    flags, source, inputs, editor_id, origin = row[16:21]
    made = Made(source, inputs, editor_id or "") if source and inputs else None
    fields: list[Any] = [*row[:7], read_failure(row[7:10]), *row[10:16], tuple((flags or "").split()), made]
    return Edit(*[*fields, origin or ""])


def failure_columns(error: Failure | None) -> tuple[str | None, str | None, str | None]:
    if error is None:
        return None, None, None
    return storable_text(error.reason), storable_text(error.message), storable_text(error.traceback)


def read_failure(row: Sequence[Any]) -> Failure | None:
    return Failure(*row) if row[0] is not None else None


def storable_text(text: str) -> str:
    """`text` as SQLite can hold it: half a surrogate pair (a judge may say anything) becomes its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def value_of(ledger: Path, text: str) -> Any:
    """The value of JSON in a ledger. Raises MachineError, which names the ledger, for what is none."""
    try:
        return from_json(text)
    except (ValueError, TypeError) as error:
        raise MachineError(f"{ledger}: the ledger is corrupt: {error}; restore a backup") from error


_HINTS: dict[type, dict[str, object]] = {}


def parsed(known: type[T], data: Json) -> T:
    """A dataclass from JSON values, lists as tuples. Raises TypeError if a field without default is missing."""
    hints = _hints(known)
    return known(**{name: _value(hints[name], value) for name, value in data.items() if name in hints})


def _hints(known: type) -> dict[str, object]:
    """The type of every field, by name."""
    if known not in _HINTS:
        assert is_dataclass(known)
        hints = get_type_hints(known)
        _HINTS[known] = {one.name: hints[one.name] for one in fields(known)}
    return _HINTS[known]


def _value(hint: object, value: object) -> object:
    """`value`, read from JSON, as the type `hint` has it; as it is where that says nothing."""
    if not isinstance(value, dict | list):
        return value
    wanted, inner, is_tuple = _parts(hint)
    if isinstance(value, dict) and isinstance(wanted, type) and is_dataclass(wanted):
        return parsed(wanted, value)
    if isinstance(value, dict) and inner:
        return {key: _value(inner[1], part) for key, part in value.items()}
    if isinstance(value, list) and is_tuple:
        return tuple(_value(inner[0], part) for part in value)
    return value


@cache
def _parts(hint: object) -> tuple[object, tuple[object, ...], bool]:
    """(the type, without None; what it is of; whether it is a tuple)."""
    options = get_args(hint)
    wanted = next((one for one in options if one is not NoneType), hint) if NoneType in options else hint
    return wanted, get_args(wanted), get_origin(wanted) is tuple


def as_json(record: object) -> str:
    """The fields of a dataclass as the ledger keeps them: those that are None by default are left out while None."""
    assert is_dataclass(record) and not isinstance(record, type)
    values = asdict(record)
    unknown = [one.name for one in fields(record) if one.default is None and values[one.name] is None]
    return json.dumps({name: value for name, value in values.items() if name not in unknown}, allow_nan=False)
