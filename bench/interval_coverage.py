"""How often the printed intervals are right, by simulation: `make bench-stats`, some minutes; prints Markdown.

Comparisons of two equal runs (`stats.compare`), summaries of scores and of yes/no answers with a known mean
(`stats.summary`), and runs of the editor `simulated`, whose mean is planted. "marked":
the share of the draws in which there is a word instead of an interval. "where printed": of the other draws alone; not
shown if they are less than half, for then they are the odd ones. "wrong": an interval was printed, and missed.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams
from editeval.editors.simulated import Simulated, SimulatedParams
from editeval.errors import ImageError
from editeval.images import encode_png
from editeval.judges.reference import ReferenceJudge
from editeval.run.plan import KnownAnswers, seed_of
from editeval.stats import intervals
from editeval.stats.compare import Scored, compare
from editeval.stats.summary import Entry, summarise
from editeval.types import JudgeRequest, Metric, Sample

Numbers = NDArray[np.float64]
Sizes = Callable[[np.random.Generator, int], NDArray[np.int64]]
ALPHA = 1 - intervals.LEVEL
NUM_CLUSTERS = (5, 12, 20, 54, 270)
IMAGE_SHARE = 0.3  # of the variance, common to the edits of one source image
SCALE = Metric("simulated", None, None)
SEED = 20261129
MIN_SHARE = 0.5  # of draws with an interval, for a share of them to be shown


def _equal(size: int) -> Sizes:
    return lambda chance, count: np.full(count, size)


def _skewed(chance: np.random.Generator, count: int) -> NDArray[np.int64]:
    return chance.geometric(0.3, count)


def _very_skewed(chance: np.random.Generator, count: int) -> NDArray[np.int64]:
    return np.minimum(chance.zipf(1.8, count), 50)


SIZES: dict[str, Sizes] = {
    "1": _equal(1),
    "3": _equal(3),
    "5": _equal(5),
    "skewed (geometric, mean 3.3)": _skewed,
    "very skewed (Zipf 1.8, at most 50)": _very_skewed,
}


def effects(chance: np.random.Generator, sizes: NDArray[np.int64]) -> tuple[Numbers, NDArray[np.int64]]:
    """Standard normal values that share IMAGE_SHARE of their variance within a cluster, and every value's cluster."""
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    images = chance.normal(0, np.sqrt(IMAGE_SHARE), len(sizes))[clusters]
    return images + chance.normal(0, np.sqrt(1 - IMAGE_SHARE), len(clusters)), clusters


def as_scores(normal: Numbers) -> Numbers:
    """Half of them 0, the others spread over the scale: what a judge gives an editor that fails half of the time."""
    return np.where(normal > 0, np.minimum(10.0, 4 + 3 * normal), 0.0)


@dataclass
class Errors:
    """Of the draws of one cell: what the t of `intervals` does in all of them, and what is printed."""

    num_draws: int = 0
    num_wrong: int = 0  # of all, whether marked or not
    notes: Counter[str] = field(default_factory=Counter)
    num_printed_wrong: int = 0

    def add(self, is_wrong: bool, note: str) -> None:
        self.num_draws += 1
        self.num_wrong += is_wrong
        self.notes[note] += 1
        self.num_printed_wrong += is_wrong and not note

    @property
    def num_printed(self) -> int:
        return self.notes[""]

    @property
    def printed(self) -> float | None:
        """Share of wrong intervals among those that are printed; None if these are too few."""
        if self.num_printed < MIN_SHARE * self.num_draws:
            return None
        return self.num_printed_wrong / self.num_printed


def comparison_errors(sizes: Sizes, num_clusters: int, num_draws: int, is_scored: bool = True) -> Errors:
    """Two runs of equal quality: an interval without 0 is wrong. `is_scored`: half of the scores are 0, else none."""
    chance, errors = np.random.default_rng([SEED, num_clusters, num_draws]), Errors()
    for _ in range(num_draws):
        drawn = sizes(chance, num_clusters)
        (one, clusters), (other, _) = effects(chance, drawn), effects(chance, drawn)
        if is_scored:
            one, other = as_scores(one), as_scores(other)
        keys: list[Hashable] = list(range(len(one)))
        first, second = (
            {key: Scored(str(c), float(x)) for key, c, x in zip(keys, clusters, values, strict=True)}
            for values in (one, other)
        )
        told = compare(first, second, SCALE)
        if told.low is not None and told.high is not None:
            errors.add(not told.low <= 0 <= told.high, "")
        else:
            pairs = [("", str(c), float(x - y)) for c, x, y in zip(clusters, one, other, strict=True)]
            errors.add(_is_missed(pairs, 0.0), told.interval_note)
    return errors


