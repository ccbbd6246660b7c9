"""What `editeval compare` decides by scores, against other code and by simulation; prints Markdown, minutes.

1. Every estimator beside an independent implementation (statsmodels, scipy): the largest difference.
2. Two runs that are alike: how often one is called better, nominal 0.05; and how often nothing is said instead.
3. Ten models on 10,000 samples each: seconds from scores to the document.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Hashable, Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from editeval.stats import signflip
from editeval.stats.compare import Scored, compare, compare_all, mcnemar_p
from editeval.stats.decisions import decide, holm
from editeval.stats.power import detectable
from editeval.types import Metric

SEED = 20261130
NUM_CLUSTERS = (5, 12, 20, 54, 270)
OPEN, TEN = Metric("simulated", None, None), Metric("simulated")
Numbers = NDArray[np.float64]
Run = dict[Hashable, Scored]
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


def print_checks(num: int = 50) -> None:
    print(f"\nEach estimator beside an independent implementation, {num} draws\n")
    print("| estimator | beside | largest difference |\n|:--|:--|--:|")
    largest: dict[tuple[str, str], float] = {}
    for seed in range(num):
        for name, beside, off in checks(np.random.default_rng([SEED, seed])):
            largest[name, beside] = max(largest.get((name, beside), 0.0), off)
    for (name, beside), off in largest.items():
        print(f"| {name} | {beside} | {off:.1e} |")
        assert off < 1e-10, name


# ------------------------------------------------------------------------------------------------ type-I error


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
}


def alike(chance: np.random.Generator, shape: str, sizes: str, count: int) -> tuple[Run, Run]:
    """Two runs of models of one quality, each with its own luck on every image."""
    drawn = SIZES[sizes](chance, count)
    clusters = np.repeat(np.arange(count), drawn)
    make = SHAPES[shape]
    one, other = (make(_normal(chance, drawn, clusters)) for _ in range(2))
    return run_of(one, clusters), run_of(other, clusters)


def unlike(chance: np.random.Generator, sizes: str, count: int) -> tuple[Run, Run]:
    """Models of one mean whose differences are skewed: one is a little better mostly, and much worse at times."""
    drawn = SIZES[sizes](chance, count)
    clusters = np.repeat(np.arange(count), drawn)
    difference = chance.gamma(2.0, 1.0, count)[clusters] - 2 + chance.normal(0, 1, len(clusters))
    return run_of(difference, clusters), run_of(np.zeros(len(clusters)), clusters)


def drawn(chance: np.random.Generator, shape: str, sizes: str, count: int) -> tuple[Run, Run]:
    return alike(chance, shape, sizes, count) if shape in SHAPES else unlike(chance, sizes, count)


def scale_of(shape: str) -> Metric:
    return TEN if shape in SHAPES else OPEN


def print_errors(num_draws: int) -> None:
    print(f"\nTwo runs that are alike: one called better, nominal 0.05 ({num_draws} draws a row)\n")
    print("| scores | cluster sizes | clusters | no p | one is better | of those with a p | interval without 0 |")
    print("|:--|:--|--:|--:|--:|--:|--:|")
    for shape in (*SHAPES, "skewed differences"):
        for sizes in SIZES:
            for count in NUM_CLUSTERS:
                chance = np.random.default_rng([SEED, len(shape), count, len(sizes), ord(sizes[0])])
                told = compare_all([drawn(chance, shape, sizes, count) for _ in range(num_draws)], scale_of(shape))
                better = [bool(decide([one], True)[0].better) for one in told]
                with_p = [found for found, one in zip(better, told, strict=True) if one.p is not None]
                ends = [not one.low <= 0 <= one.high for one in told if one.low is not None and one.high is not None]
                cells = [f"{1 - len(with_p) / num_draws:.2f}", f"{np.mean(better):.3f}"]
                cells += [f"{np.mean(x):.3f}" if len(x) >= num_draws / 10 else "-" for x in (with_p, ends)]
                print(f"| {shape} | {sizes} | {count} | {' | '.join(cells)} |", flush=True)


# ------------------------------------------------------------------------------------------------ time


def print_time(num_models: int = 10, num_samples: int = 10_000, num_categories: int = 11) -> None:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=2000, metavar="N", help="a row; the error of .05 is .005 with 2000"
    )
    options = parser.parse_args()
    print_checks()
    print_time()
    print_errors(options.draws)


if __name__ == "__main__":
    main()
