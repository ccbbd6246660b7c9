"""What the simulations of `make bench-stats` share: rows computed on all cores, and targets with PASS or FAIL.

Rows are drawn from seeds of their own, so that they are the same on any number of cores.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Row = TypeVar("Row")
Found = TypeVar("Found")


def on_all_cores(work: Callable[[Row], Found], rows: Sequence[Row]) -> Iterator[tuple[Row, Found]]:
    """(row, work(row)) in order, as they are ready. `work` and `rows` can be pickled."""
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # read by the numpy of the workers
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        yield from zip(rows, pool.imap(work, rows), strict=True)


@dataclass(frozen=True)
class Share:
    """How often something happened, of `num` draws."""

    value: float
    num: int
    of: str  # which row

    @property
    def error(self) -> float:
        """Standard error; never 0, for a share of 0 or 1 is not known exactly either."""
        kept = (self.value * self.num + 1) / (self.num + 2)
        return math.sqrt(kept * (1 - kept) / self.num)


@dataclass
class Targets:
    """What a simulation has to show. A share is missed if it lies out of bounds by more than two standard errors."""

    title: str
    lines: list[str] = field(default_factory=list)
    num_missed: int = 0
    started_at: float = field(default_factory=time.perf_counter)

    def between(self, what: str, shares: Sequence[Share], low: float = 0.0, high: float = 1.0) -> None:
        """Every one of `shares` lies between `low` and `high`."""
        missed = [one for one in shares if not low - 2 * one.error <= one.value <= high + 2 * one.error]
        ends = (min(shares, key=lambda one: one.value), max(shares, key=lambda one: one.value)) if shares else ()
        seen = " to ".join(f"{one.value:.3f} ({one.of})" for one in ends)
        bounds = f"at most {high:g}" if low == 0.0 else f"at least {low:g}" if high == 1.0 else f"{low:g} to {high:g}"
        told = [f"{one.value:.3f} +- {one.error:.3f} {one.of}" for one in missed]
        error = max((one.error for one in shares), default=math.nan)
        about = f"{what}: {bounds} in {len(shares)} rows; {seen}; error up to {error:.3f}"
        self.check(about, bool(shares) and not missed, told)

    def check(self, what: str, is_met: bool, missed: Sequence[str] = ()) -> None:
        self.num_missed += not is_met
        self.lines += [f"{'PASS' if is_met else 'FAIL'} {what}", *(f"     {one}" for one in missed)]

    def print(self) -> int:
        """The exit code."""
        seconds = time.perf_counter() - self.started_at
        print("", *self.lines, f"{self.title}: {self.num_missed} targets missed; {seconds:.0f} s", sep="\n", flush=True)
        return min(self.num_missed, 1)
