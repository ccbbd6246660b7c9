"""The two stages, each a pool of workers whose outcomes go to the ledger the moment they arrive."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from editeval.categories import canonical
from editeval.config.schema import Execution
from editeval.errors import ImageError
from editeval.execution.backends import Launch, launch_thread, process_launcher
from editeval.execution.lanes import Limits, Notice, Result
from editeval.execution.messages import EncodedEdit, WorkerSpec
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.progress import EditLog, ProgressLine, cost_line
from editeval.execution.simulate import replay
from editeval.plan import Plan, seed_of, worker_spec
from editeval.store.run_store import RunStore
from editeval.types import Edit, EditRequest, Failure, JudgeRequest, Outcome, Sample, Score

log = logging.getLogger("editeval")


@dataclass(slots=True)
class Interrupt:
    """The user's wish to stop. The first one drains: what runs is finished and recorded, nothing more starts."""

    signum: int | None = None
    _pools: list[Pool] = field(default_factory=list)

    def request(self, signum: int) -> None:
        """Called by the signal handler; a second request raises KeyboardInterrupt."""
        if self.signum is not None:
            raise KeyboardInterrupt(signum)
        self.signum = signum
        for pool in self._pools:
            pool.drain()

    @contextmanager
    def watches(self, pool: Pool) -> Iterator[None]:
        """While inside, a request drains `pool`."""
        self._pools.append(pool)
        try:
            yield
        finally:
            self._pools.remove(pool)


def say(line: str) -> None:
    """One line of the log contract: to file and terminal exactly as it is."""
    log.info("%s", line, extra={"verbatim": True})


def edit_stage(plan: Plan, store: RunStore, interrupt: Interrupt) -> None:
    """Every wanted sample has an edit, done or failed, in the ledger; then no editor worker is alive any more."""
    keys = store.pending_edits()
    if not keys:
        return
    stage = plan.config.diffusion_model
    groups = plan.editor_devices()
    spec = pool_spec(worker_spec("editors", stage, plan.config.allow_code), groups, stage.execution)
    samples = {s.id: s for s in plan.samples}
    edit_log = EditLog(plan.log_name, keys, len(groups), stage.execution.policy, say)

    def build(key: str) -> EditRequest:
        sample = samples[key]
        images = [sample.image.read()]
        if plan.editor.sees_reference:
            if sample.reference is None:
                raise ImageError(f"{key}: the benchmark has no target for it")
            images.append(sample.reference.read())
        return EditRequest(key, tuple(images), sample.instruction, seed_of(stage.seed, key))

    with _stage(store, "edit", groups, len(keys)):
        began = _run(
            Pool(spec, _launch(plan, "edit", stage.execution), _Listener(store, "edit", edit_log.progress)),
            keys,
            build,
            lambda outcome: _record_edit(store, edit_log, outcome, seed_of(stage.seed, outcome.key)),
            interrupt,
            edit_log.begin,
        )
        if edit_log.measured and began is not None:
            timelines = replay(edit_log.measured, len(groups), stage.execution.max_drift)
            data = [{k: v for k, v in asdict(t).items() if k != "starts"} for t in timelines]
            actual_s = time.time() - began
            store.record_event("replay", {"policy": stage.execution.policy, "actual_s": actual_s, "policies": data})
            say(cost_line(stage.execution.policy, actual_s, timelines))


def _record_edit(store: RunStore, edit_log: EditLog, outcome: Result, seed: int) -> None:
    value = outcome.value.png if isinstance(outcome.value, EncodedEdit) else None
    store.record_edit(replace(outcome, value=value), seed)
    if outcome.error is not None:
        log.warning("%s: edit failed (%s): %s", outcome.key, outcome.error.reason, outcome.error.message)
    for batch in edit_log.add(outcome):
        store.record_event("batch", asdict(batch))


def judge_stage(plan: Plan, store: RunStore, interrupt: Interrupt) -> None:
    """Every edit that is done has scores, or reasons why not, in the ledger; then no judge is alive any more."""
    stage = plan.config.reward_model
    if stage is None or plan.judge is None:
        return
    store.add_judging(plan.judging_id, stage.type, {"params": asdict(stage.params), "seed": stage.seed})
    keys = store.pending_scores(plan.judging_id)
    if not keys:
        return
    groups = plan.judge_devices()
    spec = pool_spec(worker_spec("judges", stage, plan.config.allow_code), groups, stage.execution)
    work = _JudgeWork(plan, store, keys, stage.execution.batch_size)
    progress = ProgressLine("Scoring edits", len(keys), say)

    def record(outcome: Result) -> None:
        batch = work.scores(outcome)
        store.record_score_batch(plan.judging_id, batch)
        for scores, _ in batch:
            progress.add(scores[0].value is None)

    with _stage(store, "judge", groups, len(keys)):
        launch = _launch(plan, "judge", stage.execution)
        say(f"[{plan.judge.__name__}] Scoring {len(keys)} edits on {len(groups)} workers, {work.size} at a time")
        listener = _Listener(store, "judge", progress, plan.judging_id, work.batches)
        _run(Pool(spec, launch, listener), list(work.batches), work.build, record, interrupt, progress.begin)


