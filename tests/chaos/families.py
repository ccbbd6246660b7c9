"""The families of faults, each a function of (layer, options) that returns figures. Run under the layer."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from chaos import equality, inputs, iofaults, kills, parents, powercut, processes, races, storms
from chaos.forks import Finding, experiments, in_child, scratch
from chaos.layer import Layer, recorded
from chaos.oracle import Result
from chaos.rehearsal import rehearse
from chaos.workload import Workload, warm_up

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What is asked of a family."""

    num: int
    seed: int = 1
    num_parallel: int = 8
    replay: str = ""  # only the experiments whose name begins like this
    is_first_enough: bool = False  # stop at the first violation


@dataclass
class Figures:
    """What came of it."""

    num: int = 0  # experiments, as the family counts them
    distinct: int = 0
    violations: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_s: float = 0.0  # of all processes together: on a quiet machine `seconds` is this over the cores


class Stage:
    """A scratch folder with a recorded run without faults, and everything warm."""

    def __init__(self, layer: Layer, num_samples: int) -> None:
        self.layer = layer
        self.root = scratch()
        warm_up(self.root)
        for thread in threading.enumerate():  # a fork copies one thread only
            if thread is not threading.main_thread():
                thread.join(5)
        self.work = Workload(self.root / "whole", num_samples)
        self.trace = self.root / "trace"
        said, signum = in_child(self._rehearse)
        if signum or not said.startswith("["):
            raise AssertionError(f"the rehearsal ended with signal {signum}: {said}")
        self.counts = [tuple(row) for row in json.loads(said)]
        self.want = Result.of(self.work)

    def _rehearse(self) -> str:
        rehearse(self.layer, self.work, self.trace)
        return json.dumps(list(self.layer.counts()))

    def close(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def conduct(
    things: Iterable[T],
    trial: Callable[[T, Path], Finding],
    options: Options,
    count: Callable[[Figures, Finding], None],
) -> Figures:
    """The experiments and what they showed; `count` adds one to the figures."""
    figures, began = Figures(), time.monotonic()
    chosen = [t for t in things if str(t).startswith(options.replay)]
    for _, finding in experiments(chosen[: options.num], trial, options.num_parallel):
        count(figures, finding)
        figures.violations += [f"{finding.name}: {text}" for text in finding.violations]
        if figures.violations and options.is_first_enough:
            break
    figures.seconds = time.monotonic() - began
    used = os.times()
    figures.cpu_s = used.user + used.system + used.children_user + used.children_system
    return figures


def kill_points(layer: Layer, options: Options) -> Figures:
    """SIGKILL at calls that touch the disk."""
    stage = Stage(layer, num_samples=13)
    seen: set[str] = set()

    def count(figures: Figures, finding: Finding) -> None:
        met = finding.facts.get("met", [])
        seen.update(met)
        figures.num += len(met)
        figures.distinct = len(seen)

    plan = kills.plan(stage.counts, options.seed, num_repeated=options.num // 20 or 1)
    chosen = sorted(plan, key=lambda kill: -len(kill.points)) if not options.replay else list(plan)
    try:
        figures = conduct(chosen, lambda k, d: kills.trial(layer, stage.work, stage.want, k, d), options, count)
    finally:
        stage.close()
    figures.details = {"deaths in a row": "1 to 4", "calls": len({p.split("#")[0] for p in seen})}
    return figures


def power_cuts(layer: Layer, options: Options) -> Figures:
    """Disks as a power cut leaves them."""
    stage = Stage(layer, num_samples=8)
    recording = powercut.Recording(list(recorded(stage.trace)), stage.work.out)
    variants: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += 1
        figures.distinct += 1  # equal disks are left out before
        variants[finding.facts.get("variant", "?")] += 1

    try:
        cuts = powercut.cuts(recording, options.seed, num_random=2 + options.num // 1000)
        figures = conduct(
            itertools.islice(cuts, None if options.replay else options.num),
            lambda c, d: powercut.trial(recording, stage.work, stage.want, c, d),
            options,
            count,
        )
    finally:
        stage.close()
    figures.details = {"disk operations": len(recording.operations), **dict(variants)}
    return figures


def io_faults(layer: Layer, options: Options) -> Figures:
    """Calls that fail."""
    stage = Stage(layer, num_samples=8)
    fired: set[str] = set()
    told: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        if finding.facts.get("fired"):
            fired.add(finding.name)
            figures.num += 1
            figures.distinct = len(fired)
            told["one line" if finding.facts["told"] else "no harm"] += 1

    try:
        figures = conduct(
            iofaults.points(stage.counts, options.seed),
            lambda p, d: iofaults.trial(layer, stage.work, stage.want, p, d),
            options,
            count,
        )
    finally:
        stage.close()
    figures.details = dict(told)
    return figures


def worker_faults(layer: Layer, options: Options) -> Figures:
    """Workers that die, hang, babble, run out of memory."""
    kinds: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        kinds.update(finding.facts.get("kinds", {}))
        figures.num = figures.distinct = sum(kinds.values())

    figures = conduct(storms.plan(options.num, options.seed), storms.trial, options, count)
    figures.details = dict(sorted(kinds.items()))
    return figures


def resume_equality(layer: Layer, options: Options) -> Figures:
    """{1, 2, 4} workers x {0, 1, 3} kills x 4 policies, stages one after the other and at the same time."""
    stage = Stage(layer, num_samples=12)

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += 1
        figures.distinct += 1
        figures.details["kills"] = figures.details.get("kills", 0) + finding.facts.get("kills", 0)

    plan = equality.plan(kills.points(stage.counts, options.seed), options.seed)
    try:
        return conduct(plan, lambda c, d: equality.trial(layer, stage.work, stage.want, c, d), options, count)
    finally:
        stage.close()


def killed_parents(layer: Layer, options: Options) -> Figures:
    """SIGKILL at any moment to the parent of two or three worker processes."""
    stage = Stage(layer, num_samples=12)
    workers: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += finding.facts.get("kills", 0)
        figures.distinct = figures.num  # no two moments are the same
        workers["workers at the kill, all gone in 2 s"] += finding.facts.get("workers", 0)

    plan = parents.plan(options.num, stage.work.num_samples, options.seed)
    gentle = replace(options, num_parallel=min(options.num_parallel, 3))  # each is four processes
    try:
        figures = conduct(plan, lambda c, d: parents.trial(stage.work, stage.want, c, d), gentle, count)
    finally:
        stage.close()
    figures.details = dict(workers)
    return figures


def process_families(layer: Layer, options: Options) -> Figures:
    """Workers that start processes of their own, x ends of a run."""
    root = scratch()
    warm_up(root)
    ends: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += 1
        figures.distinct += 1
        ends["processes started"] += finding.facts.get("members", 0)

    try:
        figures = conduct(processes.plan(options.seed), processes.trial, options, count)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    survivors = sum("outlived" in text for text in figures.violations)
    hangs = sum("hangs" in text for text in figures.violations)
    figures.details = {**ends, "survivors": survivors, "hangs": hangs}
    return figures


def two_writers(layer: Layer, options: Options) -> Figures:
    """Two invocations on one directory at the same moment."""
    stage = Stage(layer, num_samples=8)

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += 1
        figures.distinct += 1
        figures.details["refused"] = figures.details.get("refused", 0) + finding.facts.get("refused", 0)

    try:
        return conduct(races.plan(options.num), lambda n, d: races.trial(stage.work, stage.want, n, d), options, count)
    finally:
        stage.close()


def changed_inputs(layer: Layer, options: Options) -> Figures:
    """Checkpoints and instructions that change between two invocations, with kills before and after."""
    stage = Stage(layer, num_samples=12)

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += 1
        figures.distinct += 1
        figures.details["kills"] = figures.details.get("kills", 0) + finding.facts.get("kills", 0)

    plan = inputs.plan(kills.points(stage.counts, options.seed), options.num, options.seed)
    try:
        return conduct(list(plan), lambda c, d: inputs.trial(layer, stage.work, c, d), options, count)
    finally:
        stage.close()


FAMILIES: dict[str, Callable[[Layer, Options], Figures]] = {
    "kills": kill_points,
    "powercuts": power_cuts,
    "iofaults": io_faults,
    "workers": worker_faults,
    "equality": resume_equality,
    "parents": killed_parents,
    "processes": process_families,
    "writers": two_writers,
    "inputs": changed_inputs,
}
