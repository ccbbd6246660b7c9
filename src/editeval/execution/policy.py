"""What a scheduling policy is: it decides who may start what when. The policy of v2.1, the one with a barrier. And how
often each request was tried.

Pure state machines, no clock, no thread, no I/O. Requests are indices 0..n-1, workers small integers. The same objects
are driven by real workers (`dispatch.py`) and, on a virtual clock, by `simulate.py`: they cannot differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from editeval.errors import Reason
from editeval.types import Failure

IN_BATCH, AT_END = "in_batch", "at_end"
RETRIES = (IN_BATCH, AT_END)
"""Where batch_sync runs a failed request again: in its own batch, which stays open, or behind the last batch."""


@dataclass(frozen=True, slots=True)
class Round:
    """One batch that is over: each of `members` has its final outcome; `deferred` failed, left it, will run again."""

    number: int  # from 1
    total: int  # of the run, as far as it can be known: it changes when a worker is lost or comes back
    num_workers: int  # alive when it was dealt
    num_left: int  # alive when it was over
    members: tuple[int, ...]
    deferred: tuple[int, ...] = ()


def num_rounds(num_requests: int, num_workers: int) -> int:
    """Rounds that so many requests take; as many as requests while no worker is alive."""
    return -(-num_requests // max(num_workers, 1))


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

    def drift(self, worker: int) -> int:
        """How far `worker` is ahead of the least advanced one; 0 where rounds keep all in step."""
        return 0

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
        if worker not in self._place:
            insort(self.live, worker)
            self._members_changed()

    def _members_changed(self) -> None:
        self._place = {w: i for i, w in enumerate(self.live)}
        self._membership_changed()
        self.news += 1


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
        if request is None and self._spare:
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
        return None if place is None else self._spare.pop(place)

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


# -- tries -------------------------------------------------------------------------------------------------------------

RETRIED = frozenset(reason for reason in Reason if reason.is_retried)
"""Failures that another attempt may cure; a broken source or a refusal stays what it is."""


def needs_fresh_process(failure: Failure, attempt: int) -> bool:
    """A sticky device error poisons its process. Out of memory: first again with an empty cache, then restarted."""
    return failure.reason == "device_lost" or (failure.reason == "oom" and attempt == 2)


class AttemptTracker:
    """How often each request of one piece of work was tried, and how many of its tries count towards the limit.

    When a worker dies, whatever was in it may have killed it: all of that is suspect until it has an outcome, and what
    was running the most. What had been finished, and only waited to be handed over, is excused once if anything else
    was there.
    """

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}
        self._suspects: set[int] = set()
        self._excused: set[int] = set()
        self._killers: set[int] = set()  # have ended a worker

    def begin(self, request: int) -> None:
        """It is tried once more."""
        self._tries[request] = self.num_tries(request) + 1

    def num_tries(self, request: int) -> int:
        return self._tries.get(request, 0)

    def num_charged(self, request: int) -> int:
        """Tries that count towards the limit."""
        return self.num_tries(request) - (request in self._excused)

    def ends_another(self, *requests: int) -> bool:
        """A worker ended of one of `requests`; whether any of them has ended one before.

        A machine that is broken ends its workers at any request; one that ends every worker is itself to blame.
        """
        is_known = not self._killers.isdisjoint(requests)
        self._killers.update(requests)
        return is_known

    def died(self, running: int | None, finished: Collection[int]) -> bool:
        """A worker died with these in it; whether what it died of `ends_another`."""
        self._suspects.update(finished)
        if running is not None:
            self._suspects.add(running)
        if running is not None or len(finished) > 1:
            self._excused.update(finished)
        return self.ends_another(*(finished if running is None else [running]))

    def settled(self, request: int) -> None:
        """It has an outcome, and is no suspect any more."""
        self._suspects.discard(request)

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)
