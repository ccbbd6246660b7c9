"""Changed inputs: between two invocations the checkpoint is trained further, or an instruction is changed.

The first run keeps what it was made with; the second has nothing that the change touched and all that it did not,
whatever dies on the way.
"""

from __future__ import annotations

import hashlib
import io
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaos import tiny_benchmark, tiny_editor
from chaos.family import Family, Figures, Goal, Options, Stage, conduct
from chaos.forks import Finding, in_child
from chaos.kills import dying, points, recorded_of
from chaos.layer import Layer, Point
from chaos.oracle import faults_of, seed_of, torn_files
from chaos.workload import Workload
from editeval.store.run_store import RunStore

KINDS = ("trained checkpoint", "changed instruction")
BEFORE, AFTER = b"before" * 1000, b"after!" * 1000


@dataclass(frozen=True, slots=True)
class Change:
    """What changes, and where the invocations before it and after it die (None: they end)."""

    number: int
    kind: str
    before: Point | None
    after: Point | None

    def __str__(self) -> str:
        return f"change {self.number}: {self.kind}, killed before at {self.before}, after at {self.after}"


def plan(every: Sequence[Point], num: int, seed: int) -> Iterator[Change]:
    """Both kinds in turn; of four, one without a kill, one with a kill before, one after, one with both.

    Half of the kills after the change aim at renames of pictures: that is all that taking over does to them.
    """
    chance = random.Random(seed)
    late = [p for p in every if p.role.startswith(("image", "ledger", "<edits>")) and p.occurrence > 2]
    taken = [point for point in late if point.kind == "rename" and point.role.startswith("image")]
    for number in range(num):
        before = chance.choice(late) if number // 2 % 2 else None
        after = chance.choice(taken if number // 8 % 2 else late) if number // 4 % 2 else None
        yield Change(number, KINDS[number % 2], before, after)


def trial(layer: Layer, size: Workload, change: Change, folder: Path) -> Finding:
    """Run, change, run again; compare both runs with what they must be."""
    work = replace(size, folder=folder, has_weights=True, number=1).prepare()
    work.train(BEFORE)
    num_kills = _invoked(layer, work, change.before)
    first = work.run if work.runs else None
    had = {text.removeprefix("edit ") for text in recorded_of(work)} if first else set()
    since = len(work.executions())
    work = replace(work, number=2 if first else 1, changed=-1 if change.kind == KINDS[0] else work.num_samples - 1)
    if change.kind == KINDS[0]:
        work.train(AFTER)
    num_kills += _invoked(layer, work, change.after)
    said = work.invoke()
    violations = [f"told {said}"] if said else []
    num_runs = len(work.runs)
    if num_runs != work.number:
        violations.append(f"{num_runs} runs instead of {work.number}")
    else:
        violations += [*faults_of(work), *torn_files(work)]
    if first is not None:
        violations += _spoilt(first)
    if change.kind != KINDS[0]:
        changed = tiny_benchmark.ids(work.num_samples)[-1]
        again = {line for line in work.executions()[since:] if not line.startswith("ack ")}
        violations += [f"{key[:20]}: edited again, unchanged" for key in sorted(again & had - {changed, *_failing()})]
    return Finding(str(change), violations, {"kills": num_kills})


def _failing() -> tuple[str, ...]:
    return ("refused", "broken")


def _invoked(layer: Layer, work: Workload, point: Point | None) -> bool:
    """One invocation; whether it was killed."""
    if point is None:
        work.invoke()
        return False
    _, signum = in_child(lambda: dying(layer, work, point))
    return signum == signal.SIGKILL


def _spoilt(run: Path) -> Iterator[str]:
    """Edits of the first run that are not what its weights make."""
    samples = {sample.id: sample for sample in tiny_benchmark.TinyBenchmark(tiny_benchmark.TinyParams(99))}
    with RunStore.read(run) as store:
        for edit in store.edits():
            if edit.path is None:
                continue
            sample, buffer = samples[edit.sample_id], io.BytesIO()
            image = tiny_editor.painted(sample.image.read(), seed_of(sample.id), sample.instruction, BEFORE)
            image.save(buffer, "PNG", compress_level=1)
            if hashlib.sha256(buffer.getvalue()).hexdigest() != edit.sha256:
                yield f"{edit.sample_id[:20]}: in the first run, and not made by its weights"


def changed_inputs(layer: Layer, options: Options) -> Figures:
    """Checkpoints and instructions that change between two invocations, with kills before and after."""
    with Stage(layer, num_samples=12) as stage:
        changes = plan(points(stage.counts, options.seed), options.num, options.seed)
        return conduct(changes, lambda c, d: trial(layer, stage.work, c, d), options)


FAMILY = Family("changed inputs", changed_inputs, Goal(64, 64), Goal(1000, 1000), num_to_catch=64)
