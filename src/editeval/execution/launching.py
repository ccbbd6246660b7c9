"""Starts the processes of workers, so many at a time, and none any more once the pool has ended."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from editeval.execution.backends import Launch
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Clock, EventSink, PoolEvent, WorkerState

Events = queue.SimpleQueue[tuple[Any, ...]]


class Launcher:
    """The queue of workers to be loaded. Everything but `end` belongs to the thread of the event loop."""

    def __init__(
        self, spec: WorkerSpec, workers: Sequence[WorkerState], launch: Launch, events: Events, clock: Clock
    ) -> None:
        self._spec = spec
        self._workers = workers
        self._launch = launch
        self._events = events
        self._clock = clock
        self._waiting: deque[WorkerState] = deque()
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        """No worker is alive, loading or to be loaded."""
        return not self._waiting and all(x.handle is None and x.loading_since is None for x in self._workers)

    def add(self, workers: Iterable[WorkerState]) -> None:
        """They are to be loaded, after those that wait already."""
        self._waiting.extend(workers)

    def go_on(self, num_at_once: int, emit: Callable[[PoolEvent], None]) -> None:
        """As many load as may load at the same time."""
        if self._has_ended:
            self._waiting.clear()
        while self._waiting and sum(x.loading_since is not None for x in self._workers) < num_at_once:
            worker = self._waiting.popleft()
            worker.generation += 1
            worker.loading_since = self._clock.now()
            worker.kill_reason = worker.last_place = ""
            worker.builds = queue.SimpleQueue()
            emit(PoolEvent("loading", {"worker": worker.index, "device": worker.device}))
            worker.handle = self._launch(
                worker.index, worker.devices, EventSink(self._events, worker.index, worker.generation)
            )
            if self._has_ended:  # `end` came meanwhile, and may not have seen this one
                worker.handle.kill()
            spec = {"spec": asdict(self._spec), "devices": worker.own_devices, "worker": worker.index}
            worker.handle.send_nowait(
                spec
            )  # never waits for a place on a cluster; if it died at birth, "gone" is on its way

    def end(self) -> None:
        """Every worker is killed, and none is started any more. Any thread may call it, a signal handler too.

        It needs no lock: it sets the flag, then reads the handles; `go_on` stores a handle, then reads the flag.
        Whichever comes second sees what the other one did.
        """
        self._has_ended = True
        for worker in self._workers:
            if (handle := worker.handle) is not None:  # read once: the event loop may take it away
                handle.kill()
