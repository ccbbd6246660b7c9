"""Works activities: one in the caller's thread, several at once in a thread each.

Whatever touches the ledger happens in the caller's thread, in the order in which it comes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial

from editeval.display.observer import Observer
from editeval.errors import ConfigError
from editeval.execution.backends import MARK
from editeval.execution.pool import Pool
from editeval.execution.pool_events import PoolEvent
from editeval.run.edit_stage import Editing
from editeval.run.interrupt import Interrupt
from editeval.run.judge_stage import JudgeStage
from editeval.run.placement import claims
from editeval.run.plan import Plan, ScoreSetPlan
from editeval.run.stage import CompletedEdits, RunningStage
from editeval.store.run_store import RunStore

POLL_S = 0.2
_Calls = queue.Queue[Callable[[], None]]


def run(activities: Sequence[RunningStage], interrupt: Interrupt) -> None:
    """Every request of `activities` is on record, and no worker is alive any more; fewer only after an interrupt."""
    for activity in activities:
        activity.opened()
    if len(activities) == 1:
        _run_alone(activities[0], interrupt)
    elif activities:
        _run_together(activities, interrupt)


def _run_alone(activity: RunningStage, interrupt: Interrupt) -> None:
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


def _run_together(activities: Sequence[RunningStage], interrupt: Interrupt) -> None:
    """One thread per activity works its pool; what they have to say is done here, in the order in which it comes."""
    calls: _Calls = queue.Queue(maxsize=16 * len(activities))
    loading = threading.Lock()  # models of two stages load one after another too
    pumps = [StageThread(activity, calls, loading, interrupt) for activity in activities]
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


class StageThread:
    """Works one pool in a thread of its own, and hands everything that concerns the ledger to the queue `calls`."""

    def __init__(self, activity: RunningStage, calls: _Calls, loading: threading.Lock, interrupt: Interrupt) -> None:
        self._activity = activity
        self._calls = calls
        self._loading = loading
        self._interrupt = interrupt
        self._has_stopped = threading.Event()
        notify: Callable[[PoolEvent], None] = lambda notice: self._put(partial(activity.notice, notice))  # noqa: E731
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


StageGroup = list[ScoreSetPlan | None]
"""None stands for editing, which is always in the first one, if there is any."""


def run_waves(plan: Plan, store: RunStore, interrupt: Interrupt, observer: Observer) -> tuple[str, ...]:
    """Everything wanted is edited and judged; less only after an interrupt, and at a limit on spending.

    Returns one line for each stage that met such a limit. Stages that are complete start nothing.
    """
    stopped: list[str] = []
    completed = CompletedEdits(store.edits(), store.pending_edits() if plan.is_editing else ())
    try:
        for wave in waves(plan):
            if interrupt.signum is None:
                wanted = [a for a in _activities(wave, plan, store, completed) if a.keys]
                activities = [a for a in wanted if not a.is_spent()]
                if None in wave and not any(isinstance(a, Editing) for a in activities):
                    completed.close()  # nobody edits: nobody is to wait for it
                for activity in activities:
                    activity.observer = observer
                run(activities, interrupt)
                stopped += [activity.stopped for activity in wanted if activity.stopped]
    finally:
        completed.close()
    return tuple(stopped)


def _activities(wave: StageGroup, plan: Plan, store: RunStore, completed: CompletedEdits) -> list[RunningStage]:
    return [
        Editing(plan, store, completed) if judging is None else JudgeStage(plan, judging, store, completed)
        for judging in wave
    ]


def waves(plan: Plan) -> list[StageGroup]:
    """The stages of `plan` in the order in which they run. Raises ConfigError for an overlap that cannot be."""
    result: list[StageGroup] = [[None]] if plan.is_editing else []
    for judging in plan.judgings:
        first = next((wave for wave in result if all(_is_apart(plan, judging, member) for member in wave)), None)
        if first is None:
            result.append([judging])
        else:
            first.append(judging)
    return result


def _is_apart(plan: Plan, judging: ScoreSetPlan, other: ScoreSetPlan | None) -> bool:
    """Whether the two may run at the same time. CPU workers share the processors: they may only by `overlap: true`."""
    overlap = judging.stage.execution.overlap
    mine = claims(judging.stage, judging.judge)
    others = claims(plan.config.diffusion_model, plan.editor) if other is None else claims(other.stage, other.judge)
    shared = mine & others
    if other is not None or overlap is None:
        return not shared and not _may_meet(mine, others) and not _may_meet(others, mine)
    if overlap and shared - {"cpu"}:
        raise ConfigError(
            f"{plan.config.path}: {judging.stage.section}.execution.overlap: editing holds {', '.join(sorted(shared))} "
            "as well; name other devices, or remove the key"
        )
    return overlap


def _may_meet(clustered: Collection[str], local: Collection[str]) -> bool:
    """Whether a GPU of a cluster may be one of this machine under another name: Ray deals them, and may deal ours."""
    return any(device.startswith(MARK) for device in clustered) and any(device.startswith("cuda") for device in local)