def _is_missed(values: Iterable[tuple[str, str, float]], truth: float) -> bool:
    """Whether the t interval of the mean of category means misses; `values`: (category, cluster, value)."""
    categories: dict[str, dict[str, list[float]]] = {}
    for category, cluster, value in values:
        categories.setdefault(category, {}).setdefault(cluster, []).append(value)
    means = [math.fsum(x for xs in c.values() for x in xs) / sum(map(len, c.values())) for c in categories.values()]
    error = intervals.of_macro_mean(list(categories.values()), means)
    mean = math.fsum(means) / len(means)
    if error is None or error.value == 0:
        return mean != truth
    low, high = error.interval(mean)
    return not low <= truth <= high


@dataclass(frozen=True)
class Population:
    """Scores with a known mean: `draw(chance)` gives the entries of one run, `category` the row that is looked at."""

    name: str
    truth: float
    draw: Callable[[np.random.Generator], list[Entry]]
    category: str = "micro"
    scale: Metric = field(default_factory=lambda: Metric("overall"))


def summary_errors(population: Population, num_draws: int) -> Errors:
    """How often the interval of `summarise` misses the truth; a mean without any interval counts as a miss."""
    chance, errors = np.random.default_rng(SEED), Errors()
    for _ in range(num_draws):
        entries = population.draw(chance)
        row = next(s for s in summarise(entries, "overall", population.scale) if s.category == population.category)
        if row.ci_low is not None and row.ci_high is not None:
            errors.add(not row.ci_low <= population.truth <= row.ci_high, "")
        else:
            is_macro = population.category == "macro"
            known = ((c if is_macro else "", g or str(n), x or 0.0) for n, (c, g, _, x) in enumerate(entries))
            errors.add(_is_missed(known, population.truth), row.interval_note)
    return errors


def _alone(name: str, num: int, draw: Callable[[np.random.Generator, int], Numbers], truth: float) -> Population:
    """`num` samples, each of a source image of its own."""
    return Population(
        f"{name}, n = {num}", truth, lambda chance: [("a", "", "scored", float(x)) for x in draw(chance, num)]
    )


def _saturated(chance: np.random.Generator, num: int) -> Numbers:
    return np.where(chance.random(num) < 0.93, 10.0, chance.uniform(0, 9, num))


def _two_values(chance: np.random.Generator, num: int) -> Numbers:
    return np.where(chance.random(num) < 0.93, 10.0, 0.0)


def _long_tail(chance: np.random.Generator, num: int) -> Numbers:
    """A third below the ceiling, most of them by little: 10 minus an exponential of mean 2, cut at 0."""
    return np.where(chance.random(num) < 0.7, 10.0, np.maximum(0.0, 10 - chance.exponential(2, num)))


def _half_zero(chance: np.random.Generator, num: int) -> Numbers:
    return np.where(chance.random(num) < 0.5, 0.0, chance.uniform(2, 10, num))


def _clustered(name: str, sizes: Sizes, count: int) -> Population:
    def draw(chance: np.random.Generator) -> list[Entry]:
        values, clusters = effects(chance, sizes(chance, count))
        return [("a", str(c), "scored", float(x)) for c, x in zip(clusters, np.clip(5 + values, 0, 10), strict=True)]

    return Population(f"cluster sizes {name}, {count} images", 5.0, draw)


