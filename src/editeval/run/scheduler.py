"""Runs the stages of a plan: one alone in the caller's thread, several at the same time in a thread each.

Everything that touches the ledger happens in the caller's thread, in the order in which it comes. Ctrl-C and SIGTERM:
the first one drains, the second one stops.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from editeval.display.observer import Observer, RunFacts
from editeval.errors import ConfigError
from editeval.execution.devices import MARK
from editeval.execution.pool import Pool
from editeval.execution.pool_events import PoolEvent
from editeval.reports.site.thumbnails import ThumbnailWriter
from editeval.run.edit_stage import EditStage, edit_facts
from editeval.run.judge_stage import JudgeStage, judge_facts
from editeval.run.plan import Plan, ScoreSetPlan
from editeval.run.stage import CompletedEdits, RunningStage
from editeval.run.stage_devices import devices_in_use
from editeval.store.ledger_events import Stages
from editeval.store.run_store import RunStore

POLL_S = 0.2
TIME_OVER = signal.SIGALRM  # stands for a limit on time among the signals; none is sent
_Calls = queue.Queue[Callable[[], None]]


@dataclass(slots=True)
class Interrupt:
    """The user's request to stop. The first one drains: what runs is finished and recorded, nothing more starts."""

    signum: int | None = None
    _pools: list[Pool] = field(default_factory=list)

    def request(self, signum: int) -> None:
        """Called by the signal handler; a second request raises KeyboardInterrupt."""
        if self.signum is not None:
            raise KeyboardInterrupt(signum)
        self.signum = signum
        self._drain()

    def expire(self) -> None:
        """A limit on time is reached: drains as a first request does. Any thread may call it."""
        if self.signum is None:
            self.signum = TIME_OVER
            self._drain()

    def _drain(self) -> None:
        for pool in list(self._pools):
            pool.drain()

    @contextmanager
    def watches(self, pool: Pool) -> Iterator[None]:
        """While inside, a request drains `pool`."""
        self._pools.append(pool)
        try:
            yield
        finally:
            self._pools.remove(pool)


