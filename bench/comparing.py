"""What `editeval compare` decides by scores, against other code and by simulation; prints Markdown, minutes.

1. Every estimator beside an independent implementation (statsmodels, scipy): the largest difference.
2. Two runs that are alike: how often one is called better, nominal 0.05; and how often nothing is said instead.
   Also two models of one mean whose differences are skewed: flipped signs are not exact there.
3. Two runs whose difference is the one that is called detectable: how often it is found, nominal 0.8.
4. Ten models on 10,000 samples each: seconds from scores to the decisions, in memory.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from editeval.stats import intervals, signflip
from editeval.stats.compare import MIN_CLUSTERS, Comparison, Scored, compare, compare_all, mcnemar_p
from editeval.stats.decisions import decide, holm
from editeval.stats.power import ALPHA, detectable
from editeval.types import Metric
from targets import Share, Targets, on_all_cores

SEED = 20261130
NUM_CLUSTERS = (5, 12, 20, 54, 270)
SKEWED = "skewed differences"
OPEN, TEN = Metric("simulated", None, None), Metric("simulated")
Numbers = NDArray[np.float64]
Run = dict[Hashable, Scored]
NUM_VERIFIED = 20  # draws of each row that go through the code of the command, too
IMAGE_SHARE = 0.3  # of the variance of a score: what edits of one image have in common


def run_of(values: Numbers, clusters: NDArray[np.int64], categories: int = 1) -> Run:
    pairs = enumerate(zip(values, clusters, strict=True))
    return {n: Scored(str(c), float(x), str(c % categories)) for n, (x, c) in pairs}


# ------------------------------------------------------------------------------------------------ other code


def checks(chance: np.random.Generator) -> Iterator[tuple[str, str, float]]:
    """(estimator, the other implementation, difference) of one draw."""
    import statsmodels.api as sm
    from scipy import stats
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.power import TTestPower

    clusters = np.repeat(np.arange(12), 3)
    first, second = chance.normal(5, 1, 36), chance.normal(5.2, 1, 36)
    told = compare(run_of(first, clusters), run_of(second, clusters), OPEN)
    robust = {"groups": clusters, "use_correction": True, "df_correction": True}
    fitted = sm.OLS(first - second, np.ones(36)).fit(cov_type="cluster", cov_kwds=robust, use_t=True)
    low, high = fitted.conf_int()[0]
    assert told.low is not None and told.high is not None and told.difference is not None and told.effect is not None
    yield "mean difference", "statsmodels OLS", abs(told.difference - fitted.params[0])
    yield (
        "95 % interval, clusters of 3",
        "statsmodels OLS, cluster-robust",
        max(abs(told.low - low), abs(told.high - high)),
    )
    sums = np.bincount(clusters, first - second)
    expected = stats.permutation_test(
        (sums,), lambda x, axis: x.sum(axis), permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert told.p is not None
    yield "p of flipped signs, 12 clusters", "scipy permutation_test, exact", abs(told.p - expected.pvalue)
    yield (
        "effect size d_z",
        "scipy ttest_rel: t / sqrt(n)",
        abs(told.effect - stats.ttest_rel(first, second).statistic / 6),
    )
    won = np.mean(np.sign(first - second)) / 2 + 0.5
    yield "P(better) + P(equal) / 2", "numpy", abs(float(won) - float(told.superiority or 0))
    wins, losses = map(int, chance.integers(0, 30, 2))
    exact = mcnemar([[5, wins], [losses, 9]], exact=True).pvalue
    yield "McNemar's p", "statsmodels mcnemar, exact", abs(mcnemar_p(wins, losses) - float(exact))
    p_values = [float(x) for x in chance.random(9) ** 2]
    adjusted = multipletests(p_values, method="holm")[1]
    yield (
        "Holm's p",
        "statsmodels multipletests",
        max(abs(a - b) for a, b in zip(holm(p_values), adjusted, strict=True)),
    )
    alone = compare(run_of(first, np.arange(36)), run_of(second, np.arange(36)), OPEN)
    assert alone.spread is not None
    size = detectable(alone.spread, 36, 0.05 / 10)
    assert size is not None
    power = TTestPower().power(size / alone.spread.sd, 36, 0.05 / 10)
    yield "detectable difference", "statsmodels TTestPower: its power is 0.8", abs(float(power) - 0.8)


def print_checks(targets: Targets, num: int = 50) -> None:
    print(f"\nEach estimator beside an independent implementation, {num} draws\n")
    print("| estimator | beside | largest difference |\n|:--|:--|--:|")
    largest: dict[tuple[str, str], float] = {}
    for seed in range(num):
        for name, beside, off in checks(np.random.default_rng([SEED, seed])):
            largest[name, beside] = max(largest.get((name, beside), 0.0), off)
    for (name, beside), off in largest.items():
        print(f"| {name} | {beside} | {off:.1e} |")
    off = max(largest.values())
    targets.check(f"{len(largest)} estimators as other code has them: to 1e-10; {off:.1e}", off < 1e-10)


# ------------------------------------------------------------------------------------------------ scores


def _normal(chance: np.random.Generator, sizes: NDArray[np.int64], clusters: NDArray[np.int64]) -> Numbers:
    images = chance.normal(0, np.sqrt(IMAGE_SHARE), len(sizes))[clusters]
    return images + chance.normal(0, np.sqrt(1 - IMAGE_SHARE), len(clusters))


def _continuous(normal: Numbers) -> Numbers:
    return np.clip(5 + 1.5 * normal, 0, 10)


def _half_zero(normal: Numbers) -> Numbers:
    return np.where(normal > 0, np.minimum(10.0, 4 + 3 * normal), 0.0)


def _saturated(normal: Numbers) -> Numbers:
    return np.where(normal > -1.4758, 10.0, np.clip(9 + 3 * (normal + 1.4758), 0, 9))  # 93 % at 10


SHAPES: dict[str, Callable[[Numbers], Numbers]] = {
    "continuous": _continuous,
    "half at 0": _half_zero,
    "93 % at 10": _saturated,
}
SIZES: dict[str, Callable[[np.random.Generator, int], NDArray[np.int64]]] = {
    "1": lambda _, count: np.full(count, 1),
    "3": lambda _, count: np.full(count, 3),
    "5": lambda _, count: np.full(count, 5),
    "skewed": lambda chance, count: chance.geometric(0.3, count),
    "very skewed": lambda chance, count: np.minimum(chance.zipf(1.8, count), 50),
}


@dataclass(frozen=True)
class Drawn:
    """Scores of two runs on the same samples, which lie one source image after the other; so many of each image."""

    first: Numbers
    second: Numbers
    sizes: NDArray[np.int64]

    def runs(self) -> tuple[Run, Run]:
        clusters = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return run_of(self.first, clusters), run_of(self.second, clusters)


def alike(chance: np.random.Generator, shape: str, sizes: str, count: int) -> Drawn:
    """Two runs of models of one quality, each with its own luck on every image."""
    drawn = SIZES[sizes](chance, count)
    clusters = np.repeat(np.arange(count), drawn)
    one, other = (SHAPES[shape](_normal(chance, drawn, clusters)) for _ in range(2))
    return Drawn(one, other, drawn)


def unlike(chance: np.random.Generator, sizes: str, count: int) -> Drawn:
    """Models of one mean whose differences are skewed: one is a little better mostly, and much worse at times."""
    drawn = SIZES[sizes](chance, count)
    clusters = np.repeat(np.arange(count), drawn)
    difference = chance.gamma(2.0, 1.0, count)[clusters] - 2 + chance.normal(0, 1, len(clusters))
    return Drawn(difference, np.zeros(len(clusters)), drawn)


@dataclass(frozen=True)
class Told:
    """What `compare` says of one draw: its interval, or why there is none; the p, if any; whether one is better."""

    low: float | None
    high: float | None
    note: str
    p: float | None
    is_decided: bool

    @classmethod
    def of(cls, one: Comparison) -> Told:
        return cls(one.low, one.high, one.interval_note, one.p, bool(decide([one], True)[0].better))


def told_of(draws: Sequence[Drawn]) -> list[Told]:
    """As `compare_all` and `decide` have it, from arrays, in a tenth of the time; `verified` holds it to them."""
    ends = [_interval(one) for one in draws]
    sums = [list(map(float, np.add.reduceat(one.first - one.second, _starts(one)))) for one in draws]
    found = []
    for (low, high, note, is_few), chance in zip(ends, signflip.p_values(sums), strict=True):
        p = None if is_few or note == intervals.DOMINANT_CLUSTER else chance.p
        is_agreed = note in (intervals.FEW_DISTINCT, intervals.NO_VARIATION) or not low <= 0 <= high
        ends_shown = (None, None) if note else (low, high)
        found.append(Told(*ends_shown, note, p, p is not None and p <= ALPHA and is_agreed))
    return found


def _starts(one: Drawn) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(one.sizes)[:-1]])


def _interval(one: Drawn) -> tuple[float, float, str, bool]:
    """(low, high, note, whether there are too few images for a p)."""
    values, num, count = one.first - one.second, one.sizes.sum(), len(one.sizes)
    mean = float(values.mean())
    parts = math.sqrt(count / (count - 1)) / num * np.add.reduceat(values - mean, _starts(one))
    weights = one.sizes / num
    if len(set(one.sizes)) == 1:
        df = float(count - 1)
    else:
        df = intervals._degrees_of_freedom(list(zip(parts, weights, weights / num, strict=True)))
    squared = float((parts**2).sum())
    error = intervals.StandardError(math.sqrt(squared), df, float((parts**3).sum()) / squared**1.5 if squared else 0.0)
    ordered, most = np.sort(values), num - intervals.MIN_OFF_MODE
    width = 0.01 * (ordered[-1] - ordered[0])
    note = ""
    if one.sizes.max() / num > intervals.MAX_WEIGHT + 1e-12:
        note = intervals.DOMINANT_CLUSTER
    elif most <= 0 or (ordered[most:] - ordered[: intervals.MIN_OFF_MODE] <= width).any():
        note = intervals.FEW_DISTINCT
    elif error.value <= 1e-12:
        note = intervals.NO_VARIATION
    return *error.interval(mean), note, count < MIN_CLUSTERS


def verified(draws: Sequence[Drawn], metric: Metric) -> list[Told]:
    """`told_of`, once some of it has been found to be what `compare_all` and `decide` say of the same scores."""
    found = told_of(draws)
    real = [Told.of(one) for one in compare_all([one.runs() for one in draws[:NUM_VERIFIED]], metric)]
    for mine, theirs in zip(found, real, strict=False):
        assert (mine.note, mine.is_decided) == (theirs.note, theirs.is_decided), (mine, theirs)
        pairs = ((mine.low, theirs.low), (mine.high, theirs.high), (mine.p, theirs.p))
        assert all(a == b or (a is not None and b is not None and abs(a - b) < 1e-9) for a, b in pairs), (mine, theirs)
    return found


# ------------------------------------------------------------------------------------------------ type-I error


@dataclass(frozen=True)
class Row:
    """One row of a table: so many comparisons."""

    shape: str
    sizes: str
    count: int
    num_draws: int

    @property
    def name(self) -> str:
        return f"{self.shape}, {self.sizes} a source image, {self.count} images"

    def chance(self) -> np.random.Generator:
        return np.random.default_rng([SEED, len(self.shape), self.count, len(self.sizes), ord(self.sizes[0])])


@dataclass(frozen=True)
class Decided:
    """Of the comparisons of a row."""

    num: int
    num_better: int
    num_with_p: int
    num_with_interval: int
    num_missed: int  # intervals without the true difference

    @classmethod
    def of(cls, told: Sequence[Told], truth: float) -> Decided:
        ends = [(one.low, one.high) for one in told if one.low is not None and one.high is not None]
        return cls(
            num=len(told),
            num_better=sum(one.is_decided for one in told),
            num_with_p=sum(one.p is not None for one in told),
            num_with_interval=len(ends),
            num_missed=sum(not low <= truth <= high for low, high in ends),
        )

    def better(self, of: str) -> Share:
        return Share(self.num_better / self.num, self.num, of)

    def covered(self, of: str) -> Share:
        """Of the intervals."""
        return Share(1 - self.num_missed / max(1, self.num_with_interval), self.num_with_interval, of)


def errors_of(row: Row) -> Decided:
    chance = row.chance()
    if row.shape in SHAPES:
        draws = [alike(chance, row.shape, row.sizes, row.count) for _ in range(row.num_draws)]
    else:
        draws = [unlike(chance, row.sizes, row.count) for _ in range(row.num_draws)]
    return Decided.of(verified(draws, TEN if row.shape in SHAPES else OPEN), 0.0)


def print_errors(num_draws: int, targets: Targets) -> None:
    print(f"\nTwo runs that are alike: one called better, nominal 0.05 ({num_draws} draws a row)\n")
    print("| scores | samples per image | images | no p | no interval | one is better | interval without 0 |")
    print("|:--|:--|--:|--:|--:|--:|--:|")
    rows = [Row(a, b, c, num_draws) for a in (*SHAPES, SKEWED) for b in SIZES for c in NUM_CLUSTERS]
    known: list[tuple[Row, Decided]] = []
    for row, found in on_all_cores(errors_of, rows):
        known.append((row, found))
        missing = [1 - found.num_with_p / found.num, 1 - found.num_with_interval / found.num]
        missed = f"{1 - found.covered('').value:.3f}" if _is_shown(found) else "-"
        cells = [*(f"{one:.2f}" for one in missing), f"{found.num_better / found.num:.3f}", missed]
        print(f"| {row.shape} | {row.sizes} | {row.count} | {' | '.join(cells)} |", flush=True)
    alike = [(row, found) for row, found in known if row.shape != SKEWED]
    usual = [(row, found) for row, found in alike if min(found.num_with_p, found.num_with_interval) >= 0.9 * num_draws]
    targets.between("type-I error of runs that are alike", [found.better(row.name) for row, found in alike], high=0.065)
    shares = [found.better(row.name) for row, found in usual]
    targets.between("type-I error where 9 of 10 draws have a p and an interval", shares, 0.035, 0.065)
    shares = [found.better(row.name) for row, found in known if row.shape == SKEWED]
    targets.between("one mean, skewed differences: one called better", shares, high=0.08)
    shown = [(row, found) for row, found in known if _is_shown(found)]
    shares = [found.covered(row.name) for row, found in shown]
    targets.between("intervals of differences, coverage wherever printed", shares, low=0.9)
    shares = [found.covered(row.name) for row, found in shown if row.count >= 54]
    targets.between("intervals of differences, coverage, 54 images or more", shares, 0.935, 0.965)


def _is_shown(found: Decided) -> bool:
    """Whether enough draws print an interval for the share of them that miss; the others are the odd ones."""
    return found.num_with_interval >= 0.05 * found.num


def power_of(row: Row) -> Decided:
    """Scores with any ends: the second run is better by what `detectable` names for the spread of many such pairs."""
    chance = row.chance()
    spread = compare(*alike(chance, row.shape, row.sizes, 5_000).runs(), OPEN).spread
    assert spread is not None
    size = detectable(spread, row.count * spread.num / spread.num_clusters)
    assert size is not None
    draws = [alike(chance, row.shape, row.sizes, row.count) for _ in range(row.num_draws)]
    return Decided.of(verified([replace(one, first=one.first - size) for one in draws], OPEN), -size)


def print_power(num_draws: int, targets: Targets) -> None:
    print(f"\nTwo runs with the difference that is called detectable: found, nominal 0.8 ({num_draws} draws a row)\n")
    print("| scores | samples per image | images | found | interval without the difference |\n|:--|:--|--:|--:|--:|")
    shapes = ("continuous", "half at 0")
    rows = [Row(a, b, c, num_draws) for a in shapes for b in ("1", "3", "5", "skewed") for c in (20, 54, 270)]
    shares = []
    for row, found in on_all_cores(power_of, rows):
        cells = f"{found.num_better / found.num:.3f} | {1 - found.covered('').value:.3f}"
        print(f"| {row.shape} | {row.sizes} | {row.count} | {cells} |", flush=True)
        if found.num_with_p >= 0.9 * found.num:
            shares.append(found.better(row.name))
    targets.between("power at the detectable difference, where there is a p", shares, low=0.75)


# ------------------------------------------------------------------------------------------------ time


def print_time(targets: Targets, num_models: int = 10, num_samples: int = 10_000, num_categories: int = 11) -> None:
    chance = np.random.default_rng(SEED)
    clusters = np.repeat(np.arange(num_samples // 2), 2)
    runs = [
        run_of(_continuous(chance.normal(0.02 * n, 1, num_samples)), clusters, num_categories)
        for n in range(num_models)
    ]
    pairs = list(combinations(runs, 2))

    def part(run: Run, category: str) -> Run:
        return {key: one for key, one in run.items() if one.category == category}

    start, cpu = time.perf_counter(), time.process_time()
    decide(compare_all(pairs, TEN), True)
    overall = time.perf_counter() - start
    names = [str(n) for n in range(num_categories)]
    parts = [[part(run, name) for name in names] for run in runs]
    by_part = [(parts[a][n], parts[b][n]) for a, b in combinations(range(num_models), 2) for n in range(num_categories)]
    decide(compare_all(by_part, TEN), True)
    whole, cpu = time.perf_counter() - start, time.process_time() - cpu
    about = f"{num_samples:,} samples, {num_categories} categories, {signflip.NUM_DRAWS:,} draws of signs"
    print(f"\n{num_models} models x {about}:")
    print(f"{len(pairs)} pairs {overall:.1f} s, with {len(by_part)} by category {whole:.1f} s; {cpu:.1f} s of CPU time")
    targets.check(f"{num_models} models x {num_samples:,} samples: under 10 s of CPU time; {cpu:.1f}", cpu < 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=3000, metavar="N", help="a row; the error of .05 is .004 with 3000"
    )
    options = parser.parse_args()
    targets = Targets("bench/comparing.py")
    print_checks(targets)
    print_time(targets)
    print_errors(options.draws, targets)
    print_power(options.draws // 3, targets)
    sys.exit(targets.print())


if __name__ == "__main__":
    main()
