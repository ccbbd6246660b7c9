"""Resume equality: whatever the number of workers, the policy and the deaths on the way, the bytes are the same."""

from __future__ import annotations

import itertools
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.family import Family, Figures, Goal, Options, Stage, conduct
from chaos.forks import Finding, in_child
from chaos.kills import dying, lost, points, recorded_of
from chaos.layer import Layer, Point
from chaos.oracle import Result, faults_of, redone, torn_files
from chaos.workload import Workload

WORKERS, KILLS = (1, 2, 4), (0, 1, 3)
POLICIES = ("batch_sync", "round_robin", "bounded_drift", "dynamic")


@dataclass(frozen=True, slots=True)
class Combination:
    """How many workers, under which policy, and where each invocation dies."""

    num_workers: int
    policy: str
    overlap: bool
    points: tuple[Point, ...]

    def __str__(self) -> str:
        how = ", judging while editing" if self.overlap else ""
        return f"{self.num_workers} workers, {self.policy}, {len(self.points)} kills{how}"


def plan(every: Sequence[Point], seed: int) -> Iterator[Combination]:
    """All of them."""
    chance = random.Random(seed)
    late = [p for p in every if p.role.startswith(("image", "ledger")) and p.occurrence > 2]
    for num_workers, policy, overlap, num_kills in itertools.product(WORKERS, POLICIES, (False, True), KILLS):
        yield Combination(num_workers, policy, overlap, tuple(chance.choice(late) for _ in range(num_kills)))


def trial(layer: Layer, size: Workload, want: Result, case: Combination, folder: Path) -> Finding:
    """Die as often as wanted, then finish and compare."""
    work = replace(
        size, folder=folder, num_workers=case.num_workers, policy=case.policy, overlap=case.overlap
    ).prepare()
    violations: list[str] = []
    num_kills = 0
    for point in case.points:
        before, had = len(work.executions()), recorded_of(work)
        said, signum = in_child(lambda point=point: dying(layer, work, point))
        violations += [f"told {said}"] if said else []
        violations += [*redone(work, before, had), *lost(work), *torn_files(work)]
        num_kills += signum == signal.SIGKILL
    before, had = len(work.executions()), recorded_of(work)
    said = work.invoke()
    violations += [f"told {said}"] if said else []
    violations += [*redone(work, before, had), *faults_of(work), *Result.of(work).differences(want)]
    return Finding(str(case), violations, {"kills": num_kills})


def resume_equality(layer: Layer, options: Options) -> Figures:
    """{1, 2, 4} workers x {0, 1, 3} kills x 4 policies, stages one after the other and at the same time."""
    with Stage(layer, num_samples=12) as stage:
        combinations = plan(points(stage.counts, options.seed), options.seed)
        return conduct(combinations, lambda c, d: trial(layer, stage.work, stage.want, c, d), options)


FAMILY = Family("resume equality", resume_equality, Goal(72, 72), Goal(72, 72))
