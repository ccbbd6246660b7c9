"""A stage of a run: a pool of workers whose outcomes go to the ledger the moment they arrive."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from editeval import plugins
from editeval.config.schema import Execution, Stage
from editeval.display.observer import Observer, StageFacts
from editeval.errors import EditevalError, MachineError
from editeval.execution.backends import Launch, launch_thread, process_launcher
from editeval.execution.devices import MARK
from editeval.execution.pool import BudgetLedger, Pool, PoolSpec, Usage
from editeval.execution.pool_events import PROGRESS_EVENTS, PoolEvent, Result
from editeval.execution.progress import ProgressLine
from editeval.execution.ray import cluster
from editeval.execution.ray.handle import ray_launcher
from editeval.execution.worker_messages import Unit, WorkerSpec
from editeval.execution.worker_state import Limits
from editeval.machine import interpreters
from editeval.machine.interpreters import resolved
from editeval.store import fingerprints
from editeval.store.fingerprints import Inputs
from editeval.store.ledger_events import Capped, event_of
from editeval.store.run_store import RunStore
from editeval.types import Edit, Editor, Judge, UsageRequest

log = logging.getLogger("editeval")


def say(line: str) -> None:
    """One line of the log contract: to file and terminal exactly as it is."""
    log.info("%s", line, extra={"verbatim": True})


@dataclass(frozen=True, slots=True)
class Workers:
    """Where a stage works: its pool, and how a worker is started."""

    spec: PoolSpec
    launch: Launch
    log: Path | None = None  # path of their logs without `-worker<k>.log`; None where they have none


class RunningStage(ABC):
    """One stage, ready to go. All methods but `build` are called in the thread that owns the ledger."""

    stage: str  # "edit" or "judge"
    name: str  # unique within the run
    judging_id: str = ""
    progress: ProgressLine
    observer: Observer = Observer()  # of its progress
    pool: Pool | None = None  # that works it, once it runs
    plugin: type[Editor] | type[Judge] | None = None
    inputs: Inputs = Inputs()  # weights and code of its plug-in, as the run began
    commit: str = ""  # on the Hub, as its loaded models said

    def __init__(self, store: RunStore, settings: Stage, workers: Workers, keys: Sequence[str]) -> None:
        self.store = store
        self.settings = settings
        self.workers = workers
        self.keys = keys  # of its requests
        self.turns: Sequence[Sequence[str]] = (keys,)  # the same: those of one begin when the one before is over
        self.stopped = ""  # why it made no further call, and what to do: one line

    @cached_property
    def budget(self) -> BudgetLedger:
        """What this stage has spent, over every invocation of the run."""
        name = f"spent {self.stage} {self.judging_id}".strip()
        return BudgetLedger(
            Usage.from_json(self.store.fact(name)), lambda spent: self.store.set_fact(name, spent.to_json())
        )

    def is_spent(self) -> bool:
        """Whether the budget allows no call at all: then the log says so, and the stage does not begin."""
        if self._limit():
            self.over_budget()
        return bool(self.stopped)

    def over_budget(self) -> None:
        """Nothing more is started. What was not asked for stays pending."""
        if self.pool is not None:
            self.pool.drain()
        where = f"{self.settings.section}.params.{self._limit() or 'max_calls'}"
        if not self.stopped:
            log.warning("%s is reached: nothing more is sent", where)
            self.store.record_event(Capped(where))
        self.stopped = f"{where} is reached: {self.budget.spent.line()}; raise it and run the same command to go on"

    def _limit(self) -> str:
        caps = (getattr(self.settings.params, name, None) for name in ("max_calls", "max_usd"))
        return self.budget.limit(UsageRequest(1, 0, 0, 0.0, *caps))

    @abstractmethod
    def build(self, key: str) -> Unit:
        """The request called `key`. Called from other threads; may wait."""

    @abstractmethod
    def record(self, outcome: Result) -> None:
        """What became of a request is on record."""

    @abstractmethod
    def facts(self) -> StageFacts:
        """The stage as it is now, for observers."""

    def samples_of(self, key: str) -> Sequence[str]:
        """Ids of the samples that the request `key` is about."""
        return (key,)

    def opened(self) -> None:
        """Its models are about to load."""
        devices = ["+".join(group) for group in self.workers.spec.devices]
        self._event("stage_begin", {"devices": devices, "num_requests": len(self.keys)})
        if any(device.startswith(MARK) for device in devices):
            log.info("GPUs of a Ray cluster are not sampled: no utilisation is shown for %s", ", ".join(devices))
        self.observer.stage_began(self.facts())

    def began(self) -> None:
        """All models are loaded; the first requests start now."""
        self._event("stage_start", {})
        self.progress.begin()

    def finished(self) -> None:  # noqa: B027 - few do anything here
        """No request is left, or an interrupt ended it early."""

    def closed(self) -> None:
        """Nothing more comes; its workers are gone."""
        if self.budget.spent.calls:
            self._event("spent", asdict(self.budget.spent))
        self._event("stage_end", {})
        self.observer.stage_ended(self.name)

    def notice(self, notice: PoolEvent) -> None:
        """Records an event of the pool, and passes it to the observer."""
        data = notice.data
        pass_on(self.observer, self.name, notice)
        if notice.kind == "tick":
            self.progress.tick()
        elif notice.kind in PROGRESS_EVENTS or notice.kind == "batch":
            return
        elif notice.kind == "pay":
            if self.pool is not None:
                self.pool.answer(notice, self.budget.settle(data["bill"]))
        elif notice.kind == "attempt":
            outcome = data["outcome"]
            for key in self.samples_of(outcome.key):
                self.store.record_attempt(self.stage, replace(outcome, key=key), self.judging_id)
            what = f"{outcome.error and outcome.error.message}{self.traceback_at(outcome)}"
            log.warning("%s: attempt %d failed: %s; trying again", outcome.key, outcome.attempt, what)
        elif notice.kind == "loading":
            log.info("Loading worker %d on %s", data["worker"], data["device"])
        elif notice.kind == "ready":
            self._check_inputs(data["worker"])
            self._check_commit(str(data.get("facts", {}).get("commit") or ""), data["worker"])
            self._event("load", data)
            seconds = data["ended_at"] - data["started_at"]
            log.info("Worker %d on %s ready after %.1f s", data["worker"], data["device"], seconds)
        else:
            self._event(notice.kind, data)
            log.warning("Worker %d on %s: %s", data["worker"], data["device"], data.get("how", notice.kind))

    def traceback_at(self, outcome: Result) -> str:
        """Where the traceback of an error in the user's own plug-in was written, as the end of a line; or nothing."""
        kind = "editors" if self.stage == "edit" else "judges"
        is_own = outcome.error is not None and outcome.error.traceback and self.workers.log is not None
        if not is_own or self.settings.type in plugins.available(kind):
            return ""
        return f"; its traceback is in {self.workers.log}-worker{outcome.worker}.log"

    def _check_inputs(self, worker: int) -> None:
        """Raises MachineError if weights or code have changed since the invocation began, say by a training."""
        if self.plugin is None or not (self.inputs.weights or self.inputs.sources):
            return
        now = fingerprints.inputs_of(self.settings, self.plugin)
        changed = [part for part in fingerprints.changed(self.inputs.parts, now.parts) if part != fingerprints.COMMIT]
        if changed:
            what = "; ".join(fingerprints.in_words(part, self.inputs.listed(), now.listed()) for part in changed)
            raise MachineError(
                f"{self.settings.section}: changed while this run works: {what}; worker {worker} may have loaded what "
                "is there now; what was done is safe, the same command begins again with that"
            )

    def _check_commit(self, commit: str, worker: int) -> None:
        """The commit of the loaded model is on record. Raises MachineError if the run was made with another one."""
        if not commit or self.inputs.weights:
            return
        known = self.commit or fingerprints.recorded(self.store, self.stage, self.judging_id).get(
            fingerprints.COMMIT, commit
        )
        if commit != known:
            raise MachineError(
                f"{self.settings.section}: worker {worker} loaded commit {commit[:12]} from the Hub, and this run was "
                f"made with {known[:12]}; set revision: {known} to go on with that one, or run the same command once "
                "more: what the new commit makes is kept apart"
            )
        self.commit = commit
        fingerprints.record(self.store, {fingerprints.COMMIT: commit}, self.stage, self.judging_id)

    def _event(self, kind: str, data: Mapping[str, object]) -> None:
        self.store.record_event(event_of(kind, {"stage": self.stage, "judging_id": self.judging_id, **data}))


