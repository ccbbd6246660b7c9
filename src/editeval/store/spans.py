"""When every worker did what, over all invocations of a run: what a Gantt chart and a table of times are drawn from.

Times are seconds since the run began; the time between two invocations is taken out and marked. The size of the
result is bounded: neighbours that no drawing could tell apart are merged.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from editeval.store.run_store import RunStore

MAX_SPANS = 6000
MAX_HISTORIES = 5000
LOAD, DONE, FAILED = "load", "done", "failed"


@dataclass(frozen=True, slots=True)
class Spans:
    """`timeline`: JSON values, empty if nothing ran. `histories`: the failed attempts of samples that have any."""

    timeline: Mapping[str, Any]
    histories: Mapping[str, Sequence[Mapping[str, Any]]]


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


def spans_of(store: RunStore) -> Spans:
    """One pass over the attempts of the run."""
    events = store.events()
    invocations = [event["at"] for event in events if event["kind"] == "invocation"]
    resolution = _resolution(events)
    lanes: dict[tuple[str, str, int], _Lane] = {}
    histories: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        if event["kind"] == "load":
            data = event["data"]
            lane = _lane(lanes, data)
            lane.add(data["started_at"], data["ended_at"], LOAD, resolution)
    for attempt in store.attempts():
        made: dict[str, Any] = {"stage": attempt.stage, "judging_id": attempt.judging_id}
        made |= {"worker": attempt.worker, "device": attempt.device}
        if attempt.started_at > 0 and attempt.worker >= 0:
            lane = _lane(lanes, made)
            lane.num_requests += 1
            kind = FAILED if attempt.error else DONE
            lane.add(attempt.started_at, attempt.started_at + attempt.seconds, kind, resolution)
        if attempt.error is not None and (attempt.sample_id in histories or len(histories) < MAX_HISTORIES):
            told: dict[str, Any] = made | {"attempt": attempt.attempt, "seconds": attempt.seconds}
            told |= {"reason": attempt.error.reason, "message": attempt.error.message[:2000]}
            histories.setdefault(attempt.sample_id, []).append(told)
    return Spans(_timeline(list(lanes.values()), invocations, store.events("batch")), histories)


def _lane(lanes: dict[tuple[str, str, int], _Lane], data: Mapping[str, Any]) -> _Lane:
    key = str(data["stage"]), str(data.get("judging_id") or ""), int(data["worker"])
    return lanes.setdefault(key, _Lane(*key, str(data.get("device", ""))))


def _resolution(events: Sequence[Mapping[str, Any]]) -> float:
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


def _timeline(lanes: list[_Lane], invocations: list[float], batches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every time as seconds since the beginning, without the pauses between invocations."""
    parts = _parts(lanes, invocations)
    if not parts:
        return {}

    def moved(at: float) -> float:
        part = parts[max(0, bisect.bisect_right([p.begin for p in parts], at) - 1)]
        return round(at - part.begin + part.offset, 4)

    return {
        "seconds": round(parts[-1].offset + parts[-1].end - parts[-1].begin, 4),
        "pauses": [{"at": p.offset, "seconds": p.pause} for p in parts[1:]],
        "phases": _phases(parts, lanes),
        "batches": [moved(b["data"]["started_at"]) for b in batches],
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
            for lane in sorted(lanes, key=lambda lane: (lane.stage != "edit", lane.judging_id, lane.worker))
        ],
    }


@dataclass(slots=True)
class _Part:
    """What happened in one invocation: [begin, end], where it starts on the cut time axis, and the pause before it."""

    begin: float
    end: float
    offset: float = 0.0
    pause: float = 0.0
    envelopes: dict[str, tuple[float, float]] = field(default_factory=dict)  # stage -> first start, last end


def _parts(lanes: Sequence[_Lane], invocations: Sequence[float]) -> list[_Part]:
    parts: dict[int, _Part] = {}
    for lane in lanes:
        for start, end, kind, _ in lane.spans:
            number = bisect.bisect_right(invocations, start)
            part = parts.setdefault(number, _Part(start, end))
            part.begin, part.end = min(part.begin, start), max(part.end, end)
            if kind != LOAD:
                first, last = part.envelopes.get(lane.stage, (start, end))
                part.envelopes[lane.stage] = (min(first, start), max(last, end))
    ordered = [parts[number] for number in sorted(parts)]
    for before, part in itertools.pairwise(ordered):
        part.offset = round(before.offset + before.end - before.begin, 4)
        part.pause = round(max(0.0, part.begin - before.end), 1)
    return ordered


def _phases(parts: Sequence[_Part], lanes: Sequence[_Lane]) -> dict[str, float]:
    """Seconds of wall time: loading before the first edit, editing, swapping models, judging, both at once."""
    total = dict.fromkeys(("load_s", "edit_s", "swap_s", "judge_s", "both_s"), 0.0)
    for part in parts:
        edit, judge = part.envelopes.get("edit"), part.envelopes.get("judge")
        if edit and judge:
            both = max(0.0, edit[1] - judge[0])
            total["both_s"] += both
            total["swap_s"] += max(0.0, judge[0] - edit[1])
            total["edit_s"] -= both
            total["judge_s"] -= both
        first = edit or judge
        if first:
            total["load_s"] += first[0] - part.begin
        for name, envelope in (("edit_s", edit), ("judge_s", judge)):
            total[name] += envelope[1] - envelope[0] if envelope else 0.0
    return {name: round(seconds, 4) for name, seconds in total.items()}


def _idle(parts: Sequence[_Part], lane: _Lane) -> float:
    """Seconds in which this worker's stage was running and it was not."""
    window = sum(end - start for part in parts for start, end in _envelope(part, lane.stage))
    return max(0.0, window - lane.busy_s)


def _envelope(part: _Part, stage: str) -> Iterator[tuple[float, float]]:
    if stage in part.envelopes:
        yield part.envelopes[stage]
