"""Who may start what when: pure state machines, no clock, no thread, no I/O.

Two classes give the four YAML names. Requests are indices 0..n-1, workers small integers. The same objects are driven
by real workers (`dispatch.py`) and, on a virtual clock, by `simulate.py`, so simulation and reality cannot diverge.

    RoundRobin(max_drift)   request i belongs to worker i mod n. A worker may start its next request only while
                            own completed - min(completed over live workers with work left) <= max_drift.
                            batch_sync: 0 (the barrier of v2.1) - round_robin: None, unlimited - bounded_drift: between
    Dynamic                 an idle worker takes the next request, the largest expected first
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

POLICIES = ("batch_sync", "round_robin", "bounded_drift", "dynamic")


class Policy(ABC):
    """The shared protocol: the driver asks `next`, reports `finished`, `again`, `lost`, `joined`."""

    def __init__(self, num_requests: int, workers: Sequence[int]) -> None:
        self.live = list(workers)
        self.completed = dict.fromkeys(workers, 0)  # requests each worker has been through
        self.running: dict[int, int] = {}  # worker -> request
        self.num_requests = num_requests
        self._floor = 0
        self._num_at_floor = 0  # workers with work left that stand at the floor; 0: the floor must be found anew

    @abstractmethod
    def next(self, worker: int) -> int | None:
        """The request that `worker` starts now, or None: it must wait, or there is nothing left for it."""

    @abstractmethod
    def upcoming(self, worker: int) -> int | None:
        """The request `worker` will most likely get after the one it runs: worth sending ahead, not a promise."""

    @abstractmethod
    def _put_back(self, request: int, worker: int) -> None: ...

    @abstractmethod
    def _membership_changed(self) -> None: ...

    @abstractmethod
    def _has_work(self, worker: int) -> bool: ...

    def finished(self, worker: int, request: int) -> None:
        """`worker` is through with `request`, whatever became of it."""
        if self.running.get(worker) != request:
            raise ValueError(f"worker {worker} runs {self.running.get(worker)}, not {request}")
        if self.completed[worker] == self._floor:
            self._num_at_floor -= 1
        del self.running[worker]
        self.completed[worker] += 1

    def again(self, request: int, worker: int) -> None:
        """`request` failed on `worker` and must be run once more, elsewhere if there is an elsewhere."""
        self._put_back(request, worker)
        self._num_at_floor = 0

    def lost(self, worker: int) -> int | None:
        """`worker` died: what waited for it goes to the living. Returns the request it ran, now owned by nobody."""
        if worker not in self.live:
            return None
        self.live.remove(worker)
        request = self.running.pop(worker, None)
        self._membership_changed()
        self._num_at_floor = 0
        return request

    def joined(self, worker: int) -> None:
        """`worker` is back, empty-handed and level with the least advanced of the others."""
        if worker in self.live:
            return
        self.completed[worker] = self.floor()
        self.live.append(worker)
        self.live.sort()
        self._membership_changed()
        self._num_at_floor = 0

    def floor(self) -> int:
        """Requests completed by the least advanced live worker that still has work left."""
        if self._num_at_floor <= 0:
            left = [self.completed[w] for w in self.live if w in self.running or self._has_work(w)]
            self._floor = min(left, default=max((self.completed[w] for w in self.live), default=0))
            self._num_at_floor = left.count(self._floor)
        return self._floor

    def drift(self, worker: int) -> int:
        """How many requests `worker` is ahead of the least advanced one."""
        return self.completed[worker] - self.floor()


class RoundRobin(Policy):
    """Fixed assignment i mod n, with a bound on how far one worker may run ahead (None: no bound)."""

    def __init__(self, num_requests: int, workers: Sequence[int], max_drift: int | None) -> None:
        super().__init__(num_requests, workers)
        self.max_drift = max_drift
        self._queues: dict[int, deque[int]] = {w: deque() for w in workers}
        self._orphans: list[int] = []  # requests while nobody is alive
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

    def _has_work(self, worker: int) -> bool:
        return bool(self._queues.get(worker))

    def _put_back(self, request: int, worker: int) -> None:
        if not self.live:
            self._orphans.append(request)
            return
        elsewhere = min(self.live, key=lambda w: ((w - worker - 1) % (max(self.live) + 1), w))
        self._queues[elsewhere].appendleft(request)

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


class Dynamic(Policy):
    """An idle worker takes the next request. What was sent ahead to a busy worker may still go to an idle one."""

    def __init__(self, num_requests: int, workers: Sequence[int], costs: Sequence[float] | None = None) -> None:
        super().__init__(num_requests, workers)
        self._costs = costs
        self._heap = [self._entry(request) for request in range(num_requests)]
        heapq.heapify(self._heap)
        self._ahead: dict[int, int] = {}  # worker -> request sent ahead to it

    def next(self, worker: int) -> int | None:
        if worker in self.running or worker not in self.live:
            return None
        request = self._ahead.pop(worker, None)
        if request is None and self._heap:
            request = heapq.heappop(self._heap)[1]
        if request is None and self._ahead:  # the tail: take what waits behind somebody's running request
            owner = min(self._ahead, key=lambda w: self._entry(self._ahead[w]))
            request = self._ahead.pop(owner)
        if request is not None:
            self.running[worker] = request
            if not self._has_work(worker):
                self._num_at_floor = 0  # now the idle ones have no work left and count no more
        return request

    def upcoming(self, worker: int) -> int | None:
        if worker not in self._ahead and self._heap:
            self._ahead[worker] = heapq.heappop(self._heap)[1]
        return self._ahead.get(worker)

    def _entry(self, request: int) -> tuple[float, int]:
        return (-self._costs[request] if self._costs else 0.0, request)

    def _has_work(self, worker: int) -> bool:
        return bool(self._heap or self._ahead)

    def _put_back(self, request: int, worker: int) -> None:
        heapq.heappush(self._heap, self._entry(request))

    def _membership_changed(self) -> None:
        for worker in [w for w in self._ahead if w not in self.live]:
            self._put_back(self._ahead.pop(worker), worker)


def make_policy(name: str, num_requests: int, workers: Sequence[int], max_drift: int | None = None) -> Policy:
    """The policy with the YAML name `name`; `max_drift` counts only for bounded_drift (default 1)."""
    if name == "batch_sync":
        return RoundRobin(num_requests, workers, max_drift=0)
    if name == "round_robin":
        return RoundRobin(num_requests, workers, max_drift=None)
    if name == "bounded_drift":
        return RoundRobin(num_requests, workers, max_drift=1 if max_drift is None else max_drift)
    if name == "dynamic":
        return Dynamic(num_requests, workers)
    raise ValueError(f"no policy {name!r}; one of {', '.join(POLICIES)}")
