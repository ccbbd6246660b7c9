"""What is checked and put on record before the first stage: interpreters, plug-ins, weights, code, disk space."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path

from editeval.config.schema import Config, Stage
from editeval.errors import ImageError, MachineError, Problems
from editeval.execution.ray import cluster
from editeval.execution.ray.actor import check_hub_model
from editeval.images import FORMATS
from editeval.machine import host, interpreters, known_issues, versions
from editeval.machine.interpreters import Interpreter, inspect
from editeval.run.plan import Plan, worker_spec
from editeval.run.selection import by_seed
from editeval.run.stage_devices import device_warnings, is_on_gpus, plugin_of
from editeval.store import directories, fingerprints, lineage, queries
from editeval.store.ledger_events import InterpreterUsed
from editeval.store.run_store import RunStore
from editeval.types import HubModel, Sample

log = logging.getLogger("editeval")

RESERVE = 64 << 20  # bytes: with less than that free, a run that needs more than there is does not begin
AMPLE = 32 << 20  # bytes for each edit: with that much free, nothing is measured
EDIT_BYTES = 2.0  # per pixel: photographs as `images.encode_png` writes them take 1.3 to 2.1, drawings 0.1 to 0.8
TEXT_BYTES = 72_000  # per sample: three thumbnails, and its rows in ledger and tables
NUM_MEASURED = 8  # samples whose images are read


def check_machine(config: Config, stages: Sequence[Stage]) -> None:
    """Raises MachineError for devices that are not there, and for libraries known to give wrong results together."""
    problems = Problems(config.path)
    for missing in device_warnings(config, stages):
        problems.add(MachineError(missing))
    problems.check()
    for stage in stages:
        for broken in known_issues.problems(interpreter_of(config, stage).versions, [stage.type]):
            if broken.severity == "broken":
                problems.add(MachineError(f"{broken.line()}; `editeval doctor` tells more"))
    problems.check()


def interpreter_of(config: Config, stage: Stage) -> Interpreter:
    """The interpreter of the stage's workers. An environment that is not there yet is built: it takes minutes.

    Raises MachineError if one cannot be built, or cannot serve.
    """
    execution, plugin = stage.execution, plugin_of(config, stage)
    libraries = (*versions.LIBRARIES, *plugin.packages_of(stage.params))
    if execution.backend == "ray":
        where = f"{stage.section}.execution.{'python' if execution.python else 'backend'}"
        return _of_cluster(where, execution.ray_address, is_on_gpus(stage, plugin), execution.python, libraries)
    if execution.requirements:
        where = f"{stage.section}.execution.requirements"
        if not interpreters.is_built(execution.requirements):
            log.warning("%s: building the environment in %s", where, interpreters.path_of(execution.requirements))
        return _inspected(where, interpreters.build(where, execution.requirements).python, libraries)
    if execution.python:
        return _inspected(f"{stage.section}.execution.python", execution.python, libraries)
    return Interpreter(sys.executable, versions.installed(libraries))


@cache
def _inspected(where: str, python: str, libraries: tuple[str, ...]) -> Interpreter:
    return inspect(where, python, libraries)


@cache
def _of_cluster(
    where: str, address: str | None, on_gpus: bool, python: str | None, libraries: tuple[str, ...]
) -> Interpreter:
    return cluster.survey(where, address, on_gpus, python, libraries)


def unfinished_stages(plan: Plan) -> list[Stage]:
    """The stages that have something to do; a finished run needs no server, checkpoint or key."""
    if not directories.is_run(plan.dir):
        return list(plan.stages)
    with RunStore.read(plan.dir) as store:
        edited = {edit.sample_id: edit.status for edit in store.edits(wanted_only=False)}
        is_edited = all(sample.id in edited for sample in plan.samples)
        done = {sample.id for sample in plan.samples if edited.get(sample.id) == "done"}
        judging = [
            j.stage
            for j in plan.judgings
            if not is_edited or done - queries.has_value(store, j.id, j.known.parent).keys()
        ]
    return judging if is_edited or not plan.is_editing else [plan.config.diffusion_model, *judging]


def recorded_so_far(plan: Plan) -> tuple[list[str], Counter[str]]:
    """Ids still to edit, and counts of what is in the ledger already."""
    states: Counter[str] = Counter()
    ids = [sample.id for samples in by_seed(plan.samples) for sample in samples]
    if not directories.is_run(plan.dir):
        return ids, states
    with RunStore.read(plan.dir) as store:
        edits = {e.sample_id: e.status for e in store.edits(wanted_only=False)}
        states.update(edits[i] for i in ids if i in edits)
        for judging in plan.judgings:
            seen = queries.has_value(store, judging.id, judging.known.parent)
            marks = [seen[i] for i in ids if i in seen]
            states[f"{judging.id} scored"] = sum(marks)
            states[f"{judging.id} unscored"] = len(marks) - sum(marks)
    return [i for i in ids if i not in edits], states


def check_stages(config: Config, stages: Sequence[Stage]) -> None:
    """Raises MachineError for what `stages` lack and can be seen to lack before anything starts.

    All of them are looked at: a judge's wrong path must not be found out when everything has been edited.
    """
    problems = Problems(config.path)
    for stage in stages:
        with problems.collect():
            _check_plugin(config, stage)
    problems.check()
    for stage in stages:
        found = interpreter_of(config, stage)
        missing = [name for name in plugin_of(config, stage).packages_of(stage.params) if name not in found.versions]
        if missing:
            what = f"{stage.requested_type} needs the package {', '.join(missing)}, which {found.path} lacks"
            advice = "install it there, or name another interpreter in execution.python"
            problems.add(MachineError(f"{stage.section}.type: {what}; {advice}"))
    problems.check()
    _check_hub(config, stages, problems)


def _check_plugin(config: Config, stage: Stage) -> None:
    """Raises MachineError for what the plug-in of `stage` lacks where it will run."""
    plugin, execution = plugin_of(config, stage), stage.execution
    if execution.backend != "ray":
        plugin.check(stage.params)
    else:
        spec = worker_spec(stage, config.allow_code)
        cluster.check_plugin(execution.ray_address, is_on_gpus(stage, plugin), spec)


def _check_hub(config: Config, stages: Sequence[Stage], problems: Problems) -> None:
    """Raises MachineError for a model that is neither on this machine nor on the Hub."""
    plugins = [(stage, plugin_of(config, stage)) for stage in stages]
    named = [(stage, (of.hub_model(stage.params), *of.hub_others(stage.params))) for stage, of in plugins]
    wanted = [(stage, model) for stage, models in named for model in models if model is not None]
    if not wanted:
        return
    with ThreadPoolExecutor(len(wanted), "hub") as executor:  # all at once: each may wait for the network
        found = executor.map(lambda pair: _hub_problem(config, *pair), wanted)
        for (stage, model), problem in zip(wanted, found, strict=True):
            if problem:
                problems.add(MachineError(f"{stage.section}.params.{model.parameter}: {problem}"))
    problems.check()


def _hub_problem(config: Config, stage: Stage, model: HubModel) -> str:
    """One line, as the stage's own interpreter finds it where the stage will run; empty if there is no problem."""
    python, execution = interpreter_of(config, stage).path, stage.execution
    if execution.backend == "ray":
        on_gpus = is_on_gpus(stage, plugin_of(config, stage))
        return cluster.check_hub_model(execution.ray_address, on_gpus, python, model)
    return check_hub_model(python, asdict(model))


