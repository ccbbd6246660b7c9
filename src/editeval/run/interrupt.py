"""Ctrl-C and SIGTERM: the first drains, the second stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from editeval.execution.pool import Pool


@dataclass(slots=True)
class Interrupt:
    """The user's request to stop. The first one drains: what runs is finished and recorded, nothing more starts."""

    signum: int | None = None
    _pools: list[Pool] = field(default_factory=list)

    def request(self, signum: int) -> None:
        """Called by the signal handler; a second request raises KeyboardInterrupt."""
        if self.signum is not None:
            raise KeyboardInterrupt(signum)
        self.signum = signum
        for pool in self._pools:
            pool.drain()

    @contextmanager
    def watches(self, pool: Pool) -> Iterator[None]:
        """While inside, a request drains `pool`."""
        self._pools.append(pool)
        try:
            yield
        finally:
            self._pools.remove(pool)
