"""What the dispatcher knows of its workers, how it starts them, and what reaches its queue from them."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from editeval.errors import EditevalError
from editeval.execution.backends import Handle, Launch, PrefetchedRequest, PrefetchStep, ThreadHandle
from editeval.execution.devices import MARK
from editeval.execution.pool_events import Emit, PoolEvent, Result
from editeval.execution.transport import Frame
from editeval.execution.worker_messages import (
    PROTOCOL_ERROR,
    Delivery,
    Done,
    LoadFailed,
    Ready,
    Value,
    WorkerMessage,
    WorkerSpec,
    pack_spec,
    read_message,
)
from editeval.types import Failure, Outcome

ARRIVED = 0  # no prefetched request has this number


class Clock:
    """Monotonic seconds that this process has seen: while it was stopped (Ctrl-Z, a debugger), no time passes.

    Otherwise every worker would look overdue when it goes on, with their results lying unread. `tick` is called often.
    """

    MAX_GAP_S: ClassVar[float] = 5.0  # between two ticks; longer ones are no time that a worker took

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._unseen = 0.0

    def now(self) -> float:
        return time.monotonic() - self._unseen

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._last > self.MAX_GAP_S:
            self._unseen += now - self._last
        self._last = now


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on time (seconds) and attempts."""

    timeout_s: float = 3600.0
    stall_s: float = 1800.0
    start_timeout_s: float = 1800.0
    max_attempts: int = 3
    load_concurrency: int = 1


@dataclass(slots=True)
class WorkerState:
    """One worker as its parent sees it."""

    index: int
    devices: tuple[str, ...]
    handle: Handle | None = None
    generation: int = 0  # of the process; events of an earlier one are stale
    is_ready: bool = False
    loading_since: float | None = None
    running: int | None = None
    is_started: bool = False  # "start" was sent for `running`
    started_at: float = 0.0  # monotonic
    last_sign_at: float = 0.0  # monotonic, last sign of progress
    sending_since: float | None = None  # monotonic; a request is being sent to it
    sent: dict[int, int] = field(default_factory=dict)  # request -> number of its sending; ARRIVED once it is there
    encoding: dict[int, tuple[Done, float]] = field(default_factory=dict)  # done (at, monotonic), result still to come
    kill_reason: str = ""
    restart_reason: str = ""  # why it will be killed as soon as its last result has left it
    deaths: int = 0
    last_place: str = ""  # where its devices turned out to be, kept when its process has gone
    builds: queue.SimpleQueue[PrefetchedRequest | None] = field(default_factory=queue.SimpleQueue)

    @property
    def device(self) -> str:
        place = self.handle.place if self.handle is not None else self.last_place
        return place or "+".join(self.devices)

    @property
    def own_devices(self) -> list[str]:
        """As the worker itself sees them: it has no other GPUs than its own."""
        return [f"cuda:{i}" if d.startswith(("cuda", MARK)) else d for i, d in enumerate(self.devices)]

    @property
    def where(self) -> str:
        return f"worker {self.index} on {self.device}"

    def kill(self, reason: str) -> None:
        """End its process now, because of `reason`."""
        assert self.handle is not None
        self.kill_reason = reason
        self.handle.kill()

    def outcome(self, key: str, attempt: int, result: Value | Failure, done: Done) -> Result:
        """What became of a request on this worker."""
        return Outcome(
            key=key,
            value=None if isinstance(result, Failure) else result,
            error=result if isinstance(result, Failure) else None,
            worker=self.index,
            device=self.device,
            attempt=attempt,
            started_at=done.started_at,
            seconds=done.seconds,
            peak_memory_gib=done.peak_memory_gib,
        )

    def enforce(self, now: float, limits: Limits) -> None:
        """Its process is killed if it has broken a limit at `now` (monotonic)."""
        reason = self._overdue(now, limits)
        if reason and self.handle is not None and not self.kill_reason:
            self.kill(reason)

    def _overdue(self, now: float, limits: Limits) -> str:
        """Which limit this worker has broken at `now`; empty if none."""
        if self.loading_since is not None and now - self.loading_since > limits.start_timeout_s:
            return "start_timeout"
        is_running = self.running is not None and self.is_started
        if is_running and now - self.started_at > limits.timeout_s:
            return "timeout"
        waits = [done_at for _, done_at in self.encoding.values()]
        if is_running:
            waits.append(self.last_sign_at)
        if self.sending_since is not None:  # it neither takes what it is sent nor says anything
            waits.append(max(self.sending_since, self.last_sign_at))
        return "stalled" if any(now - since > limits.stall_s for since in waits) else ""

    def on_process_exit(self) -> list[tuple[int, Done]]:
        """The process is gone, and with it all it was doing. Returns what it had finished but not handed over."""
        self.last_place = self.handle.place if self.handle is not None else ""
        self.handle, self.is_ready, self.restart_reason = None, False, ""
        self.loading_since = self.sending_since = None
        self.builds.put(None)
        self.sent.clear()
        self.deaths += 1
        orphans = [(request, done) for request, (done, _) in self.encoding.items()]
        self.encoding.clear()
        return orphans

    def read(self, frame: Frame, keys: Sequence[str]) -> WorkerMessage | None:
        """What it said; None for nothing that counts. It is killed for what no worker may say now.

        `keys` are the names of the requests.
        """
        if self.kill_reason == PROTOCOL_ERROR:
            return None
        try:
            message = read_message(*frame)
            if message is None or self._expects(message, keys):
                return message
        except ValueError:
            pass
        if not self.kill_reason:
            self.kill(PROTOCOL_ERROR)
        return None

    def _expects(self, message: WorkerMessage, keys: Sequence[str]) -> bool:
        """Whether this worker may say that now."""
        if isinstance(message, Ready | LoadFailed):
            return self.loading_since is not None
        if isinstance(message, Done):
            return self.running is not None and self.is_started and keys[self.running] == message.key
        return not isinstance(message, Delivery) or any(keys[request] == message.key for request in self.encoding)

    def death(self, how: str, limits: Limits) -> Failure:
        """Why this worker is no more; without its number, so that equal runs read alike."""
        is_thread = isinstance(self.handle, ThreadHandle)
        end = "nobody waits for its thread any more, which cannot be killed" if is_thread else "its worker was killed"
        if self.kill_reason == "timeout":
            return Failure("timeout", f"no result after {limits.timeout_s:g} s; {end}")
        if self.kill_reason == "stalled":
            return Failure("stalled", f"no progress for {limits.stall_s:g} s; {end}")
        if self.kill_reason == "start_timeout":
            lacks = f" (it waited for {self.handle.waiting_for})" if self.handle and self.handle.waiting_for else ""
            what = f"worker not ready after {limits.start_timeout_s:g} s{lacks}"
            return Failure("timeout", f"{what}; {'given up' if is_thread else 'killed'}")
        return Failure("worker_died", f"its worker died ({self.kill_reason or how})")