def record_interpreters(plan: Plan, store: RunStore) -> None:
    """The interpreters that do not run editeval itself are on record, with their versions."""
    for stage in plan.stages:
        if stage.execution.python or stage.execution.requirements or stage.execution.backend == "ray":
            found = interpreter_of(plan.config, stage)
            store.record_event(InterpreterUsed(stage.section, found.path, found.versions))


def record_inputs(plan: Plan, store: RunStore) -> None:
    """The log says what changed since an earlier run, and what is not known of this one; from now on it is known."""
    found = plan.lineage
    if found is not None and plan.is_editing:
        if found.previous is not None and found.reasons:
            log.info("%s", new_run_line(found))
        num_edits = 0 if store.is_own else store.counts(None).num_edited
        if num_edits:
            store.set_fact(lineage.EDITS_OF_OTHERS, str(num_edits))
            log.warning(
                "%s: not made by you on this machine: its %d edits and their scores are taken as they stand; --fresh "
                "makes everything here",
                plan.dir,
                num_edits,
            )
        if found.unrecorded and any(edit.path for edit in store.edits(wanted_only=False)):
            log.warning(
                "%s: made before editeval recorded its %s: whether that has changed since is not known; --fresh edits "
                "everything again",
                plan.dir,
                _weights_or_code(found.unrecorded),
            )
        fingerprints.record(store, _without_commit(plan.inputs.parts))
        if found.checked_at:
            store.set_fact(lineage.CHECKED_AT, repr(found.checked_at))
    for judging in plan.judgings:
        known = judging.known
        if known.replaces:
            what = "; ".join(known.replaces)
            log.info("%s: changed: %s: scores are made again, those there stay", judging.stage.section, what)
        missing = [part for part in known.unrecorded if part != fingerprints.COMMIT]
        if missing:
            log.warning(
                "%s: the scores there were made before editeval recorded its %s: whether that has changed since is not "
                "known; `editeval score` with another seed judges again",
                judging.stage.section,
                _weights_or_code(missing),
            )
            fingerprints.record(store, _without_commit(known.inputs.parts), "judge", judging.id)


