"""One run, from a configuration to a report: the one file that knows every part."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from editeval.config.schema import Config, Logging
from editeval.config.starter import RESOLVED, write_resolved
from editeval.display.session import watching
from editeval.errors import MachineError, Problems
from editeval.redaction import redacted
from editeval.reports.data import Report
from editeval.reports.format import subset_line
from editeval.run import controls, forecast, imports, official, planted, recorded, reparse, results
from editeval.run.chains import outdated
from editeval.run.plan import Plan, make_plan
from editeval.run.prepare import (
    check_disk_space,
    check_machine,
    check_stages,
    record_inputs,
    record_interpreters,
    unfinished_stages,
)
from editeval.run.same_inputs import reuse
from editeval.run.scheduler import Interrupt, Phase, announce, run_stages, stage_groups
from editeval.run.selection import unused_prompts
from editeval.run.tracked import about, ending_of
from editeval.stats.summary import Placed, running_interval
from editeval.store import connection, directories, lineage
from editeval.store.ledger_events import RUN, SCORE, SubsetChosen
from editeval.store.manifest import Manifest
from editeval.store.records import Counts
from editeval.store.reused import reused
from editeval.store.run_store import RunStore
from editeval.text import one_line
from editeval.trackers.tracking import Ending, TrackingObserver, check_installed, tracked
from editeval.types import Metric

log = logging.getLogger("editeval")
COMPLETE, INCOMPLETE = 0, 3
_WHOLE = Phase()


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of an invocation. `report` is None if it was interrupted."""

    plan: Plan
    report: Report | None
    counts: Counts  # of several score sets, those of the one that has scored least
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
    return work(planned(config, fresh, directory), argv, interrupt or Interrupt(), display)


def planned(config: Config, fresh: bool = False, directory: Path | None = None) -> Plan:
    """What `evaluate` does. Raises UserError, with everything that is wrong."""
    problems = Problems(config.path)
    plan: Plan | None = None
    with problems.collect():
        check_machine(config, config.stages)
    with problems.collect():
        check_installed(config.trackers)
    with problems.collect():
        plan = make_plan(config, fresh, directory)
    problems.check()
    assert plan is not None, "without a problem there is a plan"
    return plan


def score(
    config: Config, directory: Path, argv: Sequence[str], interrupt: Interrupt, display: str = "plain"
) -> RunResult:
    """Judge what the run in `directory` has edited as `config` asks for; nothing is edited, earlier scores stay.

    Raises UserError before any worker starts if it cannot work, RunConflictError if the edits are not of `config`.
    """
    check_machine(config, tuple(config.judges.values()))
    return work(make_plan(config, directory=directory, is_editing=False), argv, interrupt, display)


def work(plan: Plan, argv: Sequence[str], interrupt: Interrupt, display: str, phase: Phase = _WHOLE) -> RunResult:
    """Does what is left of `plan`, and reports. `phase`: only a part of it, for runs that share a judge's workers."""
    config = plan.config
    scales = {one.prefix + name: scale for one in plan.judgings for name, scale in one.known.scales.items()}

    def running(scores: Sequence[Placed], metric: str) -> tuple[float, float | None, float | None]:
        return running_interval(scores, scales.get(metric) or Metric(metric))

    stage_groups(plan)
    check_stages(config, unfinished_stages(plan))
    with (
        watching(display, running, lambda: interrupt.signum is not None, log.info) as session,
        logs(config.logging, session.handler),
        open_store(plan, argv) as store,
        tracked(session.observer, config.trackers, partial(about, plan, store.manifest)) as observer,
    ):
        record_interpreters(plan, store)
        for warning in (*config.warnings, *unused_prompts(config)):
            log.warning("%s", warning)
        for note in plan.notes:
            log.info("%s", note)
        directories.point_latest(plan.dir)
        record_inputs(plan, store)
        store.select(plan.samples)
        if plan.is_editing:
            imports.record(plan.files, store)
        if plan.is_editing:
            store.forget_edits(outdated(plan.samples, store))
        reuse(plan, store, lambda: interrupt.signum is not None)
        reparse.adopt(plan, store)
        if plan.is_editing:
            results.configure(store, plan.judgings)
        store.record_event(SubsetChosen.of_run(plan.subset))
        official.record(config.benchmark, plan.benchmark, store)
        check_disk_space(plan, store)
        _announce(plan, store)
        announce(plan, store, observer)
        stopped = run_stages(plan, store, interrupt, observer, phase)
        if not plan.is_editing:
            results.adopt(store, results.configured_by(plan.judgings))
        if phase.is_editing_only:
            observer.ending = None if interrupt.signum else Ending()  # the services go on with it when it is judged
            return RunResult(plan, None, least(plan, store), interrupt.signum, stopped)
        planted.record(plan, store, interrupt)
        result = replace(_result(plan, store, interrupt, observer), stopped=stopped)
        observer.run_ended(result.exit_code)
        return result