def _macro(num_small: int, is_shared: bool, num_large: int = 54) -> Population:
    """Four categories of `num_large` images and one of `num_small`, which are images of the others, or its own."""

    def draw(chance: np.random.Generator) -> list[Entry]:
        images: dict[str, float] = {}
        entries: list[Entry] = []
        for category in range(5):
            for number in range(num_small if category == 4 else num_large):
                name = f"image{number}" if is_shared else f"image{category}:{number}"
                image = images.setdefault(name, chance.normal(0, np.sqrt(0.5)))
                value = float(np.clip(5 + image + chance.normal(0, np.sqrt(0.5)), 0, 10))
                entries.append((str(category), name, "scored", value))
        return entries

    whose = "shared with the others" if is_shared else "of its own"
    return Population(f"macro: 4 x {num_large} images, a category of {num_small} {whose}", 5.0, draw, "macro")


def _mostly_zero(chance: np.random.Generator, num: int) -> Numbers:
    return np.where(chance.random(num) < 0.82, 0.0, chance.uniform(2, 10, num))


def _spread(chance: np.random.Generator, num: int) -> Numbers:
    return chance.beta(2, 1.5, num) * 10


def _yes(share: float, num_clusters: int, size: int) -> Population:
    """Yes/no answers; those of one image share IMAGE_SHARE of the variance of what decides them."""
    edge = float(ndtri(share))

    def draw(chance: np.random.Generator) -> list[Entry]:
        values, clusters = effects(chance, np.full(num_clusters, size))
        return [("a", str(c), "scored", float(x < edge)) for c, x in zip(clusters, values, strict=True)]

    name = f"yes with {share:g}, {num_clusters} images with {size} {'edit' if size == 1 else 'edits'} each"
    return Population(name, share, draw, scale=Metric("overall", 0.0, 1.0))


def rates() -> Iterator[Population]:
    """Yes/no metrics."""
    for share in (0.02, 0.05, 0.3, 0.5):
        for num in (12, 54, 270):
            yield _yes(share, num, 1)
        yield _yes(share, 54, 3)


def populations() -> Iterator[Population]:
    """The shapes that are known to make intervals too narrow, and two that are not."""
    tail = 10 - 0.3 * 2 * (1 - np.exp(-5))
    for num in (20, 54, 90, 270, 600):
        yield _alone("93 % at 10, the rest below", num, _saturated, 0.93 * 10 + 0.07 * 4.5)
    for num in (54, 270, 600):
        yield _alone("93 % at 10, the rest at 0", num, _two_values, 9.3)
    for num in (20, 54, 270):
        yield _alone("70 % at 10, a long tail", num, _long_tail, float(tail))
    for num in (12, 20, 54, 270):
        yield _alone("half at 0", num, _half_zero, 3.0)
    for num in (20, 54, 270):
        yield _alone("82 % at 0", num, _mostly_zero, 0.18 * 6)
        yield _alone("spread over the scale", num, _spread, 10 * 2 / 3.5)
    for name, sizes in list(SIZES.items())[2:]:
        for count in NUM_CLUSTERS:
            yield _clustered(name, sizes, count)
    for num_small in (1, 2, 3, 6, 12, 54):
        yield _macro(num_small, is_shared=True)
    for num_small in (2, 3, 6, 12):
        yield _macro(num_small, is_shared=False)


def planted_errors(num_runs: int, num_per_category: int, size: int = 64) -> Errors:
    """Runs of `simulated` on the built-in benchmark, each with seeds of its own: how often the planted mean is missed.

    Every answer that it may give is scored once, by the judge `reference`; a run draws its answers as the editor does.
    """
    samples = list(ProceduralBenchmark(ProceduralParams(num_per_category=num_per_category, size=size)))
    answers = Simulated.known_answers(SimulatedParams())
    scores = {sample.id: dict(_scored(sample, answers)) for sample in samples}
    truth, errors = _planted_mean(answers, scores), Errors()
    for run in range(num_runs):
        entries: list[Entry] = []
        for sample in samples:
            value = scores[sample.id].get(answers.drawn(sample.id, seed_of(run, sample.id)))
            entries.append((sample.category, sample.cluster, "failed" if value is None else "scored", value))
        row = summarise(entries, "overall")[-1]
        is_known = row.ci_low is not None and row.ci_high is not None
        errors.add(is_known and not row.ci_low <= truth <= row.ci_high, row.interval_note)
    return errors


