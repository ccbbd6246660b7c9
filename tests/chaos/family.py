"""What a family of faults is: how it is run, how much of it each suite does, and what came of it.

A new family is a module with a constant FAMILY, and its name in families.py.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from chaos.forks import Finding, experiments, in_child, scratch
from chaos.layer import Layer
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


@dataclass(frozen=True)
class Goal:
    """How much of a family a suite does, and how many distinct ones it must have met: fewer, as some meet nobody."""

    num: int
    at_least: int


@dataclass(frozen=True)
class Family:
    """One row of the table that a suite prints."""

    title: str
    act: Callable[[Layer, Options], Figures]  # run under the layer
    short: Goal
    full: Goal
    num_to_catch: int = 0  # experiments within which its planted bugs must show
    per_core: int = 4  # experiments at a time

    def goal(self, suite: str) -> Goal:
        """How much of it the suite of that name does."""
        return {"short": self.short, "full": self.full}[suite]


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

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def count_one(figures: Figures, finding: Finding) -> None:
    """One experiment more, and what it counted."""
    figures.num += 1
    figures.distinct += 1
    for name, count in finding.facts.items():
        figures.details[name] = figures.details.get(name, 0) + count


def conduct(
    things: Iterable[T],
    trial: Callable[[T, Path], Finding],
    options: Options,
    count: Callable[[Figures, Finding], None] = count_one,
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
