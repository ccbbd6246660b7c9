"""Keeps what observers get, and shows at any moment what there is to see."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from editeval.display import snapshot as views
from editeval.display.observer import Observer, RequestCompleted, RunFacts, StageFacts
from editeval.display.snapshot import FailureView, RunSnapshot, ScoreSoFar, StageView, Throughput, WorkerView
from editeval.machine.gpus import GpuSample

Interval = Callable[[Sequence[tuple[str, str, float]], str], tuple[float, float | None, float | None]]
"""interval((cluster, sample, score) of each edit, metric) -> (mean, low, high), as the report will give them."""

NUM_DURATIONS = 10  # of a worker's last images, for its seconds per image
RECOUNT = 1.02  # a running mean is computed again when so many times more scores are there


@dataclass(slots=True)
class _Worker:
    device: tuple[str, ...]
    place: str = ""  # on a cluster: the node and its devices, as soon as they are known
    state: str = views.WAITING
    since: float = 0.0
    sample: str = ""
    step: int = 0
    num_steps: int = 0
    done: int = 0
    failed: int = 0
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=NUM_DURATIONS))
    busy_s: float = 0.0  # until `since`
    ticked: tuple[float, float] = (0.0, 0.0)  # (when, busy until then)
    history: deque[int] = field(default_factory=lambda: deque(maxlen=views.MAX_HISTORY))  # percent

    def enter(self, state: str, now: float) -> None:
        self.busy_s = self.busy_until(now)
        self.state, self.since, self.step, self.num_steps = state, now, 0, 0

    def busy_until(self, now: float) -> float:
        return self.busy_s + (now - self.since if self.state in views.COMPUTING else 0.0)

    def tick(self, now: float, utilisation: float | None) -> None:
        """One more point of the history: what the GPU says, or else the share of the time with something to do."""
        at, busy = self.ticked
        self.ticked = (now, self.busy_until(now))
        share = 100 * (self.ticked[1] - busy) / (now - at) if at and now > at else 0.0
        self.history.append(round(share if utilisation is None else utilisation))


@dataclass(slots=True)
class _Stage:
    facts: StageFacts
    state: str = "waiting"
    done: int = 0
    failed: int = 0
    retried: int = 0
    gone: int = 0  # of the total: they turned out to have no edit
    batch: tuple[int, int] = (0, 0)
    held_by: dict[str, None] = field(default_factory=dict)  # requests that are run again in the batch that is open
    pace: Throughput | None = None
    workers: dict[int, _Worker] = field(default_factory=dict)
    scores: list[tuple[str, str, float]] = field(default_factory=list)
    so_far: ScoreSoFar | None = None

    def has_news(self) -> bool:
        known = self.so_far.num_scored if self.so_far else 0
        return len(self.scores) > known * (RECOUNT if self.state == "running" else 1)


class Tracker(Observer):
    """Gets everything from the run, and is asked by the displays; a call of the run costs microseconds."""

    def __init__(
        self,
        interval: Interval,
        is_stopping: Callable[[], bool] = lambda: False,  # asked: a signal handler must not wait for a lock
        now: Callable[[], float] = time.time,
    ) -> None:
        self._interval = interval
        self._is_stopping = is_stopping
        self._now = now
        self.on_run: Callable[[RunFacts], None] = lambda _: None  # called when the run is known
        self._lock = threading.Lock()
        self._run = RunFacts("", "", 0, ())
        self._began_at = now()
        self._state = "starting"
        self._stages: dict[str, _Stage] = {}
        self._failure: FailureView | None = None
        self._gpus: dict[str, GpuSample] = {}

    # -- by the run ------------------------------------------------------------------------------------------------

    def run_began(self, run: RunFacts) -> None:
        with self._lock:
            self._run, self._began_at, self._state = run, self._now(), "running"
            self._stages = {facts.key: _new_stage(facts) for facts in run.stages}
        self.on_run(run)

    def stage_began(self, stage: StageFacts) -> None:
        with self._lock:
            self._stages[stage.key] = begun = _new_stage(stage)
            begun.state = "loading"
            begun.workers = {i: _Worker(group, since=self._now()) for i, group in enumerate(stage.devices)}

    def notice(self, stage: str, kind: str, data: Mapping[str, object]) -> None:
        with self._lock:
            mine, number = self._stages.get(stage), data.get("worker")
            if mine is not None and isinstance(number, int) and number in mine.workers:
                self._on_notice(mine, number, kind, data)

    def _on_notice(self, stage: _Stage, number: int, kind: str, data: Mapping[str, object]) -> None:
        now, worker, key = self._now(), stage.workers[number], str(data.get("key", ""))
        if kind == "started":
            self._start_clock(stage)
            worker.enter(views.EDITING if stage.facts.kind == "edit" else views.JUDGING, now)
            worker.sample = key
        elif kind == "progress" and key == worker.sample:
            worker.step, worker.num_steps = _count(data["step"]), _count(data["num_steps"])
        elif kind == "finished" and key == worker.sample:
            worker.enter(views.ENCODING, now)
        elif kind == "loading":
            worker.enter(views.LOADING, now)
        elif kind == "ready":
            worker.place = str(data.get("device", ""))
            worker.enter(views.READY if stage.pace is None else views.WAITING, now)
            if all(each.state == views.READY for each in stage.workers.values()):
                stage.state = "running"
        elif kind == "attempt":
            stage.retried += 1
            if stage.facts.is_synchronised and stage.facts.retry == "in_batch":
                stage.held_by[key] = None
            self._fail(stage, key, str(data["reason"]), str(data["message"]), number)
            self._release(stage, worker, key)
        elif kind in ("worker_lost", "worker_given_up"):
            worker.enter(views.RESTARTING if kind == "worker_lost" else views.DEAD, now)

    def settled(self, stage: str, settled: RequestCompleted) -> None:
        with self._lock:
            mine = self._stages.get(stage)
            if mine is None:
                return
            mine.gone += settled.num_gone
            mine.held_by.pop(settled.key, None)
            self._start_clock(mine).add(self._now(), settled.num_samples, settled.seconds)
            num_failed = len(settled.failures)
            mine.failed += num_failed
            mine.done += settled.num_samples - num_failed
            mine.scores += settled.scores
            for sample, reason, message in settled.failures[-1:]:
                self._fail(mine, sample, reason, message, settled.worker)
            worker = mine.workers.get(settled.worker)
            if worker is not None:
                worker.failed += num_failed
                worker.done += settled.num_samples - num_failed
                if num_failed < settled.num_samples:  # a refusal takes no time: it would make the worker look fast
                    worker.durations.append(settled.seconds / settled.num_samples)
                self._release(mine, worker, settled.key)

    def batch(self, stage: str, index: int, num_batches: int) -> None:
        with self._lock:
            if stage in self._stages:
                self._stages[stage].batch = (index, num_batches)

    def stage_ended(self, stage: str) -> None:
        with self._lock:
            if stage in self._stages:
                self._stages[stage].state = "stopped" if self._is_stopping() else "ended"
                self._stages[stage].workers.clear()

    def run_ended(self, exit_code: int) -> None:
        with self._lock:
            self._state = "stopped" if self._is_stopping() else "ended"

    def tick(self, samples: Sequence[GpuSample]) -> None:
        """Once a second: what the GPUs of the run do now."""
        with self._lock:
            self._gpus = {sample.gpu: sample for sample in samples}
            for stage in self._stages.values():
                for worker in stage.workers.values():
                    gpu = self._gpu(worker)
                    worker.tick(self._now(), gpu.utilisation if gpu else None)

    def _start_clock(self, stage: _Stage) -> Throughput:
        if stage.pace is None:
            stage.pace, stage.state = Throughput(self._now()), "running"
        return stage.pace

    def _release(self, stage: _Stage, worker: _Worker, key: str) -> None:
        if worker.sample == key and worker.state in views.HOLDING:
            worker.enter(views.BOUNDARY if stage.facts.is_synchronised else views.WAITING, self._now())

    def _fail(self, stage: _Stage, sample: str, reason: str, message: str, worker: int) -> None:
        logs = stage.facts.worker_logs
        log = logs[worker] if 0 <= worker < len(logs) else ""
        self._failure = FailureView(stage.facts.key, sample, reason, message, worker, log)

    # -- by displays -----------------------------------------------------------------------------------------------

    def picture(self) -> RunSnapshot:
        """What there is to see now."""
        self._recount()
        with self._lock:
            now = self._now()
            return RunSnapshot(
                name=self._run.name,
                directory=self._run.directory,
                num_samples=self._run.num_samples,
                num_seeds=self._run.num_seeds,
                at=now,
                began_at=self._began_at,
                state="stopping" if self._state == "running" and self._is_stopping() else self._state,
                stages=tuple(self._stage_view(stage, now) for stage in self._stages.values()),
                workers=tuple(
                    self._worker_view(stage.facts.key, index, worker, now)
                    for stage in self._stages.values()
                    for index, worker in stage.workers.items()
                ),
                last_failure=self._failure,
            )

    def _recount(self) -> None:
        """New running means; computed outside the lock, so that the run never waits for them."""
        with self._lock:
            grown = [(stage, tuple(stage.scores)) for stage in self._stages.values() if stage.has_news()]
        for stage, scores in grown:
            mean, low, high = self._interval(scores, stage.facts.metric)
            stage.so_far = ScoreSoFar(stage.facts.metric, mean, low, high, len(scores), stage.facts.score_set)

    def _stage_view(self, stage: _Stage, now: float) -> StageView:
        facts = stage.facts
        done, failed = facts.done + stage.done, facts.failed + stage.failed
        is_running = stage.state == "running" and stage.pace is not None
        return StageView(
            key=facts.key,
            kind=facts.kind,
            title=facts.title,
            state=stage.state,
            total=facts.total - stage.gone,
            done=done,
            failed=failed,
            retried=stage.retried,
            already=facts.done + facts.failed,
            images_per_min=stage.pace.per_minute(now) if stage.pace and is_running else None,
            eta_s=stage.pace.eta_s(facts.total - stage.gone - done - failed, now)
            if stage.pace and is_running
            else None,
            batch=stage.batch[0],
            num_batches=stage.batch[1],
            step=_step(stage) if stage.batch[1] and is_running else "",
            score=stage.so_far,
        )

    def _worker_view(self, stage: str, index: int, worker: _Worker, now: float) -> WorkerView:
        seconds = list(worker.durations)
        return WorkerView(
            stage=stage,
            worker=index,
            device=worker.place or "+".join(worker.device),
            state=worker.state,
            state_s=max(now - worker.since, 0.0) if worker.since else None,
            sample=worker.sample if worker.state in views.HOLDING else "",
            step=worker.step,
            num_steps=worker.num_steps,
            seconds_per_image=sum(seconds) / len(seconds) if seconds else None,
            done=worker.done,
            failed=worker.failed,
            gpu=self._gpu(worker),
            history=tuple(worker.history),
        )

    def _gpu(self, worker: _Worker) -> GpuSample | None:
        return views.merged([self._gpus[device] for device in worker.device if device in self._gpus])


def _step(stage: _Stage) -> str:
    """Whether the workers of a synchronised stage are in step; a retry keeps the others waiting."""
    if stage.held_by:
        first, *more = stage.held_by
        return f"waiting for a retry of {first}" + (f" and {len(more)} more" if more else "")
    away = sum(worker.state in views.AWAY for worker in stage.workers.values())
    present = len(stage.workers) - away
    return f"{present} of {len(stage.workers)} workers in step" if away else "workers in step"


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _new_stage(facts: StageFacts) -> _Stage:
    stage = _Stage(facts)
    stage.scores += facts.scores
    return stage
