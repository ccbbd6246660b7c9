"""The edit stage: every wanted sample gets an edit, done or failed, in the ledger."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, replace
from typing import Any

from editeval import images
from editeval.display.observer import StageFacts
from editeval.errors import BudgetError, ImageError
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.progress import EditLog, cost_line
from editeval.execution.simulate import Setting, SimulatedRun, cost_of, replay
from editeval.execution.worker_messages import EncodedEdit
from editeval.run.plan import Plan, seed_of, worker_spec
from editeval.run.progress_events import EDIT, completed_edit, edit_facts, worker_log_name
from editeval.run.stage import CompletedEdits, RunningStage, say, workers_of
from editeval.store.queries import num_made
from editeval.store.run_store import RunStore
from editeval.store.samples import edit_inputs
from editeval.types import EditRequest, Made

log = logging.getLogger("editeval")


class Editing(RunningStage):
    """Edits what is pending; `completed` is told of every edit, done or failed, that is on record."""

    stage = "edit"
    name = EDIT

    def __init__(self, plan: Plan, store: RunStore, completed: CompletedEdits) -> None:
        stage = plan.config.diffusion_model
        groups = plan.editor_devices()
        logs = plan.config.evaluation.output_dir / "logs" / f"{plan.dir.name}{worker_log_name(None)}"
        spec = worker_spec("editors", stage, plan.config.allow_code)
        super().__init__(store, stage, workers_of(spec, groups, stage, logs), store.pending_edits())
        self._plan = plan
        self.plugin, self.inputs = plan.editor, plan.inputs
        self._stage = stage
        self._samples = {s.id: s for s in plan.samples}
        self._landings = completed
        self._made: dict[str, Made] = {}  # written by the pool's threads, one key each
        self._log = EditLog(plan.log_name, list(self.keys), len(groups), stage.execution.policy, say)
        self.progress = self._log.progress

    def facts(self) -> StageFacts:
        return edit_facts(self._plan, self.store)

    def build(self, key: str) -> EditRequest:
        sample, seed = self._samples[key], seed_of(self._stage.seed, key)
        pictures = [sample.image.read()]
        if self._plan.editor.sees_reference:
            if sample.reference is None:
                raise ImageError(f"{key}: the benchmark has no target for it")
            pictures.append(sample.reference.read())
        digests = [images.sha256(picture) for picture in pictures]
        self._made[key] = Made(digests[0], edit_inputs(digests, sample.instruction, seed), "")
        return EditRequest(key, tuple(pictures), sample.instruction, seed)

    def began(self) -> None:
        super().began()
        self._log.begin()

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
        if outcome.error is not None:
            said = f"{outcome.error.message}{self.traceback_at(outcome)}"
            log.warning("%s: edit failed (%s): %s", outcome.key, outcome.error.reason, said)
        self.observer.settled(EDIT, completed_edit(outcome))
        self._log.add(outcome)
        self._landings.add(edit)

    def notice(self, notice: PoolEvent) -> None:
        super().notice(notice)
        batch = self._log.on_event(notice)
        if batch is not None:
            is_one_clock = self._stage.execution.backend != "ray"
            self.store.record_event("batch", asdict(batch) | {"is_one_clock": is_one_clock})
            self.observer.batch(EDIT, batch.index, batch.total)

    def _made_of(self, key: str) -> Made | None:
        """What the edit was made of; None if its source could not be read."""
        made = self._made.pop(key, None)
        return made and replace(made, editor_id=self._plan.editor_id(self.commit or self._plan.inputs.commit))

    def finished(self) -> None:
        """What the policy and the failures cost, and what the other policies would have taken, is on record."""
        history, execution = self._log.history, self._stage.execution
        if not history.measured:
            return
        history.close(time.time())
        setting = Setting(len(self.workers.spec.devices), execution.max_drift, execution.retry)
        normal = replay(history.measured, setting, failed=history.failed)
        real = replay(history.measured, setting, history.faults, history.failed) if history.faults else normal
        cost = cost_of(execution.policy, history.seconds, normal, real)
        policies = [_row(t, n.makespan_s) for t, n in zip(real, normal, strict=True)]
        told = {"policy": execution.policy, "actual_s": cost.measured_s, "policies": policies, "cost": asdict(cost)}
        self.store.record_event("replay", told | {"num_edits": history.num_edits})
        of_edits = sum(num_made(self.store).values())
        say(cost_line(execution.policy, cost, real, history.num_edits, of_edits))

    def closed(self) -> None:
        super().closed()
        self._landings.close()


def _row(real: SimulatedRun, normal_s: float) -> dict[str, Any]:
    """What is kept of a replay: `makespan_s` with the failures of the run, of which they are `failures_s`."""
    return {
        "policy": real.policy,
        "makespan_s": real.makespan_s,
        "failures_s": real.makespan_s - normal_s,
        "idle_fraction": real.idle_fraction,
        "max_drift": real.max_drift,
    }
