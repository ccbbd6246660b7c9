"""`editeval run` and `editeval check`."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from editeval.cli.console import add_step_summary, continuing, interruptible, overrides_of, result_console
from editeval.config.consent import VERBS
from editeval.config.load import read_config
from editeval.config.ready import located
from editeval.config.schema import Config, Execution
from editeval.config.trackers import with_flags
from editeval.errors import BenchmarkError, ConfigError, MachineError, Problems, UserError
from editeval.execution.policy import AT_END
from editeval.plugins import names_code
from editeval.redaction import redacted
from editeval.reports.format import subset_line
from editeval.run import chains, controls, forecast, recorded
from editeval.run.official import expected
from editeval.run.plan import Plan, look_at, make_plan
from editeval.run.prepare import new_run_line, recorded_so_far
from editeval.run.selection import missing_images, unused_prompts
from editeval.run.stage_devices import device_warnings
from editeval.store import directories, manifest
from editeval.store.records import Counts
from editeval.store.run_store import RunStore
from editeval.text import clock, one_line, run_command

DONE_WITH_FAILURES = 3

if TYPE_CHECKING:
    from editeval.run.pipeline import RunResult


def run(options: argparse.Namespace) -> int:
    """Run, or with --dry-run print the plan. Returns the exit code."""
    if "," in (options.benchmark or ""):
        return _run_each(_each(options))
    return carried_out(configuration(options, is_run=not options.dry_run), options)


def _each(options: argparse.Namespace) -> list[argparse.Namespace]:
    """The options for each of the benchmarks that were named, with its data."""
    names = options.benchmark.split(",")
    places = options.data.split(",") if options.data is not None else [""] * len(names)
    if len(places) != len(names):
        advice = "name one path for each benchmark, in the same order"
        raise ConfigError(f"--data: {len(places)} for {len(names)} benchmarks ({options.benchmark}); {advice}")
    pairs = zip(names, places, strict=True)
    return [argparse.Namespace(**{**vars(options), "benchmark": name, "data": place or None}) for name, place in pairs]


def _run_each(each: Sequence[argparse.Namespace]) -> int:
    """A run for each of `each`, and their results in a line each. Nothing starts while one of them is not sound."""
    problems = Problems(each[0].config)
    configs = []
    for options in each:
        with problems.collect():
            configs.append(configuration(options, is_run=not options.dry_run))
            make_plan(configs[-1])
    problems.check()
    codes: list[int] = []
    lines: list[str] = []
    for options, config in zip(each, configs, strict=True):
        codes.append(carried_out(config, options, lines))
        if codes[-1] > DONE_WITH_FAILURES:
            return codes[-1]  # interrupted: the same command continues
        if options.dry_run:
            sys.stdout.write("\n")
    if each[0].display != "json":
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    return max(codes)


def carried_out(config: Config, options: argparse.Namespace, lines: list[str] | None = None) -> int:
    """Run `config` as the flags of a run say. Returns the exit code; `lines` gets the result in one line."""
    if options.fresh and options.resume:
        raise ConfigError("--fresh and --resume: one starts a new run, the other continues it; choose one")
    config = replace(config, trackers=with_flags(config.trackers, options.track))
    if options.dry_run:
        return _dry_run(config, options.fresh)
    from editeval.run.pipeline import evaluate

    with interruptible() as interrupt:
        result = evaluate(config, options.argv, interrupt, options.fresh, display=options.display)
    if lines is not None and result.report is not None:
        from editeval.reports.format import headline

        lines.append(f"{config.benchmark.label}: {headline(result.report)} {result.plan.dir}")
    return report_result(result, options.argv, options.display)


def report_result(result: RunResult, argv: Sequence[str], display: str = "plain") -> int:
    """Print the table (unless events went to stdout), and what to type next. Returns the exit code."""
    from editeval.reports.terminal import render_terminal

    if result.report is not None:
        if display != "json":
            render_terminal(result.report, result_console())
        add_step_summary(lambda: (result.plan.dir / "report.md").read_text(encoding="utf-8"))
        for line in result.stopped:
            sys.stderr.write(f"{line}: {continuing(argv)}\n")
        if result.exit_code and not result.stopped:
            sys.stderr.write(f"To try again what failed: {_retrying(result.plan)}\n")
    if result.signum is not None:
        sys.stderr.write(f"Interrupted; {_kept(result.counts)} in {result.plan.dir}.\n")
        sys.stderr.write(f"To continue: {continuing(argv)}\n")
    return result.exit_code


def configuration(options: argparse.Namespace, is_run: bool, seen: list[Config] | None = None) -> Config:
    """The configuration of CONFIG and the flags. Raises UserError with everything that is wrong with it.

    A mistake in it does not hide those that only show where it meets its data and, for a run, this machine. `seen`
    gets what could be read of it, mistakes or not.
    """
    path = Path(options.config)
    problems = Problems(path)
    config = read_config(path, problems, overrides_of(options), allow_code=options.allow_code)
    if config is not None and seen is not None:
        seen.append(config)
    if config is not None:
        config = replace(config, name=_name(config, options))
    if problems.found and config is not None:
        sound = {name: stage for name, stage in config.judges.items() if stage.params is not None}
        look_at(replace(config, judges=sound), problems)
        for lacking in device_warnings(config) if is_run else ():
            problems.add(MachineError(lacking))
    problems.check()
    assert config is not None, "there is none without a problem"
    return config


def _name(config: Config, options: argparse.Namespace) -> str:
    """What the run's directory is called: after the file; after what the flags name, where no file was named; and for
    the file in a run, as that run."""
    if directories.is_run(config.path.parent) and config.path.name == "config.yaml":
        return Path(manifest.read(config.path.parent / manifest.NAME)["name"]).name  # a stranger's leads nowhere else
    if options.named_model is None or config.path != located("config.yaml"):
        return config.name
    words = (Path(options.named_model).name.removesuffix(".py"), config.benchmark.label)
    return "-".join(re.sub(r"[^\w.]+", "-", word).strip("-") for word in words)


def _retrying(plan: Plan) -> str:
    return run_command("retry", plan.dir, names_code=names_code(plan.config.resolved))


def _kept(counts: Counts) -> str:
    failed = f" and {counts.num_failed} failures" if counts.num_failed else ""
    return f"{counts.num_edited} of {counts.num_wanted} edits{failed} are safe"


def check(options: argparse.Namespace) -> int:
    """Everything that `run` would refuse is an error here; what only this machine lacks is a warning.

    What the configuration would execute, read, write and contact is listed, also where it is not sound.
    """
    if "," in (options.benchmark or ""):
        return max([check(one) for one in _each(options)])
    seen: list[Config] = []
    try:
        config = configuration(options, is_run=False, seen=seen)
    except UserError:
        sys.stdout.write("".join(f"{line}\n" for config in seen for line in _effects(config)))
        raise
    warnings = [*config.warnings, *unused_prompts(config), *device_warnings(config)]
    lines = [f"{config.path}: sound"]
    try:
        plan = make_plan(config)
    except UserError as error:
        absent = [part for part in error.parts if isinstance(part, BenchmarkError) and _is_absent(config)]
        if len(absent) < len(error.parts):
            raise
        warnings += [f"{part} (needed by `editeval run`)" for part in absent]
    else:
        warnings += filter(None, [missing_images(plan.samples)])
        lines += [f"  {subset_line(plan.subset)}"] if plan.subset else []
        lines.append(f"  {plan.extent}, editor {plan.log_name}, run directory {plan.dir}")
        lines += [f"  {one_line(note)}" for note in plan.notes]
    lines += _effects(config)
    for warning in warnings:
        sys.stderr.write(f"warning: {one_line(redacted(warning))}\n")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _effects(config: Config) -> list[str]:
    """A line for each of what the configuration executes, reads, writes and contacts."""
    found: dict[str, dict[str, None]] = {verb: {} for verb in VERBS}
    for effect in config.effects:
        found[effect.verb][effect.subject] = None
    return [f"  {verb}: {one_line(redacted(', '.join(subjects)))}" for verb, subjects in found.items() if subjects]


def _is_absent(config: Config) -> bool:
    """Whether the benchmark's data are simply not on this machine."""
    path = str(getattr(config.benchmark.params, "path", ""))
    place = Path(path).expanduser()
    return bool(path) and not place.exists() and not glob(str(place), recursive=True)  # noqa: PTH207 - or a pattern


