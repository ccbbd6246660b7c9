"""What a pool says: results, and events for the record or for those who watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from editeval.execution.policy import Round
from editeval.execution.worker_messages import Fact
from editeval.types import Outcome, UsageRequest

Result = Outcome[Any]
"""Its value is what a Delivery holds: an EncodedEdit or lists of scores; the stage that asked knows which."""

PROGRESS_EVENTS = frozenset({"started", "progress", "finished"})
"""Events for those who watch; not for the record. finished: the device is free, the result is on its way."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One round of batch synchronisation that is over. Times are the parent's: first start, last final outcome."""

    index: int  # from 1 within this invocation
    total: int  # of the invocation, as far as known then
    started_at: float  # unix seconds
    ended_at: float
    seconds: float  # from one to the other
    steady_s: float  # the end again, on a clock that cannot be set
    slowest_worker: int  # whose final outcome came last; -1: every request left the batch
    num_workers: int  # alive when it began
    num_left: int  # alive when it was over
    members: tuple[str, ...]  # keys, in order
    deferred: tuple[str, ...]  # keys of those that failed, left the batch and are retried after the last one


class EventData(TypedDict, total=False):
    """What there is to know of an event; which keys there are depends on its kind."""

    worker: int
    device: str
    key: str  # started, progress, finished
    step: int  # progress
    num_steps: int
    pid: int  # ready
    started_at: float
    ended_at: float
    facts: Mapping[str, Fact]
    how: str  # worker_lost, worker_given_up
    is_lost: bool
    outcome: Result  # attempt
    batch: Batch
    number: int  # pay
    bill: UsageRequest


@dataclass(frozen=True, slots=True)
class PoolEvent:
    """`kind`: loading, ready, attempt, worker_lost, worker_given_up, tick, batch, PROGRESS_EVENTS, or pay, which waits
    for `Pool.answer`."""

    kind: str
    data: EventData


Emit = Callable[[Result | PoolEvent], None]


def _now() -> tuple[float, float]:
    """(unix seconds, seconds of the clock that nobody sets) of one moment: another program may run in between."""
    for _ in range(5):
        before, at, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < 1e-4:
            break
    return at, after


class BatchClock:
    """Times the rounds by the clock of this process; the times of the workers say when devices computed."""

    def __init__(self) -> None:
        self.last_worker = -1  # of whom the latest final outcome in the open batch is
        self._began_at = 0.0  # of the first work, by a clock that nobody sets
        self._started_at: float | None = None  # unix seconds, first start of the round that is open
        self._start = 0.0  # the same by that clock

    def begin(self) -> None:
        """Requests come from now on; of several turns, the first counts."""
        self._began_at = self._began_at or time.monotonic()

    def start(self) -> None:
        """A request is about to start."""
        if self._started_at is None:
            self._started_at, self._start = _now()

    def close(self, closed: Round, keys: Sequence[str]) -> Batch:
        """`closed` with the keys of its requests, and its times."""
        started_at = time.time() if self._started_at is None else self._started_at
        seconds = 0.0 if self._started_at is None else time.monotonic() - self._start
        slowest_worker, self.last_worker, self._started_at = self.last_worker, -1, None
        return Batch(
            index=closed.number,
            total=closed.total,
            started_at=started_at,
            ended_at=started_at + seconds,
            seconds=seconds,
            steady_s=time.monotonic() - self._began_at,
            slowest_worker=slowest_worker,
            num_workers=closed.num_workers,
            num_left=closed.num_left,
            members=tuple(keys[request] for request in closed.members),
            deferred=tuple(keys[request] for request in closed.deferred),
        )
