"""How often each request has been tried, and how many of its tries are held against it.

When a worker dies, whatever was in it may have killed it: all of that is suspect until it has an outcome, and the more
so what was running. What had been finished, and only waited to be handed over, is excused once if anything else was
there.
"""

from __future__ import annotations

from collections.abc import Collection


class Charges:
    """Of the requests of one piece of work, by number."""

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}
        self._suspects: set[int] = set()
        self._excused: set[int] = set()

    def begin(self, request: int) -> None:
        """It is tried once more."""
        self._tries[request] = self.num_tries(request) + 1

    def num_tries(self, request: int) -> int:
        return self._tries.get(request, 0)

    def num_charged(self, request: int) -> int:
        """Tries that count towards the limit."""
        return self.num_tries(request) - (request in self._excused)

    def died(self, running: int | None, finished: Collection[int]) -> None:
        """A worker died with these in it."""
        self._suspects.update(finished)
        if running is not None:
            self._suspects.add(running)
        if running is not None or len(finished) > 1:
            self._excused.update(finished)

    def settled(self, request: int) -> None:
        """It has an outcome, and kills nobody any more."""
        self._suspects.discard(request)

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)