def _scored(sample: Sample, answers: KnownAnswers) -> Iterator[tuple[str, float]]:
    """(answer, headline score) of every image that the editor may give."""
    assert sample.target is not None and sample.mask is not None
    source, target, mask = sample.image.read(), sample.target.read(), sample.mask.read()
    judge = ReferenceJudge(ReferenceJudge.Params())
    for name in answers.chances(sample.id):
        try:
            edit = encode_png(answers.image(name, (source, target), seed_of(0, sample.id)))
        except ImageError:
            continue  # it fails
        request = JudgeRequest(sample.id, (source,), edit, sample.instruction, target, mask)
        value = judge.judge([request])[0][0].value
        if value is not None:
            yield name, value


def _planted_mean(answers: KnownAnswers, scores: Mapping[str, Mapping[str, float]]) -> float:
    """Expected sum of the scores by the expected number of samples that have one."""
    parts = [(answers.chances(key).get(name, 0.0), value) for key, of in scores.items() for name, value in of.items()]
    return sum(chance * value for chance, value in parts) / sum(chance for chance, _ in parts)


def print_planted(num_runs: int) -> None:
    print(f"\nRuns of `simulated`: coverage of the planted mean ({num_runs} runs a row)\n")
    print("| samples | marked | where printed | wrong |\n|:--|:--|--:|--:|")
    for num in (11, 54):
        errors = planted_errors(num_runs, num)
        printed = None if errors.printed is None else 1 - errors.printed
        marked, _, *shown = _cells(errors, 0, printed).split(" | ")
        print(f"| {5 * num} | {marked} | {' | '.join(shown)} |", flush=True)


def print_comparisons(num_draws: int) -> None:
    print(f"\nComparison of two equal runs: type-I error, nominal {ALPHA:.2f} ({num_draws} draws a row)\n")
    print("| scores | cluster sizes | clusters | marked | the t, all draws | where printed | wrong |")
    print("|:--|:--|--:|:--|--:|--:|--:|")
    for is_scored in (True, False):
        shape = "half at 0" if is_scored else "normal"
        for name, sizes in SIZES.items() if is_scored else list(SIZES.items())[:1]:
            for count in NUM_CLUSTERS:
                errors = comparison_errors(sizes, count, num_draws, is_scored)
                print(
                    f"| {shape} | {name} | {count} | {_cells(errors, errors.num_wrong, errors.printed)} |", flush=True
                )


def print_summaries(num_draws: int) -> None:
    _print_coverage("Summaries", populations(), num_draws)
    _print_coverage("Yes/no metrics", rates(), num_draws)


def _print_coverage(title: str, shapes: Iterable[Population], num_draws: int) -> None:
    print(f"\n{title}: coverage of the 95 % interval ({num_draws} draws a row)\n")
    print("| scores | marked | the t, all draws | where printed | wrong |\n|:--|:--|--:|--:|--:|")
    for population in shapes:
        errors = summary_errors(population, num_draws)
        printed = None if errors.printed is None else 1 - errors.printed
        cells = _cells(errors, errors.num_draws - errors.num_wrong, printed)
        print(f"| {population.name} | {cells} |", flush=True)


def _cells(errors: Errors, num: int, printed: float | None) -> str:
    marked = 1 - errors.num_printed / errors.num_draws
    why = ", ".join(note for note, _ in errors.notes.most_common() if note)
    shown = f"{marked:.3f} ({why})" if why else "0"
    cells = num / errors.num_draws, printed, errors.num_printed_wrong / errors.num_draws
    return " | ".join([shown, *("-" if cell is None else f"{cell:.3f}" for cell in cells)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=2000, metavar="N", help="a row; the error of .05 is .005 with 2000"
    )
    parser.add_argument("--only", choices=("comparisons", "summaries", "planted"), help="one part")
    options = parser.parse_args()
    parts = {"comparisons": print_comparisons, "summaries": print_summaries, "planted": print_planted}
    for name, part in parts.items():
        if options.only in (None, name):
            part(options.draws if name != "planted" else min(options.draws, 500))


if __name__ == "__main__":
    main()