def pass_on(observer: Observer, stage: str, event: PoolEvent) -> None:
    """`observer` gets the event with JSON values. Not ticks, nor batches, whose edits are not on record yet."""
    if event.kind in ("tick", "batch"):
        return
    data: dict[str, object] = {**event.data}
    if event.kind == "pay":
        data["bill"] = asdict(event.data["bill"])
    elif event.kind == "attempt":
        outcome = event.data["outcome"]
        reason, message = (outcome.error.reason, outcome.error.message) if outcome.error else ("", "")
        data = {"key": outcome.key, "worker": outcome.worker, "attempt": outcome.attempt}
        data |= {"reason": reason, "message": message}
    observer.notice(stage, event.kind, data)


def workers_of(worker: WorkerSpec, groups: Sequence[tuple[str, ...]], stage: Stage, log: Path) -> Workers:
    """How the workers of `stage` are started. `log` is the path of their logs without `-worker<k>.log`."""
    execution = stage.execution
    has_log = execution.backend != "inprocess"
    launch = launcher(log.parent, log.name, execution)
    return Workers(pool_spec(worker, groups, execution), launch, log if has_log else None)


def pool_spec(worker: WorkerSpec, groups: Sequence[tuple[str, ...]], execution: Execution) -> PoolSpec:
    """What a pool needs to know of a stage."""
    limits = Limits(
        timeout_s=execution.timeout_s,
        stall_s=execution.stall_s,
        start_timeout_s=execution.start_timeout_s,
        max_attempts=execution.max_attempts,
        load_concurrency=execution.load_concurrency,
    )
    return PoolSpec(worker, groups, execution.policy, execution.max_drift, execution.retry, limits)


