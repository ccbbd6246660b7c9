"""Scores of one judge on the scale of another: a monotone map, and how far a mean that goes through it can be wrong.

Fitted where both judged the same edits. For a value of the judge whose scores are given (`given`), with r the
correlation of the two over all samples and w = sqrt(max(r, 0)), the map is

    (1 - w) * isotonic regression  +  w * equipercentile equating

Regression, E[wanted | given], is right for more samples of the editors that it was fitted with, and pulls the mean of
any other editor towards theirs: half of the stronger and weaker ones were outside its intervals. Equating keeps the
spread, and makes noise into differences where the two judges hardly agree. `bench/bridge_holdout.py` measured both.

The error of a mean is measured by leaving one editor out at a time: what a judge likes about an editor is shared by all
its samples, and averaging does not remove it. With K editors, of which each is missed by d_k, the next one is missed by
sqrt(mean(d_k^2) (1 - 1/K^2)), with K - 1 degrees of freedom; never by less than the spread of single samples allows.
With one editor it cannot be known.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from editeval.stats import intervals
from editeval.stats.intervals import CATEGORY_WITHOUT_ANCHOR, ONE_ANCHOR_EDITOR, StandardError

MIN_SAMPLES = 30  # that both judges scored
MIN_PER_EDITOR = 10
MAX_KNOTS = 40
MAX_OUTSIDE = 0.02  # share of the scores that may lie outside the anchors' range; they get the value of its end
MAX_BEYOND = 0.5  # how far a mean may lie outside the means of the anchors' editors, in widths of these
NUM_FOLDS = 5
_EVEN = 1e-12  # a spread below this is rounding
_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScorePair:
    """One edit that both judges scored."""

    editor: str
    cluster: str  # source image
    category: str
    given: float  # by the judge whose scores are to be carried over
    wanted: float  # by the judge on whose scale they are to be


@dataclass(frozen=True, slots=True)
class MonotoneMap:
    """Straight lines between knots (given, wanted), the first in rising order; level beyond the ends."""

    knots: tuple[tuple[float, float], ...]

    def __call__(self, value: float) -> float:
        place = bisect_right(self.knots, value, key=lambda knot: knot[0])
        if place == 0 or place == len(self.knots):
            return self.knots[max(0, place - 1)][1]
        (x, y), (next_x, next_y) = self.knots[place - 1 : place + 1]
        return y + (next_y - y) * (value - x) / (next_x - x)

    def of(self, values: _Array) -> _Array:
        """The same for many."""
        xs, ys = (np.array(side) for side in zip(*self.knots, strict=True))
        return np.asarray(np.interp(values, xs, ys), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class EditorError:
    """What a map that was fitted without the editor gets wrong about it, in one category."""

    editor: str
    category: str
    num: int
    error: float  # mean of wanted - equated


@dataclass(frozen=True, slots=True)
class RootMeanSquare:
    """Of the errors of single samples, with its 95 % interval; None where that cannot be had."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Equating:
    """A map, what it was fitted on, and its errors."""

    map: MonotoneMap
    correlation: float
    num_samples: int
    num_clusters: int
    low: float  # least and greatest given score
    high: float
    means: Mapping[str, float]  # editor -> mean of its given scores
    errors: tuple[EditorError, ...]  # none with one editor
    noise: float  # variance of the error of a sample, clusters counted
    new_samples: RootMeanSquare  # of the same editors, by leaving a fifth of the clusters out at a time
    new_editor: RootMeanSquare | None  # by leaving an editor out at a time

    def mean_error(self, shares: Mapping[str, float], counts: Mapping[str, float]) -> StandardError | str:
        """Of the equated mean of an editor that is none of these; a note where it cannot be known.

        `shares`: the weight of each category in that mean, adding up to 1; `counts`: its samples in each.
        """
        known: dict[str, dict[str, float]] = {}
        for one in self.errors:
            known.setdefault(one.editor, {})[one.category] = one.error
        if len(known) < 2:
            return ONE_ANCHOR_EDITOR
        weighed = {category: share for category, share in shares.items() if share}
        whole = [errors for errors in known.values() if errors.keys() >= weighed.keys()]
        if len(whole) < 2:
            return CATEGORY_WITHOUT_ANCHOR
        missed = [math.fsum(share * errors[name] for name, share in weighed.items()) for errors in whole]
        num = len(missed)
        editors = math.fsum(d * d for d in missed) / num * (1 - 1 / num**2)
        samples = self.noise * math.fsum(share**2 / max(1, counts.get(name, 0)) for name, share in weighed.items())
        return StandardError(math.sqrt(max(editors, samples)), num - 1)

    def share_outside(self, values: Sequence[float]) -> float:
        """Of given scores: those less or greater than all that the map was fitted on."""
        return sum(not self.low <= value <= self.high for value in values) / len(values) if values else 0.0

    def refusal(self, values: Sequence[float]) -> str:
        """Why given scores of an editor are outside what the map was fitted on; empty if they are not."""
        outside = self.share_outside(values)
        if outside > MAX_OUTSIDE:
            return (
                f"{outside * 100:.1f} % of {len(values)} scores lie outside {self.low:g} to {self.high:g}, "
                f"which the anchors cover (at most {MAX_OUTSIDE * 100:g} % may)"
            )
        if not values or len(self.means) < 2:
            return ""
        mean = math.fsum(values) / len(values)
        low, high = min(self.means.values()), max(self.means.values())
        chance = 2 * math.sqrt(math.fsum((v - mean) ** 2 for v in values)) / len(values)
        slack = max(MAX_BEYOND * (high - low), chance)
        if low - slack <= mean <= high + slack:
            return ""
        return (
            f"their mean {mean:.2f} lies too far outside those of the anchors' {len(self.means)} editors, {low:.2f} to "
            f"{high:.2f} ({low - slack:.2f} to {high + slack:.2f} would do)"
        )


