"""Two writers: of two invocations on one directory one works, the other is told who does or finds everything done."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.family import Family, Figures, Goal, Options, Stage, conduct
from chaos.forks import Finding
from chaos.layer import Layer
from chaos.oracle import Result, faults_of
from chaos.workload import Workload

WORST_DELAY_S = 0.05


@dataclass(frozen=True, slots=True)
class Race:
    """One start of two."""

    number: int
    delay_s: float  # of the second

    def __str__(self) -> str:
        return f"race {self.number}"


def plan(num: int) -> Iterator[Race]:
    """Starts at the same moment, and ever further apart."""
    chance = random.Random(num)
    for number in range(num):
        yield Race(number, chance.choice([0.0, chance.uniform(0, WORST_DELAY_S)]))


def trial(size: Workload, want: Result, race: Race, folder: Path) -> Finding:
    """Start both, wait for both, compare."""
    work = replace(size, folder=folder).prepare()
    children = []
    for delay_s in (0.0, race.delay_s):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            time.sleep(delay_s)
            os.write(write_end, _said(work).encode())
            os._exit(0)
        os.close(write_end)
        children.append((child, read_end))
    told = []
    for child, read_end in children:
        with os.fdopen(read_end) as pipe:
            told.append(pipe.read())
        os.waitpid(child, 0)
    refused = [text for text in told if text.startswith("RunConflictError: ") and "in use by process" in text]
    violations = [f"told {text}" for text in told if text not in ("", *refused)]
    if len(refused) == len(told):
        violations.append("both were refused")
    keys = [key for key in work.executions() if key != "broken"]  # which is tried three times
    violations += [f"{key[:20]}: edited by both" for key in set(keys) if keys.count(key) > 1]
    violations += [*faults_of(work), *Result.of(work).differences(want)]
    return Finding(str(race), violations, {"refused": len(refused)})


def _said(work: Workload) -> str:
    try:
        return work.invoke()
    except BaseException as error:  # noqa: BLE001  it is told
        return f"BUG {type(error).__name__}: {error}"


def two_writers(layer: Layer, options: Options) -> Figures:
    """Two invocations on one directory at the same moment."""
    with Stage(layer, num_samples=8) as stage:
        return conduct(plan(options.num), lambda n, d: trial(stage.work, stage.want, n, d), options)


FAMILY = Family("two writers", two_writers, Goal(60, 60), Goal(500, 500), num_to_catch=60)
