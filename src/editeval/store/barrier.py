"""Was the barrier of batch synchronisation kept? Judged by the times in the ledger, whatever the log said.

A batch is over when each of its requests has its final outcome. Nothing of a later batch may start before that, and no
attempt of the batch may end after it. Batches recorded before their members were are judged by their own spans.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from editeval.store.records import Attempt
from editeval.store.run_store import RunStore

TOLERANCE_S = 0.001  # a duration and a moment are read from two clocks
STEP_S = 0.05  # a clock that is behind a steady one by more was set back meanwhile: its times prove nothing


@dataclass(slots=True)
class _Invocation:
    """The batches of one invocation, in order: their events, and of each sample the batches it was in."""

    began_at: float
    is_one_clock: bool = True  # workers and parent are on one machine
    events: list[Mapping[str, Any]] = field(default_factory=list)
    batches_of: dict[str, list[int]] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any]) -> None:
        data, place = event["data"], len(self.events)
        self.events.append(event)
        self.is_one_clock = self.is_one_clock and bool(data.get("is_one_clock", True))
        for key in (*data.get("deferred", ()), *data.get("members", ())):
            self.batches_of.setdefault(key, []).append(place)

    def end_of(self, place: int) -> float:
        data = self.events[place]["data"]
        return float(data.get("ended_at", data["started_at"] + data["seconds"]))

    def has_step(self, place: int) -> bool:
        """Whether the clock was set back between the end of the batch before and that of this one."""
        if not 0 < place < len(self.events):
            return False
        before, data = self.events[place - 1]["data"], self.events[place]["data"]
        if "steady_s" not in before or "steady_s" not in data:
            return False
        steady_s = float(data["steady_s"] - before["steady_s"])
        return self.end_of(place) - self.end_of(place - 1) < steady_s - STEP_S

    def is_possible(self, seconds: float) -> bool:
        """Whether a crossing can be so long. One that lasted longer than all the batches shows a clock that was set."""
        return seconds <= max(float(event["data"].get("steady_s", math.inf)) for event in self.events)


def crossed(store: RunStore) -> dict[int, str]:
    """The batches whose end was no barrier: number of the event -> what crossed it most, in words."""
    worst: dict[int, tuple[float, str]] = {}
    for seq, seconds, what in _crossings(store):
        if seconds > TOLERANCE_S and seconds > worst.get(seq, (0.0, ""))[0]:
            worst[seq] = seconds, what
    return {seq: what for seq, (_, what) in sorted(worst.items())}


def _crossings(store: RunStore) -> Iterator[tuple[int, float, str]]:
    invocations = _invocations(store)
    for invocation in invocations:
        yield from _overlaps(invocation)
    began = [invocation.began_at for invocation in invocations]
    num_tries: dict[tuple[int, str], int] = {}
    for attempt in store.attempts("edit"):
        number = bisect.bisect_right(began, attempt.started_at) - 1
        if number < 0 or not invocations[number].batches_of or not invocations[number].is_one_clock:
            continue
        tries = num_tries[number, attempt.sample_id] = num_tries.get((number, attempt.sample_id), -1) + 1
        for seq, seconds, what in _of_attempt(invocations[number], attempt, tries):
            if seconds > TOLERANCE_S and invocations[number].is_possible(seconds):
                yield seq, seconds, what


def _invocations(store: RunStore) -> list[_Invocation]:
    found: list[_Invocation] = []
    for event in store.events():
        if event["kind"] == "invocation" or not found:
            found.append(_Invocation(event["at"]))
        if event["kind"] == "stage_begin" and any(d.startswith("ray:") for d in event["data"]["devices"]):
            found[-1].is_one_clock = False
        if event["kind"] == "batch":
            found[-1].add(event)
    return found


def _overlaps(invocation: _Invocation) -> Iterator[tuple[int, float, str]]:
    """Batches that began before the one before was over, by the parent's clock if it timed them; members twice."""
    for key, places in invocation.batches_of.items():
        twice = [event for event in map(invocation.events.__getitem__, places) if key in event["data"]["members"]]
        if len(twice) > 1:
            yield twice[0]["seq"], math.inf, f"{key!r} is in batch {twice[0]['data']['index']} and in another one"
    for place, (event, after) in enumerate(pairwise(invocation.events)):
        is_timed = "ended_at" in event["data"] or invocation.is_one_clock
        seconds = invocation.end_of(place) - after["data"]["started_at"]
        if is_timed and not invocation.has_step(place + 1):
            names = f"batch {after['data']['index']} began", f"batch {event['data']['index']} was over"
            yield event["seq"], seconds, f"{names[0]} {seconds:.3f} s before {names[1]}"


def _of_attempt(invocation: _Invocation, attempt: Attempt, tries: int) -> Iterator[tuple[int, float, str]]:
    """An attempt that left its batch: `tries` were before it. Each batch that a sample left saw one attempt at it."""
    events = invocation.events
    places = [*invocation.batches_of.get(attempt.sample_id, ())]
    if not places or attempt.sample_id in events[places[-1]]["data"].get("deferred", ()):
        places.append(len(events))  # it has left every batch that is over: the next attempt is in the one still open
    place = places[min(tries, len(places) - 1)]
    if invocation.has_step(place):
        return
    name = f"attempt {attempt.attempt} at {attempt.sample_id!r}"
    if place > 0:
        seconds = invocation.end_of(place - 1) - attempt.started_at
        index = events[place - 1]["data"]["index"]
        yield events[place - 1]["seq"], seconds, f"{name} began {seconds:.3f} s before batch {index} was over"
    if place < len(events):
        seconds = attempt.started_at + attempt.seconds - invocation.end_of(place)
        index = events[place]["data"]["index"]
        yield events[place]["seq"], seconds, f"{name} ended {seconds:.3f} s after batch {index} was over"
