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
from typing import Unpack

from editeval.errors import EditevalError, MachineError
from editeval.execution import worker_messages as messages
from editeval.execution.backends import Build, Launch, PrefetchedRequest, PrefetchStep, prefetch
from editeval.execution.policies import Dynamic
from editeval.execution.policy import RETRIED, AttemptTracker, Policy, needs_fresh_process
from editeval.execution.pool_events import BatchClock, Emit, EventData, PoolEvent, Result
from editeval.execution.transport import Header
from editeval.execution.worker_messages import Delivery, Done, Ready, Value, WorkerMessage, WorkerSpec
from editeval.execution.worker_state import (
    ARRIVED,
    Clock,
    Events,
    EventSink,
    Gone,
    Launcher,
    Limits,
    Renewal,
    WorkerEvent,
    WorkerState,
)
from editeval.types import Failure

MAX_DEATHS = 10  # of a worker in a row, of requests that had ended none before; then its device is to blame
TICK_S = 0.2


class Dispatcher:
    """The event loop over the workers. `load` and `work` are called one after the other, never at once."""

    def __init__(self, spec: WorkerSpec, workers: Sequence[WorkerState], launch: Launch, limits: Limits) -> None:
        self._spec = spec
        self.workers = list(workers)
        self._limits = limits
        self._events: Events = queue.SimpleQueue()
        self._clock = Clock()
        self._launcher = Launcher(spec, self.workers, launch, self._events)
        self._emit: Emit = lambda _: None
        self._fatal: EditevalError | None = None
        self._policy: Policy = Dynamic(0, ())
        self._is_working = False
        self._keys: Sequence[str] = ()
        self._build: Build | None = None
        self._numbers = itertools.count(ARRIVED + 1)  # of granted
        self._tries = AttemptTracker()
        self._unbuilt: dict[int, Failure] = {}
        self._left = 0
        self._next_tick = 0.0
        self._batch_clock = BatchClock()
        self.is_draining = self.has_ended = False
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
        self.is_draining = self.has_ended = True
        self._launcher.end()
        self.wake()

    def _notify(self, state: WorkerState, kind: str, **data: Unpack[EventData]) -> None:
        data["worker"] = state.index
        self._emit(PoolEvent(kind, data))

    def _load_next(self) -> None:
        self._launcher.go_on(self._limits.load_concurrency, self._clock.now(), self._emit)

    def _on_ready(self, worker: WorkerState, ready: Ready) -> None:
        worker.is_ready = True
        worker.loading_since = None
        data: EventData = {"device": worker.device, "pid": ready.pid, "facts": ready.facts}
        data |= {"started_at": ready.started_at, "ended_at": ready.ended_at}
        self._notify(worker, "ready", **data)
        put = EventSink(self._events, worker.index, worker.generation).put
        threading.Thread(target=prefetch, args=(worker.handle, worker.builds, put), daemon=True).start()
        if self._is_working:
            self._policy.joined(worker.index)
        self._load_next()

    def _on_load_failed(self, worker: WorkerState, error: Failure) -> None:
        if self._is_working:  # a restart in the middle of the work: counts as one more death of this worker
            worker.kill_reason = f"cannot load: {error.message}"
            return
        self._fatal = MachineError(f"{worker.where}: {self._spec.type} cannot be loaded: {error.message}")

    # -- feeding ---------------------------------------------------------------------------------------------------

    def work(self, policy: Policy, keys: Sequence[str], build: Build, emit: Emit) -> None:
        """Every request becomes exactly one outcome through `emit`; returns early only when draining."""
        self._policy, self._keys, self._build, self._emit, self._is_working = policy, keys, build, emit, True
        self._tries, self._unbuilt, self._left = AttemptTracker(), {}, len(keys)
        self._batch_clock.begin()
        for worker in self.workers:
            worker.sent.clear()
        try:
            self._grant_all()
            while self._left and not (self.is_draining and (self.has_ended or self._is_quiet())):
                self._step()
                if self._fatal and not any(worker.encoding for worker in self.workers):  # what is done is not lost
                    raise self._fatal
                if self._launcher.is_over and not self.is_draining:
                    raise MachineError(f"no worker is left: each died {MAX_DEATHS} times in a row; see the worker logs")
        finally:
            self._is_working = False

    def _is_quiet(self) -> bool:
        return not any((worker.running is not None and worker.is_started) or worker.encoding for worker in self.workers)

    def _grant_all(self) -> None:
        granted: list[tuple[WorkerState, int]] = []
        for worker in self.workers:
            is_risky = self._tries.has_suspects or self._policy.waits_for_results
            is_alone = not (worker.encoding and is_risky)  # no unsent result may die with a suspect, or with a retry
            is_idle = worker.is_ready and worker.running is None and not (worker.kill_reason or self._fatal)
            if is_idle and worker.restart_reason and not worker.encoding:
                worker.kill(worker.restart_reason)
            elif is_idle and is_alone and not worker.restart_reason:
                granted += [(worker, request) for request in self._grant(worker)]
        for worker, request in granted:  # only now: building threads would delay the start of the next worker
            self._send_ahead(worker, request)

    def _grant(self, worker: WorkerState) -> list[int]:
        """Let `worker` start what the policy gives it; returns the requests that must be sent to it."""
        request = None if self.is_draining or not self.has_room() else self._policy.next(worker.index)
        if request is not None:
            worker.running, worker.is_started = request, False
            self._tries.begin(request)
        ahead = None if self.is_draining else self._policy.upcoming(worker.index)
        wanted = {r for r in (request, ahead) if r is not None}
        for stale in [r for r in worker.sent if r not in wanted]:
            del worker.sent[stale]
            self._send(worker, {"type": "drop", "key": self._keys[stale]})
        if request is not None and worker.sent.get(request) == ARRIVED:
            self._start(worker)
        if request in self._unbuilt:
            self._finish_unbuilt(worker, self._unbuilt[request])
        return [r for r in (request, ahead) if r is not None and r not in worker.sent and r not in self._unbuilt]

    def _send_ahead(self, worker: WorkerState, request: int) -> None:
        assert self._build is not None
        worker.sent[request] = next(self._numbers)
        worker.builds.put(PrefetchedRequest(worker.sent[request], request, self._keys[request], self._build))

    def _start(self, worker: WorkerState) -> None:
        assert worker.running is not None
        worker.is_started = True
        worker.started_at = worker.last_sign_at = self._clock.now()
        self._batch_clock.start()
        key = self._keys[worker.running]
        self._send(worker, {"type": "start", "key": key, "is_urgent": self._policy.waits_for_results})
        self._notify(worker, "started", key=key)  # after the start itself

    def _send(self, worker: WorkerState, header: Header) -> None:
        assert worker.handle is not None
        worker.handle.send_nowait(header)  # never waits; if it is gone, its Gone takes care of what it had

    # -- events ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again whether something can be started (any thread may call)."""
        self._events.put(None)

    def renew(self, worker: int, why: str) -> None:
        """End the process of `worker` when it is at nothing, and load another (any thread may call)."""
        EventSink(self._events, worker, self.workers[worker].generation).put(Renewal(why))

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
            event = None
        if event is not None:
            index, generation, what = event
            if generation == self.workers[index].generation:
                self._on_event(self.workers[index], what)
        if self._is_working:
            self._grant_all()

    def _on_event(self, worker: WorkerState, event: WorkerEvent) -> None:
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Gone):
            self._on_gone(worker, event.how)
        elif isinstance(event, PrefetchStep):
            self._on_prefetch(worker, event.prefetched, event)
        elif isinstance(event, Renewal):
            if worker.is_ready:
                worker.restart_reason = worker.restart_reason or event.reason
        elif (message := worker.read(event, self._keys)) is not None:
            worker.last_sign_at = self._clock.now()
            self._on_message(worker, message)

    def _on_prefetch(self, worker: WorkerState, prefetched: PrefetchedRequest, step: PrefetchStep) -> None:
        request = prefetched.request
        is_current = worker.sent.get(request) == prefetched.number
        if step.state == "built":
            worker.sending_since = self._clock.now()
        elif step.state == "sent":
            worker.sending_since = None
            if request not in worker.sent:  # dropped while it was on its way
                self._send(worker, {"type": "drop", "key": prefetched.key})
            elif is_current:
                worker.sent[request] = ARRIVED
                if worker.running == request and not (worker.is_started or self.is_draining):
                    self._start(worker)
        elif is_current and step.failure is not None:
            del worker.sent[request]
            self._unbuilt[request] = step.failure
            if worker.running == request:
                self._finish_unbuilt(worker, step.failure)

    def _on_message(self, worker: WorkerState, message: WorkerMessage) -> None:
        if isinstance(message, Ready):
            self._on_ready(worker, message)
        elif isinstance(message, messages.LoadFailed):
            self._on_load_failed(worker, message.error)
        elif isinstance(message, Done):
            self._on_done(worker, message)
        elif isinstance(message, Delivery):
            self._on_delivery(worker, message)
        elif isinstance(message, messages.StepDone):
            self._notify(worker, "progress", key=message.key, step=message.step, num_steps=message.num_steps)
        elif isinstance(message, messages.BudgetQuestion):
            self._notify(worker, "pay", number=message.number, bill=message.bill)

    def _on_done(self, worker: WorkerState, done: Done) -> None:
        assert worker.running is not None
        request, worker.running = worker.running, None
        worker.sent.pop(request, None)
        self._policy.finished(worker.index, request)
        if done.error is None:
            worker.encoding[request] = done, self._clock.now()
            self._grant_all()  # first of all: the device must not wait for what follows
            self._notify(worker, "finished", key=done.key)
            return
        if needs_fresh_process(done.error, self._tries.num_tries(request)):
            worker.restart_reason = f"restarted after {done.error.reason}"
            worker.deaths -= self._tries.ends_another(request)
        self._notify(worker, "finished", key=done.key)
        self._on_failure(worker, request, done.error, done)  # the policy knows of it before it gives out anything
        self._grant_all()

    def _on_delivery(self, worker: WorkerState, delivery: Delivery) -> None:
        request = next(r for r in worker.encoding if self._keys[r] == delivery.key)
        done, _ = worker.encoding.pop(request)
        worker.deaths = 0
        if isinstance(delivery.result, Failure):
            self._on_failure(worker, request, delivery.result, done)
        else:
            self._finish(worker, request, delivery.result, done)

    def _finish_unbuilt(self, worker: WorkerState, failure: Failure) -> None:
        assert worker.running is not None
        request, worker.running = worker.running, None
        self._policy.finished(worker.index, request)
        if not self._is_fatal(worker, failure):
            self._finish(worker, request, failure, Done(self._keys[request], time.time(), 0.0))
        self.wake()  # others may have been waiting for this one

    def _on_failure(self, worker: WorkerState, request: int, failure: Failure, done: Done) -> None:
        if self._is_fatal(worker, failure):
            return
        if failure.reason in RETRIED and self._tries.num_charged(request) < self._limits.max_attempts:
            self._emit(PoolEvent("attempt", {"outcome": self._outcome(worker, request, failure, done)}))
            self._policy.again(request, worker.index)
            self._emit_batches()
        else:
            self._finish(worker, request, failure, done)

    def _is_fatal(self, worker: WorkerState, failure: Failure) -> bool:
        """True if no request can succeed: the run stops, and this one stays unrecorded for the next invocation."""
        if failure.reason != "environment":
            return False
        self._fatal = MachineError(f"{worker.where}: {failure.message}")
        return True

    def _finish(self, worker: WorkerState, request: int, result: Value | Failure, done: Done) -> None:
        self._left -= 1
        self._tries.settled(request)
        self._policy.settled(request)
        self._batch_clock.last_worker = worker.index
        self._emit(self._outcome(worker, request, result, done))
        self._emit_batches()

    def _emit_batches(self) -> None:
        while (closed := self._policy.take_closed()) is not None:
            self._emit(PoolEvent("batch", {"batch": self._batch_clock.close(closed, self._keys)}))

    def _outcome(self, worker: WorkerState, request: int, result: Value | Failure, done: Done) -> Result:
        return worker.outcome(self._keys[request], self._tries.num_tries(request), result, done)

    # -- death -----------------------------------------------------------------------------------------------------

    def _on_gone(self, worker: WorkerState, how: str) -> None:
        was_loading = worker.loading_since is not None
        failure = worker.death(how, self._limits)
        orphans = worker.on_process_exit()
        self._notify(worker, "worker_lost", device=worker.device, how=failure.message)
        if self._is_working:
            request, worker.running = self._policy.lost(worker.index), None
            worker.deaths -= self._tries.died(request, [r for r, _ in orphans])
            if request is not None:
                seconds = self._clock.now() - worker.started_at if worker.is_started else 0.0
                self._on_failure(worker, request, failure, Done(self._keys[request], time.time() - seconds, seconds))
            for request, done in orphans:
                self._on_failure(worker, request, failure, done)
        if not self._is_working and was_loading and worker.deaths >= 2:
            why = f"{failure.message} while loading {self._spec.type}; see its log"
            self._fatal = MachineError(f"{worker.where}: {why}")
        elif worker.deaths < MAX_DEATHS and not self.is_draining:
            self._launcher.add([worker])
        else:
            is_lost = worker.deaths >= MAX_DEATHS
            how = f"lost for good: it died {worker.deaths} times in a row" if is_lost else "not started again"
            self._notify(worker, "worker_given_up", device=worker.device, how=how, is_lost=is_lost)
        self._load_next()
