"""Kill points: the process is killed at a call that touches the disk, the same command continues, the results agree."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.family import Family, Figures, Goal, Options, Stage, conduct
from chaos.forks import Finding, in_child
from chaos.layer import Layer, Point
from chaos.oracle import Result, faults_of, recorded, redone, torn_files
from chaos.workload import Workload, acknowledging, to_script

MUTATING = {
    *("open", "close", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "flock"),
    *("rename", "unlink", "mkdir", "symlink"),
}
"""Not fcntl: SQLite takes and drops some hundred record locks with it, between which nothing changes on the disk."""
Counts = Sequence[tuple[str, str, int]]
"""(kind, role, how often) of the calls of a run."""
WRITES = ("write", "pwrite")

RESULTS = ("<run>", "<edits>", "image", "ledger", "lock", "manifest", "samples", "scores", "report.json")
"""Roles of what cannot be made again from the rest come first: a short sweep must have met them."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Deaths one after the other: the first invocation dies at the first point, its resumption at the second, ..."""

    number: int  # by which it can be replayed
    points: tuple[Point, ...]

    def __str__(self) -> str:
        return f"kill {self.number}: " + ", then ".join(map(str, self.points))


def points(counts: Counts, seed: int) -> list[Point]:
    """Every point of the run whose calls were counted, shuffled by `seed`: a number means the same kill again."""
    chance = random.Random(seed)
    found = []
    for kind, role, count in sorted(counts):
        if kind not in MUTATING or role in ("log", "<logs>"):
            continue
        for occurrence in range(1, count + 1):
            found += [Point(kind, role, occurrence, action) for action in ("before", "after")]
            if kind in WRITES:
                found.append(Point(kind, role, occurrence, "middle", percent=chance.randrange(1, 100)))
    chance.shuffle(found)
    found.sort(key=lambda point: not point.role.startswith(RESULTS))
    return found


def plan(counts: Counts, seed: int, num_repeated: int) -> Iterator[Kill]:
    """Every single point once, then deaths that follow on deaths: two, three and four invocations in a row."""
    single = points(counts, seed)
    yield from (Kill(number, (point,)) for number, point in enumerate(single))
    chance = random.Random(f"{seed} repeated")
    for number in range(len(single), len(single) + num_repeated):
        yield Kill(number, tuple(chance.choice(single) for _ in range(2 + number % 3)))


def trial(layer: Layer, size: Workload, want: Result, kill: Kill, folder: Path) -> Finding:
    """Kill, look, continue, compare."""
    work = replace(size, folder=folder).prepare()
    violations: list[str] = []
    met = []
    for point in kill.points:
        before = len(work.executions())
        had = recorded_of(work)
        said, signum = in_child(lambda point=point: dying(layer, work, point))
        violations += redone(work, before, had)
        if signum != signal.SIGKILL:
            if said:
                violations.append(f"not killed, and told {said}")
            break  # the call is not made any more, because so much was done already
        met.append(str(point))
        violations += lost(work) + list(torn_files(work))
    before, had = len(work.executions()), recorded_of(work)
    said = work.invoke()
    violations += [f"the resumption told {said}"] if said else []
    violations += [*redone(work, before, had), *faults_of(work), *Result.of(work).differences(want)]
    return Finding(str(kill), violations, {"met": met})


def dying(layer: Layer, work: Workload, point: Point) -> str:
    acknowledging(to_script(work))
    layer.watch(work.out, point)
    return work.invoke()


def recorded_of(work: Workload) -> set[str]:
    """What the ledger has; nothing before there is one."""
    runs = [path for path in work.out.glob("chaos-*") if path.is_dir()]
    return recorded(runs[0]) if runs else set()


def lost(work: Workload) -> list[str]:
    """Records that were acknowledged and are not there."""
    acknowledged = [line.removeprefix("ack ") for line in work.executions() if line.startswith("ack ")]
    violations = [f"{text[:30]}: acknowledged and lost" for text in set(acknowledged) - recorded_of(work)]
    return violations + [f"{t[:30]}: acknowledged twice" for t in set(acknowledged) if acknowledged.count(t) > 1]


def kill_points(layer: Layer, options: Options) -> Figures:
    """SIGKILL at calls that touch the disk."""
    seen: set[str] = set()

    def count(figures: Figures, finding: Finding) -> None:
        met = finding.facts.get("met", [])
        seen.update(met)
        figures.num += len(met)
        figures.distinct = len(seen)

    with Stage(layer, num_samples=13) as stage:
        kills = list(plan(stage.counts, options.seed, num_repeated=options.num // 20 or 1))
        if not options.replay:
            kills.sort(key=lambda kill: -len(kill.points))
        figures = conduct(kills, lambda k, d: trial(layer, stage.work, stage.want, k, d), options, count)
    figures.details = {"deaths in a row": "1 to 4", "calls": len({p.split("#")[0] for p in seen})}
    return figures


FAMILY = Family("kill points", kill_points, Goal(1600, 1500), Goal(100_000, 1500), num_to_catch=900, per_core=10)
