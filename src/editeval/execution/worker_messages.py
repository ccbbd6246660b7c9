"""What parent and worker say to each other: the only place that knows how a request, a result or a score travels.

A unit of work is one EditRequest for an editor and a tuple of JudgeRequests (a batch) for a judge. The parent sends
spec, request, start, drop, paid and exit; a worker sends the messages below. The parent believes none of them before
`read_message` has looked at it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TypeGuard, TypeVar

from editeval.execution.transport import Frame, Header
from editeval.types import EditRequest, Failure, JudgeRequest, Score, UsageRequest

T = TypeVar("T")
PROTOCOL_ERROR = "sent what makes no sense"
"""How a worker ended that had to be killed because it said something that no worker says."""
Unit = EditRequest | tuple[JudgeRequest, ...]
Fact = str | float | bool | None
"""What a loaded model may say of itself, under a name."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker loads. `params` are the plug-in's parameters as JSON values."""

    kind: str  # "editors" | "judges"
    type: str
    params: Mapping[str, object] = field(default_factory=dict)
    allow_code: bool = False

    @property
    def stage(self) -> str:
        """ "edit" or "judge"."""
        return "edit" if self.kind == "editors" else "judge"


@dataclass(frozen=True, slots=True)
class EncodedEdit:
    """An edited image as it leaves the worker: PNG bytes, width and height in pixels, and what is odd about it."""

    png: bytes
    width: int
    height: int
    flags: tuple[str, ...] = ()  # of images.FLAGS


Value = EncodedEdit | list[list[Score]]
"""What a unit becomes: an edit, or the scores of each request of a batch."""

# -- what a worker says ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded."""

    pid: int
    started_at: float  # unix seconds
    ended_at: float
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The model cannot be loaded; the worker leaves."""

    error: Failure
    user: bool  # the error is the user's to put right


@dataclass(frozen=True, slots=True)
class BudgetQuestion:
    """Whether that may be spent; the parent answers "paid" with the same number."""

    number: int
    bill: UsageRequest


@dataclass(frozen=True, slots=True)
class StepDone:
    """How far the running edit is."""

    key: str
    step: int
    num_steps: int


@dataclass(frozen=True, slots=True)
class Done:
    """The device is free. Without an error a Delivery of the same key follows."""

    key: str
    started_at: float  # unix seconds
    seconds: float
    peak_memory_gib: float | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of a request whose Done had no error, or why it could not be handed over."""

    key: str
    result: Value | Failure


WorkerMessage = Ready | LoadFailed | BudgetQuestion | StepDone | Done | Delivery
_TYPES = {Ready: "ready", LoadFailed: "load_failed", BudgetQuestion: "pay", StepDone: "progress", Done: "done"}


def pack_message(message: WorkerMessage) -> Frame:
    """The frame that carries `message`."""
    if not isinstance(message, Delivery):
        found = {name: value for name, value in asdict(message).items() if name != "error" or value is not None}
        return {"type": _TYPES[type(message)]} | found, []
    header, result = {"type": "result", "key": message.key}, message.result
    if isinstance(result, Failure):
        return header | {"error": asdict(result)}, []
    if isinstance(result, EncodedEdit):
        size = {"width": result.width, "height": result.height, "flags": list(result.flags)}
        return header | size, [result.png]
    return header | {"scores": [[asdict(score) for score in row] for row in result]}, []


MAX_NUMBER = 10**15
"""No count and no amount that a worker says is larger: it has a place in the ledger, and can be computed with."""
_MAX_TIME = 2e10
"""Unix seconds of the year 2603."""