def _result(plan: Plan, store: RunStore, interrupt: Interrupt, observer: TrackingObserver) -> RunResult:
    """The result of the invocation; unless it was interrupted, its reports are written."""
    counts = least(plan, store)
    if interrupt.signum is not None:
        return RunResult(plan, None, counts, interrupt.signum)
    from editeval.run.report import build_report, publish  # with everything that draws: nothing before needs it

    report = publish(plan, store)
    log.info("Report: %s", plan.dir / "report.html")
    if plan.config.trackers:
        observer.ending = ending_of(report, plan.dir)
    if not plan.is_editing:  # the files show what they showed; the terminal shows the new scores
        report = build_report(plan, store, results.configured_by(plan.judgings))
    return RunResult(plan, replace(report, samples=lambda: iter(())), counts, None)  # the ledger closes now


def least(plan: Plan, store: RunStore) -> Counts:
    """The counts of the wanted samples; of several score sets, those of the one that has scored least."""
    counts = [store.counts(judging.id) for judging in plan.judgings] or [store.counts(None)]
    return min(counts, key=lambda found: found.num_scored)


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
        command=RUN if plan.is_editing else SCORE,
        warnings=plan.config.warnings if plan.is_editing else None,
        editing=recorded.editing_of(plan) if plan.is_editing else None,
    )
    store = RunStore.open(plan.dir, manifest)
    try:
        if plan.is_editing:
            with connection.translated(plan.dir / RESOLVED):
                write_resolved(store.folder, plan.config)
    except BaseException:
        store.close()
        raise
    return store


def _announce(plan: Plan, store: RunStore) -> None:
    counts = least(plan, store)
    for taken in reused(store):
        log.info("%s: nothing that decides them has changed", taken)
    failed = f", {counts.num_failed} failed before" if counts.num_failed else ""
    numbers = f"{counts.num_edited} edited already{failed}, {counts.num_pending_edits} to edit"
    log.info("Run %s: %s, %s", plan.dir, plan.extent, numbers)
    if plan.subset is not None:
        log.info("%s", subset_line(plan.subset))
    changed = recorded.changed_setting(plan, store) if plan.is_editing else ""
    if changed:
        log.warning("%s", changed)
    for judging in (one for one in plan.judgings if one.judge.is_remote):
        for line in forecast.lines(plan, judging, forecast.left_to_judge(plan, judging, store)):
            log.info("Judge %s: %s", judging.name, line)
        for line in controls.cost_lines(plan, judging, counts.num_scored < counts.num_wanted):
            log.info("Judge %s: %s", judging.name, line)


@contextmanager
def logs(settings: Logging, terminal: logging.Handler | None = None) -> Iterator[None]:
    """While inside, log records go to the log file and, if wanted, to `terminal`; contract lines as they are."""
    try:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        handlers: list[logging.Handler] = [_LogFile(settings.log_file, encoding="utf-8")]
    except OSError as error:
        where = f"logging.log_file: {settings.log_file}: {error.strerror or error}"
        raise MachineError(f"{where}; set evaluation.output_dir (--output-dir) to a place you can write to") from error
    if settings.console_output and terminal is not None:
        handlers.append(terminal)
    for handler in handlers:
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
    before, log.propagate = log.propagate, False
    log.setLevel(settings.level)
    try:
        yield
    finally:
        log.propagate = before
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


class _LogFile(logging.FileHandler):
    """A log file whose disk may be full: stderr says so once, and the run goes on."""

    _is_broken = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._warn(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._is_broken:
            self._is_broken = True
            sys.stderr.write(f"{self.baseFilename}: {error.strerror or error}; the log is incomplete, the run is not\n")


class _Formatter(logging.Formatter):
    """Contract lines as they are; everything else on one line that cannot steer a terminal, whatever an id holds."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if getattr(record, "verbatim", False):
            return message
        record = copy.copy(record)
        record.msg, record.args = one_line(redacted(message)), ()
        return super().format(record)
