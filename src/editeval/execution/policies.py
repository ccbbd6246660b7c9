"""Who may start what when: pure state machines, no clock, no thread, no I/O.

Three classes give the four YAML names. Requests are indices 0..n-1, workers small integers. The same objects are driven
by real workers (`dispatch.py`) and, on a virtual clock, by `simulate.py`, so simulation and reality cannot diverge.

    BatchSync (rounds.py)   rounds: the next one is dealt when every request of this one has its final outcome (v2.1)
    RoundRobin(max_drift)   request i belongs to worker i mod n. A worker may start its next request only while
                            own completed - min(completed over live workers with work left) <= max_drift.
                            round_robin: None, unlimited - bounded_drift: a number
    Dynamic                 an idle worker takes the next request, the largest expected first
"""

from __future__ import annotations

import heapq
from abc import abstractmethod
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

from editeval.execution.policy import Policy
from editeval.execution.rounds import IN_BATCH, BatchSync

POLICIES = ("batch_sync", "round_robin", "bounded_drift", "dynamic")


class FreeRunning(Policy):
    """Workers that may be ahead of each other: who has completed how many requests, and who is last."""

    def __init__(self, num_requests: int, workers: Sequence[int]) -> None:
        super().__init__(num_requests, workers)
        self.completed = dict.fromkeys(workers, 0)  # requests each worker has been through
        self._floor = 0
        self._num_at_floor = 0  # workers with work left that stand at the floor; 0: the floor must be found again

    @abstractmethod
    def _has_work(self, worker: int) -> bool: ...

    def finished(self, worker: int, request: int) -> None:
        super().finished(worker, request)
        if self.completed[worker] == self._floor:
            self._num_at_floor -= 1
        self.completed[worker] += 1

    def again(self, request: int, worker: int) -> None:
        super().again(request, worker)
        self._num_at_floor = 0

    def joined(self, worker: int) -> None:
        if worker not in self._place:
            self.completed[worker] = self.floor()
        super().joined(worker)

    def floor(self) -> int:
        """Requests completed by the least advanced live worker that still has work left."""
        if self._num_at_floor <= 0:
            left = [self.completed[w] for w in self.live if w in self.running or self._has_work(w)]
            self._floor = min(left, default=max((self.completed[w] for w in self.live), default=0))
            self._num_at_floor = left.count(self._floor)
        return self._floor

    def drift(self, worker: int) -> int:
        return self.completed[worker] - self.floor()

    def _members_changed(self) -> None:
        super()._members_changed()
        self._num_at_floor = 0


class RoundRobin(FreeRunning):
    """Fixed assignment i mod n, with a bound on how far one worker may run ahead (None: no bound)."""

    def __init__(self, num_requests: int, workers: Sequence[int], max_drift: int | None) -> None:
        super().__init__(num_requests, workers)
        self.max_drift = max_drift
        self._queues: dict[int, deque[int]] = {w: deque() for w in workers}
        self._orphans: list[int] = []  # requests while no worker is alive
        self._deal(range(num_requests))

    def next(self, worker: int) -> int | None:
        queue = self._queues.get(worker)
        if not queue or worker in self.running:
            return None
        if self.max_drift is not None and self.drift(worker) > self.max_drift:
            return None
        self.running[worker] = queue.popleft()
        return self.running[worker]

    def upcoming(self, worker: int) -> int | None:
        queue = self._queues.get(worker)
        return queue[0] if queue else None

    def finished(self, worker: int, request: int) -> None:
        super().finished(worker, request)
        if self.max_drift is not None and self._num_at_floor <= 0:
            self.news += 1

    def _has_work(self, worker: int) -> bool:
        return bool(self._queues.get(worker))

    def _put_back(self, request: int, worker: int) -> None:
        if not self.live:
            self._orphans.append(request)
            return
        self._queues[self.live[bisect_right(self.live, worker) % len(self.live)]].appendleft(request)

    def _membership_changed(self) -> None:
        waiting = [request for queue in self._queues.values() for request in queue] + self._orphans
        self._queues = {w: deque() for w in self.live}
        self._orphans = []
        self._deal(sorted(waiting))

    def _deal(self, requests: Sequence[int]) -> None:
        if not self.live:
            self._orphans = list(requests)
            return
        for position, request in enumerate(requests):
            self._queues[self.live[position % len(self.live)]].append(request)


class Dynamic(FreeRunning):
    """An idle worker takes the next request. What was sent ahead to a busy worker may still go to an idle one."""

    def __init__(self, num_requests: int, workers: Sequence[int], costs: Sequence[float] | None = None) -> None:
        super().__init__(num_requests, workers)
        self._costs = costs
        self._heap = [self._entry(request) for request in range(num_requests)]
        heapq.heapify(self._heap)
        self._ahead: dict[int, int] = {}  # worker -> request sent ahead to it

    def next(self, worker: int) -> int | None:
        if worker in self.running or worker not in self._place:
            return None
        request = self._ahead.pop(worker, None)
        if request is None:
            request = self._take(worker, may_insist=len(self.running) == len(self.live) - 1)
        if request is None and self._ahead:  # the tail: take what waits behind somebody's running request
            owner = min(self._ahead, key=lambda w: self._entry(self._ahead[w]))
            request = self._ahead.pop(owner)
        if request is not None:
            self.running[worker] = request
            if not self._has_work(worker):
                self._num_at_floor = 0  # now the idle ones have no work left and count no more
        return request

    def upcoming(self, worker: int) -> int | None:
        if worker not in self._ahead:
            request = self._take(worker, may_insist=False)
            if request is not None:
                self._ahead[worker] = request
        return self._ahead.get(worker)

    def _take(self, worker: int, may_insist: bool) -> int | None:
        """The first request that did not fail on `worker`, if there is one; `may_insist`: else that one."""
        if not self._heap:
            return None
        first = heapq.heappop(self._heap)
        if self._failed_on.get(first[1]) != worker or len(self.live) == 1:
            return first[1]
        if self._heap:
            return heapq.heapreplace(self._heap, first)[1]
        if may_insist:
            return first[1]
        heapq.heappush(self._heap, first)
        return None

    def _entry(self, request: int) -> tuple[float, int]:
        return (-self._costs[request] if self._costs else 0.0, request)

    def _has_work(self, worker: int) -> bool:
        return bool(self._heap or self._ahead)

    def _put_back(self, request: int, worker: int) -> None:
        heapq.heappush(self._heap, self._entry(request))

    def _membership_changed(self) -> None:
        for worker in [w for w in self._ahead if w not in self._place]:
            self._put_back(self._ahead.pop(worker), worker)


def make_policy(
    name: str, num_requests: int, workers: Sequence[int], max_drift: int | None = None, retry: str = IN_BATCH
) -> Policy:
    """The policy with the YAML name `name`; `max_drift` counts only for bounded_drift (default 1), `retry` only for
    batch_sync."""
    if name == "batch_sync":
        return BatchSync(num_requests, workers, retry)
    if name == "round_robin":
        return RoundRobin(num_requests, workers, max_drift=None)
    if name == "bounded_drift":
        return RoundRobin(num_requests, workers, max_drift=1 if max_drift is None else max_drift)
    if name == "dynamic":
        return Dynamic(num_requests, workers)
    raise ValueError(f"no policy {name!r}; one of {', '.join(POLICIES)}")