def too_little(pairs: Sequence[ScorePair]) -> str:
    """Why there is nothing to be fitted on `pairs`; empty if there is."""
    if len(pairs) < MIN_SAMPLES:
        return f"both judges scored {len(pairs)} samples, and a map needs {MIN_SAMPLES}"
    if len({pair.cluster for pair in pairs}) < NUM_FOLDS:
        return f"the samples have fewer than {NUM_FOLDS} source images"
    if max(pair.given for pair in pairs) - min(pair.given for pair in pairs) <= _EVEN:
        return "the judge whose scores are to be carried over gave them all the same score"
    return ""


def with_enough(pairs: Iterable[ScorePair]) -> list[ScorePair]:
    """Those of editors with MIN_PER_EDITOR samples."""
    by_editor: dict[str, list[ScorePair]] = {}
    for pair in pairs:
        by_editor.setdefault(pair.editor, []).append(pair)
    return [pair for group in by_editor.values() if len(group) >= MIN_PER_EDITOR for pair in group]


def equating(pairs: Sequence[ScorePair]) -> Equating:
    """Fitted on `pairs`, of which there are enough (`too_little` says nothing)."""
    given = np.array([pair.given for pair in pairs])
    wanted = np.array([pair.wanted for pair in pairs])
    editors = np.array([pair.editor for pair in pairs])
    names = list(dict.fromkeys(pair.editor for pair in pairs))
    folds = np.array([crc32(pair.cluster.encode("utf-8", "replace")) % NUM_FOLDS for pair in pairs])
    by_samples = _missed(given, wanted, folds)
    by_editors = _missed(given, wanted, editors) if len(names) > 1 else None
    residuals = by_samples if by_editors is None else by_editors
    whole, correlation = fitted(given, wanted)
    return Equating(
        map=whole,
        correlation=correlation,
        num_samples=len(pairs),
        num_clusters=len({pair.cluster for pair in pairs}),
        low=float(given.min()),
        high=float(given.max()),
        means={name: float(given[editors == name].mean()) for name in names},
        errors=tuple(_errors(pairs, residuals)) if by_editors is not None else (),
        noise=_noise(pairs, residuals),
        new_samples=_root_mean_square(by_samples, [pair.cluster for pair in pairs]),
        new_editor=_root_mean_square(by_editors, list(editors)) if by_editors is not None else None,
    )