def launcher(folder: Path, name: str, execution: Execution) -> Launch:
    """How the workers of a stage are started; each writes to `<folder>/<name>-worker<k>.log`."""
    if execution.backend == "inprocess":
        return launch_thread
    log_path: Callable[[int], Path] = lambda worker: folder / f"{name}-worker{worker}.log"  # noqa: E731
    if execution.backend == "ray":
        return ray_launcher(cluster.connect(execution.ray_address), log_path, execution.python)
    return process_launcher(log_path, python_of(execution))


def worker_logs(log: Path, count: int) -> tuple[str, ...]:
    """Paths of the logs of `count` workers."""
    return tuple(f"{log}-worker{worker}.log" for worker in range(count))


def python_of(execution: Execution) -> str | None:
    """The interpreter of the stage's workers; None for the one that runs editeval."""
    if execution.requirements:
        return interpreters.python_of(execution.requirements)
    return resolved(execution.python) if execution.python else None


class NotEditedError(EditevalError):
    """There is nothing to judge: the edits failed, or an interrupt came before them."""

    reason = "not_edited"


class CompletedEdits:
    """Edits on record, and those still to come; a judge request waits here for the edits it is about."""

    def __init__(self, edits: Iterable[Edit], awaited: Iterable[str]) -> None:
        self._done = {edit.sample_id: edit for edit in edits if edit.path is not None}
        self._awaited = set(awaited)
        self._scored: set[tuple[str, str]] = set()  # of those that came since: (sample, score set) with kept scores
        self._changed = threading.Condition()
        self._is_closed = not self._awaited

    def add(self, edit: Edit, scored_by: Iterable[str] = ()) -> None:
        """`edit` is on record, and the score sets `scored_by` have kept scores of these very bytes."""
        with self._changed:
            self._awaited.discard(edit.sample_id)
            self._scored.update((edit.sample_id, judging_id) for judging_id in scored_by)
            if edit.path is not None:
                self._done[edit.sample_id] = edit
            self._changed.notify_all()

    def close(self) -> None:
        """No more edits come in this invocation."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def done(self, ids: Sequence[str], judging_id: str) -> list[Edit]:
        """The edits of `ids` that are done so far and not scored yet, in order."""
        with self._changed:
            return [self._done[key] for key in ids if key in self._done and (key, judging_id) not in self._scored]

    def wait(self, ids: Sequence[str], judging_id: str) -> list[Edit]:
        """What `done` gives once each is done or failed. Raises NotEditedError if there will be none, or not all."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._awaited.isdisjoint(ids))
            if not self._awaited.isdisjoint(ids):
                raise NotEditedError("its edits were interrupted")
        found = self.done(ids, judging_id)
        if not found:
            raise NotEditedError("its edits failed, or have their scores already")
        return found
