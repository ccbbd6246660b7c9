"""Which stages run at the same time: a stage joins the first wave whose devices are apart from its own."""

from __future__ import annotations

from collections.abc import Collection

from editeval.display.observer import Observer
from editeval.errors import ConfigError
from editeval.execution.devices import MARK
from editeval.plan import JudgingPlan, Plan, claims
from editeval.stages.activity import Activity
from editeval.stages.editing import Editing
from editeval.stages.interrupt import Interrupt
from editeval.stages.judging import Judging
from editeval.stages.landings import Landings
from editeval.stages.running import run
from editeval.store.run_store import RunStore

Wave = list[JudgingPlan | None]
"""None stands for editing, which is always in the first one, if there is any."""


def run_waves(plan: Plan, store: RunStore, interrupt: Interrupt, observer: Observer) -> tuple[str, ...]:
    """Everything wanted is edited and judged; less only after an interrupt, and at a limit on spending.

    Returns one line for each stage that met such a limit. Stages that are complete start nothing.
    """
    stopped: list[str] = []
    landings = Landings(store.edits(), store.pending_edits() if plan.is_editing else ())
    try:
        for wave in waves(plan):
            if interrupt.signum is None:
                wanted = [a for a in _activities(wave, plan, store, landings) if a.keys]
                activities = [a for a in wanted if not a.is_spent()]
                if None in wave and not any(isinstance(a, Editing) for a in activities):
                    landings.close()  # nobody edits: nobody is to wait for it
                for activity in activities:
                    activity.observer = observer
                run(activities, interrupt)
                stopped += [activity.stopped for activity in wanted if activity.stopped]
    finally:
        landings.close()
    return tuple(stopped)


def _activities(wave: Wave, plan: Plan, store: RunStore, landings: Landings) -> list[Activity]:
    return [
        Editing(plan, store, landings) if judging is None else Judging(plan, judging, store, landings)
        for judging in wave
    ]


def waves(plan: Plan) -> list[Wave]:
    """The stages of `plan` in the order in which they run. Raises ConfigError for an overlap that cannot be."""
    result: list[Wave] = [[None]] if plan.is_editing else []
    for judging in plan.judgings:
        first = next((wave for wave in result if all(_is_apart(plan, judging, member) for member in wave)), None)
        if first is None:
            result.append([judging])
        else:
            first.append(judging)
    return result


def _is_apart(plan: Plan, judging: JudgingPlan, other: JudgingPlan | None) -> bool:
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
