"""The only clock: what every second of a run went into, and when every worker did what.

Pure functions over the events and attempts of a ledger. An invocation lasts from its first sign of work (a stage
begins, a model loads) to its last result; the time between two invocations is taken out. A stage works from the start
of its first attempt to the end of its last one. Every second is then exactly one of

    load_s   no stage has worked yet: workers start, models load
    edit_s   editing alone
    both_s   editing and judging at once
    judge_s  judging alone
    swap_s   between two stages: workers end, other models load

and wall_s is their sum. A clock that was set back between two records does not count: what comes after it is moved to
where it would be. The size of the chart is bounded: neighbours that no drawing could tell apart are merged.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from editeval.store.ledger_events import BatchEnd, Event, Invocation, Load, Recorded, StageBegin, StageEnd
from editeval.store.records import Attempt
from editeval.types import Failure

MAX_SPANS = 6000
MAX_HISTORIES = 5000
LOAD, DONE, FAILED = "load", "done", "failed"
PHASES = ("load_s", "edit_s", "both_s", "swap_s", "judge_s")

_Stage = tuple[str, str]  # (stage, score set)


class FailedAttempt(TypedDict):
    """One failed attempt, as the page shows it."""

    stage: str
    judging_id: str
    worker: int
    device: str
    attempt: int
    seconds: float
    reason: str
    message: str


class WorkerTime(TypedDict):
    """Where the time of one editor worker went."""

    worker: int
    device: str
    busy_s: float
    idle_s: float
    num_edits: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """`seconds`: wall_s and PHASES. `chart`: JSON values, empty if nothing ran.

    `histories`: the failed attempts of samples that have any.
    """

    seconds: Mapping[str, float]
    workers: Sequence[WorkerTime]
    chart: Mapping[str, object]
    histories: Mapping[str, Sequence[FailedAttempt]]
    set_back_s: float = 0.0  # by which the clock was set back while work was recorded


SLACK_S = 30.0
"""Records of one machine are this much out of order at most; more than that, and its clock was set back."""


class _Clock:
    """Turns the times of records, in the order of recording, into times that do not go back."""

    def __init__(self) -> None:
        self.set_back_s = 0.0
        self._latest = -math.inf

    def moved(self, at: float, seconds: float = 0.0) -> float:
        """By how much the times of a record have to be moved that was made at `at`, after work of so many seconds."""
        behind = self._latest - (at + self.set_back_s)
        if behind > SLACK_S:
            self.set_back_s += behind + seconds
        self._latest = max(self._latest, at + self.set_back_s)
        return self.set_back_s


def _steady_events(events: Sequence[Recorded[Event]], clock: _Clock) -> list[Recorded[Event]]:
    found = []
    for one in events:
        by, event = clock.moved(one.at), one.event
        if by and isinstance(event, Load):
            event = replace(event, started_at=event.started_at + by, ended_at=event.ended_at + by)
        elif by and isinstance(event, BatchEnd):
            event = replace(event, started_at=event.started_at + by)
        found.append(replace(one, at=one.at + by, event=event))
    return found


def _steady_attempts(attempts: Iterable[Attempt], clock: _Clock) -> Iterator[Attempt]:
    for one in attempts:
        by = clock.moved(one.started_at + one.seconds, one.seconds) if one.started_at > 0 else 0.0
        yield replace(one, started_at=one.started_at + by) if by else one


def timeline_of(events: Sequence[Recorded[Event]], attempts: Iterable[Attempt]) -> Timeline:
    """Everything that is said about time, in one pass over the attempts.

    On a cluster every node has a clock of its own, and none is corrected.
    """
    clocks = _Clock(), _Clock()
    if not any(isinstance(one.event, StageBegin) and _is_of_cluster(one.event) for one in events):
        events, attempts = _steady_events(events, clocks[0]), _steady_attempts(attempts, clocks[1])
    rows = _Rows(_resolution(events))
    histories: dict[str, list[FailedAttempt]] = {}
    for load in (recorded.event for recorded in events):
        if isinstance(load, Load):
            row = rows.of(load.stage, load.judging_id, load.worker, load.device)
            row.add(load.started_at, load.ended_at, LOAD, rows.resolution)
    for attempt in attempts:
        error = attempt.error
        if attempt.started_at > 0 and attempt.worker >= 0:
            row = rows.of(attempt.stage, attempt.judging_id, attempt.worker, attempt.device)
            row.num_requests += 1
            row.num_done += error is None
            ended_at = attempt.started_at + attempt.seconds
            row.add(attempt.started_at, ended_at, FAILED if error else DONE, rows.resolution)
        if error is not None and (attempt.sample_id in histories or len(histories) < MAX_HISTORIES):
            histories.setdefault(attempt.sample_id, []).append(_failed(attempt, error))
    ordered = sorted(rows.known.values(), key=lambda row: (row.stage != "edit", row.judging_id, row.worker))
    parts = _parts(ordered, events)
    seconds = _seconds(parts)
    chart = _chart(parts, ordered, events, seconds)
    return Timeline(seconds, _workers(parts, ordered), chart, histories, max(clock.set_back_s for clock in clocks))


def _is_of_cluster(begin: StageBegin) -> bool:
    return any(device.startswith("ray:") for device in begin.devices)


def _failed(attempt: Attempt, error: Failure) -> FailedAttempt:
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
class _Span:
    """A stretch of loading, of requests that were done, or of ones that failed."""

    start: float
    end: float
    kind: str
    num_requests: int = 1


@dataclass(slots=True)
class _Row:
    """One worker of one stage."""

    stage: str
    judging_id: str
    worker: int
    device: str
    busy_s: float = 0.0
    load_s: float = 0.0
    num_requests: int = 0
    num_done: int = 0
    spans: list[_Span] = field(default_factory=list)

    def add(self, start: float, end: float, kind: str, resolution: float) -> None:
        last = self.spans[-1] if self.spans and self.spans[-1].kind == kind else None
        if last is not None and last.start <= start and end <= last.end:
            return  # a judge's batch: its samples share one span
        if kind == LOAD:
            self.load_s += end - start
        else:
            self.busy_s += end - start
        if last is not None and 0 <= start - last.end < resolution and end - last.start < resolution:
            last.end, last.num_requests = end, last.num_requests + 1
        else:
            self.spans.append(_Span(start, end, kind))


@dataclass(slots=True)
class _Rows:
    """The rows of the chart, by stage, score set and worker."""

    resolution: float
    known: dict[tuple[str, str, int], _Row] = field(default_factory=dict)

    def of(self, stage: str, judging_id: str, worker: int, device: str) -> _Row:
        key = stage, judging_id, worker
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = _Row(*key, device)
        return found


def _resolution(events: Sequence[Recorded[Event]]) -> float:
    """Seconds below which neighbours are merged, so that MAX_SPANS are enough for everything."""
    workers: set[tuple[str, str, int]] = set()
    begun: dict[str, float] = {}
    total = 0.0
    for recorded in events:
        event = recorded.event
        if isinstance(event, Load):
            workers.add((event.stage, event.judging_id, event.worker))
        elif isinstance(event, StageBegin):
            begun[event.stage] = recorded.at
        elif isinstance(event, StageEnd) and event.stage in begun:
            total += recorded.at - begun.pop(event.stage)
    return total * max(1, len(workers)) / MAX_SPANS


@dataclass(slots=True)
class _Part:
    """What happened in one invocation: [begin, end], where it starts on the cut time axis, and the pause before it."""

    begin: float
    end: float
    offset: float = 0.0
    pause: float = 0.0
    working: dict[_Stage, tuple[float, float]] = field(default_factory=dict)  # first start, last end


def _parts(rows: Sequence[_Row], events: Sequence[Recorded[Event]]) -> list[_Part]:
    invocations = [recorded.at for recorded in events if isinstance(recorded.event, Invocation)]
    parts: dict[int, _Part] = {}
    for row in rows:
        key = row.stage, row.judging_id
        for span in row.spans:
            start, end = span.start, span.end
            part = parts.setdefault(bisect.bisect_right(invocations, start), _Part(start, end))
            part.begin, part.end = min(part.begin, start), max(part.end, end)
            if span.kind != LOAD:
                first, last = part.working.get(key, (start, end))
                part.working[key] = (min(first, start), max(last, end))
    for recorded in events:
        begun = parts.get(bisect.bisect_right(invocations, recorded.at))
        if isinstance(recorded.event, StageBegin) and begun is not None:
            begun.begin = min(begun.begin, recorded.at)
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


def _workers(parts: Sequence[_Part], rows: Sequence[_Row]) -> list[WorkerTime]:
    return [
        {
            "worker": row.worker,
            "device": row.device,
            "busy_s": row.busy_s,
            "idle_s": _idle(parts, row),
            "num_edits": row.num_done,
        }
        for row in rows
        if row.stage == "edit" and row.num_requests
    ]


def _idle(parts: Sequence[_Part], row: _Row) -> float:
    """Seconds in which this worker's stage was working and it was not."""
    spans = (part.working.get((row.stage, row.judging_id)) for part in parts)
    return max(0.0, sum(span[1] - span[0] for span in spans if span is not None) - row.busy_s)


def _chart(
    parts: Sequence[_Part], rows: Sequence[_Row], events: Sequence[Recorded[Event]], seconds: Mapping[str, float]
) -> dict[str, object]:
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
        "batches": [moved(one.event.started_at) for one in events if isinstance(one.event, BatchEnd)],
        "lanes": [
            {
                "stage": row.stage,
                "judging_id": row.judging_id,
                "worker": row.worker,
                "device": row.device,
                "load_s": row.load_s,
                "busy_s": row.busy_s,
                "idle_s": _idle(parts, row),
                "num_requests": row.num_requests,
                "spans": [[moved(s.start), round(s.end - s.start, 4), s.kind, s.num_requests] for s in row.spans],
            }
            for row in rows
        ],
    }
