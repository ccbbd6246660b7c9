"""One run, from a configuration to a report: the one file that knows every part."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from editeval.config.schema import Config, Stage
from editeval.display.session import watching
from editeval.errors import MachineError, Problems
from editeval.machine import known_issues
from editeval.redaction import redacted
from editeval.reports.data import Report
from editeval.reports.format import subset_line
from editeval.run import planted, record_inputs, recorded, results
from editeval.run.disk_space import check_room
from editeval.run.interrupt import Interrupt
from editeval.run.logs import log, logs
from editeval.run.placement import device_warnings
from editeval.run.plan import Plan, make_plan, unused_prompts
from editeval.run.prepare import check_stages, interpreters_of, record_interpreters, unfinished_stages
from editeval.run.progress_events import announce, interval
from editeval.run.report import build_report, publish
from editeval.run.reuse import reuse
from editeval.run.scheduler import run_waves, waves
from editeval.store import directories, lineage
from editeval.store.manifest import Manifest
from editeval.store.records import SUBSET, Counts
from editeval.store.reused import reused
from editeval.store.run_store import RunStore

COMPLETE, INCOMPLETE = 0, 3


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of an invocation. `report` is None if it was interrupted."""

    plan: Plan
    report: Report | None
    counts: Counts  # of several judgings, those of the one that scored least
    signum: int | None  # of the interruption
    stopped: tuple[str, ...] = ()  # one line for each stage that met a limit on spending

    @property
    def exit_code(self) -> int:
        """0 every wanted sample scored by every judge, 3 some failed or unscored, 128 + signal if interrupted."""
        if self.signum is not None:
            return 128 + self.signum
        wanted = self.counts.num_scored if self.plan.judgings else self.counts.num_edited
        return COMPLETE if wanted == self.counts.num_wanted else INCOMPLETE


def evaluate(
    config: Config,
    argv: Sequence[str] = (),
    interrupt: Interrupt | None = None,
    fresh: bool = False,
    directory: Path | None = None,
    display: str = "plain",
) -> RunResult:
    """Edit, judge and report what `config` asks for; continues the run where an earlier invocation left it.

    The run is the newest of this configuration, with `fresh` a new one, or the one in `directory`.

    Raises UserError, with everything that is wrong, before any worker starts if it cannot work.
    """
    problems = Problems(config.path)
    plan: Plan | None = None
    with problems.collect():
        check_machine(config, config.stages)
    with problems.collect():
        plan = make_plan(config, fresh, directory)
    problems.check()
    assert plan is not None, "there is none without a problem"
    return _work(plan, argv, interrupt or Interrupt(), display)


def score(
    config: Config, directory: Path, argv: Sequence[str], interrupt: Interrupt, display: str = "plain"
) -> RunResult:
    """Judge what the run in `directory` has edited as `config` asks for; nothing is edited, earlier scores stay.

    Raises UserError before any worker starts if it cannot work, RunConflictError if the edits are not of `config`.
    """
    check_machine(config, tuple(config.judges.values()))
    return _work(make_plan(config, directory=directory, is_editing=False), argv, interrupt, display)


def _work(plan: Plan, argv: Sequence[str], interrupt: Interrupt, display: str) -> RunResult:
    config = plan.config
    planted.check(plan)
    waves(plan)
    check_stages(config, unfinished_stages(plan))
    with (
        watching(display, interval, lambda: interrupt.signum is not None, log.info) as session,
        logs(config.logging, session.handler),
        open_store(plan, argv) as store,
    ):
        record_interpreters(plan.stages, store)
        for warning in (*config.warnings, *unused_prompts(config)):
            log.warning("%s", warning)
        for note in plan.notes:
            log.info("%s", note)
        directories.point_latest(plan.dir)
        record_inputs.settle(plan, store)
        store.select(plan.samples)
        reuse(plan, store, lambda: interrupt.signum is not None)
        if plan.is_editing:
            results.configure(store, plan.judgings)
        store.record_event(SUBSET, asdict(plan.subset) if plan.subset else {})
        check_room(plan, store)
        _announce(plan, store)
        announce(plan, store, session.observer)
        stopped = run_waves(plan, store, interrupt, session.observer)
        if not plan.is_editing:
            results.adopt(store, results.configured_by(plan.judgings))
        planted.record(plan, store, interrupt)
        result = replace(_result(plan, store, interrupt), stopped=stopped)
        session.observer.run_ended(result.exit_code)
        return result


def _result(plan: Plan, store: RunStore, interrupt: Interrupt) -> RunResult:
    """What became of the invocation; unless it was interrupted, its reports are written."""
    counts = least(plan, store)
    if interrupt.signum is not None:
        return RunResult(plan, None, counts, interrupt.signum)
    report = publish(plan, store)
    log.info("Report: %s", plan.dir / "report.html")
    if not plan.is_editing:  # files show what they showed; whoever judges again wants to see what came of it
        report = build_report(plan, store, results.configured_by(plan.judgings))
    return RunResult(plan, replace(report, samples=lambda: iter(())), counts, None)  # the ledger closes now


def check_machine(config: Config, stages: Sequence[Stage]) -> None:
    """Raises MachineError for devices that are not there, and for libraries known to give wrong results together."""
    problems = Problems(config.path)
    for lacking in device_warnings(config, stages):
        problems.add(MachineError(lacking))
    problems.check()
    for stage, found in interpreters_of(stages):
        for broken in known_issues.problems(found.versions, [stage.type]):
            if broken.severity == "broken":
                problems.add(MachineError(f"{broken.line()}; `editeval doctor` tells more"))
    problems.check()


def least(plan: Plan, store: RunStore) -> Counts:
    """Where the wanted samples stand; of several judgings, under the one that has scored least."""
    return min((store.counts(judging.id) for judging in plan.judgings), key=_num_scored, default=store.counts(None))


def _num_scored(counts: Counts) -> int:
    return counts.num_scored


def open_store(plan: Plan, argv: Sequence[str] = ()) -> RunStore:
    """The run directory of `plan`, new or continued, for this process alone. Raises RunConflictError."""
    lineage.check_benchmark(plan.dir, plan.identity, plan.samples)
    groups = plan.device_groups()
    manifest = Manifest(
        name=plan.config.name,
        identity=plan.identity,
        config=plan.config.resolved,
        origins=plan.config.origins,
        devices=list(dict.fromkeys("+".join(group) for group in groups)),
        argv=[redacted(word) for word in argv or sys.argv],
        inputs=plan.inputs.listed(),
        is_fresh=not plan.can_reuse,
        setting=_setting(plan),
    )
    return RunStore.open(plan.dir, manifest)


def _setting(plan: Plan) -> dict[str, Any]:
    """What the event of this invocation says besides its configuration."""
    if not plan.is_editing:
        return {"command": recorded.SCORE}
    warnings = [*plan.config.warnings]
    return {"command": recorded.RUN, "warnings": warnings, "editing": recorded.editing_of(plan)}


def _announce(plan: Plan, store: RunStore) -> None:
    counts = least(plan, store)
    for taken in reused(store):
        log.info("%s: nothing that decides them has changed", taken)
    failed = f", {counts.num_failed} failed before" if counts.num_failed else ""
    numbers = f"{counts.num_edited} edited already{failed}, {counts.num_pending_edits} to edit"
    log.info("Run %s: %d samples, %s", plan.dir, counts.num_wanted, numbers)
    if plan.subset is not None:
        log.info("%s", subset_line(plan.subset))
    changed = recorded.changed_setting(plan, store) if plan.is_editing else ""
    if changed:
        log.warning("%s", changed)
