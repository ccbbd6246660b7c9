"""Drives workers with a policy: loads them one after another, feeds them ahead, notices when one dies, tries again.

Everything happens in one thread, event by event; other threads only put events into its queue. The device's path is:
"done" arrives -> the policy names the next request -> "start" leaves. That request already waits decoded in the worker.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from editeval.errors import EditevalError, MachineError
from editeval.execution.backends import Launch
from editeval.execution.charges import Charges
from editeval.execution.feeding import ARRIVED, Build, Parcel, feed
from editeval.execution.frames import Frame
from editeval.execution.lanes import PASSED_ON, RETRIED, Clock, Ears, Lane, Limits, Notice, Result, needs_fresh_process
from editeval.execution.launching import Launcher
from editeval.execution.messages import NONSENSE, EncodedEdit, WorkerSpec, is_sound, unpack_scores
from editeval.execution.policy import Policy
from editeval.execution.rounds import RoundTimes
from editeval.types import Failure

MAX_DEATHS = 10  # of a worker in a row, of requests that had ended none before; then its device is to blame
TICK_S = 0.2


class Dispatcher:
    """The event loop over the lanes. `load` and `work` are called one after the other, never at once."""

    def __init__(self, spec: WorkerSpec, lanes: Sequence[Lane], launch: Launch, limits: Limits) -> None:
        self._spec = spec
        self.lanes = list(lanes)
        self._limits = limits
        self._events: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._clock = Clock()
        self._launcher = Launcher(spec, self.lanes, launch, self._events, self._clock)
        self._emit: Callable[[Result | Notice], None] = lambda _: None
        self._fatal: EditevalError | None = None
        self._policy: Policy | None = None
        self._keys: Sequence[str] = ()
        self._build: Build | None = None
        self._numbers = itertools.count(ARRIVED + 1)  # of parcels
        self._charges = Charges()
        self._unbuilt: dict[int, Failure] = {}
        self._left = 0
        self._next_tick = 0.0
        self._rounds = RoundTimes()
        self.is_draining = False
        self.has_room: Callable[[], bool] = lambda: True  # False while the consumer is behind

    # -- loading ---------------------------------------------------------------------------------------------------

    def load(self, emit: Callable[[Notice], None]) -> None:
        """Every lane is ready, loaded `load_concurrency` at a time. Raises what the first failing worker raised."""
        self._emit = lambda thing: emit(thing) if isinstance(thing, Notice) else None
        self._launcher.add(self.lanes)
        self._load_next()
        while not all(lane.is_ready for lane in self.lanes):
            self._step()
            if self._fatal:
                raise self._fatal
            if self.is_draining:
                return

    def end(self) -> None:
        """Every worker dies now, and none is started any more (any thread may call)."""
        self.is_draining = True
        self._launcher.end()
        self.wake()

    def _load_next(self) -> None:
        self._launcher.go_on(self._limits.load_concurrency, self._emit)

    def _on_ready(self, lane: Lane, header: dict[str, Any]) -> None:
        lane.is_ready = True
        lane.loading_since = None
        data = {k: header[k] for k in ("pid", "started_at", "ended_at", "facts")}
        self._emit(Notice("ready", {"worker": lane.index, "device": lane.device} | data))
        tell = Ears(self._events, lane.index, lane.generation).tell
        threading.Thread(target=feed, args=(lane.handle, lane.builds, tell), daemon=True).start()
        if self._policy is not None:
            self._policy.joined(lane.index)
        self._load_next()

    def _on_load_failed(self, lane: Lane, header: dict[str, Any]) -> None:
        error = header["error"]
        if self._policy is not None:  # a restart in the middle of the work: counts as one more death of this worker
            lane.kill_reason = f"cannot load: {error['message']}"
            return
        self._fatal = MachineError(f"{lane.where}: {self._spec.type} cannot be loaded: {error['message']}")

    # -- feeding ---------------------------------------------------------------------------------------------------

    def work(self, policy: Policy, keys: Sequence[str], build: Build, emit: Callable[[Result | Notice], None]) -> None:
        """Every request becomes exactly one outcome through `emit`; returns early only when draining."""
        self._policy, self._keys, self._build, self._emit = policy, keys, build, emit
        self._charges, self._rounds, self._unbuilt, self._left = Charges(), RoundTimes(), {}, len(keys)
        for lane in self.lanes:
            lane.sent.clear()
        try:
            self._grant_all()
            while self._left and not (self.is_draining and self._is_quiet()):
                self._step()
                if self._fatal:
                    raise self._fatal
                if self._launcher.is_over and not self.is_draining:
                    raise MachineError(f"no worker is left: each died {MAX_DEATHS} times in a row; see the worker logs")
        finally:
            self._policy = None

    def _is_quiet(self) -> bool:
        return not any((lane.running is not None and lane.is_started) or lane.encoding for lane in self.lanes)

    def _grant_all(self) -> None:
        parcels: list[tuple[Lane, int]] = []
        for lane in self.lanes:
            is_risky = self._charges.has_suspects or (self._policy is not None and self._policy.waits_for_results)
            is_alone = not (lane.encoding and is_risky)  # no unsent result may die with a suspect, or with a retry
            is_idle = lane.is_ready and lane.running is None and not lane.kill_reason
            if is_idle and lane.condemned and not lane.encoding:
                lane.kill(lane.condemned)
            elif is_idle and is_alone and not lane.condemned:
                parcels += [(lane, request) for request in self._grant(lane)]
        for lane, request in parcels:  # only now: the threads that build would keep the next lane waiting for its start
            self._send(lane, request)

    def _grant(self, lane: Lane) -> list[int]:
        """Let `lane` start what the policy gives it; returns the requests that must be sent to it."""
        assert self._policy is not None
        request = None if self.is_draining or not self.has_room() else self._policy.next(lane.index)
        if request is not None:
            lane.running, lane.is_started = request, False
            self._charges.begin(request)
        ahead = None if self.is_draining else self._policy.upcoming(lane.index)
        wanted = {r for r in (request, ahead) if r is not None}
        for stale in [r for r in lane.sent if r not in wanted]:
            del lane.sent[stale]
            self._tell(lane, {"type": "drop", "key": self._keys[stale]})
        if request is not None and lane.sent.get(request) == ARRIVED:
            self._start(lane)
        if request in self._unbuilt:
            self._finish_unbuilt(lane, self._unbuilt[request])
        return [r for r in (request, ahead) if r is not None and r not in lane.sent and r not in self._unbuilt]

    def _send(self, lane: Lane, request: int) -> None:
        assert self._build is not None
        lane.sent[request] = next(self._numbers)
        lane.builds.put(Parcel(lane.sent[request], request, self._keys[request], self._build))

    def _start(self, lane: Lane) -> None:
        assert lane.running is not None
        lane.is_started = True
        lane.started_at = lane.heard_at = self._clock.now()
        self._rounds.start()
        urgent = {"is_urgent": True} if self._policy is not None and self._policy.waits_for_results else {}
        self._tell(lane, {"type": "start", "key": self._keys[lane.running]} | urgent)
        self._emit(Notice("started", {"worker": lane.index, "key": self._keys[lane.running]}))  # the device first

    def _tell(self, lane: Lane, header: dict[str, Any]) -> None:
        assert lane.handle is not None
        lane.handle.post(header)  # never waits; if it is gone, its "gone" event takes care of what it had

    # -- events ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again whether something can be started (any thread may call)."""
        self._events.put(("wake",))

    def renew(self, worker: int, why: str) -> None:
        """End the process of `worker` when it is at nothing, and load another (any thread may call)."""
        Ears(self._events, worker, self.lanes[worker].generation).tell("renew", why)

    def _step(self) -> None:
        self._clock.tick()
        if self._clock.now() >= self._next_tick:  # also while events come thick and fast
            self._next_tick = self._clock.now() + TICK_S
            for lane in self.lanes:
                lane.enforce(self._clock.now(), self._limits)
            self._emit(Notice("tick", {}))
        try:
            event = self._events.get(timeout=TICK_S)
        except queue.Empty:
            event = ("wake",)
        if event[0] == "wake":
            self._after_event()
            return
        kind, index, generation, *rest = event
        lane = self.lanes[index]
        if generation != lane.generation:
            return
        if kind == "frame":
            self._on_frame(lane, rest[0])
        elif kind == "gone":
            self._on_gone(lane, rest[0])
        elif kind == "built":
            lane.sending_since = self._clock.now()
        elif kind == "sent":
            self._on_sent(lane, rest[0])
        elif kind == "unbuilt":
            self._on_unbuilt(lane, rest[0], rest[1])
        elif kind == "renew" and lane.is_ready:
            lane.condemned = lane.condemned or rest[0]
        elif kind == "broken":
            raise rest[0]
        self._after_event()

    def _on_sent(self, lane: Lane, parcel: Parcel) -> None:
        lane.sending_since = None
        if parcel.request not in lane.sent:  # dropped while it was on its way
            self._tell(lane, {"type": "drop", "key": parcel.key})
        elif lane.sent[parcel.request] == parcel.number:
            lane.sent[parcel.request] = ARRIVED
            if lane.running == parcel.request and not (lane.is_started or self.is_draining):
                self._start(lane)

    def _on_unbuilt(self, lane: Lane, parcel: Parcel, failure: Failure) -> None:
        if lane.sent.get(parcel.request) != parcel.number:
            return
        del lane.sent[parcel.request]
        self._unbuilt[parcel.request] = failure
        if lane.running == parcel.request:
            self._finish_unbuilt(lane, failure)

    def _after_event(self) -> None:
        if self._policy is not None:
            self._grant_all()

    def _on_frame(self, lane: Lane, frame: Frame) -> None:
        header, blobs = frame
        if lane.kill_reason == NONSENSE:
            return  # nothing that it says counts any more
        if not is_sound(header, blobs) or not lane.awaits(header, self._keys):
            if not lane.kill_reason:
                lane.kill(NONSENSE)
            return
        lane.heard_at = self._clock.now()
        kind = header["type"]
        if kind == "ready":
            self._on_ready(lane, header)
        elif kind == "load_failed":
            self._on_load_failed(lane, header)
        elif kind == "done":
            self._on_done(lane, header)
        elif kind == "result":
            self._on_result(lane, header, blobs)
        elif kind in PASSED_ON:
            self._emit(Notice(kind, {"worker": lane.index} | {k: header[k] for k in PASSED_ON[kind]}))

    def _on_done(self, lane: Lane, header: dict[str, Any]) -> None:
        assert self._policy is not None and lane.running is not None
        request, lane.running = lane.running, None
        lane.sent.pop(request, None)
        self._policy.finished(lane.index, request)
        finished = Notice("finished", {"worker": lane.index, "key": header["key"]})
        if "error" not in header:
            lane.encoding[request] = header | {"done_at": self._clock.now()}
            self._grant_all()  # first of all: the device must not wait for what follows
            self._emit(finished)
            return
        failure = Failure(**header["error"])
        if needs_fresh_process(failure, self._charges.num_tries(request)):
            lane.condemned = f"restarted after {failure.reason}"
            lane.deaths -= self._charges.ends_another(request)
        self._emit(finished)
        self._on_failure(lane, request, failure, header)  # the policy knows of it before it gives out anything
        self._grant_all()

    def _on_result(self, lane: Lane, header: dict[str, Any], blobs: list[bytes]) -> None:
        request = next(r for r in lane.encoding if self._keys[r] == header["key"])
        done = lane.encoding.pop(request)
        lane.deaths = 0
        if "error" in header:
            self._on_failure(lane, request, Failure(**header["error"]), done)
        elif "scores" in header:
            self._finish(lane, request, unpack_scores(header["scores"]), None, done)
        else:
            edit = EncodedEdit(blobs[0], header["width"], header["height"], tuple(header["flags"]))
            self._finish(lane, request, edit, None, done)

    def _finish_unbuilt(self, lane: Lane, failure: Failure) -> None:
        assert self._policy is not None and lane.running is not None
        request, lane.running = lane.running, None
        self._policy.finished(lane.index, request)
        if not self._is_fatal(lane, failure):
            self._finish(lane, request, None, failure, {})
        self.wake()  # others may have been waiting for this one

    def _on_failure(self, lane: Lane, request: int, failure: Failure, done: dict[str, Any]) -> None:
        assert self._policy is not None
        if self._is_fatal(lane, failure):
            return
        if failure.reason in RETRIED and self._charges.num_charged(request) < self._limits.max_attempts:
            self._emit(Notice("attempt", {"outcome": self._outcome(lane, request, None, failure, done)}))
            self._policy.again(request, lane.index)
            self._tell_rounds()
        else:
            self._finish(lane, request, None, failure, done)

    def _is_fatal(self, lane: Lane, failure: Failure) -> bool:
        """True if no request can succeed: the run stops, and this one stays unrecorded for the next invocation."""
        if failure.reason != "environment":
            return False
        self._fatal = MachineError(f"{lane.where}: {failure.message}")
        return True

    def _finish(self, lane: Lane, request: int, value: Any, failure: Failure | None, done: dict[str, Any]) -> None:
        assert self._policy is not None
        self._left -= 1
        self._charges.settled(request)
        self._policy.settled(request)
        self._emit(self._outcome(lane, request, value, failure, done))
        self._tell_rounds()

    def _tell_rounds(self) -> None:
        assert self._policy is not None
        self._rounds.over(self._policy.take_closed, self._keys, lambda data: self._emit(Notice("batch", data)))

    def _outcome(self, lane: Lane, request: int, value: Any, failure: Failure | None, done: dict[str, Any]) -> Result:
        return lane.outcome(self._keys[request], self._charges.num_tries(request), value, failure, done)

    # -- death -----------------------------------------------------------------------------------------------------

    def _on_gone(self, lane: Lane, how: str) -> None:
        was_loading = lane.loading_since is not None
        failure = lane.death(how, self._limits)
        orphans = lane.buried()
        self._emit(Notice("worker_lost", {"worker": lane.index, "device": lane.device, "how": failure.message}))
        if self._policy is not None:
            request, lane.running = self._policy.lost(lane.index), None
            lane.deaths -= self._charges.died(request, [r for r, _ in orphans])
            if request is not None:
                seconds = self._clock.now() - lane.started_at if lane.is_started else 0.0
                self._on_failure(lane, request, failure, {"started_at": time.time() - seconds, "seconds": seconds})
            for request, done in orphans:
                self._on_failure(lane, request, failure, done)
        if self._policy is None and was_loading and lane.deaths >= 2:
            self._fatal = MachineError(f"{lane.where}: {failure.message} while loading {self._spec.type}; see its log")
        elif lane.deaths < MAX_DEATHS and not self.is_draining:
            self._launcher.add([lane])
        else:
            is_lost = lane.deaths >= MAX_DEATHS
            how = f"lost for good: it died {lane.deaths} times in a row" if is_lost else "not started again"
            told = {"worker": lane.index, "device": lane.device, "how": how, "is_lost": is_lost}
            self._emit(Notice("worker_given_up", told))
        self._load_next()