def read_message(header: Header, blobs: Sequence[bytes]) -> WorkerMessage | None:
    """What a worker said; None for a type that is not known. Raises ValueError for what no worker says."""
    kind = _get(header, "type", str)
    error = _failure(header["error"]) if "error" in header else None
    if kind == "ready":
        facts = header.get("facts")
        if not are_facts(facts):
            raise ValueError(f"facts: {facts!r}")
        times = _amount(header, "started_at", _MAX_TIME), _amount(header, "ended_at", _MAX_TIME)
        return Ready(_whole(header, "pid"), *times, facts)
    if kind == "load_failed" and error is not None:
        return LoadFailed(error, bool(header.get("user")))
    if kind == "pay":
        return BudgetQuestion(_get(header, "number", int), _bill(header.get("bill")))
    if kind == "progress":
        return StepDone(_get(header, "key", str), _whole(header, "step", -MAX_NUMBER), _whole(header, "num_steps"))
    if kind == "done":
        peak = None if header.get("peak_memory_gib") is None else _amount(header, "peak_memory_gib")
        times = _amount(header, "started_at", _MAX_TIME), _amount(header, "seconds")
        return Done(_get(header, "key", str), *times, peak, error)
    if kind == "result":
        return Delivery(_get(header, "key", str), error or _value(header, blobs))
    if kind == "load_failed":
        raise ValueError("load_failed without an error")
    return None


def are_facts(value: object) -> TypeGuard[Mapping[str, Fact]]:
    """Whether a model may say `value` of itself: names, each with a string, a finite number, true, false or null."""
    return isinstance(value, Mapping) and all(isinstance(k, str) and _is_fact(v) for k, v in value.items())


def _is_fact(value: object) -> bool:
    return value is None or isinstance(value, str) or _is_finite(value)


