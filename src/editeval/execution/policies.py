"""The table of policies, and those that have no barrier.

A new policy is one class, one row of `_MAKERS` and its name in `config/schema.py`.
"""

from __future__ import annotations

import heapq
from abc import abstractmethod
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from editeval.execution.policy import IN_BATCH, BatchSync, Policy


class FreeRunning(Policy):
    """Workers that may be ahead of each other: who has completed how many requests, and who is last."""

    def __init__(self, num_requests: int, workers: Sequence[int]) -> None:
        super().__init__(num_requests, workers)
        self.completed = dict.fromkeys(workers, 0)  # requests each worker has been through
        self._floor = 0
        self._num_at_floor = 0  # workers with work left that are at the floor; 0: the floor must be found again

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
    """Request i belongs to worker i mod n. A worker may start its next one only while its drift is <= `max_drift`.

    drift: own completed - the fewest completed of the live workers with work left. None: no bound.
    """

    def __init__(self, num_requests: int, workers: Sequence[int], max_drift: int | None) -> None:
        super().__init__(num_requests, workers)
        self.max_drift = max_drift
        self._queues: dict[int, deque[int]] = {}
        self._orphans: Sequence[int] = []  # requests while no worker is alive
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
        if self.live:
            self._queues[self.live[bisect_right(self.live, worker) % len(self.live)]].appendleft(request)
        else:
            self._orphans = [*self._orphans, request]

    def _membership_changed(self) -> None:
        waiting: Iterable[int] = (request for queue in self._queues.values() for request in queue)
        self._deal(sorted([*waiting, *self._orphans]))

    def _deal(self, requests: Sequence[int]) -> None:
        count = len(self.live)
        self._orphans = [] if count else requests
        self._queues = {worker: deque(requests[place::count]) for place, worker in enumerate(self.live)}


class Dynamic(FreeRunning):
    """An idle worker takes the next request. What was sent ahead to a busy worker may still go to an idle one."""

    def __init__(self, num_requests: int, workers: Sequence[int]) -> None:
        super().__init__(num_requests, workers)
        self._heap = list(range(num_requests))  # in order, so it is a heap
        self._ahead: dict[int, int] = {}  # worker -> request sent ahead to it
        self._tail: list[tuple[int, int]] = []  # (request, worker) of `_ahead`, the first request last, or empty

    def next(self, worker: int) -> int | None:
        if worker in self.running or worker not in self._place:
            return None
        request = self._ahead.pop(worker, None)
        if request is None:
            request = self._take(worker, may_insist=len(self.running) == len(self.live) - 1)
        if request is None and self._ahead:
            request = self._take_ahead()
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
                self._tail.clear()
        return self._ahead.get(worker)

    def _take(self, worker: int, may_insist: bool) -> int | None:
        """The first request that did not fail on `worker`, if there is one; `may_insist`: else that one."""
        if not self._heap:
            return None
        first = heapq.heappop(self._heap)
        if self._failed_on.get(first) != worker or len(self.live) == 1:
            return first
        if self._heap:
            return heapq.heapreplace(self._heap, first)
        if may_insist:
            return first
        heapq.heappush(self._heap, first)
        return None

    def _take_ahead(self) -> int | None:
        """The first request that waits behind the running request of another worker, now that no other is left."""
        self._tail = self._tail or sorted(((r, w) for w, r in self._ahead.items()), reverse=True)
        while self._tail:
            request, worker = self._tail.pop()
            if self._ahead.get(worker) == request:  # else that worker has started it
                return self._ahead.pop(worker)
        return None

    def _has_work(self, worker: int) -> bool:
        return bool(self._heap or self._ahead)

    def _put_back(self, request: int, worker: int) -> None:
        heapq.heappush(self._heap, request)

    def _membership_changed(self) -> None:
        for worker in [w for w in self._ahead if w not in self._place]:
            self._put_back(self._ahead.pop(worker), worker)


_MAKERS: Mapping[str, Callable[[int, Sequence[int], int | None, str], Policy]] = {
    "batch_sync": lambda num_requests, workers, max_drift, retry: BatchSync(num_requests, workers, retry),
    "round_robin": lambda num_requests, workers, max_drift, retry: RoundRobin(num_requests, workers, None),
    "bounded_drift": lambda num_requests, workers, max_drift, retry: RoundRobin(
        num_requests, workers, 1 if max_drift is None else max_drift
    ),
    "dynamic": lambda num_requests, workers, max_drift, retry: Dynamic(num_requests, workers),
}
POLICIES = tuple(_MAKERS)


def make_policy(
    name: str, num_requests: int, workers: Sequence[int], max_drift: int | None = None, retry: str = IN_BATCH
) -> Policy:
    """The policy with the YAML name `name`; `max_drift` counts only for bounded_drift (default 1), `retry` only for
    batch_sync."""
    if name not in _MAKERS:
        raise ValueError(f"no policy {name!r}; one of {', '.join(POLICIES)}")
    return _MAKERS[name](num_requests, workers, max_drift, retry)