def fitted(given: _Array, wanted: _Array) -> tuple[MonotoneMap, float]:
    """The map, and the correlation of the two."""
    order = np.argsort(given, kind="stable")
    starts = _cells(given[order])
    sizes = np.diff(np.append(starts, len(order)))
    xs, ys, quantiles = (np.add.reduceat(a, starts) / sizes for a in (given[order], wanted[order], np.sort(wanted)))
    spread = float(given.std() * wanted.std())
    correlation = float(((given - given.mean()) * (wanted - wanted.mean())).mean()) / spread if spread > _EVEN else 0.0
    share = equipercentile_share(correlation)
    values = (1 - share) * rising(ys, sizes) + share * quantiles
    return MonotoneMap(tuple((float(x), float(y)) for x, y in zip(xs, values, strict=True))), correlation


def equipercentile_share(correlation: float) -> float:
    """How much of the map is equipercentile equating; the rest is regression."""
    return math.sqrt(min(1.0, max(0.0, correlation)))


def _cells(ordered: _Array) -> npt.NDArray[np.intp]:
    """Where in `ordered` values the cells begin: one for each value, or MAX_KNOTS of about equal size; none splits
    equal values. The means of cells are what smooths the map."""
    values, starts = np.unique(ordered, return_index=True)
    if len(values) <= MAX_KNOTS:
        return starts
    wanted = np.linspace(0, len(ordered), MAX_KNOTS, endpoint=False)
    return np.unique(starts[np.searchsorted(starts, wanted, side="right") - 1])


def rising(values: _Array, weights: npt.NDArray[np.intp]) -> _Array:
    """The nearest rising sequence in weighted least squares: neighbours that fall are pooled."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        block = float(value), float(weight), 1
        while blocks and blocks[-1][0] >= block[0]:
            mean, mass, size = blocks.pop()
            total = mass + block[1]
            block = (mean * mass + block[0] * block[1]) / total, total, size + block[2]
        blocks.append(block)
    return np.repeat([mean for mean, _, _ in blocks], [size for _, _, size in blocks])


def _missed(given: _Array, wanted: _Array, parts: npt.NDArray[np.generic]) -> _Array:
    """wanted - equated of every sample, by the map of all samples that are not in its part."""
    missed = np.empty(len(given))
    for part in np.unique(parts):
        mine = parts == part
        others = given[~mine], wanted[~mine]
        missed[mine] = wanted[mine] - (fitted(*others)[0].of(given[mine]) if len(others[0]) else wanted[mine].mean())
    return missed


def _errors(pairs: Sequence[ScorePair], missed: _Array) -> Iterable[EditorError]:
    cells: dict[tuple[str, str], list[float]] = {}
    for pair, miss in zip(pairs, missed, strict=True):
        cells.setdefault((pair.editor, pair.category), []).append(float(miss))
    for (editor, category), values in cells.items():
        yield EditorError(editor, category, len(values), math.fsum(values) / len(values))


def _noise(pairs: Sequence[ScorePair], missed: _Array) -> float:
    """Variance of a mean of n samples of one editor, times n; its source images counted as clusters."""
    found = []
    for editor in dict.fromkeys(pair.editor for pair in pairs):
        clusters: dict[str, list[float]] = {}
        for pair, miss in zip(pairs, missed, strict=True):
            if pair.editor == editor:
                clusters.setdefault(pair.cluster, []).append(float(miss))
        values = [value for group in clusters.values() for value in group]
        error = intervals.of_mean(clusters, math.fsum(values) / len(values))
        if error is not None:
            found.append((error.value**2 * len(values), len(values)))
    total = sum(num for _, num in found)
    return math.fsum(variance * num for variance, num in found) / total if total else 0.0


def _root_mean_square(missed: _Array, clusters: Sequence[str]) -> RootMeanSquare:
    by_cluster: dict[str, list[float]] = {}
    for name, miss in zip(clusters, missed, strict=True):
        by_cluster.setdefault(str(name), []).append(float(miss) ** 2)
    mean = float((missed**2).mean())
    error = intervals.of_mean(by_cluster, mean)
    if error is None:
        return RootMeanSquare(math.sqrt(mean), None, None)
    low, high = error.interval(mean)
    return RootMeanSquare(math.sqrt(mean), math.sqrt(max(0.0, low)), math.sqrt(high))
