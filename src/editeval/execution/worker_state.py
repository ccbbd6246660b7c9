"""What the dispatcher knows about one worker, the bounds it works under, and what it has to say besides results."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from editeval.errors import EditevalError
from editeval.execution.backends import Handle, ThreadHandle
from editeval.execution.devices import MARK
from editeval.execution.prefetch import PrefetchedRequest
from editeval.execution.transport import Frame
from editeval.types import Failure, Outcome

Result = Outcome[Any]


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


PROGRESS_EVENTS = frozenset({"started", "progress", "finished"})
"""Notices for those who watch; not for the record. finished: the device is free, the result is on its way."""


FORWARDED: Mapping[str, tuple[str, ...]] = {"progress": ("key", "step", "num_steps"), "pay": ("number", "bill")}
"""What a worker says that concerns others alone, and what of it they are told."""


@dataclass(frozen=True, slots=True)
class PoolEvent:
    """Something worth telling besides results: loading, ready, attempt, worker_lost, worker_given_up, tick, WATCHED,
    batch (a `rounds.Round` that is over, with its times), and pay, which waits for `Pool.answer`."""

    kind: str
    data: dict[str, Any]


Emit = Callable[[Result | PoolEvent], None]


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
    is_started: bool = False  # the worker was told to start `running`
    started_at: float = 0.0  # monotonic
    heard_at: float = 0.0  # monotonic, last sign of progress
    sending_since: float | None = None  # monotonic; a request is being sent to it
    sent: dict[int, int] = field(default_factory=dict)  # request -> number of its sending; ARRIVED once it is there
    encoding: dict[int, dict[str, Any]] = field(default_factory=dict)  # done, result still to come
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
        """End its process now; `reason` is what its death will be put down to."""
        assert self.handle is not None
        self.kill_reason = reason
        self.handle.kill()

    def outcome(self, key: str, attempt: int, value: Any, failure: Failure | None, done: Mapping[str, Any]) -> Result:
        """What became of a request on this worker; `done` is the header with which the worker said so, or a part."""
        return Outcome(
            key=key,
            value=value,
            error=failure,
            worker=self.index,
            device=self.device,
            attempt=attempt,
            started_at=done.get("started_at", time.time()),
            seconds=done.get("seconds", 0.0),
            peak_memory_gib=done.get("peak_memory_gib"),
        )

    def enforce(self, now: float, limits: Limits) -> None:
        """Its process is killed if it has broken a limit at `now` (monotonic)."""
        reason = self.overdue(now, limits)
        if reason and self.handle is not None and not self.kill_reason:
            self.kill(reason)

    def overdue(self, now: float, limits: Limits) -> str:
        """Which limit this worker has broken at `now` (monotonic); empty if none."""
        if self.loading_since is not None and now - self.loading_since > limits.start_timeout_s:
            return "start_timeout"
        if self.running is not None and self.is_started and now - self.started_at > limits.timeout_s:
            return "timeout"
        if self.running is not None and self.is_started and now - self.heard_at > limits.stall_s:
            return "stalled"
        if self.sending_since is not None and now - max(self.sending_since, self.heard_at) > limits.stall_s:
            return "stalled"  # it neither takes what it is sent nor says anything
        return "stalled" if any(now - d["done_at"] > limits.stall_s for d in self.encoding.values()) else ""

    def on_process_exit(self) -> list[tuple[int, dict[str, Any]]]:
        """The process is gone, and with it all it was doing. Returns what it had finished but not handed over."""
        self.last_place = self.handle.place if self.handle is not None else ""
        self.handle, self.is_ready, self.restart_reason = None, False, ""
        self.loading_since = self.sending_since = None
        self.builds.put(None)
        self.sent.clear()
        self.deaths += 1
        orphans = list(self.encoding.items())
        self.encoding.clear()
        return orphans

    def expects(self, header: Mapping[str, Any], keys: Sequence[str]) -> bool:
        """Whether this worker may say that now. `keys` are the names of the requests."""
        if header["type"] in ("ready", "load_failed"):
            return self.loading_since is not None
        if header["type"] == "done":
            return self.running is not None and self.is_started and keys[self.running] == header["key"]
        return header["type"] != "result" or any(keys[request] == header["key"] for request in self.encoding)

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
            return Failure(
                "timeout",
                f"worker not ready after {limits.start_timeout_s:g} s{lacks}; {'given up' if is_thread else 'killed'}",
            )
        return Failure("worker_died", f"its worker died ({self.kill_reason or how})")


@dataclass(frozen=True, slots=True)
class EventSink:
    """Turns what a handle and the thread that feeds it tell into events."""

    events: queue.SimpleQueue[tuple[Any, ...]]
    index: int
    generation: int

    def tell(self, kind: str, *rest: Any) -> None:
        self.events.put((kind, self.index, self.generation, *rest))

    def on_frame(self, frame: Frame) -> None:
        self.tell("frame", frame)

    def on_gone(self, how: str) -> None:
        self.tell("gone", how)

    def on_broken(self, error: EditevalError) -> None:
        self.tell("broken", error)
