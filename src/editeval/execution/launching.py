"""Starts the processes of workers, so many at a time, and none any more once the pool has ended."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from editeval.execution.backends import Launch
from editeval.execution.lanes import Clock, Ears, Lane, Notice
from editeval.execution.messages import WorkerSpec

Events = queue.SimpleQueue[tuple[Any, ...]]


class Launcher:
    """The queue of workers to be loaded. Everything but `end` belongs to the thread of the event loop."""

    def __init__(self, spec: WorkerSpec, lanes: Sequence[Lane], launch: Launch, events: Events, clock: Clock) -> None:
        self._spec = spec
        self._lanes = lanes
        self._launch = launch
        self._events = events
        self._clock = clock
        self._waiting: deque[Lane] = deque()
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        """No worker is alive, loading or to be loaded."""
        return not self._waiting and all(x.handle is None and x.loading_since is None for x in self._lanes)

    def add(self, lanes: Iterable[Lane]) -> None:
        """They are to be loaded, after those that wait already."""
        self._waiting.extend(lanes)

    def go_on(self, num_at_once: int, emit: Callable[[Notice], None]) -> None:
        """As many load as may load at the same time."""
        if self._has_ended:
            self._waiting.clear()
        while self._waiting and sum(x.loading_since is not None for x in self._lanes) < num_at_once:
            lane = self._waiting.popleft()
            lane.generation += 1
            lane.loading_since = self._clock.now()
            lane.kill_reason = lane.last_place = ""
            lane.builds = queue.SimpleQueue()
            emit(Notice("loading", {"worker": lane.index, "device": lane.device}))
            lane.handle = self._launch(lane.index, lane.devices, Ears(self._events, lane.index, lane.generation))
            if self._has_ended:  # `end` came meanwhile, and may not have seen this one
                lane.handle.kill()
            spec = {"spec": asdict(self._spec), "devices": lane.own_devices, "worker": lane.index}
            lane.handle.post(spec)  # never waits for a place on a cluster; if it died at birth, "gone" is on its way

    def end(self) -> None:
        """Every worker is killed, and none is started any more. Any thread may call it, a signal handler too.

        It needs no lock: it sets the flag, then reads the handles; `go_on` stores a handle, then reads the flag.
        Whichever comes second sees what the other one did.
        """
        self._has_ended = True
        for lane in self._lanes:
            if (handle := lane.handle) is not None:  # read once: the event loop may take it away
                handle.kill()
