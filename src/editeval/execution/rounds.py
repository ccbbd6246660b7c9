"""Batch synchronisation: the policy that deals rounds, and the times at which they began and ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from editeval.execution.policy import Policy, Round

IN_BATCH, AT_END = "in_batch", "at_end"
RETRIES = (IN_BATCH, AT_END)
"""Where batch_sync runs a failed request again: in its own batch, which stays open, or behind the last batch."""


def num_rounds(num_requests: int, num_workers: int) -> int:
    """Rounds that so many requests take; as many as requests while no worker is alive."""
    return -(-num_requests // max(num_workers, 1))


class BatchSync(Policy):
    """One round at a time: as many requests as workers are alive, in order. It ends when all have their final outcome.

    A request that failed keeps its round open, whichever worker runs it again; with `retry` at_end it leaves the
    round instead, and rounds of such requests follow the last one. What a lost worker had not started is done by the
    others, in the same round. A worker that comes back has its part from the next round on.
    """

    waits_for_results = True

    def __init__(self, num_requests: int, workers: Sequence[int], retry: str = IN_BATCH) -> None:
        super().__init__(num_requests, workers)
        self._retry = retry
        self._number = 0  # of the round that is open, or was last
        self._num_dealt = 0  # requests 0.. that have been in a round
        self._late: deque[int] = deque()  # have left their round
        self._members: dict[int, None] = {}  # of the open round, in order; without those that left
        self._open: set[int] = set()  # members without a final outcome
        self._deferred: list[int] = []  # have left the open round
        self._size = len(self.live)  # workers alive when the round was dealt
        self._own: dict[int, int] = {}  # worker -> its request of the open round, not started
        self._spare: list[int] = []  # members that are anybody's: failed, or their worker was lost
        self._closed: deque[Round] = deque()

    def next(self, worker: int) -> int | None:
        if worker in self.running or worker not in self._place:
            return None
        if not self._open:
            self._deal()
        request = self._own.pop(worker, None)
        if request is None:
            request = self._take_spare(worker)
        if request is not None:
            self.running[worker] = request
        return request

    def upcoming(self, worker: int) -> int | None:
        if worker not in self._place:
            return None
        request = self._num_dealt + self._place[worker]
        return request if request < self.num_requests else None

    def settled(self, request: int) -> None:
        super().settled(request)
        self._open.discard(request)
        self._close_if_over()

    def take_closed(self) -> Round | None:
        return self._closed.popleft() if self._closed else None

    def drift(self, worker: int) -> int:
        """Rounds that `worker` is ahead: none, as there is only one at a time."""
        return 0

    def _put_back(self, request: int, worker: int) -> None:
        if self._retry == AT_END:
            self._late.append(request)
            self._deferred.append(request)
            del self._members[request]
            self._open.discard(request)
            self._close_if_over()
        else:
            self._spare.append(request)

    def _take_spare(self, worker: int) -> int | None:
        """What did not fail on `worker`; what did only if there are not enough others to take it at once."""
        num_others_idle = len(self.live) - len(self.running) - len(self._own) - 1
        may_insist = len(self._spare) > num_others_idle
        fresh = (i for i, request in enumerate(self._spare) if self._failed_on.get(request) != worker)
        place = next(fresh, 0 if may_insist else None)
        return self._spare.pop(place) if self._spare and place is not None else None

    def _deal(self) -> None:
        """The next round is open, if anything is left: first all requests once, then those that were put off."""
        self._size = len(self.live)
        members: Sequence[int]
        if self._num_dealt < self.num_requests:
            end = min(self._num_dealt + self._size, self.num_requests)
            members = range(self._num_dealt, end)
            self._num_dealt = end
            self._own = dict(zip(self.live, members, strict=False))
        else:
            members = [self._late.popleft() for _ in range(min(self._size, len(self._late)))]
            self._spare += members
        if members:
            self._number += 1
            self._members, self._open = dict.fromkeys(members), set(members)

    def _close_if_over(self) -> None:
        if self._open or not (self._members or self._deferred):
            return
        width = len(self.live) or self._size
        left = num_rounds(self.num_requests - self._num_dealt, width) + num_rounds(len(self._late), width)
        members, deferred = tuple(self._members), tuple(self._deferred)
        total = self._number + left
        self._closed.append(Round(self._number, total, self._size, len(self.live), members, deferred))
        self._members, self._deferred = {}, []
        self.news += 1

    def _membership_changed(self) -> None:
        for worker in [w for w in self._own if w not in self._place]:
            self._spare.append(self._own.pop(worker))


class RoundTimes:
    """Times the rounds by the clock of this process; the times of the workers say when devices computed."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()
        self._started_at: float | None = None  # unix seconds, first start of the round that is open

    def start(self) -> None:
        """A request is about to start."""
        if self._started_at is None:
            self._started_at = time.time()

    def over(
        self, take_closed: Callable[[], Round | None], keys: Sequence[str], tell: Callable[[dict[str, Any]], None]
    ) -> None:
        """`tell` hears of every round that has ended since: its fields, requests by their keys, and its times.

        `steady_s` is the end on a clock that cannot be set: it tells whether the other one was set meanwhile.
        """
        while (closed := take_closed()) is not None:
            now, started_at = time.time(), self._started_at
            self._started_at = None
            named = {name: [keys[r] for r in getattr(closed, name)] for name in ("members", "deferred")}
            times = {"started_at": now if started_at is None else started_at, "ended_at": now}
            tell(asdict(closed) | named | times | {"steady_s": time.monotonic() - self._began_at})
