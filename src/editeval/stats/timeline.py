"""The only clock: what every second of a run went into, and when every worker did what.

Pure functions over the events and attempts of a ledger. An invocation lasts from its first sign of work (a stage
begins, a model loads) to its last result; the time between two invocations is taken out. A stage works from the start
of its first attempt to the end of its last one. Every second is then exactly one of

    load_s   no stage has worked yet: workers start, models load
    edit_s   editing alone
    both_s   editing and judging at once
    judge_s  judging alone
    swap_s   between two stages: workers end, other models load

and wall_s is their sum. The size of the chart is bounded: neighbours that no drawing could tell apart are merged.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from editeval.types import Failure

MAX_SPANS = 6000
MAX_HISTORIES = 5000
LOAD, DONE, FAILED = "load", "done", "failed"
PHASES = ("load_s", "edit_s", "both_s", "swap_s", "judge_s")

Event = Mapping[str, Any]  # "at", "kind" and "data", as the ledger keeps them
_Stage = tuple[str, str]  # (stage, score set)


class TimedAttempt(Protocol):
    """What the clock reads of one attempt."""

    @property
    def stage(self) -> str: ...
    @property
    def judging_id(self) -> str: ...
    @property
    def sample_id(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def worker(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def started_at(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def error(self) -> Failure | None: ...


@dataclass(frozen=True, slots=True)
class Timeline:
    """`seconds`: wall_s and PHASES. `chart`: JSON values, empty if nothing ran.

    `workers`: busy and idle seconds and finished edits of each editor worker.
    `histories`: the failed attempts of samples that have any.
    """

    seconds: Mapping[str, float]
    workers: Sequence[Mapping[str, Any]]
    chart: Mapping[str, Any]
    histories: Mapping[str, Sequence[Mapping[str, Any]]]


def timeline_of(events: Sequence[Event], attempts: Iterable[TimedAttempt]) -> Timeline:
    """Everything that is said about time, in one pass over the attempts."""
    lanes: dict[tuple[str, str, int], _Lane] = {}
    histories: dict[str, list[Mapping[str, Any]]] = {}
    resolution = _resolution(events)
    for event in events:
        if event["kind"] == "load":
            data = event["data"]
            lane = _lane(lanes, str(data["stage"]), str(data.get("judging_id") or ""), int(data["worker"]), data)
            lane.add(data["started_at"], data["ended_at"], LOAD, resolution)
    for attempt in attempts:
        if attempt.started_at > 0 and attempt.worker >= 0:
            about = {"device": attempt.device}
            lane = _lane(lanes, attempt.stage, attempt.judging_id, attempt.worker, about)
            lane.num_requests += 1
            lane.num_done += attempt.error is None
            kind = FAILED if attempt.error else DONE
            lane.add(attempt.started_at, attempt.started_at + attempt.seconds, kind, resolution)
        if attempt.error is not None and (attempt.sample_id in histories or len(histories) < MAX_HISTORIES):
            histories.setdefault(attempt.sample_id, []).append(_told(attempt, attempt.error))
    ordered = sorted(lanes.values(), key=lambda lane: (lane.stage != "edit", lane.judging_id, lane.worker))
    parts = _parts(ordered, events)
    seconds = _seconds(parts)
    return Timeline(seconds, _workers(parts, ordered), _chart(parts, ordered, events, seconds), histories)


def _told(attempt: TimedAttempt, error: Failure) -> dict[str, Any]:
    return {
        "stage": attempt.stage,
        "judging_id": attempt.judging_id,
        "worker": attempt.worker,
        "device": attempt.device,
        "attempt": attempt.attempt,
        "seconds": attempt.seconds,
        "reason": error.reason,
        "message": error.message[:2000],
    }


@dataclass(slots=True)
class _Lane:
    """One worker of one stage."""

    stage: str
    judging_id: str
    worker: int
    device: str
    busy_s: float = 0.0
    load_s: float = 0.0
    num_requests: int = 0
    num_done: int = 0
    spans: list[list[Any]] = field(default_factory=list)  # [start, end, kind, number of requests]

    def add(self, start: float, end: float, kind: str, resolution: float) -> None:
        last = self.spans[-1] if self.spans else None
        if last is not None and last[2] == kind and last[0] <= start and end <= last[1]:
            return  # a judge's batch: its samples share one span
        if kind == LOAD:
            self.load_s += end - start
        else:
            self.busy_s += end - start
        is_near = last is not None and 0 <= start - last[1] < resolution and last[2] == kind
        if is_near and last is not None and end - last[0] < resolution:
            last[1], last[3] = end, last[3] + 1
        else:
            self.spans.append([start, end, kind, 1])


def _lane(
    lanes: dict[tuple[str, str, int], _Lane], stage: str, judging_id: str, worker: int, about: Mapping[str, Any]
) -> _Lane:
    key = stage, judging_id, worker
    found = lanes.get(key)
    if found is None:
        found = lanes[key] = _Lane(*key, str(about.get("device", "")))
    return found


def _resolution(events: Sequence[Event]) -> float:
    """Seconds below which neighbours are merged, so that MAX_SPANS are enough for everything."""
    loads = [e["data"] for e in events if e["kind"] == "load"]
    workers = {(load.get("stage"), load.get("judging_id"), load.get("worker")) for load in loads}
    begun: dict[str, float] = {}
    total = 0.0
    for event in events:
        stage = event["data"].get("stage", "")
        if event["kind"] == "stage_begin":
            begun[stage] = event["at"]
        elif event["kind"] == "stage_end" and stage in begun:
            total += event["at"] - begun.pop(stage)
    return total * max(1, len(workers)) / MAX_SPANS


@dataclass(slots=True)
class _Part:
    """What happened in one invocation: [begin, end], where it starts on the cut time axis, and the pause before it."""

    begin: float
    end: float
    offset: float = 0.0
    pause: float = 0.0
    working: dict[_Stage, tuple[float, float]] = field(default_factory=dict)  # first start, last end


def _parts(lanes: Sequence[_Lane], events: Sequence[Event]) -> list[_Part]:
    invocations = [event["at"] for event in events if event["kind"] == "invocation"]
    parts: dict[int, _Part] = {}
    for lane in lanes:
        key = lane.stage, lane.judging_id
        for start, end, kind, _ in lane.spans:
            part = parts.setdefault(bisect.bisect_right(invocations, start), _Part(start, end))
            part.begin, part.end = min(part.begin, start), max(part.end, end)
            if kind != LOAD:
                first, last = part.working.get(key, (start, end))
                part.working[key] = (min(first, start), max(last, end))
    for event in events:
        if event["kind"] == "stage_begin":
            begun = parts.get(bisect.bisect_right(invocations, event["at"]))
            if begun is not None:
                begun.begin = min(begun.begin, event["at"])
    ordered = [parts[number] for number in sorted(parts)]
    for before, part in itertools.pairwise(ordered):
        part.offset = round(before.offset + before.end - before.begin, 4)
        part.pause = round(max(0.0, part.begin - before.end), 1)
    return ordered


def _seconds(parts: Sequence[_Part]) -> dict[str, float]:
    """wall_s and PHASES over all invocations; every second of an invocation is in one of them."""
    total = dict.fromkeys(PHASES, 0.0)
    for part in parts:
        for phase, seconds in _phases(part):
            total[phase] += seconds
    wall = sum(part.end - part.begin for part in parts)
    return {name: round(seconds, 4) for name, seconds in {"wall_s": wall, **total}.items()}


def _phases(part: _Part) -> Iterator[tuple[str, float]]:
    """(phase, seconds) of every stretch of an invocation in which the same stages work."""
    edges = {part.begin, part.end}
    edges.update(moment for span in part.working.values() for moment in span)
    has_worked = False
    for start, end in itertools.pairwise(sorted(edges)):
        at_work = {stage for (stage, _), (first, last) in part.working.items() if first <= start and end <= last}
        has_worked = has_worked or bool(at_work)
        if len(at_work) > 1:
            phase = "both_s"
        elif at_work:
            phase = f"{at_work.pop()}_s"
        else:
            phase = "swap_s" if has_worked else "load_s"
        yield phase, end - start


def _workers(parts: Sequence[_Part], lanes: Sequence[_Lane]) -> list[dict[str, Any]]:
    return [
        {
            "worker": lane.worker,
            "device": lane.device,
            "busy_s": lane.busy_s,
            "idle_s": _idle(parts, lane),
            "num_edits": lane.num_done,
        }
        for lane in lanes
        if lane.stage == "edit" and lane.num_requests
    ]


def _idle(parts: Sequence[_Part], lane: _Lane) -> float:
    """Seconds in which this worker's stage was working and it was not."""
    spans = (part.working.get((lane.stage, lane.judging_id)) for part in parts)
    return max(0.0, sum(span[1] - span[0] for span in spans if span is not None) - lane.busy_s)


def _chart(
    parts: Sequence[_Part], lanes: Sequence[_Lane], events: Sequence[Event], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Every time as seconds since the beginning, without the pauses between invocations."""
    if not parts:
        return {}
    begins = [part.begin for part in parts]

    def moved(at: float) -> float:
        part = parts[max(0, bisect.bisect_right(begins, at) - 1)]
        return round(at - part.begin + part.offset, 4)

    return {
        "seconds": seconds["wall_s"],
        "pauses": [{"at": part.offset, "seconds": part.pause} for part in parts[1:]],
        "phases": {name: seconds[name] for name in PHASES},
        "batches": [moved(event["data"]["started_at"]) for event in events if event["kind"] == "batch"],
        "lanes": [
            {
                "stage": lane.stage,
                "judging_id": lane.judging_id,
                "worker": lane.worker,
                "device": lane.device,
                "load_s": lane.load_s,
                "busy_s": lane.busy_s,
                "idle_s": _idle(parts, lane),
                "num_requests": lane.num_requests,
                "spans": [[moved(start), round(end - start, 4), kind, n] for start, end, kind, n in lane.spans],
            }
            for lane in lanes
        ],
    }
