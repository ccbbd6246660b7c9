"""The parent of worker processes is killed at any moment: no worker outlives it, and the run goes on to the same bytes.

Moments are counted in what has happened so far (attempts of workers, records of the parent), plus a few milliseconds:
so that kills fall into every part of a run, however fast the machine is.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.family import Family, Figures, Goal, Options, Stage, conduct
from chaos.forks import Finding
from chaos.kills import lost, recorded_of
from chaos.layer import Layer
from chaos.oracle import Result, faults_of, redone, torn_files
from chaos.storms import PROCESS_LIMITS
from chaos.workload import Workload, acknowledging, to_script

POLICIES = ("batch_sync", "round_robin", "bounded_drift", "dynamic")
MARK = "CHAOS_PARENT"
WORKERS_GONE_S = 2.0
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """So many seconds after so many lines are on the script's record."""

    num_lines: int
    seconds: float

    def __str__(self) -> str:
        return f"line {self.num_lines} + {1000 * self.seconds:.0f} ms"


@dataclass(frozen=True, slots=True)
class Case:
    """A run with worker processes, and when its parents are killed, one after the other."""

    number: int
    num_workers: int
    policy: str
    overlap: bool
    moments: tuple[Moment, ...]

    def __str__(self) -> str:
        how = f"{self.num_workers} workers, {self.policy}{', judging while editing' if self.overlap else ''}"
        return f"parent {self.number} ({how}): " + ", then ".join(map(str, self.moments))


def plan(num_kills: int, num_samples: int, seed: int) -> Iterator[Case]:
    """Cases that together hold at least `num_kills` kills."""
    chance = random.Random(seed)
    number = planned = 0
    most = 3 * num_samples  # an attempt, a record of the edit and one of the scores for each sample
    while planned < num_kills:
        first = Moment(chance.randrange(most), chance.uniform(0.0, 0.05))
        further = [Moment(chance.randrange(6), chance.uniform(0.0, 0.3)) for _ in range(number % 3 == 2)]
        case = Case(number, 2 + number % 2, chance.choice(POLICIES), chance.random() < 0.3, (first, *further))
        number += 1
        planned += len(case.moments)
        yield case


def trial(size: Workload, want: Result, case: Case, folder: Path) -> Finding:
    """Kill, look for workers, continue, compare."""
    shape = {"num_workers": case.num_workers, "policy": case.policy, "overlap": case.overlap}
    work = replace(size, folder=folder, backend="process", limits=PROCESS_LIMITS, **shape).prepare()
    violations: list[str] = []
    num_kills = num_workers = 0
    for number, moment in enumerate(case.moments):
        before, had = len(work.executions()), recorded_of(work)
        mark = f"{folder}-{number}"
        is_killed, orphans = killed_at(work, before, moment, mark)
        num_kills += is_killed
        num_workers += len(orphans)
        violations += _outliving(orphans)
        violations += [*redone(work, before, had), *lost(work), *torn_files(work)]
    before, had = len(work.executions()), recorded_of(work)
    said = work.invoke()
    violations += [f"the resumption told {said}"] if said else []
    violations += [*redone(work, before, had), *faults_of(work), *Result.of(work).differences(want)]
    return Finding(str(case), violations, {"kills": num_kills, "workers": num_workers})


def killed_at(work: Workload, since: int, moment: Moment, mark: str) -> tuple[bool, list[int]]:
    """(whether an invocation of `work` was killed then, its workers at that moment); False if it had ended before."""
    parent = os.fork()
    if parent == 0:
        os.environ[MARK] = mark  # its workers inherit it: that is how they are known
        acknowledging(to_script(work))
        work.invoke()
        os._exit(0)
    deadline = time.monotonic() + PATIENCE_S
    while len(work.executions()) - since < moment.num_lines and time.monotonic() < deadline:
        if os.waitpid(parent, os.WNOHANG)[0]:
            return False, []
        time.sleep(0.002)
    time.sleep(moment.seconds)
    workers = marked(mark)
    os.kill(parent, signal.SIGKILL)
    _, status = os.waitpid(parent, 0)
    return os.WIFSIGNALED(status), sorted({*workers, *marked(mark)})


def marked(mark: str) -> list[int]:
    """Processes that live in an environment with this mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}\0".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue  # it ended while we looked, or is none of ours
    return found


def _outliving(workers: list[int]) -> Iterator[str]:
    """Workers that are still there when their time is over."""
    deadline = time.monotonic() + WORKERS_GONE_S
    left = set(workers)
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if _is_alive(pid)}
        time.sleep(0.02)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        yield f"worker {pid} outlived its parent by {WORKERS_GONE_S:g} s"


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def killed_parents(layer: Layer, options: Options) -> Figures:
    """SIGKILL at any moment to the parent of two or three worker processes."""
    workers: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += finding.facts.get("kills", 0)
        figures.distinct = figures.num  # no two moments are the same
        workers["workers at the kill, all gone in 2 s"] += finding.facts.get("workers", 0)

    gentle = replace(options, num_parallel=min(options.num_parallel, 3))  # each is four processes
    with Stage(layer, num_samples=12) as stage:
        cases = plan(options.num, stage.work.num_samples, options.seed)
        figures = conduct(cases, lambda c, d: trial(stage.work, stage.want, c, d), gentle, count)
    figures.details = dict(workers)
    return figures


FAMILY = Family("parents of workers killed", killed_parents, Goal(24, 20), Goal(1000, 900), num_to_catch=6)
