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
from editeval.execution.attempts import RETRIED, AttemptTracker, needs_fresh_process
from editeval.execution.backends import Launch
from editeval.execution.launching import Launcher
from editeval.execution.policy import Policy
from editeval.execution.prefetch import ARRIVED, Build, PrefetchedRequest, prefetch
from editeval.execution.rounds import RoundTimes
from editeval.execution.transport import Frame, Header
from editeval.execution.worker_messages import PROTOCOL_ERROR, EncodedEdit, WorkerSpec, is_valid, unpack_scores
from editeval.execution.worker_state import FORWARDED, Clock, Emit, EventSink, Limits, PoolEvent, Result, WorkerState
from editeval.types import Failure

MAX_DEATHS = 10  # of a worker in a row, of requests that had ended none before; then its device is to blame
TICK_S = 0.2


class Dispatcher:
    """The event loop over the workers. `load` and `work` are called one after the other, never at once."""

    def __init__(self, spec: WorkerSpec, workers: Sequence[WorkerState], launch: Launch, limits: Limits) -> None:
        self._spec = spec
        self.workers = list(workers)
        self._limits = limits
        self._events: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._clock = Clock()
        self._launcher = Launcher(spec, self.workers, launch, self._events, self._clock)
        self._emit: Emit = lambda _: None
        self._fatal: EditevalError | None = None
        self._policy: Policy | None = None
        self._keys: Sequence[str] = ()
        self._build: Build | None = None
        self._numbers = itertools.count(ARRIVED + 1)  # of granted
        self._charges = AttemptTracker()
        self._unbuilt: dict[int, Failure] = {}
        self._left = 0
        self._next_tick = 0.0
        self._rounds = RoundTimes()
        self.is_draining = False
        self.has_room: Callable[[], bool] = lambda: True  # False while the consumer is behind

    # -- loading ---------------------------------------------------------------------------------------------------

    def load(self, emit: Callable[[PoolEvent], None]) -> None:
        """Every worker is ready, loaded `load_concurrency` at a time. Raises what the first failing worker raised."""
        self._emit = lambda thing: emit(thing) if isinstance(thing, PoolEvent) else None
        self._launcher.add(self.workers)
        self._load_next()
        while not all(worker.is_ready for worker in self.workers):
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

    def _on_ready(self, worker: WorkerState, header: Header) -> None:
        worker.is_ready = True
        worker.loading_since = None
        data = {k: header[k] for k in ("pid", "started_at", "ended_at", "facts")}
        self._emit(PoolEvent("ready", {"worker": worker.index, "device": worker.device} | data))
        tell = EventSink(self._events, worker.index, worker.generation).tell
        threading.Thread(target=prefetch, args=(worker.handle, worker.builds, tell), daemon=True).start()
        if self._policy is not None:
            self._policy.joined(worker.index)
        self._load_next()

    def _on_load_failed(self, worker: WorkerState, header: Header) -> None:
        error = header["error"]
        if self._policy is not None:  # a restart in the middle of the work: counts as one more death of this worker
            worker.kill_reason = f"cannot load: {error['message']}"
            return
        self._fatal = MachineError(f"{worker.where}: {self._spec.type} cannot be loaded: {error['message']}")

    # -- feeding ---------------------------------------------------------------------------------------------------

    def work(self, policy: Policy, keys: Sequence[str], build: Build, emit: Emit) -> None:
        """Every request becomes exactly one outcome through `emit`; returns early only when draining."""
        self._policy, self._keys, self._build, self._emit = policy, keys, build, emit
        self._charges, self._rounds, self._unbuilt, self._left = AttemptTracker(), RoundTimes(), {}, len(keys)
        for worker in self.workers:
            worker.sent.clear()
        try:
            self._grant_all()
            while self._left and not (self.is_draining and self._is_quiet()):
                self._step()
                if self._fatal and not any(worker.encoding for worker in self.workers):  # what is done is not lost
                    raise self._fatal
                if self._launcher.is_over and not self.is_draining:
                    raise MachineError(f"no worker is left: each died {MAX_DEATHS} times in a row; see the worker logs")
        finally:
            self._policy = None

    def _is_quiet(self) -> bool:
        return not any((worker.running is not None and worker.is_started) or worker.encoding for worker in self.workers)

    def _grant_all(self) -> None:
        granted: list[tuple[WorkerState, int]] = []
        for worker in self.workers:
            is_risky = self._charges.has_suspects or (self._policy is not None and self._policy.waits_for_results)
            is_alone = not (worker.encoding and is_risky)  # no unsent result may die with a suspect, or with a retry
            is_idle = worker.is_ready and worker.running is None and not (worker.kill_reason or self._fatal)
            if is_idle and worker.restart_reason and not worker.encoding:
                worker.kill(worker.restart_reason)
            elif is_idle and is_alone and not worker.restart_reason:
                granted += [(worker, request) for request in self._grant(worker)]
        for worker, request in granted:  # only now: building threads would delay the start of the next worker
            self._send(worker, request)

    def _grant(self, worker: WorkerState) -> list[int]:
        """Let `worker` start what the policy gives it; returns the requests that must be sent to it."""
        assert self._policy is not None
        request = None if self.is_draining or not self.has_room() else self._policy.next(worker.index)
        if request is not None:
            worker.running, worker.is_started = request, False
            self._charges.begin(request)
        ahead = None if self.is_draining else self._policy.upcoming(worker.index)
        wanted = {r for r in (request, ahead) if r is not None}
        for stale in [r for r in worker.sent if r not in wanted]:
            del worker.sent[stale]
            self._tell(worker, {"type": "drop", "key": self._keys[stale]})
        if request is not None and worker.sent.get(request) == ARRIVED:
            self._start(worker)
        if request in self._unbuilt:
            self._finish_unbuilt(worker, self._unbuilt[request])
        return [r for r in (request, ahead) if r is not None and r not in worker.sent and r not in self._unbuilt]

    def _send(self, worker: WorkerState, request: int) -> None:
        assert self._build is not None
        worker.sent[request] = next(self._numbers)
        worker.builds.put(PrefetchedRequest(worker.sent[request], request, self._keys[request], self._build))

    def _start(self, worker: WorkerState) -> None:
        assert worker.running is not None
        worker.is_started = True
        worker.started_at = worker.heard_at = self._clock.now()
        self._rounds.start()
        urgent = {"is_urgent": True} if self._policy is not None and self._policy.waits_for_results else {}
        self._tell(worker, {"type": "start", "key": self._keys[worker.running]} | urgent)
        self._emit(
            PoolEvent("started", {"worker": worker.index, "key": self._keys[worker.running]})
        )  # after the start itself

    def _tell(self, worker: WorkerState, header: Header) -> None:
        assert worker.handle is not None
        worker.handle.send_nowait(header)  # never waits; if it is gone, its "gone" event takes care of what it had

    # -- events ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again whether something can be started (any thread may call)."""
        self._events.put(("wake",))

    def renew(self, worker: int, why: str) -> None:
        """End the process of `worker` when it is at nothing, and load another (any thread may call)."""
        EventSink(self._events, worker, self.workers[worker].generation).tell("renew", why)

    def _step(self) -> None:
        self._clock.tick()
        if self._clock.now() >= self._next_tick:  # also while events come thick and fast
            self._next_tick = self._clock.now() + TICK_S
            for worker in self.workers:
                worker.enforce(self._clock.now(), self._limits)
            self._emit(PoolEvent("tick", {}))
        try:
            event = self._events.get(timeout=TICK_S)
        except queue.Empty:
            event = ("wake",)
        if event[0] != "wake":
            self._on_event(*event)
        if self._policy is not None:
            self._grant_all()

    def _on_event(self, kind: str, index: int, generation: int, *rest: Any) -> None:
        worker = self.workers[index]
        if generation != worker.generation:
            return
        if kind == "frame":
            self._on_frame(worker, rest[0])
        elif kind == "gone":
            self._on_gone(worker, rest[0])
        elif kind == "built":
            worker.sending_since = self._clock.now()
        elif kind == "sent":
            self._on_sent(worker, rest[0])
        elif kind == "unbuilt":
            self._on_unbuilt(worker, rest[0], rest[1])
        elif kind == "renew" and worker.is_ready:
            worker.restart_reason = worker.restart_reason or rest[0]
        elif kind == "broken":
            raise rest[0]

    def _on_sent(self, worker: WorkerState, prefetched: PrefetchedRequest) -> None:
        worker.sending_since = None
        if prefetched.request not in worker.sent:  # dropped while it was on its way
            self._tell(worker, {"type": "drop", "key": prefetched.key})
        elif worker.sent[prefetched.request] == prefetched.number:
            worker.sent[prefetched.request] = ARRIVED
            if worker.running == prefetched.request and not (worker.is_started or self.is_draining):
                self._start(worker)

    def _on_unbuilt(self, worker: WorkerState, prefetched: PrefetchedRequest, failure: Failure) -> None:
        if worker.sent.get(prefetched.request) != prefetched.number:
            return
        del worker.sent[prefetched.request]
        self._unbuilt[prefetched.request] = failure
        if worker.running == prefetched.request:
            self._finish_unbuilt(worker, failure)

    def _on_frame(self, worker: WorkerState, frame: Frame) -> None:
        header, blobs = frame
        if worker.kill_reason == PROTOCOL_ERROR:
            return  # nothing that it says counts any more
        if not is_valid(header, blobs) or not worker.expects(header, self._keys):
            if not worker.kill_reason:
                worker.kill(PROTOCOL_ERROR)
            return
        worker.heard_at = self._clock.now()
        kind = header["type"]
        if kind == "ready":
            self._on_ready(worker, header)
        elif kind == "load_failed":
            self._on_load_failed(worker, header)
        elif kind == "done":
            self._on_done(worker, header)
        elif kind == "result":
            self._on_result(worker, header, blobs)
        elif kind in FORWARDED:
            self._emit(PoolEvent(kind, {"worker": worker.index} | {k: header[k] for k in FORWARDED[kind]}))

    def _on_done(self, worker: WorkerState, header: Header) -> None:
        assert self._policy is not None and worker.running is not None
        request, worker.running = worker.running, None
        worker.sent.pop(request, None)
        self._policy.finished(worker.index, request)
        finished = PoolEvent("finished", {"worker": worker.index, "key": header["key"]})
        if "error" not in header:
            worker.encoding[request] = header | {"done_at": self._clock.now()}
            self._grant_all()  # first of all: the device must not wait for what follows
            self._emit(finished)
            return
        failure = Failure(**header["error"])
        if needs_fresh_process(failure, self._charges.num_tries(request)):
            worker.restart_reason = f"restarted after {failure.reason}"
            worker.deaths -= self._charges.ends_another(request)
        self._emit(finished)
        self._on_failure(worker, request, failure, header)  # the policy knows of it before it gives out anything
        self._grant_all()

    def _on_result(self, worker: WorkerState, header: Header, blobs: list[bytes]) -> None:
        request = next(r for r in worker.encoding if self._keys[r] == header["key"])
        done = worker.encoding.pop(request)
        worker.deaths = 0
        if "error" in header:
            self._on_failure(worker, request, Failure(**header["error"]), done)
        elif "scores" in header:
            self._finish(worker, request, unpack_scores(header["scores"]), None, done)
        else:
            edit = EncodedEdit(blobs[0], header["width"], header["height"], tuple(header["flags"]))
            self._finish(worker, request, edit, None, done)

    def _finish_unbuilt(self, worker: WorkerState, failure: Failure) -> None:
        assert self._policy is not None and worker.running is not None
        request, worker.running = worker.running, None
        self._policy.finished(worker.index, request)
        if not self._is_fatal(worker, failure):
            self._finish(worker, request, None, failure, {})
        self.wake()  # others may have been waiting for this one

    def _on_failure(self, worker: WorkerState, request: int, failure: Failure, done: Header) -> None:
        assert self._policy is not None
        if self._is_fatal(worker, failure):
            return
        if failure.reason in RETRIED and self._charges.num_charged(request) < self._limits.max_attempts:
            self._emit(PoolEvent("attempt", {"outcome": self._outcome(worker, request, None, failure, done)}))
            self._policy.again(request, worker.index)
            self._tell_rounds()
        else:
            self._finish(worker, request, None, failure, done)

    def _is_fatal(self, worker: WorkerState, failure: Failure) -> bool:
        """True if no request can succeed: the run stops, and this one stays unrecorded for the next invocation."""
        if failure.reason != "environment":
            return False
        self._fatal = MachineError(f"{worker.where}: {failure.message}")
        return True

    def _finish(self, worker: WorkerState, request: int, value: Any, failure: Failure | None, done: Header) -> None:
        assert self._policy is not None
        self._left -= 1
        self._charges.settled(request)
        self._policy.settled(request)
        self._emit(self._outcome(worker, request, value, failure, done))
        self._tell_rounds()

    def _tell_rounds(self) -> None:
        assert self._policy is not None
        self._rounds.over(self._policy.take_closed, self._keys, lambda data: self._emit(PoolEvent("batch", data)))

    def _outcome(self, worker: WorkerState, request: int, value: Any, failure: Failure | None, done: Header) -> Result:
        return worker.outcome(self._keys[request], self._charges.num_tries(request), value, failure, done)

    # -- death -----------------------------------------------------------------------------------------------------

    def _on_gone(self, worker: WorkerState, how: str) -> None:
        was_loading = worker.loading_since is not None
        failure = worker.death(how, self._limits)
        orphans = worker.on_process_exit()
        self._emit(PoolEvent("worker_lost", {"worker": worker.index, "device": worker.device, "how": failure.message}))
        if self._policy is not None:
            request, worker.running = self._policy.lost(worker.index), None
            worker.deaths -= self._charges.died(request, [r for r, _ in orphans])
            if request is not None:
                seconds = self._clock.now() - worker.started_at if worker.is_started else 0.0
                self._on_failure(worker, request, failure, {"started_at": time.time() - seconds, "seconds": seconds})
            for request, done in orphans:
                self._on_failure(worker, request, failure, done)
        if self._policy is None and was_loading and worker.deaths >= 2:
            said = f"{failure.message} while loading {self._spec.type}; see its log"
            self._fatal = MachineError(f"{worker.where}: {said}")
        elif worker.deaths < MAX_DEATHS and not self.is_draining:
            self._launcher.add([worker])
        else:
            is_lost = worker.deaths >= MAX_DEATHS
            how = f"lost for good: it died {worker.deaths} times in a row" if is_lost else "not started again"
            told = {"worker": worker.index, "device": worker.device, "how": how, "is_lost": is_lost}
            self._emit(PoolEvent("worker_given_up", told))
        self._load_next()
