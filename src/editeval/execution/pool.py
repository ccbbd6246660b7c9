"""A pool of workers: `with Pool(...) as pool: for outcome in pool.run(keys, build): ...`.

    caller's thread    Pool.run      yields outcomes as they finish; writes, hashes and counts at leisure
    dispatch thread    Dispatcher    decides, in microseconds, what starts where
    per worker         two threads   one reads requests from disk and sends them ahead, one listens

Leaving the `with` block ends every worker, which is what frees the devices. What its workers may spend is decided by a
BudgetLedger.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Self

from editeval.errors import MachineError
from editeval.execution.backends import GIVE_UP_S, HURRY_S, Build, Handle, Launch
from editeval.execution.dispatch import Dispatcher
from editeval.execution.policies import make_policy
from editeval.execution.policy import IN_BATCH
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Limits, WorkerState
from editeval.types import UsageRequest

Notify = Callable[[PoolEvent], None]
MAX_BACKLOG = 1000  # events not consumed yet, above which steps of an edit are left out
_Out = queue.SimpleQueue[Result | PoolEvent | None]


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """What runs where, and by which rule. `devices` holds one group of device names per worker."""

    worker: WorkerSpec
    devices: Sequence[tuple[str, ...]]
    policy: str = "batch_sync"
    max_drift: int | None = None
    retry: str = IN_BATCH
    limits: Limits = field(default_factory=Limits)


class Pool:
    """Workers that are loaded one after another and all ready before the first request starts."""

    def __init__(self, spec: PoolSpec, launch: Launch, notify: Notify = lambda _: None) -> None:
        self.spec = spec
        self._notify = notify
        workers = [WorkerState(index, group) for index, group in enumerate(spec.devices)]
        self._dispatcher = Dispatcher(spec.worker, workers, launch, spec.limits)
        self._has_ended = False
        self._unconsumed = 0
        self._lock = threading.Lock()
        self._is_idle = threading.Event()  # no `run` is going on: only `close` touches the workers
        self._is_idle.set()

    def __enter__(self) -> Self:
        try:
            self._dispatcher.load(self._notify)
        except BaseException:
            self._dispatcher.end()
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether it takes more requests."""
        return not self._has_ended and not self._dispatcher.is_draining

    def drain(self) -> None:
        """Start nothing more; `run` ends when what is running has finished."""
        self._dispatcher.is_draining = True
        self._dispatcher.wake()

    def abort(self) -> None:
        """`run` ends at once; what was running is lost. Any thread may call it; no worker is started after it."""
        self._has_ended = True
        self._dispatcher.end()

    def renew(self, worker: int, why: str) -> None:
        """`worker` gets a fresh process as soon as the present one has handed over what it is at. Any thread may call.

        `why` is what its end will be put down to. Nothing happens if the process has gone meanwhile.
        """
        self._dispatcher.renew(worker, why)

    def answer(self, notice: PoolEvent, why: str) -> None:
        """What the worker of a "pay" notice waits for: "" if it may, or why not. Any thread may call it."""
        handle = self._dispatcher.workers[notice.data["worker"]].handle
        if handle is not None:
            handle.send_nowait({"type": "paid", "number": notice.data["number"], "why": why})

    def close(self) -> None:
        """No worker of this pool is alive any more, nor any process that it started. A `run` that is going on in
        another thread is ended. After that, and after an interrupt, it takes HURRY_S at most."""
        self._has_ended = True
        if not self._is_idle.is_set():
            self._dispatcher.end()
            self._is_idle.wait()
        handles: list[Handle] = []
        for worker in self._dispatcher.workers:
            if worker.handle is not None:
                worker.builds.put(None)
                handles.append(worker.handle)
                if not worker.is_ready:
                    worker.handle.kill()  # in the middle of loading it would not read a request to leave
        try:
            _stop(handles, HURRY_S if self._dispatcher.has_ended else GIVE_UP_S)
        except BaseException:  # an interrupt
            for handle in handles:
                handle.kill()
            _stop(handles, HURRY_S)
            raise
        for worker in self._dispatcher.workers:
            worker.handle, worker.is_ready = None, False

    def run(self, keys: Sequence[str], build: Build, policy: str | None = None) -> Iterator[Result]:
        """One outcome per key, as they finish. `build(key)` reads the request; it is called from other threads.

        `policy` replaces that of the spec. Fewer outcomes only after `drain`.
        Raises MachineError when no worker can be kept alive. A caller that stops listening ends the pool.
        """
        if self._has_ended:
            raise MachineError("this pool of workers has ended; load the model again")
        out: _Out = queue.SimpleQueue()
        room = 4 * len(self.spec.devices) + 8
        self._unconsumed = 0

        def emit(thing: Result | PoolEvent) -> None:
            if not isinstance(thing, PoolEvent):
                with self._lock:
                    self._unconsumed += 1
            elif thing.kind == "progress" and out.qsize() > MAX_BACKLOG:
                return  # the consumer is busy: it will see a later step
            out.put(thing)

        self._dispatcher.has_room = lambda: self._unconsumed < room
        self._is_idle.clear()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="dispatch") as executor:
            work = executor.submit(self._dispatch, policy or self.spec.policy, keys, build, emit)
            work.add_done_callback(lambda _: self._done(out))
            self._has_ended = True  # unless everything goes well
            try:
                yield from self._consume(out, room)
                work.result()
                self._has_ended = False
            finally:
                if not work.done():  # the caller stopped listening: it must not have to wait for what is running
                    self.abort()

    def _done(self, out: _Out) -> None:
        self._is_idle.set()
        out.put(None)

    def _consume(self, out: _Out, room: int) -> Iterator[Result]:
        while (thing := out.get()) is not None:
            if isinstance(thing, PoolEvent):
                self._notify(thing)
                continue
            yield thing
            with self._lock:
                self._unconsumed -= 1
                was_full = self._unconsumed == room - 1
            if was_full:
                self._dispatcher.wake()

    def _dispatch(
        self, name: str, keys: Sequence[str], build: Build, emit: Callable[[Result | PoolEvent], None]
    ) -> None:
        workers = [worker.index for worker in self._dispatcher.workers if worker.is_ready]
        policy = make_policy(name, len(keys), workers, self.spec.max_drift, self.spec.retry)
        self._dispatcher.work(policy, keys, build, emit)