def new_run_line(found: lineage.Lineage) -> str:
    """Why a new run begins."""
    assert found.previous is not None, "a run without a predecessor needs no reason"
    return f"{found.previous.name} differs in {'; '.join(found.reasons)}: a new run begins, {found.dir.name}"


def _without_commit(parts: Mapping[str, str]) -> dict[str, str]:
    """The commit of a model on the Hub is known once it is loaded."""
    return {name: text for name, text in parts.items() if name != fingerprints.COMMIT}


def _weights_or_code(parts: Sequence[str]) -> str:
    names = ("code" if part == fingerprints.CODE else "weights" for part in parts)
    return " and ".join(dict.fromkeys(names))


def free_bytes(path: Path) -> int | None:
    """What this user may still write on the disk of `path`; None if it does not say."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def check_disk_space(plan: Plan, store: RunStore, free: Callable[[Path], int | None] = free_bytes) -> None:
    """Warns, in one line, if the edits that are left look too big for the disk. Takes milliseconds for any number.

    Raises MachineError if they do and RESERVE is not free either.
    """
    num_edits, available = store.counts(None).num_pending_edits if plan.is_editing else 0, free(plan.dir)
    if available is None or available >= num_edits * AMPLE:
        return
    needed = bytes_needed(plan.samples, num_edits)
    if needed <= available:
        return
    where = host.mount_point(plan.dir)
    what = f"{num_edits} edits and the report need about {shown(needed)}, and {shown(available)} are free"
    advice = "free some space, or choose another disk with evaluation.output_dir (--output-dir)"
    if available < RESERVE:
        raise MachineError(f"{where}: {what}; {advice}; the same command continues")
    log.warning("%s: %s, by an estimate from the sources' sizes; %s", where, what, advice)


def bytes_needed(samples: Sequence[Sample], num_edits: int) -> int:
    """An estimate for `num_edits` of `samples`, from a few of them: the edits, and the images and texts of the report.

    An edit has the size of its source. One of a model that answers in a size of its own may take more or less.
    """
    measured = list(_measured(samples[:: -(-len(samples) // NUM_MEASURED)]))
    return int(num_edits * sum(measured) / len(measured)) if measured else 0


def _measured(samples: Sequence[Sample]) -> Iterator[float]:
    """Bytes for each of `samples` that can be read; the edit of another one will fail, and needs none."""
    from PIL import Image

    for sample in samples:
        try:
            source, target = sample.image.read(), sample.target.read() if sample.target else b""
            with Image.open(io.BytesIO(source), formats=FORMATS) as image:  # reads the header, no pixel
                yield image.width * image.height * EDIT_BYTES + len(source) + len(target) + TEXT_BYTES
        except (ImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue


def shown(num_bytes: int) -> str:
    """In the unit that people use."""
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.1f} MiB"
