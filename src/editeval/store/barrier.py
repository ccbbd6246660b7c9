"""Was the barrier of batch synchronisation kept? Judged by the times in the ledger, whatever the log said.

A batch is over when each of its requests has its final outcome. Nothing of a later batch may start before that, and no
attempt of the batch may end after it. Batches recorded before their members were are judged by their own spans.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from editeval.store.ledger_events import BatchEnd, Invocation, StageBegin
from editeval.store.records import Attempt
from editeval.store.run_store import RunStore

TOLERANCE_S = 0.001  # a duration and a moment are read from two clocks
STEP_S = 0.05  # a clock that is behind a steady one by more was set back meanwhile: its times prove nothing


@dataclass(slots=True)
class _Invocation:
    """The batches of one invocation, in order: their events, and of each sample the batches it was in."""

    began_at: float
    is_one_clock: bool = True  # workers and parent are on one machine
    batches: list[BatchEnd] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)  # of their events
    batches_of: dict[str, list[int]] = field(default_factory=dict)

    def add(self, seq: int, batch: BatchEnd) -> None:
        for key in (*(batch.deferred or ()), *(batch.members or ())):
            self.batches_of.setdefault(key, []).append(len(self.batches))
        self.batches.append(batch)
        self.seqs.append(seq)
        self.is_one_clock = self.is_one_clock and batch.is_one_clock is not False

    def has_step(self, place: int) -> bool:
        """Whether the clock was set back between the end of the batch before and that of this one."""
        if not 0 < place < len(self.batches):
            return False
        before, batch = self.batches[place - 1], self.batches[place]
        if before.steady_s is None or batch.steady_s is None:
            return False
        return batch.over_at - before.over_at < batch.steady_s - before.steady_s - STEP_S

    def is_possible(self, seconds: float) -> bool:
        """Whether a crossing can be so long. One that lasted longer than all the batches shows a clock that was set."""
        return seconds <= max(math.inf if batch.steady_s is None else batch.steady_s for batch in self.batches)


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
    for recorded in store.events():
        event = recorded.event
        if isinstance(event, Invocation) or not found:
            found.append(_Invocation(recorded.at))
        if isinstance(event, StageBegin) and any(device.startswith("ray:") for device in event.devices):
            found[-1].is_one_clock = False
        if isinstance(event, BatchEnd):
            found[-1].add(recorded.seq, event)
    return found


def _overlaps(invocation: _Invocation) -> Iterator[tuple[int, float, str]]:
    """Batches that began before the one before was over, by the parent's clock if it timed them; members twice."""
    for key, places in invocation.batches_of.items():
        twice = [place for place in places if key in (invocation.batches[place].members or ())]
        if len(twice) > 1:
            index = invocation.batches[twice[0]].index
            yield invocation.seqs[twice[0]], math.inf, f"{key!r} is in batch {index} and in another one"
    for place, (batch, after) in enumerate(pairwise(invocation.batches)):
        is_timed = batch.ended_at is not None or invocation.is_one_clock
        seconds = batch.over_at - after.started_at
        if is_timed and not invocation.has_step(place + 1):
            what = f"batch {after.index} began {seconds:.3f} s before batch {batch.index} was over"
            yield invocation.seqs[place], seconds, what


def _of_attempt(invocation: _Invocation, attempt: Attempt, tries: int) -> Iterator[tuple[int, float, str]]:
    """An attempt that left its batch: `tries` were before it. Each batch that a sample left saw one attempt at it."""
    batches, seqs = invocation.batches, invocation.seqs
    places = [*invocation.batches_of.get(attempt.sample_id, ())]
    if not places or attempt.sample_id in (batches[places[-1]].deferred or ()):
        places.append(len(batches))  # it has left every batch that is over: the next attempt is in the one still open
    place = places[min(tries, len(places) - 1)]
    if invocation.has_step(place):
        return
    name = f"attempt {attempt.attempt} at {attempt.sample_id!r}"
    if place > 0:
        before = batches[place - 1]
        seconds = before.over_at - attempt.started_at
        yield seqs[place - 1], seconds, f"{name} began {seconds:.3f} s before batch {before.index} was over"
    if place < len(batches):
        seconds = attempt.started_at + attempt.seconds - batches[place].over_at
        yield seqs[place], seconds, f"{name} ended {seconds:.3f} s after batch {batches[place].index} was over"