def _stop(handles: Sequence[Handle], patience_s: float) -> None:
    threads = [threading.Thread(target=handle.stop, args=(patience_s,), daemon=True) for handle in handles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tries of calls, tokens of those that were answered, and their price."""

    calls: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    usd: float = 0.0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> Usage:
        """What `to_json` gave; nothing spent without a text."""
        return cls(**json.loads(text)) if text else cls()

    def line(self) -> str:
        """In words."""
        tokens = f"{self.prompt_tokens:,} prompt and {self.reply_tokens:,} reply tokens"
        return f"{self.calls:,} calls made, {tokens}" + (f", {self.usd:.4f} USD" if self.usd else "")


class BudgetLedger:
    """What the workers of one stage have spent together. `save` gets every change before it counts."""

    def __init__(self, spent: Usage | None = None, save: Callable[[Usage], None] = lambda _: None) -> None:
        self.spent = spent or Usage()
        self._save = save

    def settle(self, bill: UsageRequest) -> str:
        """Returns the reason the budget refuses, or an empty string: then what `bill` is about is on record."""
        why = self.limit(bill)
        if why:
            return f"{why} is reached: {self.spent.line()}"
        now = self.spent
        then = Usage(
            now.calls + bill.calls,
            now.prompt_tokens + bill.prompt_tokens,
            now.reply_tokens + bill.reply_tokens,
            now.usd + bill.usd,
        )
        self._save(then)
        self.spent = then
        return ""

    def limit(self, bill: UsageRequest) -> str:
        """The limit that the calls of `bill` would break; empty if there is none. What was used is always on record."""
        if not bill.calls:
            return ""
        if bill.max_calls is not None and self.spent.calls + bill.calls > bill.max_calls:
            return "max_calls"
        return "max_usd" if bill.max_usd is not None and self.spent.usd >= bill.max_usd else ""
