"""What a scheduling policy is: it decides who may start what when. No clock, no thread, no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """One batch that is over: each of `members` has its final outcome; `deferred` failed, left it, will run again."""

    number: int  # from 1
    total: int  # of the run, as far as it can be known: it changes when a worker is lost or comes back
    num_workers: int  # alive when it was dealt
    num_left: int  # alive when it was over
    members: tuple[int, ...]
    deferred: tuple[int, ...] = ()


class Policy(ABC):
    """The driver asks `next` and reports, in this order, before it asks again:

    `finished` when a worker is free, then `again` or `settled` as soon as it is known whether the request must be run
    once more; `lost` and `joined` when workers go and come.
    """

    waits_for_results = False  # True: between `finished` and `again` or `settled` others wait, so results are urgent

    def __init__(self, num_requests: int, workers: Sequence[int]) -> None:
        self.live = list(workers)
        self.running: dict[int, int] = {}  # worker -> request
        self.num_requests = num_requests
        self.news = 0  # grows whenever a worker that had to wait may be given something
        self._place = {w: i for i, w in enumerate(self.live)}
        self._failed_on: dict[int, int] = {}  # request to be run again -> worker

    @abstractmethod
    def next(self, worker: int) -> int | None:
        """The request that `worker` starts now, or None: it must wait, or there is nothing left for it."""

    @abstractmethod
    def upcoming(self, worker: int) -> int | None:
        """The request `worker` will most likely get after the one it runs: worth sending ahead, not a promise."""

    @abstractmethod
    def drift(self, worker: int) -> int:
        """How far `worker` is ahead of the least advanced one."""

    @abstractmethod
    def _put_back(self, request: int, worker: int) -> None: ...

    @abstractmethod
    def _membership_changed(self) -> None: ...

    def is_alive(self, worker: int) -> bool:
        return worker in self._place

    def finished(self, worker: int, request: int) -> None:
        """`worker` is through with `request`, whatever became of it."""
        if self.running.get(worker) != request:
            raise ValueError(f"worker {worker} runs {self.running.get(worker)}, not {request}")
        del self.running[worker]

    def settled(self, request: int) -> None:
        """`request` has its final outcome: a value, or the failure of its last attempt."""
        self._failed_on.pop(request, None)

    def again(self, request: int, worker: int) -> None:
        """`request` failed on `worker` and must be run once more, elsewhere if a worker is idle elsewhere."""
        self._failed_on[request] = worker
        self._put_back(request, worker)
        self.news += 1

    def take_closed(self) -> Round | None:
        """The next round that is over and was not taken yet; None if there is none, or the policy has no rounds."""
        return None

    def lost(self, worker: int) -> int | None:
        """`worker` died: what waited for it goes to the living. Returns the request it ran, now without a worker."""
        if worker not in self._place:
            return None
        self.live.remove(worker)
        request = self.running.pop(worker, None)
        self._members_changed()
        return request

    def joined(self, worker: int) -> None:
        """`worker` is back, empty-handed and level with the least advanced of the others."""
        if worker in self._place:
            return
        insort(self.live, worker)
        self._members_changed()

    def _members_changed(self) -> None:
        self._place = {w: i for i, w in enumerate(self.live)}
        self._membership_changed()
        self.news += 1