def _dry_run(config: Config, fresh: bool) -> int:
    """Print what `run` would do. Loads no model and writes nothing; missing devices are said, not refused."""
    plan = make_plan(config, fresh)
    out = sys.stdout.write
    warnings = [*config.warnings, *unused_prompts(config), *device_warnings(config)]
    for warning in [*warnings, *filter(None, [missing_images(plan.samples)])]:
        sys.stderr.write(f"warning: {one_line(redacted(warning))}\n")
    pending, states = recorded_so_far(plan)
    out(f"run directory  {plan.dir}{'' if directories.is_run(plan.dir) else ' (new)'}\n")
    if plan.lineage is not None and plan.lineage.previous is not None and plan.lineage.reasons:
        out(f"               {one_line(new_run_line(plan.lineage))}\n")
    out(f"name           {config.evaluation.name}\n" if config.evaluation.name else "")
    out(f"benchmark      {config.benchmark.label}: {plan.extent}\n")
    out(f"                 {subset_line(plan.subset)}\n" if plan.subset else "")
    for category, count in Counter(s.category for s in plan.samples if not s.repeat_of).items():
        out(f"                 {one_line(category)}: {count}\n")
    for note in plan.notes:
        out(f"                 {one_line(note)}\n")
    changed = _changed_setting(plan)
    if changed:
        out(f"setting        {one_line(changed)}\n")
    out(f"edits          {states['done']} done, {states['failed']} failed, {len(pending)} to make\n")
    editor = config.diffusion_model
    out(f"editor         {editor.requested_type} ({plan.log_name}), base seed {editor.seed}\n")
    _print_assignment(plan, pending)
    for judging in plan.judgings:
        scored, unscored = states[f"{judging.id} scored"], states[f"{judging.id} unscored"]
        out(f"judge          {judging.name}, {judging.stage.execution.batch_size} at a time: ")
        num_left = len(plan.samples) - states["failed"] - scored - unscored
        out(f"{scored} scored, {unscored} unscored, {num_left} to judge\n")
        if line := expected(plan, judging):
            out(f"                 {one_line(line)}\n")
        for line in controls.cost_lines(plan, judging, is_judging=num_left > 0):
            out(f"                 {one_line(line)}\n")
    _print_calls(plan)
    return 0


