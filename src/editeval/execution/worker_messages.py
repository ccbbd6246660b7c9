"""Requests and results as frames: the only place that knows how an EditRequest or a Score travels.

A unit of work is one EditRequest for an editor and a tuple of JudgeRequests (a batch) for a judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from editeval.execution.transport import Frame
from editeval.types import EditRequest, Failure, JudgeRequest, Score, UsageRequest

PROTOCOL_ERROR = "sent what makes no sense"
"""How a worker ended that had to be killed because it said something that no worker says."""
Unit = EditRequest | tuple[JudgeRequest, ...]


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker loads. `params` are the plug-in's parameters as JSON values."""

    kind: str  # "editors" | "judges"
    type: str
    params: Mapping[str, Any] = field(default_factory=dict)
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


def pack_unit(key: str, unit: Unit) -> Frame:
    """The frame that carries `unit`."""
    if isinstance(unit, EditRequest):
        edit = {"key": unit.key, "instruction": unit.instruction, "seed": unit.seed, "overrides": dict(unit.overrides)}
        return {"type": "request", "key": key, "edit": edit}, list(unit.images)
    blobs: list[bytes] = []
    rows = []
    for request in unit:
        row: dict[str, Any] = {
            "key": request.key,
            "instruction": request.instruction,
            "prompt": list(request.prompt) if request.prompt else None,
            "metadata": dict(request.metadata),
        }
        for name in ("source", "edited", "reference", "mask"):
            data = getattr(request, name)
            if data is not None:
                row[name] = len(blobs)
                blobs.append(data)
        rows.append(row)
    return {"type": "request", "key": key, "judge": rows}, blobs


def unpack_unit(header: Mapping[str, Any], blobs: Sequence[bytes]) -> Unit:
    """The unit that `pack_unit` packed."""
    if "edit" in header:
        return EditRequest(images=tuple(blobs), **header["edit"])
    return tuple(_unpack_judge_request(row, blobs) for row in header["judge"])


def _unpack_judge_request(row: Mapping[str, Any], blobs: Sequence[bytes]) -> JudgeRequest:
    def blob(name: str) -> bytes | None:
        return blobs[row[name]] if name in row else None

    return JudgeRequest(
        key=row["key"],
        source=blobs[row["source"]],
        edited=blobs[row["edited"]],
        instruction=row["instruction"],
        reference=blob("reference"),
        mask=blob("mask"),
        prompt=(row["prompt"][0], row["prompt"][1]) if row["prompt"] else None,
        metadata=row["metadata"],
    )


def pack_scores(scores: Sequence[Sequence[Score]]) -> list[list[dict[str, Any]]]:
    """Scores as JSON values."""
    return [[asdict(score) for score in row] for row in scores]


def unpack_scores(rows: Sequence[Sequence[Mapping[str, Any]]]) -> list[list[Score]]:
    """The scores that `pack_scores` packed; Score itself checks range and reason."""
    return [[Score(**score) for score in row] for row in rows]


def pack_failure(failure: Failure) -> dict[str, str]:
    """A failure as JSON values."""
    return asdict(failure)


_NUMBER = (int, float)
_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "ready": {"pid": int, "started_at": _NUMBER, "ended_at": _NUMBER, "facts": dict},
    "load_failed": {"error": dict},
    "pay": {"number": int, "bill": dict},
    "progress": {"key": str, "step": int, "num_steps": int},
    "done": {"key": str, "started_at": _NUMBER, "seconds": _NUMBER},
    "result": {"key": str},
}


def is_valid(header: Mapping[str, Any], blobs: Sequence[bytes]) -> bool:
    """Whether what a worker sent has the shape that its type must have. Types that are not known may have any."""
    kind = header.get("type")
    if not isinstance(kind, str):
        return False
    if not all(isinstance(header.get(name), wanted) for name, wanted in _FIELDS.get(kind, {}).items()):
        return False
    if kind == "ready":
        return are_facts(header["facts"])
    if kind == "pay":
        return _is_bill(header["bill"])
    if "error" in header:
        return _is_failure(header["error"])
    if "scores" in header:
        return _are_scores(header["scores"])
    return kind != "result" or (len(blobs) == 1 and _is_edit(header))


def are_facts(value: Any) -> bool:
    """Whether a model may say `value` of itself: names, each with a string, a finite number, true, false or null."""
    return isinstance(value, Mapping) and all(isinstance(k, str) and _is_scalar(v) for k, v in value.items())


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, _NUMBER) and math.isfinite(value))


def _is_edit(header: Mapping[str, Any]) -> bool:
    flags = header.get("flags")
    is_flagged = isinstance(flags, list) and all(isinstance(flag, str) for flag in flags)
    return is_flagged and all(isinstance(header.get(side), int) for side in ("width", "height"))


def _is_bill(value: Mapping[str, Any]) -> bool:
    limits = ("max_calls", "max_usd")  # which there need not be
    if value.keys() != {field.name for field in fields(UsageRequest)}:
        return False
    return all((v is None and name in limits) or _is_amount(v) for name, v in value.items())


def _is_amount(value: Any) -> bool:
    return isinstance(value, _NUMBER) and math.isfinite(value) and value >= 0


def _is_failure(value: Any) -> bool:
    names = {"reason", "message", "traceback"}
    return isinstance(value, dict) and value.keys() == names and all(isinstance(text, str) for text in value.values())


def _are_scores(value: Any) -> bool:
    try:
        return all(unpack_scores(value))  # a row without scores says nothing
    except (TypeError, ValueError):
        return False
