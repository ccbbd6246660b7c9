"""Works activities: one in the caller's thread, several at once in a thread each.

Whatever touches the ledger happens in the caller's thread, in the order in which it comes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial

from editeval.execution.lanes import Notice
from editeval.execution.pool import Pool
from editeval.stages.activity import Activity
from editeval.stages.interrupt import Interrupt

POLL_S = 0.2
_Calls = queue.Queue[Callable[[], None]]


def run(activities: Sequence[Activity], interrupt: Interrupt) -> None:
    """Every request of `activities` is on record, and no worker is alive any more; fewer only after an interrupt."""
    for activity in activities:
        activity.opened()
    if len(activities) == 1:
        _run_alone(activities[0], interrupt)
    elif activities:
        _run_together(activities, interrupt)


def _run_alone(activity: Activity, interrupt: Interrupt) -> None:
    pool = activity.pool = Pool(activity.workers.spec, activity.workers.launch, activity.notice)
    try:
        with interrupt.watches(pool), pool:
            if interrupt.signum is None:
                activity.began()
                for outcome in pool.run(activity.keys, activity.build):
                    activity.record(outcome)
                activity.finished()
    finally:
        activity.closed()


def _run_together(activities: Sequence[Activity], interrupt: Interrupt) -> None:
    """One thread per activity works its pool; what they have to say is done here, in the order in which it comes."""
    calls: _Calls = queue.Queue(maxsize=16 * len(activities))
    loading = threading.Lock()  # models of two stages load one after another too
    pumps = [_Pump(activity, calls, loading, interrupt) for activity in activities]
    with ThreadPoolExecutor(len(pumps), "stage") as executor, ExitStack() as stack:
        for pump in pumps:
            stack.enter_context(interrupt.watches(pump.pool))
        for pump in pumps:  # however this ends, so do the threads
            stack.callback(pump.stop)
        running = [executor.submit(pump.work) for pump in pumps]
        while not all(work.done() for work in running) or not calls.empty():
            with suppress(queue.Empty):
                calls.get(timeout=POLL_S)()
            for work in running:
                if work.done():
                    work.result()  # raises what the thread raised


class _Stopped(Exception):  # noqa: N818 - not an error: nobody listens any more
    pass


class _Pump:
    """Works one pool in a thread of its own, and hands everything that concerns the ledger to the queue `calls`."""

    def __init__(self, activity: Activity, calls: _Calls, loading: threading.Lock, interrupt: Interrupt) -> None:
        self._activity = activity
        self._calls = calls
        self._loading = loading
        self._interrupt = interrupt
        self._has_stopped = threading.Event()
        notify: Callable[[Notice], None] = lambda notice: self._put(partial(activity.notice, notice))  # noqa: E731
        self.pool = activity.pool = Pool(activity.workers.spec, activity.workers.launch, notify)

    def stop(self) -> None:
        """`work` ends now; costs nothing if it has."""
        self._has_stopped.set()
        self.pool.abort()

    def work(self) -> None:
        """The whole stage; returns early once stopped."""
        with suppress(_Stopped):
            try:
                self._run()
            finally:
                self.pool.close()
            self._put(self._activity.closed)

    def _run(self) -> None:
        with self._loading:
            self.pool.__enter__()
        if self._interrupt.signum is not None:
            return
        self._put(self._activity.began)
        for outcome in self.pool.run(self._activity.keys, self._activity.build):
            self._put(partial(self._activity.record, outcome))
        self._put(self._activity.finished)

    def _put(self, call: Callable[[], None]) -> None:
        while not self._has_stopped.is_set():
            with suppress(queue.Full):
                self._calls.put(call, timeout=POLL_S)
                return
        raise _Stopped