def _is_finite(value: object) -> TypeGuard[float]:
    """Whether it is a number that a float can hold: JSON knows 1e999, and integers of any size."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def _get(header: Header, name: str, kind: type[T]) -> T:
    value = header.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"{name}: {value!r}")
    return value


def _is_amount(value: object, most: float = MAX_NUMBER) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most  # False for NaN


def _amount(header: Header, name: str, most: float = MAX_NUMBER) -> float:
    value = header.get(name)
    if not _is_amount(value, most):
        raise ValueError(f"{name}: {value!r}")
    return value


def _whole(header: Header, name: str, least: int = 0) -> int:
    value = header.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_NUMBER:
        raise ValueError(f"{name}: {value!r}")
    return value


def _value(header: Header, blobs: Sequence[bytes]) -> Value:
    if "scores" in header:
        return unpack_scores(header["scores"])
    flags = _get(header, "flags", list)
    if len(blobs) != 1 or not all(isinstance(flag, str) for flag in flags):
        raise ValueError(f"{len(blobs)} images, flags {flags!r}")
    return EncodedEdit(blobs[0], _whole(header, "width"), _whole(header, "height"), tuple(flags))


def unpack_scores(rows: object) -> list[list[Score]]:
    """Scores from JSON values. Raises ValueError; Score itself checks range and reason."""
    if not isinstance(rows, list):
        raise ValueError(f"scores: {rows!r}")
    try:
        found = [[_score(score) for score in row] for row in rows]
    except TypeError as error:
        raise ValueError(f"scores: {error}") from error
    if not all(found):
        raise ValueError("scores: a row without scores says nothing")
    return found


def _score(row: Mapping[str, object]) -> Score:
    names = ("sample_id", "judge", "metric", "raw", "reason")
    is_sound = isinstance(row, dict) and all(isinstance(row.get(name, ""), str) for name in names)
    value = row.get("value") if is_sound else None
    is_value = value is None or (
        isinstance(value, int | float) and _is_amount(abs(value)) and not isinstance(value, bool)
    )
    if not (is_sound and is_value and _is_amount(row.get("seconds", 0.0))):
        raise TypeError(f"{row!r}")
    return Score(**row)  # type: ignore[arg-type]  # checked above


def _failure(value: object) -> Failure:
    names = {"reason", "message", "traceback"}
    if isinstance(value, dict) and value.keys() == names and all(isinstance(text, str) for text in value.values()):
        return Failure(**value)
    raise ValueError(f"error: {value!r}")


def _bill(value: object) -> UsageRequest:
    limits = ("max_calls", "max_usd")  # which there need not be
    if not isinstance(value, dict) or value.keys() != {each.name for each in fields(UsageRequest)}:
        raise ValueError(f"bill: {value!r}")
    for name, amount in value.items():
        if not _is_amount(amount) and not (amount is None and name in limits):
            raise ValueError(f"bill: {name}: {amount!r}")
    return UsageRequest(**value)


# -- what a parent says ------------------------------------------------------------------------------------------------


def pack_spec(spec: WorkerSpec, devices: Sequence[str], worker: int) -> Header:
    """The first message to a worker: what to load where, and its number."""
    return {"spec": asdict(spec), "devices": list(devices), "worker": worker}


def unpack_spec(header: Header) -> tuple[WorkerSpec, list[str], int]:
    """What `pack_spec` packed."""
    return WorkerSpec(**_get(header, "spec", dict)), _get(header, "devices", list), _get(header, "worker", int)


_OF_EDITS = ("target", "found")
"""Fields of an EditRequest that are one encoded image, if they are there."""
_PICTURES = ("edited", "target", "mask", "edited_b")
_LISTS = ("sources", "references")
"""Fields of a JudgeRequest that are one encoded image, and several."""


def pack_unit(key: str, unit: Unit) -> Frame:
    """The frame that carries `unit`."""
    if isinstance(unit, EditRequest):
        edit = {"key": unit.key, "instruction": unit.instruction, "seed": unit.seed, "overrides": dict(unit.overrides)}
        more = {name: data for name in _OF_EDITS if (data := getattr(unit, name)) is not None}
        header = {"type": "request", "key": key, "edit": edit, "num_images": len(unit.images), "also": list(more)}
        return header, [*unit.images, *more.values()]
    blobs: list[bytes] = []
    rows = []
    for request in unit:
        row: dict[str, object] = {
            "key": request.key,
            "instruction": request.instruction,
            "prompt": list(request.prompt) if request.prompt else None,
            "metadata": dict(request.metadata),
            "reference_text": request.reference_text,
            "language": request.language,
        }
        for name in _PICTURES:
            data = getattr(request, name)
            row[name] = None if data is None else len(blobs)
            blobs += [] if data is None else [data]
        for name in _LISTS:
            listed = getattr(request, name)
            row[name] = [len(blobs), len(blobs) + len(listed)]
            blobs += listed
        rows.append(row)
    return {"type": "request", "key": key, "judge": rows}, blobs


def unpack_unit(header: Header, blobs: Sequence[bytes]) -> Unit:
    """The unit that `pack_unit` packed."""
    if "edit" in header:
        num = _get(header, "num_images", int)
        more = dict(zip(_get(header, "also", list), blobs[num:], strict=True))
        return EditRequest(images=tuple(blobs[:num]), **more, **_get(header, "edit", dict))
    return tuple(_judge_request(dict(row), blobs) for row in _get(header, "judge", list))


def _judge_request(row: dict[str, object], blobs: Sequence[bytes]) -> JudgeRequest:
    prompt = row["prompt"]
    single = {name: blobs[_get(row, name, int)] for name in _PICTURES if row[name] is not None}
    lists = {name: tuple(blobs[slice(*_get(row, name, list))]) for name in _LISTS}
    return JudgeRequest(
        key=_get(row, "key", str),
        sources=lists["sources"],
        edited=single["edited"],
        instruction=_get(row, "instruction", str),
        target=single.get("target"),
        mask=single.get("mask"),
        prompt=(prompt[0], prompt[1]) if isinstance(prompt, list) else None,
        metadata=_get(row, "metadata", dict),
        references=lists["references"],
        reference_text=_get(row, "reference_text", str),
        language=_get(row, "language", str),
        edited_b=single.get("edited_b"),
    )