@dataclass(frozen=True, slots=True)
class Gone:
    """The process has ended; `how` is a signal or an exit code."""

    how: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """Somebody wants a fresh process, because of `reason`."""

    reason: str


WorkerEvent = Frame | Gone | Renewal | PrefetchStep | BaseException
Events = queue.SimpleQueue[tuple[int, int, WorkerEvent] | None]
"""(worker, generation of its process, what happened); None: look again whether something can be started."""


@dataclass(frozen=True, slots=True)
class EventSink:
    """Takes what a handle and the thread that feeds it have to say into the queue of the event loop."""

    events: Events
    index: int
    generation: int

    def put(self, event: WorkerEvent) -> None:
        self.events.put((self.index, self.generation, event))

    def on_frame(self, frame: Frame) -> None:
        self.put(frame)

    def on_gone(self, how: str) -> None:
        self.put(Gone(how))

    def on_broken(self, error: EditevalError) -> None:
        self.put(error)


class Launcher:
    """Starts workers, so many at a time. Everything but `end` belongs to the thread of the event loop."""

    def __init__(self, spec: WorkerSpec, workers: Sequence[WorkerState], launch: Launch, events: Events) -> None:
        self._spec = spec
        self._workers = workers
        self._launch = launch
        self._events = events
        self._waiting: deque[WorkerState] = deque()
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        """No worker is alive, loading or to be loaded."""
        return not self._waiting and all(x.handle is None and x.loading_since is None for x in self._workers)

    def add(self, workers: Iterable[WorkerState]) -> None:
        """They are to be loaded, after those that wait already."""
        self._waiting.extend(workers)

    def go_on(self, num_at_once: int, now: float, emit: Emit) -> None:
        """As many load as may load at the same time, from `now` (monotonic) on."""
        if self._has_ended:
            self._waiting.clear()
        while self._waiting and sum(x.loading_since is not None for x in self._workers) < num_at_once:
            worker = self._waiting.popleft()
            worker.generation += 1
            worker.loading_since = now
            worker.kill_reason = worker.last_place = ""
            worker.builds = queue.SimpleQueue()
            emit(PoolEvent("loading", {"worker": worker.index, "device": worker.device}))
            sink = EventSink(self._events, worker.index, worker.generation)
            worker.handle = self._launch(worker.index, worker.devices, sink)
            if self._has_ended:  # `end` came meanwhile, and may not have seen this one
                worker.handle.kill()
            # never waits for a place on a cluster; if the process died at birth, Gone is on its way
            worker.handle.send_nowait(pack_spec(self._spec, worker.own_devices, worker.index))

    def end(self) -> None:
        """Every worker is killed, and none is started any more. Any thread may call it, a signal handler too.

        It needs no lock: it sets the flag, then reads the handles; `go_on` stores a handle, then reads the flag.
        Whichever comes second sees what the other one did.
        """
        self._has_ended = True
        for worker in self._workers:
            if (handle := worker.handle) is not None:  # read once: the event loop may take it away
                handle.kill()
