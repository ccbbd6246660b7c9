"""The interpreters that the stages' workers run in: built if asked for, looked at, and put on record."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache

from editeval.config.schema import Config, Stage
from editeval.errors import MachineError, Problems
from editeval.execution.ray import cluster
from editeval.execution.ray.actor import check_hub_model
from editeval.machine import interpreters, versions
from editeval.machine.interpreters import Interpreter, inspect
from editeval.run.placement import is_on_gpus, plugin_of
from editeval.run.plan import Plan, worker_spec
from editeval.store import directories, queries
from editeval.store.run_store import RunStore
from editeval.types import HubModel

log = logging.getLogger("editeval")


def interpreters_of(stages: Sequence[Stage]) -> Iterator[tuple[Stage, Interpreter]]:
    """Every stage and the interpreter of its workers."""
    for stage in stages:
        yield stage, interpreter_of(stage)


def interpreter_of(stage: Stage) -> Interpreter:
    """The interpreter of the stage's workers. An environment that is not there yet is built: it takes minutes.

    Raises MachineError if one cannot be built, or cannot serve.
    """
    execution = stage.execution
    if execution.backend == "ray":
        where = f"{stage.section}.execution.{'python' if execution.python else 'backend'}"
        return _surveyed(where, execution.ray_address, is_on_gpus(stage), execution.python)
    if execution.requirements:
        where = f"{stage.section}.execution.requirements"
        if not interpreters.is_built(execution.requirements):
            log.warning("%s: building the environment in %s", where, interpreters.path_of(execution.requirements))
        return _inspected(where, interpreters.build(where, execution.requirements).python)
    if execution.python:
        return _inspected(f"{stage.section}.execution.python", execution.python)
    return Interpreter(sys.executable, versions.installed())


@cache
def _inspected(where: str, python: str) -> Interpreter:
    return inspect(where, python, versions.LIBRARIES)


@cache
def _surveyed(where: str, address: str | None, on_gpus: bool, python: str | None) -> Interpreter:
    return cluster.survey(where, address, on_gpus, python, versions.LIBRARIES)


def unfinished_stages(plan: Plan) -> list[Stage]:
    """The stages that have something to do; a finished run needs no server, checkpoint or key."""
    if not directories.is_run(plan.dir):
        return list(plan.stages)
    with RunStore.read(plan.dir) as store:
        edited = {edit.sample_id: edit.status for edit in store.edits(wanted_only=False)}
        is_edited = all(sample.id in edited for sample in plan.samples)
        done = {sample.id for sample in plan.samples if edited.get(sample.id) == "done"}
        judging = [j.stage for j in plan.judgings if not is_edited or done - queries.has_value(store, j.id).keys()]
    return judging if is_edited or not plan.is_editing else [plan.config.diffusion_model, *judging]


def check_stages(config: Config, stages: Sequence[Stage]) -> None:
    """Raises MachineError for what `stages` lack and can be seen to lack before anything starts.

    All of them are looked at: a judge's wrong path must not be found out when everything has been edited.
    """
    problems = Problems(config.path)
    for stage in stages:
        with problems.collect():
            _check_plugin(config, stage)
    problems.check()
    for stage, found in interpreters_of(stages):
        missing = [name for name in plugin_of(config, stage).packages if name not in found.versions]
        if missing:
            what = f"{stage.requested_type} needs the package {', '.join(missing)}, which {found.path} lacks"
            advice = "install it there, or name another interpreter in execution.python"
            problems.add(MachineError(f"{stage.section}.type: {what}; {advice}"))
    problems.check()
    _look_up(config, stages)


def _look_up(config: Config, stages: Sequence[Stage]) -> None:
    """Raises MachineError for a model that is neither on this machine nor on the Hub."""
    models = [(stage, plugin_of(config, stage).hub_model(stage.params)) for stage in stages]
    wanted = [(stage, model) for stage, model in models if model is not None]
    problems = Problems(config.path)
    with ThreadPoolExecutor(max(len(wanted), 1), "hub") as executor:  # all at once: each may wait for the network
        found = executor.map(lambda pair: _problem_of(*pair), wanted)
        for (stage, _), problem in zip(wanted, found, strict=True):
            if problem:
                problems.add(MachineError(f"{stage.section}.params.model_name: {problem}"))
    problems.check()


def _problem_of(stage: Stage, model: HubModel) -> str:
    """One line, as the stage's own interpreter finds it where the stage will run; empty if there is no problem."""
    python, execution = interpreter_of(stage).path, stage.execution
    if execution.backend == "ray":
        return cluster.check_hub_model(execution.ray_address, is_on_gpus(stage), python, model)
    return check_hub_model(python, asdict(model))


def _check_plugin(config: Config, stage: Stage) -> None:
    """Raises MachineError for what the plug-in of `stage` lacks where it will run."""
    execution = stage.execution
    if execution.backend != "ray":
        plugin_of(config, stage).check(stage.params)
        return
    kind = "editors" if stage is config.diffusion_model else "judges"
    spec = worker_spec(kind, stage, config.allow_code)
    cluster.check_plugin(execution.ray_address, is_on_gpus(stage), spec)


def record_interpreters(stages: Sequence[Stage], store: RunStore) -> None:
    """What runs elsewhere than editeval itself is on record, with its versions."""
    for stage, found in interpreters_of(stages):
        if stage.execution.python or stage.execution.requirements or stage.execution.backend == "ray":
            data = {"section": stage.section, "python": found.path, "versions": found.versions}
            store.record_event("interpreter", data)
