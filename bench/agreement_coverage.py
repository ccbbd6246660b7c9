"""How often the intervals of agreement, of noise and of prediction-powered means cover the truth: Markdown.

Scores have the shape of judges' and people's: half of them at the bottom, edits of one source image alike. The truth is
the value in a population of 50,000 source images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from editeval.stats import agreement
from editeval.stats.noise import components
from editeval.stats.prediction_powered import predicted_mean
from editeval.stats.resampling import estimate
from targets import Share, Targets, on_all_cores

Floats = NDArray[np.float64]
SEED = 20261130
IMAGE_SHARE = 0.3
PER_IMAGE = 3
POPULATION = 50_000


def drawn(chance: np.random.Generator, images: int, closeness: float) -> tuple[Floats, Floats, list[str]]:
    """A judge's scores (0-10, half of them 0), people's ratings (1-5 in whole steps), and the images."""
    clusters = np.repeat(np.arange(images), PER_IMAGE)
    shared = chance.normal(0, np.sqrt(IMAGE_SHARE), images)[clusters]
    truth = shared + chance.normal(0, np.sqrt(1 - IMAGE_SHARE), len(clusters))
    seen, felt = (closeness * truth + np.sqrt(1 - closeness**2) * chance.normal(0, 1, len(truth)) for _ in range(2))
    judge = np.where(seen > 0, np.minimum(10.0, np.round(4 + 3 * seen)), 0.0)
    return judge, np.clip(np.round(3 + 1.2 * felt), 1, 5), [str(c) for c in clusters]


Measure = Callable[[Floats, Floats], float | None]
MEASURES: dict[str, Measure] = {
    "Spearman": agreement.spearman,
    "Kendall tau-b": agreement.kendall_tau_b,
    "alpha, ordinal": lambda judge, people: agreement.krippendorff_alpha(np.stack([judge / 2.5 + 1, people], axis=1)),
    "alpha, interval": lambda judge, people: agreement.krippendorff_alpha(
        np.stack([judge / 2.5 + 1, people], axis=1), is_ordinal=False
    ),
}


@cache
def true_value(measure: Measure, closeness: float) -> float | None:
    return measure(*drawn(np.random.default_rng(SEED), POPULATION, closeness)[:2])


def agreement_errors(row: tuple[str, int], num_draws: int, closeness: float = 0.7) -> tuple[int, int]:
    """(intervals that are printed, those that miss)."""
    measure, images = MEASURES[row[0]], row[1]
    chance, truth = np.random.default_rng([SEED, images]), true_value(measure, closeness)
    printed = missed = 0
    for _ in range(num_draws):
        judge, people, clusters = drawn(chance, images, closeness)
        found = estimate(lambda at: measure(judge[at], people[at]), clusters)  # noqa: B023 - used within the turn
        if found.low is not None and found.high is not None and truth is not None:
            printed += 1
            missed += not found.low <= truth <= found.high
    return printed, missed


def share_errors(row: tuple[int, float], num_draws: int) -> tuple[int, int, float]:
    """(intervals that are printed, those that miss, the true share of the seeds); two seeds, two repeats."""
    samples, seeds = row
    chance, truth = np.random.default_rng([SEED, samples]), seeds / (1 + seeds + 0.3)
    printed = missed = 0
    for _ in range(num_draws):
        table = chance.normal(0, 1, (samples, 1, 1)) + chance.normal(0, np.sqrt(seeds), (samples, 2, 1))
        table = table + chance.normal(0, np.sqrt(0.3), (samples, 2, 2))
        found = components(table, [str(n) for n in range(samples)])[1].share
        if found.low is not None and found.high is not None:
            printed += 1
            missed += not found.low <= truth <= found.high
    return printed, missed, truth


def mean_errors(row: tuple[int, int, float], num_draws: int) -> tuple[int, int, float]:
    """(intervals that are printed, those that miss, their mean width by that of the ratings alone)."""
    rated, others, closeness = row
    chance = np.random.default_rng([SEED, rated, others])
    truth = float(drawn(np.random.default_rng(SEED), POPULATION, closeness)[1].mean())
    printed, missed, widths = 0, 0, []
    for _ in range(num_draws):
        judge, people, clusters = drawn(chance, (rated + others) // PER_IMAGE, closeness)
        chosen = chance.permutation(len(judge))
        known, rest = chosen[:rated], chosen[rated:]
        found = predicted_mean(
            [(clusters[i], float(people[i]), float(judge[i])) for i in known],
            [(clusters[i], float(judge[i])) for i in rest],
        )
        if found.low is not None and found.high is not None and found.people_half:
            printed += 1
            missed += not found.low <= truth <= found.high
            widths.append((found.high - found.low) / 2 / found.people_half)
    return printed, missed, float(np.mean(widths)) if widths else float("nan")


def print_agreement(num: int, targets: Targets) -> None:
    print(f"\nAgreement: coverage of the 95 % interval ({num} draws a row, {PER_IMAGE} edits for each source image)\n")
    print("| statistic | source images | printed | coverage |\n|:--|--:|--:|--:|")
    rows, covered = [(name, images) for name in MEASURES for images in (12, 20, 49, 54, 120)], []
    for (name, images), (printed, missed) in on_all_cores(partial(agreement_errors, num_draws=num), rows):
        covered.append(Share(1 - missed / max(1, printed), max(1, printed), f"{name}, {images} images"))
        print(f"| {name} | {images} | {printed / num:.3f} | {covered[-1].value:.3f} |", flush=True)
    targets.between("agreement, coverage", covered, 0.9)


def print_noise(num: int, targets: Targets) -> None:
    print(f"\nNoise: coverage of the 95 % interval of the seeds' share of the variance ({num} draws a row)\n")
    print("| samples | share | printed | coverage |\n|--:|--:|--:|--:|")
    rows, covered = [(samples, seeds) for samples in (20, 50, 100) for seeds in (0.2, 1.0)], []
    for (samples, _), (printed, missed, truth) in on_all_cores(partial(share_errors, num_draws=num), rows):
        covered.append(Share(1 - missed / max(1, printed), max(1, printed), f"share {truth:.2f}, {samples} samples"))
        print(f"| {samples} | {truth:.2f} | {printed / num:.3f} | {covered[-1].value:.3f} |", flush=True)
    targets.between("noise, coverage of the seeds' share", covered, 0.9)


def print_means(num: int, targets: Targets) -> None:
    print(f"\nPrediction-powered mean: coverage of the 95 % interval ({num} draws a row)\n")
    print("| rated | others | closeness | printed | coverage | width, by that of the ratings alone |")
    print("|--:|--:|--:|--:|--:|--:|")
    sizes = ((21, 180), (30, 270), (54, 216), (100, 500), (200, 700))
    rows, covered = [(*size, closeness) for size in sizes for closeness in (0.3, 0.9)], []
    for (rated, others, closeness), (printed, missed, width) in on_all_cores(partial(mean_errors, num_draws=num), rows):
        name = f"{rated} rated, {others} others, closeness {closeness}"
        covered.append(Share(1 - missed / max(1, printed), max(1, printed), name))
        cells = f"{printed / num:.3f} | {covered[-1].value:.3f} | {width:.2f}"
        print(f"| {rated} | {others} | {closeness} | {cells} |", flush=True)
    targets.between("prediction-powered mean, coverage", covered, 0.935)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400, metavar="N", help="a row; the error of .95 is .011 with 400")
    num, targets = parser.parse_args().draws, Targets("bench/agreement_coverage.py")
    print_agreement(num, targets)
    print_noise(num, targets)
    print_means(num * 5, targets)
    sys.exit(targets.print())


if __name__ == "__main__":
    main()
