"""The edit stage: every wanted sample gets an edit, done or failed, in the ledger."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, replace

from editeval import images
from editeval.display.observer import EDIT, RequestCompleted, StageFacts
from editeval.errors import BudgetError, ImageError, Reason
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.progress import EditLog, cost_line
from editeval.execution.simulate import Setting, SimulatedRun, cost_of
from editeval.execution.worker_messages import EncodedEdit
from editeval.reports.site.thumbnails import Found, ThumbnailWriter
from editeval.run import chains, imports
from editeval.run.plan import Plan, seed_of, worker_spec
from editeval.run.selection import shown_images
from editeval.run.stage import CompletedEdits, NotEditedError, RunningStage, say, worker_logs, workers_of
from editeval.stats.timeline import SLACK_S
from editeval.store.fingerprints import edit_inputs, sources_digest
from editeval.store.ledger_events import BatchEnd, PolicyReplay, Replay
from editeval.store.lineage import is_stored
from editeval.store.queries import num_made, scored_by
from editeval.store.run_store import RunStore
from editeval.types import Edit, EditRequest, Made, Sample

log = logging.getLogger("editeval")

MAX_KEPT = 32  # samples whose drawn images are kept for their thumbnails while the editor works


class EditStage(RunningStage):
    """Edits what is pending; `completed` gets every edit, done or failed, that is on record."""

    stage = "edit"
    name = EDIT

    def __init__(self, plan: Plan, store: RunStore, completed: CompletedEdits, thumbnails: ThumbnailWriter) -> None:
        stage = plan.config.diffusion_model
        groups = plan.editor_devices()
        workers = workers_of(worker_spec(stage, plan.config.allow_code), groups, stage, plan.log_path(None))
        turns = chains.turns(plan.samples, store.pending_edits())
        super().__init__(store, stage, workers, [key for keys in turns for key in keys])
        self.turns = turns
        self._plan = plan
        self.plugin, self.inputs = plan.editor, plan.inputs
        self._stage = stage
        self._samples = {s.id: s for s in plan.samples}
        self._completed = completed
        self._made: dict[str, Made] = {}  # written by the pool's threads, one key each
        self._shown: dict[str, tuple[bytes, bytes | None]] = {}  # source and target, if drawn for the editor; likewise
        self._thumbnails = thumbnails
        self._began_at = time.monotonic()
        self._log = EditLog(plan.log_name, turns, len(groups), stage.execution.policy, say)
        self.progress = self._log.progress

    def facts(self) -> StageFacts:
        return edit_facts(self._plan, self.store)

    def build(self, key: str) -> EditRequest:
        sample, seed = self._samples[key], seed_of(self._stage.seed, key)
        found = self._plan.files.read(key) if self._plan.files is not None else None
        before = self._wait_for(sample) if sample.after else None
        sources, target = [image.read() for image in sample.images], None
        if before is not None and images.sha256(sources[0]) != before.sha256:
            what = f"the file of its previous turn {sample.after!r} is not the edit that was recorded"
            raise chains.PreviousTurnError(f"{key}: {what}; `editeval verify {self.store.dir} --repair`, and run again")
        if self._plan.editor.sees_target:
            if sample.target is None:
                raise ImageError(f"{key}: the benchmark has no target for it")
            target = sample.target.read()
        shown = sources[: len(shown_images(self._plan.config, sample))]
        digests = [images.sha256(picture) for picture in sources]
        given = [*digests[: len(shown)], *(images.sha256(image) for image in (target, found) if image is not None)]
        self._made[key] = Made(sources_digest(digests), edit_inputs(given, sample.instruction, seed), "")
        if not is_stored(sample.image) and len(self._shown) < MAX_KEPT:
            self._shown[key] = (sources[0], target)
        return EditRequest(key, tuple(shown), sample.instruction, seed, target=target, found=found)

    def _wait_for(self, sample: Sample) -> Edit:
        """The edit of the previous turn, once it is on record. Raises PreviousTurnError if there is none."""
        try:
            return self._completed.wait([sample.after], judging_id="")[0]
        except NotEditedError as error:
            raise chains.PreviousTurnError(f"{sample.id}: its previous turn {sample.after!r} has no edit") from error

    def began(self) -> None:
        super().began()
        self._log.begin(self._plan.editor.is_import)
        self._began_at = time.monotonic()

    def record(self, outcome: Result) -> None:
        if outcome.error is not None and outcome.error.reason == BudgetError.reason:
            self.over_budget()
            return
        encoded = outcome.value if isinstance(outcome.value, EncodedEdit) else None
        seed = seed_of(self._stage.seed, outcome.key)
        edit = self.store.record_edit(
            replace(outcome, value=encoded and encoded.png),
            seed,
            encoded.flags if encoded else (),
            self._made_of(outcome.key),
        )
        if outcome.error is not None and outcome.error.reason != Reason.MISSING:  # those were listed, in one line
            what = f"{outcome.error.message}{self.traceback_at(outcome)}"
            log.warning("%s: edit failed (%s): %s", outcome.key, outcome.error.reason, what)
        self.observer.settled(EDIT, completed_edit(outcome))
        self._log.add(outcome)
        self._completed.add(edit, scored_by(self.store, edit.sample_id))
        self._offer(edit)

    def notice(self, notice: PoolEvent) -> None:
        super().notice(notice)
        batch = self._log.on_event(notice)
        if batch is not None:
            is_one_clock = self._stage.execution.backend != "ray"
            self.store.record_event(BatchEnd(**asdict(batch), is_one_clock=is_one_clock))
            self.observer.batch(EDIT, batch.index, batch.total)

    def _offer(self, edit: Edit) -> None:
        """Its thumbnails are made now, unless a drawing would have to be made again that a judge needs as well."""
        drawn, drawn_target = self._shown.pop(edit.sample_id, (None, None))
        sample = self._samples[edit.sample_id]
        source = drawn or sample.image
        target = drawn_target or sample.target
        is_ready = all(image is None or isinstance(image, bytes) or is_stored(image) for image in (source, target))
        if edit.path is not None and (is_ready or not self._plan.judgings):
            edited = images.FileImage(self.store.dir / edit.path)
            made = edit.made.source_sha256 if edit.made and len(sample.images) == 1 else None
            self._thumbnails.offer(Found(edit.sample_id, source, target, edited, edit.sha256, made))

    def _made_of(self, key: str) -> Made | None:
        """What the edit was made of; None if its source could not be read."""
        made = self._made.pop(key, None)
        return made and replace(made, editor_id=self._plan.editor_id(self.commit or self._plan.inputs.commit))

    def finished(self) -> None:
        """What the policy and the failures cost, and what the other policies would have taken, is on record."""
        history, execution = self._log.history, self._stage.execution
        if not history.measured or self._plan.files is not None:  # what decoding took says nothing about a model
            return
        history.close(time.time())
        setting = Setting(len(self.workers.spec.devices), execution.max_drift, execution.retry)
        sizes = [len(keys) for keys in self.turns]
        normal = chains.replay_turns(history, setting, {}, sizes)
        real = chains.replay_turns(history, setting, history.faults, sizes) if history.faults else normal
        steady_s = time.monotonic() - self._began_at  # from when the parent had word that all are ready
        is_set = history.seconds > steady_s + SLACK_S  # the clock was, and that is no work
        seconds = steady_s if is_set else history.seconds
        cost = cost_of(execution.policy, seconds, normal, real)
        policies = tuple(_row(t, n.makespan_s) for t, n in zip(real, normal, strict=True))
        self.store.record_event(Replay(execution.policy, cost.measured_s, policies, asdict(cost), history.num_edits))
        of_edits = sum(num_made(self.store).values())
        say(cost_line(execution.policy, cost, real, history.num_edits, of_edits))

    def closed(self) -> None:
        super().closed()
        self._completed.close()


def edit_facts(plan: Plan, store: RunStore) -> StageFacts:
    """The edit stage as it is now."""
    counts = store.counts(None)
    groups = plan.editor_devices() if plan.is_editing else []
    execution = plan.config.diffusion_model.execution
    return StageFacts(
        key=EDIT,
        kind="edit",
        title=imports.title(plan.files, plan.log_name),
        total=counts.num_wanted,
        done=counts.num_edited,
        failed=counts.num_failed,
        devices=tuple(groups),
        is_synchronised=execution.policy == "batch_sync",
        retry=execution.retry,
        worker_logs=worker_logs(plan.log_path(None), len(groups)),
    )


def completed_edit(outcome: Result) -> RequestCompleted:
    """What an observer gets of it."""
    error = outcome.error
    failures = ((outcome.key, error.reason, error.message),) if error else ()
    return RequestCompleted(outcome.key, outcome.worker, outcome.seconds, failures=failures)


def _row(real: SimulatedRun, normal_s: float) -> PolicyReplay:
    """What is kept of a replay: `makespan_s` with the failures of the run, of which they are `failures_s`."""
    failures_s = real.makespan_s - normal_s
    return PolicyReplay(real.policy, real.makespan_s, real.idle_fraction, real.max_drift, failures_s)