class KeptWorkers:
    """Workers that stay loaded from one run to the next, while what they load is the same; leaving ends them.

    For judges that several runs share. The record of a later run says that its workers took no time to load.
    """

    def __init__(self) -> None:
        self._pool: Pool | None = None
        self._log: Path | None = None
        self._ready: dict[int, PoolEvent] = {}  # by worker, as it loaded last
        self._notify: Callable[[PoolEvent], None] = lambda _: None
        self.num_loads = 0  # of pools of workers

    def __enter__(self) -> KeptWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lend(self, stage: RunningStage) -> Pool:
        """Loaded workers for `stage`, whose events it gets from now on."""
        pool, self._notify = self._pool, stage.notice
        if pool is not None and pool.is_open and pool.spec == stage.workers.spec:
            stage.workers = replace(stage.workers, log=self._log)
            now = time.time()
            for event in self._ready.values():
                stage.notice(PoolEvent(event.kind, {**event.data, "started_at": now, "ended_at": now}))
            return pool
        self.close()
        self._ready.clear()
        pool = Pool(stage.workers.spec, stage.workers.launch, self._notice)
        pool.__enter__()
        self._pool, self._log = pool, stage.workers.log
        self.num_loads += 1
        return pool

    def close(self) -> None:
        """No worker is alive any more."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _notice(self, event: PoolEvent) -> None:
        if event.kind == "ready":
            self._ready[event.data["worker"]] = event
        self._notify(event)


@dataclass(frozen=True, slots=True)
class Phase:
    """How much of a run is done now: with `is_editing_only` no judge works, and no report is written."""

    is_editing_only: bool = False
    kept: KeptWorkers | None = None  # of its judge, if it has one


def run(stages: Sequence[RunningStage], interrupt: Interrupt, kept: KeptWorkers | None = None) -> None:
    """Every request of `stages` is on record, and no worker is alive any more but `kept`; fewer after an interrupt."""
    for stage in stages:
        stage.opened()
    if len(stages) == 1:
        _run_alone(stages[0], interrupt, kept)
    elif stages:
        _run_together(stages, interrupt)


def _run_alone(stage: RunningStage, interrupt: Interrupt, kept: KeptWorkers | None) -> None:
    try:
        pool = stage.pool = kept.lend(stage) if kept else Pool(stage.workers.spec, stage.workers.launch, stage.notice)
        with interrupt.watches(pool), nullcontext() if kept else pool:
            if interrupt.signum is None:
                stage.began()
                for keys in stage.turns:
                    for outcome in pool.run(keys, stage.build):
                        stage.record(outcome)
                stage.finished()
    finally:
        stage.closed()


def _run_together(stages: Sequence[RunningStage], interrupt: Interrupt) -> None:
    """One thread per stage works its pool; their calls are made here, in the order in which they come."""
    calls: _Calls = queue.Queue(maxsize=16 * len(stages))
    loading = threading.Lock()  # models of two stages load one after another too
    threads = [StageThread(stage, calls, loading, interrupt) for stage in stages]
    with ThreadPoolExecutor(len(threads), "stage") as executor, ExitStack() as stack:
        for thread in threads:
            stack.enter_context(interrupt.watches(thread.pool))
        for thread in threads:  # however this ends, so do the threads
            stack.callback(thread.stop)
        running = [executor.submit(thread.work) for thread in threads]
        while not all(work.done() for work in running) or not calls.empty():
            with suppress(queue.Empty):
                calls.get(timeout=POLL_S)()
            for work in running:
                if work.done():
                    work.result()  # raises what the thread raised


class _Stopped(Exception):  # noqa: N818 - not an error: the caller has gone
    pass


class StageThread:
    """Works one pool in a thread of its own, and hands everything that concerns the ledger to the queue `calls`."""

    def __init__(self, stage: RunningStage, calls: _Calls, loading: threading.Lock, interrupt: Interrupt) -> None:
        self._stage = stage
        self._calls = calls
        self._loading = loading
        self._interrupt = interrupt
        self._has_stopped = threading.Event()
        notify: Callable[[PoolEvent], None] = lambda notice: self._put(partial(stage.notice, notice))  # noqa: E731
        self.pool = stage.pool = Pool(stage.workers.spec, stage.workers.launch, notify)

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
            self._put(self._stage.closed)

    def _run(self) -> None:
        with self._loading:
            self.pool.__enter__()
        if self._interrupt.signum is not None:
            return
        self._put(self._stage.began)
        for keys in self._stage.turns:
            for outcome in self.pool.run(keys, self._stage.build):
                self._put(partial(self._stage.record, outcome))
        self._put(self._stage.finished)

    def _put(self, call: Callable[[], None]) -> None:
        while not self._has_stopped.is_set():
            with suppress(queue.Full):
                self._calls.put(call, timeout=POLL_S)
                return
        raise _Stopped


def announce(plan: Plan, store: RunStore, observer: Observer) -> None:
    """`observer` knows the run and its stages before anything is done, and so does a reader of the ledger."""
    stages = (edit_facts(plan, store), *(judge_facts(plan, judging, store) for judging in plan.judgings))
    store.record_event(Stages(tuple(asdict(replace(stage, scores=())) for stage in stages)))
    observer.run_began(RunFacts(plan.dir.name, str(plan.dir), len(plan.samples), stages, plan.num_seeds))


_WHOLE = Phase()
StageGroup = list[ScoreSetPlan | None]
"""None stands for editing, which is always in the first one, if there is any."""


def run_stages(
    plan: Plan, store: RunStore, interrupt: Interrupt, observer: Observer, phase: Phase = _WHOLE
) -> tuple[str, ...]:
    """Everything wanted is edited and judged; less after an interrupt, at a limit on spending, and as `phase` says.

    Returns one line for each stage that met such a limit. Stages that are complete start nothing.
    """
    stopped: list[str] = []
    thumbnails = ThumbnailWriter(store.dir)
    completed = CompletedEdits(store.edits(), store.pending_edits() if plan.is_editing else ())
    try:
        groups: list[StageGroup] = [[None]] if phase.is_editing_only else stage_groups(plan)
        for group in groups:
            if interrupt.signum is None:
                wanted = [stage for stage in _stages_of(group, plan, store, completed, thumbnails) if stage.keys]
                stages = [stage for stage in wanted if not stage.is_spent()]
                if None in group and not any(isinstance(stage, EditStage) for stage in stages):
                    completed.close()  # no edit will come: no judge waits for one
                for stage in stages:
                    stage.observer = observer
                is_judge = len(plan.judgings) == 1 and not any(isinstance(stage, EditStage) for stage in stages)
                run(stages, interrupt, phase.kept if is_judge else None)
                stopped += [stage.stopped for stage in wanted if stage.stopped]
    finally:
        completed.close()
        thumbnails.finish()
    return tuple(stopped)


def _stages_of(
    group: StageGroup, plan: Plan, store: RunStore, completed: CompletedEdits, thumbnails: ThumbnailWriter
) -> list[RunningStage]:
    return [
        EditStage(plan, store, completed, thumbnails)
        if judging is None
        else JudgeStage(plan, judging, store, completed, thumbnails)
        for judging in group
    ]


def stage_groups(plan: Plan) -> list[StageGroup]:
    """The stages of `plan` in the order in which they run. Raises ConfigError for an overlap that cannot be."""
    result: list[StageGroup] = [[None]] if plan.is_editing else []
    for judging in plan.judgings:
        first = next((group for group in result if all(_is_apart(plan, judging, member) for member in group)), None)
        if first is None:
            result.append([judging])
        else:
            first.append(judging)
    return result


def _is_apart(plan: Plan, judging: ScoreSetPlan, other: ScoreSetPlan | None) -> bool:
    """Whether the two may run at the same time. CPU workers share the processors: they may only by `overlap: true`."""
    overlap = judging.stage.execution.overlap
    mine = devices_in_use(judging.stage, judging.judge)
    stage, plugin = (plan.config.diffusion_model, plan.editor) if other is None else (other.stage, other.judge)
    others = devices_in_use(stage, plugin)
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
