"""What a further run can show, from the scores of one run or of two: samples, and the difference that they show."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import UserError
from editeval.run import results
from editeval.run.results import ShownScoreSet
from editeval.stats import intervals, power
from editeval.stats.intervals import Clusters
from editeval.stats.power import Spread
from editeval.store import queries
from editeval.store.run_store import RunStore
from editeval.text import one_line
from editeval.types import Metric

ByEdit = Mapping[Hashable, tuple[str, str, float]]
"""(cluster, sample, headline score) by id and instruction."""
MIN_NUM = 10  # samples of a pilot; on fewer the spread is not known within a factor of two


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked. `difference` and `num`: None, not asked. `correlation`: of two models, where one is the pilot."""

    difference: float | None = None
    num: int | None = None
    power: float = power.POWER
    comparisons: int = 1
    correlation: float | None = None

    def __post_init__(self) -> None:
        if self.difference is not None and not (math.isfinite(self.difference) and self.difference > 0):
            raise UserError(f"--difference: must be above 0, got {self.difference:g}")
        if self.num is not None and self.num < 2:
            raise UserError(f"--samples: must be at least 2, got {self.num}")
        if not 0.5 <= self.power < 1:
            raise UserError(f"--power: must be from 0.5 to below 1, got {self.power:g}")
        if self.comparisons < 1:
            raise UserError(f"--comparisons: must be at least 1, got {self.comparisons}")
        if self.correlation is not None and not -1 <= self.correlation < 1:
            raise UserError(f"--correlation: must be from -1 to below 1, got {self.correlation:g}")

    @property
    def alpha(self) -> float:
        """Of the first step of Holm's procedure: of the smallest of `comparisons` p-values."""
        return power.ALPHA / self.comparisons


@dataclass(frozen=True, slots=True)
class Needed:
    """Samples for a true `difference`; with the low and the high end of the pilot's spread. None: over a billion."""

    difference: float
    num: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Shows:
    """The least true difference that `num` samples find; with both ends of the spread. None: too few for a test."""

    num: int
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class SampleForecast:
    """A plan. `spread`: of the difference of two models on one sample, as it is taken to be."""

    pilots: tuple[str, ...]
    scale: Metric
    wanted: Wanted
    spread: Spread
    num_benchmark: int  # samples that the pilot's benchmark has
    num_seeds: int  # edits of each sample, in the pilot as in what is planned
    needed: Needed | None
    shows: tuple[Shows, ...]


def planned(directories: list[Path], wanted: Wanted) -> SampleForecast:
    """The plan from one pilot, or two that are paired. Raises UserError for pilots that tell no spread."""
    if len(directories) > 2 or len(set(directories)) < len(directories):
        raise UserError("--pilot: takes one run, or two different ones whose samples are paired")
    if len(directories) == 2 and wanted.correlation is not None:
        raise UserError("--correlation: two pilots show how their scores go together; leave it out")
    read = [_read(directory) for directory in directories]
    names = tuple(directory.name for directory in directories)
    shown, scale, first, num_benchmark, benchmark, _ = read[0]
    num_seeds = min(one[5] for one in read)
    if len(read) == 1:
        what = f"{names[0]}: its scores"
        clusters = intervals.by_cluster(first.values())
    else:
        what = f"{names[0]} and {names[1]}: the differences of their scores"
        if shown.id != read[1][0].id:
            told = f"{names[0]} shows {shown.title} and {names[1]} {read[1][0].title}"
            raise UserError(one_line(f"{told}; `editeval report RUN --scores NAME` shows the same judge's of both"))
        if read[1][4] != benchmark:
            raise UserError(f"--pilot {names[0]} and {names[1]}: are of different benchmarks, or of one that changed")
        second = read[1][2]
        clusters = intervals.by_cluster(
            (cluster, sample, value - second[key][2])
            for key, (cluster, sample, value) in first.items()
            if key in second
        )
    spread = _spread(what, clusters)
    if len(read) == 1:
        spread = spread.times(math.sqrt(2 * (1 - (wanted.correlation or 0.0))))
    shows = _shows(spread, wanted, num_benchmark)
    return SampleForecast(names, scale, wanted, spread, num_benchmark, num_seeds, _needed(spread, wanted), shows)


def _spread(what: str, clusters: Clusters) -> Spread:
    num = sum(map(len, clusters.values()))
    if num < MIN_NUM:
        raise UserError(f"--pilot {what}: there are {num}; a plan takes at least {MIN_NUM} scored samples")
    spread = power.spread_of(clusters)
    if spread is None:
        why = "of one source image" if len(clusters) < 2 else "all alike"
        raise UserError(f"--pilot {what}: are {why}; without any spread nothing can be planned")
    return spread


def _needed(spread: Spread, wanted: Wanted) -> Needed | None:
    if wanted.difference is None:
        return None
    ends = (spread, spread.times(spread.low / spread.sd), spread.times(spread.high / spread.sd))
    num, low, high = (power.samples_for(end, wanted.difference, wanted.alpha, wanted.power) for end in ends)
    return Needed(wanted.difference, num, low, high)


def _shows(spread: Spread, wanted: Wanted, num_benchmark: int) -> tuple[Shows, ...]:
    """What the number of samples that was asked about shows; else what the pilot's and the benchmark's show."""
    found = []
    for num in (wanted.num,) if wanted.num else sorted({spread.num, num_benchmark}):
        least = power.detectable(spread, num, wanted.alpha, wanted.power)
        ends = (None, None) if least is None else (least * spread.low / spread.sd, least * spread.high / spread.sd)
        found.append(Shows(num, least, *ends))
    return tuple(found)


def _read(directory: Path) -> tuple[ShownScoreSet, Metric, ByEdit, int, object, int]:
    """What it shows, the scale of its headline, scores, samples of its benchmark, which that is, edits of a sample."""
    with RunStore.read(directory) as store:
        shown = results.shown(store)[:1]
        if not shown:
            raise UserError(f"--pilot {directory.name}: has no scores to plan from; judge it first")
        if shown[0].is_equated:
            raise UserError(
                f"--pilot {directory.name}: shows scores that went through a bridge; "
                "`editeval report RUN --scores NAME` shows a judge's own"
            )
        label = results.labels(shown)[0]
        scale = results.scales(store, shown).get(label, Metric(label))
        rows = list(results.rows(store, shown))
        scores: ByEdit = {
            (row.id, row.instruction): (row.cluster, row.sample, value)
            for row in rows
            if (value := results.value_of(row, label)) is not None
        }
        subset, num_seeds = queries.subset(store), queries.num_seeds(store)
        size = subset.of if subset else sum(not row.repeat_of for row in rows)
        return shown[0], scale, scores, size, store.manifest["identity"].get("benchmark"), num_seeds
