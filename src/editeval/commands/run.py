"""`editeval run` and `editeval check`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from editeval.commands.signals import interruptible
from editeval.config.schema import Config
from editeval.errors import BenchmarkError, UserError, one_line
from editeval.plan import Plan, device_warnings, make_plan, unused_prompts
from editeval.redaction import redacted
from editeval.reports.figures import subset_line
from editeval.store import activity, directories
from editeval.store.run_store import RunStore

if TYPE_CHECKING:
    from editeval.pipeline import RunResult


def run(config: Config, options: argparse.Namespace) -> int:
    """Run, or with --dry-run print the plan. Returns the exit code."""
    if options.dry_run:
        return dry_run(config, options.fresh)
    from editeval.pipeline import evaluate

    with interruptible() as interrupt:
        result = evaluate(config, options.argv, interrupt, options.fresh, display=options.display)
    return report_result(result, options.argv, options.display)


def report_result(result: RunResult, argv: Sequence[str], display: str = "plain") -> int:
    """Print the table (unless events went to stdout), and what to type next. Returns the exit code."""
    from editeval.commands.console import continuing, result_console
    from editeval.reports.terminal import render_terminal

    if result.report is not None:
        if display != "json":
            render_terminal(result.report, result_console())
        for line in result.stopped:
            sys.stderr.write(f"{line}: {continuing(argv)}\n")
        if result.exit_code and not result.stopped:
            sys.stderr.write(f"To try again what failed: editeval retry {shlex.quote(str(result.plan.dir))}\n")
    if result.signum is not None:
        done = result.counts.num_edited + result.counts.num_failed
        sys.stderr.write(f"Interrupted; {done} of {result.counts.num_wanted} edits are safe in {result.plan.dir}.\n")
        sys.stderr.write(f"To continue: {continuing(argv)}\n")
    return result.exit_code


def check(config: Config) -> int:
    """Everything that `run` would refuse is an error here; what only this machine lacks is a warning."""
    warnings = [*config.warnings, *unused_prompts(config), *device_warnings(config)]
    lines = [f"{config.path}: sound"]
    try:
        plan = make_plan(config)
    except BenchmarkError as error:
        if not _is_absent(config):
            raise
        warnings.append(f"{error} (needed by `editeval run`)")
    else:
        lines += [f"  {subset_line(plan.subset)}"] if plan.subset else []
        lines.append(f"  {len(plan.samples)} samples, editor {plan.log_name}, run directory {plan.dir}")
    for warning in warnings:
        sys.stderr.write(f"warning: {one_line(redacted(warning))}\n")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _is_absent(config: Config) -> bool:
    """Whether the benchmark's data are simply not on this machine."""
    from pathlib import Path

    path = str(getattr(config.benchmark.params, "path", ""))
    return bool(path) and not Path(path).exists()


def dry_run(config: Config, fresh: bool) -> int:
    """Print what `run` would do. Loads no model and writes nothing; missing devices are said, not refused."""
    plan = make_plan(config, fresh)
    out = sys.stdout.write
    for warning in [*config.warnings, *unused_prompts(config), *device_warnings(config)]:
        sys.stderr.write(f"warning: {one_line(redacted(warning))}\n")
    pending, states = _pending(plan)
    out(f"run directory  {plan.dir}{'' if directories.is_run(plan.dir) else ' (new)'}\n")
    out(f"benchmark      {config.benchmark.type}: {len(plan.samples)} samples\n")
    out(f"                 {subset_line(plan.subset)}\n" if plan.subset else "")
    for category, count in Counter(s.category for s in plan.samples).items():
        out(f"                 {one_line(category)}: {count}\n")
    out(f"edits          {states['done']} done, {states['failed']} failed, {len(pending)} to make\n")
    editor = config.diffusion_model
    out(f"editor         {editor.requested_type} ({plan.log_name}), base seed {editor.seed}\n")
    _print_assignment(plan, pending)
    for judging in plan.judgings:
        scored, unscored = states[f"{judging.id} scored"], states[f"{judging.id} unscored"]
        out(f"judge          {judging.name}, {judging.stage.execution.batch_size} at a time: ")
        num_left = len(plan.samples) - states["failed"] - scored - unscored
        out(f"{scored} scored, {unscored} unscored, {num_left} to judge\n")
    return 0


def _pending(plan: Plan) -> tuple[list[str], Counter[str]]:
    """Ids still to edit, and counts of what is in the ledger already."""
    states: Counter[str] = Counter()
    ids = [s.id for s in plan.samples]
    if not directories.is_run(plan.dir):
        return ids, states
    with RunStore.read(plan.dir) as store:
        edits = {e.sample_id: e.status for e in store.edits(wanted_only=False)}
        states.update(edits[i] for i in ids if i in edits)
        for judging in plan.judgings:
            seen = activity.has_value(store, judging.id)
            marks = [seen[i] for i in ids if i in seen]
            states[f"{judging.id} scored"] = sum(marks)
            states[f"{judging.id} unscored"] = len(marks) - sum(marks)
    return [i for i in ids if i not in edits], states


def _print_assignment(plan: Plan, pending: list[str]) -> None:
    execution = plan.config.diffusion_model.execution
    out = sys.stdout.write
    try:
        groups = plan.editor_devices()
    except UserError:
        names = execution.device_ids or ()
        groups = [(name,) for name in names]
    drift = f", max drift {execution.max_drift}" if execution.policy == "bounded_drift" else ""
    out(f"policy         {execution.policy}{drift}, {len(groups)} workers, {execution.backend} backend\n")
    for worker, group in enumerate(groups):
        if execution.policy == "dynamic":
            out(f"                 worker {worker} on {'+'.join(group)}: whatever comes next\n")
            continue
        mine = range(worker, len(pending), len(groups))
        first = ", ".join(one_line(pending[i]) for i in mine[:3])
        more = f", ... +{len(mine) - 3} more" if len(mine) > 3 else ""
        out(f"                 worker {worker} on {'+'.join(group)}: {len(mine)} edits: {first}{more}\n")
    if execution.policy == "batch_sync" and groups:
        out(f"                 {-(-len(pending) // len(groups))} batches of {len(groups)}\n")
