"""How often the printed intervals are right, by simulation: `make bench-stats`, some minutes; prints Markdown.

Summaries of scores and of yes/no answers with a known mean (`stats.summary`), and runs of the editor `simulated`, whose
mean is planted; intervals of differences are in `bench/comparing.py`. "marked": the share of the draws in which there
is a word instead of an interval. "where printed": of the other draws alone; not shown if they are less than a
twentieth, for then they are the odd ones. "wrong": an interval was printed, and missed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

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
from editeval.stats.summary import Entry, State, summarise
from editeval.types import JudgeRequest, Metric, Sample
from targets import Share, Targets, on_all_cores

Numbers = NDArray[np.float64]
Sizes = Callable[[np.random.Generator, int], NDArray[np.int64]]
NUM_CLUSTERS = (5, 12, 20, 54, 270)
IMAGE_SHARE = 0.3  # of the variance, common to the edits of one source image
SEED = 20261129
MIN_SHARE = 0.05  # of draws with an interval, for a share of them to be shown
MOST = 0.9  # of draws with an interval: those are not chosen by their scores


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

    def covered(self, of: str) -> Share:
        """Share of the printed intervals that hold the truth."""
        return Share(1 - self.num_printed_wrong / max(1, self.num_printed), self.num_printed, of)


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
    num_clusters: int
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
        f"{name}, n = {num}", truth, lambda chance: [("a", "", "scored", float(x)) for x in draw(chance, num)], num
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

    return Population(f"cluster sizes {name}, {count} images", 5.0, draw, count)


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
    return Population(
        f"macro: 4 x {num_large} images, a category of {num_small} {whose}", 5.0, draw, num_large, "macro"
    )


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
    return Population(name, share, draw, num_clusters, scale=Metric("overall", 0.0, 1.0))


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


@dataclass(frozen=True)
class Planted:
    """Samples of the built-in benchmark; each answer of the editor `simulated` is scored once, by `reference`."""

    num_per_category: int
    size: int = 64

    def errors(self, num_runs: int, is_drawn: bool) -> Errors:
        """How often the planted mean is missed by runs that draw their answers as the editor does.

        is_drawn  each run has source images of its own, drawn from those there are; else all have the same samples
        """
        samples = list(ProceduralBenchmark(ProceduralParams(num_per_category=self.num_per_category, size=self.size)))
        answers = Simulated.known_answers(SimulatedParams())
        scores = {sample.id: dict(_scored(sample, answers)) for sample in samples}
        truth, errors = _planted_mean(answers, scores), Errors()
        images: dict[str, list[Sample]] = {}
        for sample in samples:
            images.setdefault(sample.cluster, []).append(sample)
        kept, chance = list(images.values()), np.random.default_rng([SEED, self.num_per_category])
        for run in range(num_runs):
            entries: list[Entry] = []
            for number in chance.integers(0, len(kept), len(kept)) if is_drawn else range(len(kept)):
                place = len(entries)  # the same image twice is two images that look alike, with seeds of their own
                for sample in kept[number]:
                    answer = answers.drawn(sample.id, seed_of(run, f"{place if is_drawn else ''}{sample.id}"))
                    value = scores[sample.id].get(answer)
                    state: State = "failed" if value is None else "scored"
                    entries.append((sample.category, f"{place}", state, value))
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


def planted_of(row: tuple[int, bool], num_runs: int) -> Errors:
    return Planted(row[0]).errors(num_runs, row[1])


def print_planted(num_runs: int, targets: Targets) -> None:
    print(f"\nRuns of `simulated`: coverage of the planted mean ({num_runs} runs a row)\n")
    print("| samples | source images | marked | where printed | wrong |\n|:--|:--|:--|--:|--:|")
    covered: dict[bool, list[Share]] = {False: [], True: []}
    for (num, is_drawn), errors in on_all_cores(
        partial(planted_of, num_runs=num_runs), [(num, is_drawn) for num in (11, 54) for is_drawn in (False, True)]
    ):
        printed = None if errors.printed is None else 1 - errors.printed
        marked, _, *shown = _cells(errors, 0, printed).split(" | ")
        whose = "others in each run" if is_drawn else "the same"
        print(f"| {5 * num} | {whose} | {marked} | {' | '.join(shown)} |", flush=True)
        covered[is_drawn].append(errors.covered(f"{5 * num} samples"))
    targets.between("planted mean covered, other source images in each run", covered[True], 0.935, 0.965)
    targets.between("planted mean covered, the same samples in each run", covered[False], 0.935)


def print_summaries(num_draws: int, targets: Targets) -> None:
    _print_coverage("Summaries", summary_of, list(populations()), num_draws, targets)
    _print_coverage("Yes/no metrics", rate_of, list(rates()), num_draws, targets)


def summary_of(row: int, num_draws: int) -> Errors:
    return summary_errors(list(populations())[row], num_draws)


def rate_of(row: int, num_draws: int) -> Errors:
    return summary_errors(list(rates())[row], num_draws)


def _print_coverage(
    title: str,
    work: Callable[[int, int], Errors],
    shapes: Sequence[Population],
    num_draws: int,
    targets: Targets,
) -> None:
    print(f"\n{title}: coverage of the 95 % interval ({num_draws} draws a row)\n")
    print("| scores | marked | the t, all draws | where printed | wrong |\n|:--|:--|--:|--:|--:|")
    known: list[tuple[int, str, Errors]] = []
    for row, errors in on_all_cores(partial(work, num_draws=num_draws), range(len(shapes))):
        printed = None if errors.printed is None else 1 - errors.printed
        cells = _cells(errors, errors.num_draws - errors.num_wrong, printed)
        print(f"| {shapes[row].name} | {cells} |", flush=True)
        known.append((shapes[row].num_clusters, shapes[row].name, errors))
    _hold(title, known, targets, high=1.0 if work is rate_of else 0.965)


def _hold(title: str, rows: Sequence[tuple[int, str, Errors]], targets: Targets, high: float = 0.965) -> None:
    """(source images, name, errors) of each row against the targets; rates are discrete, and may cover more."""
    shown = [(count, errors, errors.covered(name)) for count, name, errors in rows if errors.printed is not None]
    many = [
        covered for count, errors, covered in shown if count >= 54 and errors.num_printed >= MOST * errors.num_draws
    ]
    chosen = [covered for count, _, covered in shown if count >= 54 and covered not in many]
    targets.between(f"{title}, coverage, 54 images or more, printed in 9 of 10 draws", many, 0.935, high)
    if chosen:
        targets.between(f"{title}, coverage, 54 images or more, printed more rarely", chosen, 0.935)
    targets.between(f"{title}, coverage wherever printed", [covered for *_, covered in shown], 0.9)
    wrong = [Share(errors.num_printed_wrong / errors.num_draws, errors.num_draws, name) for _, name, errors in rows]
    targets.between(f"{title}, printed and wrong, of all draws", wrong, high=0.065)


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
    parser.add_argument("--only", choices=("summaries", "planted"), help="one part")
    options = parser.parse_args()
    parts = {"summaries": print_summaries, "planted": print_planted}
    targets = Targets("bench/interval_coverage.py")
    for name, part in parts.items():
        if options.only in (None, name):
            part(options.draws if name != "planted" else min(options.draws, 500), targets)
    sys.exit(targets.print())


if __name__ == "__main__":
    main()
