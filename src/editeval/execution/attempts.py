"""How often each request has been tried, and how many of its tries are held against it.

When a worker dies, whatever was in it may have killed it: all of that is suspect until it has an outcome, and the more
so what was running. What had been finished, and only waited to be handed over, is excused once if anything else was
there.
"""

from __future__ import annotations

from collections.abc import Collection

from editeval.errors import Reason
from editeval.types import Failure


class AttemptTracker:
    """Of the requests of one piece of work, by number."""

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
        """It has an outcome, and kills nobody any more."""
        self._suspects.discard(request)

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)


RETRIED = frozenset(reason for reason in Reason if reason.is_retried)
"""Failures that another attempt may cure; a broken source or a refusal stays what it is."""


def needs_fresh_process(failure: Failure, attempt: int) -> bool:
    """A sticky device error poisons its process. Out of memory: first again with an empty cache, then restarted."""
    return failure.reason == "device_lost" or (failure.reason == "oom" and attempt == 2)