class _JudgeWork:
    """Judge requests in batches, formed in sample order. One unreadable image leaves its neighbours alone."""

    def __init__(self, plan: Plan, store: RunStore, keys: Sequence[str], size: int) -> None:
        wanted = set(keys)
        self.size = size
        self._plan = plan
        self._store = store
        self._samples: Mapping[str, Sample] = {s.id: s for s in plan.samples if s.id in wanted}
        self._edits: Mapping[str, Edit] = {e.sample_id: e for e in store.edits() if e.sample_id in wanted}
        self._prompts = {canonical(name): prompt for name, prompt in plan.config.prompts.items()}
        self._unreadable: dict[str, Failure] = {}  # written by the pool's threads, one key each
        self.batches = {f"batch {i // size}": keys[i : i + size] for i in range(0, len(keys), size)}

    def build(self, batch: str) -> tuple[JudgeRequest, ...]:
        """The requests of one batch. Raises ImageError if none of its images can be read."""
        requests = []
        for key in self.batches[batch]:
            try:
                requests.append(self._request(self._samples[key], self._edits[key]))
            except ImageError as error:
                self._unreadable[key] = Failure("bad_image", str(error))
        if not requests:
            raise ImageError(f"{batch}: no image of it can be read")
        return tuple(requests)

    def _request(self, sample: Sample, edit: Edit) -> JudgeRequest:
        prompt = self._prompts.get(canonical(sample.category))
        return JudgeRequest(
            key=sample.id,
            source=sample.image.read(),
            edited=self._store.read_edit(edit),
            instruction=sample.instruction,
            reference=sample.reference.read() if sample.reference else None,
            mask=sample.mask.read() if sample.mask else None,
            prompt=prompt.render(sample) if prompt else None,
            metadata={**sample.metadata, "category": sample.category},
        )

    def scores(self, outcome: Result) -> list[tuple[Sequence[Score], Outcome[str]]]:
        """(scores, what became of them) for every sample of the batch that `outcome` is about."""
        judged: dict[str, list[Score]] = {}
        for row in outcome.value or ():
            judged[row[0].sample_id] = row
        result: list[tuple[Sequence[Score], Outcome[str]]] = []
        for key in self.batches[outcome.key]:
            failure = self._unreadable.get(key) or (None if key in judged else outcome.error)
            scores = judged.get(key) or self._unscored(key, failure or Failure("no_answer", "the judge left it out"))
            result.append((scores, replace(outcome, key=key, value=None if failure else "scored", error=failure)))
        return result

    def _unscored(self, key: str, failure: Failure) -> list[Score]:
        judge = self._plan.config.reward_model.type if self._plan.config.reward_model else ""
        return [Score(key, judge, metric, None, failure.message, failure.reason) for metric in self._plan.metrics]


@dataclass(frozen=True, slots=True)
class _Listener:
    """Writes down what a pool says besides results."""

    store: RunStore
    stage: str
    progress: ProgressLine
    judging_id: str = ""
    batches: Mapping[str, Sequence[str]] = field(default_factory=dict)  # a judge's request is a batch of samples

    def __call__(self, notice: Notice) -> None:
        data = notice.data
        if notice.kind == "tick":
            self.progress.tick()
        elif notice.kind == "attempt":
            outcome = data["outcome"]
            for key in self.batches.get(outcome.key, (outcome.key,)):
                self.store.record_attempt(self.stage, replace(outcome, key=key), self.judging_id)
            log.warning("%s: attempt %d failed: %s; trying again", outcome.key, outcome.attempt, outcome.error.message)
        elif notice.kind == "loading":
            log.info("Loading worker %d on %s", data["worker"], data["device"])
        elif notice.kind == "ready":
            self.store.record_event("load", {"stage": self.stage} | data)
            seconds = data["ended_at"] - data["started_at"]
            log.info("Worker %d on %s ready after %.1f s", data["worker"], data["device"], seconds)
        else:
            self.store.record_event(notice.kind, {"stage": self.stage} | data)
            log.warning("Worker %d on %s: %s", data["worker"], data["device"], data.get("how", notice.kind))


def _run(
    pool: Pool,
    keys: Sequence[str],
    build: Callable[[str], EditRequest | tuple[JudgeRequest, ...]],
    record: Callable[[Result], None],
    interrupt: Interrupt,
    begin: Callable[[], None] = lambda: None,
) -> float | None:
    """Unix seconds of the unified start: all models were loaded, and then the first request began."""
    with interrupt.watches(pool), pool:
        if interrupt.signum is not None:
            return None
        begin()
        began = time.time()
        for outcome in pool.run(keys, build):
            record(outcome)
    return began


@contextmanager
def _stage(store: RunStore, stage: str, groups: Sequence[tuple[str, ...]], num_requests: int) -> Iterator[None]:
    devices = ["+".join(group) for group in groups]
    store.record_event("stage_begin", {"stage": stage, "devices": devices, "num_requests": num_requests})
    try:
        yield
    finally:
        store.record_event("stage_end", {"stage": stage})


def pool_spec(worker: WorkerSpec, groups: Sequence[tuple[str, ...]], execution: Execution) -> PoolSpec:
    """What a pool needs to know of a stage."""
    limits = Limits(
        timeout_s=execution.timeout_s,
        stall_s=execution.stall_s,
        start_timeout_s=execution.start_timeout_s,
        max_attempts=execution.max_attempts,
        load_concurrency=execution.load_concurrency,
    )
    return PoolSpec(worker, groups, execution.policy, execution.max_drift, limits)


def launcher(folder: Path, name: str, execution: Execution) -> Launch:
    """How the workers of a stage are started; each writes to `<folder>/<name>-worker<k>.log`."""
    if execution.backend == "inprocess":
        return launch_thread
    return process_launcher(lambda worker: folder / f"{name}-worker{worker}.log")


def _launch(plan: Plan, stage: str, execution: Execution) -> Launch:
    return launcher(plan.config.evaluation.output_dir / "logs", f"{plan.dir.name}-{stage}", execution)
