"""Input and output that fails: one call, or from one call on every call that would change the disk.

The run either does not mind, or ends with one line for the user; the same command, once the disk is well again, comes
to the same result.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from chaos.family import Family, Figures, Goal, Options, Stage, conduct
from chaos.forks import Finding, in_child
from chaos.kills import RESULTS, Counts, lost, recorded_of
from chaos.layer import Layer, Point
from chaos.oracle import Result, faults_of, redone, torn_files
from chaos.workload import Workload, acknowledging, to_script

ERRORS = {
    "open": ("ENOSPC", "EROFS", "EIO", "EMFILE", "EACCES", "EDQUOT"),
    "open-read": ("EIO", "EMFILE"),
    "close": ("EIO", "ENOSPC"),
    "read": ("EIO",),
    "pread": ("EIO",),
    "write": ("ENOSPC", "EIO", "EDQUOT", "EFBIG", "EROFS"),
    "pwrite": ("ENOSPC", "EIO", "EDQUOT", "EFBIG", "EROFS"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT"),
    "fdatasync": ("EIO", "ENOSPC", "EDQUOT"),
    "ftruncate": ("ENOSPC", "EIO", "EROFS"),
    "rename": ("ENOSPC", "EIO", "EROFS", "EDQUOT"),
    "unlink": ("EIO", "EROFS"),
    "mkdir": ("ENOSPC", "EROFS", "EDQUOT"),
    "symlink": ("ENOSPC", "EIO", "EROFS"),
    "flock": ("EIO", "ENOLCK"),
    "fcntl": ("EIO", "ENOLCK"),
    "mmap": ("ENOMEM",),
}
STAYING = ("ENOSPC", "EDQUOT", "EROFS", "EIO")
WRITES = ("write", "pwrite")
KNOWN = ("MachineError: ", "RunConflictError: ")


def points(counts: Counts, seed: int) -> list[Point]:
    """Every fault of the run whose calls were counted; each kind of fault once first, then as `seed` will."""
    chance = random.Random(seed)
    first: list[Point] = []
    more: list[Point] = []
    for kind, role, count in sorted(counts):
        for fault in _faults(kind, role, chance):
            occurrences = list(range(1, count + 1))
            chance.shuffle(occurrences)
            each = [replace(fault, occurrence=number) for number in occurrences]
            first.append(each[0])
            more += each[1:]
    chance.shuffle(first)
    first.sort(key=lambda point: not point.role.startswith(RESULTS))
    chance.shuffle(more)
    return [*first, *more]


def _faults(kind: str, role: str, chance: random.Random) -> Iterator[Point]:
    for error in ERRORS.get(kind, ()):
        yield Point(kind, role, 0, "fail", error)
        if error in STAYING and kind not in ("read", "pread", "open-read", "close", "fcntl", "flock", "mmap"):
            yield Point(kind, role, 0, "fail", error, is_sticky=True)
    if kind in (*WRITES, "read", "pread") and not (kind == "pread" and role.startswith("ledger")):
        # SQLite takes a short read for the end of the file, as it may: no disk gives one in the middle
        yield Point(kind, role, 0, "short", percent=chance.randrange(1, 100))
    if kind in WRITES:
        yield Point(kind, role, 0, "full", "ENOSPC", is_sticky=True, percent=chance.randrange(1, 100))
        yield Point(kind, role, 0, "full", "EDQUOT", is_sticky=True, percent=chance.randrange(1, 100))


def trial(layer: Layer, size: Workload, want: Result, point: Point, folder: Path) -> Finding:
    """Fail, look, continue, compare."""
    work = replace(size, folder=folder).prepare()
    layer.raise_flag_here()
    stderr = folder / "stderr"
    said, signum = in_child(lambda: _failing(layer, work, point, stderr))
    has_fired = layer.has_fired
    violations = [f"killed by signal {signum}"] if signum else []
    if said and (not said.startswith(KNOWN) or "\n" in said):
        violations.append(f"told {said[:400]}")
    printed = stderr.read_text(encoding="utf-8", errors="replace")
    if "Traceback" in printed:
        violations.append(f"printed {printed[:60]!r} ... {printed[-200:]!r}")
    if not said and not signum:
        violations += [f"said to be well: {v}" for v in (*faults_of(work), *Result.of(work).differences(want))]
    violations += lost(work) + list(torn_files(work))
    before, had = len(work.executions()), recorded_of(work)
    again = work.invoke()
    violations += [f"the resumption told {again}"] if again else []
    violations += [*redone(work, before, had), *faults_of(work), *Result.of(work).differences(want)]
    return Finding(str(point), violations, {"fired": has_fired, "told": said[:300]})


def _failing(layer: Layer, work: Workload, point: Point, stderr: Path) -> str:
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT), 2)
    acknowledging(to_script(work))
    layer.watch(work.out, point)
    try:
        return work.invoke()
    finally:
        layer.stop()


def io_faults(layer: Layer, options: Options) -> Figures:
    """Calls that fail."""
    fired: set[str] = set()
    told: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        if finding.facts.get("fired"):
            fired.add(finding.name)
            figures.num += 1
            figures.distinct = len(fired)
            told["one line" if finding.facts["told"] else "no harm"] += 1

    with Stage(layer, num_samples=8) as stage:
        every = points(stage.counts, options.seed)
        figures = conduct(every, lambda p, d: trial(layer, stage.work, stage.want, p, d), options, count)
    figures.details = dict(told)
    return figures


FAMILY = Family("I/O faults", io_faults, Goal(550, 500), Goal(100_000, 6000), num_to_catch=640, per_core=10)