def _print_calls(plan: Plan) -> None:
    """What judges that follow a protocol will be asked, before anything is spent; in all, if there are several."""
    with RunStore.read(plan.dir) if directories.is_run(plan.dir) else contextlib.nullcontext() as store:
        left = {judging.name: forecast.left_to_judge(plan, judging, store) for judging in plan.judgings}
    found: list[forecast.CallForecast] = []
    for judging in plan.judgings:
        samples = left[judging.name]
        for line in forecast.lines(plan, judging, samples):
            sys.stdout.write(f"calls          {judging.name}: {one_line(line)}\n")
        found += filter(None, [forecast.forecast(plan, judging, samples)])
    if len(found) > 1:
        sys.stdout.write(f"               in all: {sum(found, forecast.CallForecast())}\n")


def _changed_setting(plan: Plan) -> str:
    if not directories.is_run(plan.dir):
        return ""
    with RunStore.read(plan.dir) as store:
        return recorded.changed_setting(plan, store)


def _print_assignment(plan: Plan, pending: list[str]) -> None:
    execution, turns = plan.config.diffusion_model.execution, chains.turns(plan.samples, pending)
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
        mine = [key for turn in turns for key in turn[worker :: len(groups)]]
        first = ", ".join(map(one_line, mine[:3]))
        more = f", ... +{len(mine) - 3} more" if len(mine) > 3 else ""
        out(f"                 worker {worker} on {'+'.join(group)}: {len(mine)} edits: {first}{more}\n")
    if execution.policy == "batch_sync" and groups:
        out(f"                 {chains.num_batches(map(len, turns), len(groups))} batches of {len(groups)}\n")
        out(f"                 {_longest_hold(execution)}\n")


def _longest_hold(execution: Execution) -> str:
    """How long one request may keep all workers of its batch waiting, at worst."""
    tries, what = execution.max_attempts, f"at most {execution.max_attempts} attempts (max_attempts)"
    if execution.retry == AT_END:
        tries, what = 1, "one attempt (retry: at_end)"
    limit_s = execution.timeout_s + 2 * execution.stall_s
    bound = f"{what} x {limit_s:g} s (timeout_s; stall_s to be sent, stall_s to be encoded) = {clock(tries * limit_s)}"
    again = f", and start_timeout_s {execution.start_timeout_s:g} s for each time that its last worker is loaded again"
    unbounded = "; reading its source image comes on top and has no limit"
    return f"one request can hold its batch for {bound}{again if tries > 1 else ''}{unbounded}"
