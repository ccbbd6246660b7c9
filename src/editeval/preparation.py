"""The interpreters that the stages' workers run in: built if asked for, looked at, and put on record."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from functools import cache

from editeval.config.schema import Stage
from editeval.doctor import versions
from editeval.execution import environments
from editeval.execution.interpreters import Interpreter, inspect
from editeval.store.run_store import RunStore

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
    if execution.requirements:
        where = f"{stage.section}.execution.requirements"
        if not environments.is_built(execution.requirements):
            log.warning("%s: building the environment in %s", where, environments.path_of(execution.requirements))
        return _inspected(where, environments.build(where, execution.requirements).python)
    if execution.python:
        return _inspected(f"{stage.section}.execution.python", execution.python)
    return Interpreter(sys.executable, versions.installed())


@cache
def _inspected(where: str, python: str) -> Interpreter:
    return inspect(where, python, versions.LIBRARIES)


def record_interpreters(stages: Sequence[Stage], store: RunStore) -> None:
    """What runs elsewhere than editeval itself is on record, with its versions."""
    for stage, found in interpreters_of(stages):
        if stage.execution.python or stage.execution.requirements:
            data = {"section": stage.section, "python": found.path, "versions": found.versions}
            store.record_event("interpreter", data)
