"""What the stages tell those who watch, in the words of the display room."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from editeval.display.observer import Observer, RequestCompleted, RunFacts, StageFacts
from editeval.execution.pool_events import PoolEvent, Result
from editeval.run.plan import Plan, ScoreSetPlan
from editeval.stats import intervals
from editeval.stats.summary import on_scale
from editeval.store import queries
from editeval.store.run_store import RunStore
from editeval.types import Outcome, Sample, Score

EDIT = "edit"


def judge_key(judging: ScoreSetPlan) -> str:
    """What the stage of one judge is called."""
    return f"judge {judging.name}"


def announce(plan: Plan, store: RunStore, observer: Observer) -> None:
    """`observer` knows the run and its stages before anything is done, and so does who reads the ledger."""
    run = run_facts(plan, store)
    store.record_event("stages", {"stages": [asdict(replace(stage, scores=())) for stage in run.stages]})
    observer.run_began(run)


def run_facts(plan: Plan, store: RunStore) -> RunFacts:
    """The run and its stages as they stand now."""
    judges = (judge_facts(plan, judging, store) for judging in plan.judgings)
    return RunFacts(plan.dir.name, str(plan.dir), len(plan.samples), (edit_facts(plan, store), *judges))


def edit_facts(plan: Plan, store: RunStore) -> StageFacts:
    """The edit stage as it stands now."""
    counts = store.counts(None)
    groups = plan.editor_devices() if plan.is_editing else []
    return StageFacts(
        key=EDIT,
        kind="edit",
        title=plan.log_name,
        total=counts.num_wanted,
        done=counts.num_edited,
        failed=counts.num_failed,
        devices=tuple(groups),
        is_synchronised=plan.config.diffusion_model.execution.policy == "batch_sync",
        retry=plan.config.diffusion_model.execution.retry,
        worker_logs=_worker_logs(plan, worker_log_name(None), len(groups)),
    )


def judge_facts(plan: Plan, judging: ScoreSetPlan, store: RunStore) -> StageFacts:
    """A judge stage as it stands now; edits that are still to be made are thought to succeed."""
    counts = store.counts(judging.id)
    groups = judging.devices()
    return StageFacts(
        key=judge_key(judging),
        kind="judge",
        judging_id=judging.id,
        title=judging.name if judging.prefix else judging.stage.label,
        total=counts.num_wanted - counts.num_failed,
        done=counts.num_scored,
        failed=counts.num_unscored,
        devices=tuple(groups),
        is_synchronised=judging.stage.execution.policy == "batch_sync",
        worker_logs=_worker_logs(plan, worker_log_name(judging), len(groups)),
        metric=judging.labels[0],
        scores=tuple(queries.headline_scores(store, judging.id)),
    )


def worker_log_name(judging: ScoreSetPlan | None) -> str:
    """What the logs of a stage's workers are called, before `-worker<k>.log` and after the name of the run."""
    if judging is None:
        return "-edit"
    return f"-judge-{judging.name}" if judging.prefix else "-judge"


def _worker_logs(plan: Plan, name: str, count: int) -> tuple[str, ...]:
    folder = plan.config.evaluation.output_dir / "logs"
    return tuple(str(folder / f"{plan.dir.name}{name}-worker{worker}.log") for worker in range(count))


def tell(observer: Observer, stage: str, notice: PoolEvent) -> None:
    """Hand a notice on, its outcome as JSON values."""
    if notice.kind in ("tick", "batch"):  # a batch is told once its edits are on record
        return
    data: dict[str, Any] = {**notice.data}
    if notice.kind == "pay":
        data["bill"] = asdict(notice.data["bill"])
    if notice.kind == "attempt":
        outcome = notice.data["outcome"]
        error = outcome.error
        data = {"key": outcome.key, "worker": outcome.worker, "attempt": outcome.attempt}
        data |= {"reason": error.reason if error else "", "message": error.message if error else ""}
    observer.notice(stage, notice.kind, data)


def completed_edit(outcome: Result) -> RequestCompleted:
    error = outcome.error
    failures = ((outcome.key, error.reason, error.message),) if error else ()
    return RequestCompleted(outcome.key, outcome.worker, outcome.seconds, failures=failures)


def settled_scores(
    outcome: Result,
    wanted: int,
    batch: Sequence[tuple[Sequence[Score], Outcome[str]]],
    samples: Mapping[str, Sample],
) -> RequestCompleted:
    """`batch`: the scores of every sample that has an edit, the headline first, of the `wanted` ones of the request."""
    heads = [scores[0] for scores, _ in batch]
    return RequestCompleted(
        key=outcome.key,
        worker=outcome.worker,
        seconds=outcome.seconds,
        num_samples=len(heads),
        num_gone=wanted - len(heads),
        failures=tuple((h.sample_id, h.reason, h.raw) for h in heads if h.value is None),
        scores=tuple((samples[h.sample_id].cluster or h.sample_id, h.value) for h in heads if h.value is not None),
    )


def interval(scores: Mapping[str, Sequence[float]]) -> tuple[float, float | None, float | None]:
    """(mean, low, high) of scores by cluster, as the report's row `micro` will give them."""
    values = [value for group in scores.values() for value in group]
    mean = math.fsum(values) / len(values)
    found = on_scale(intervals.interval([scores], [mean]))
    return mean, found.low, found.high
