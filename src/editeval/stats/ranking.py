"""A ranking of models from verdicts on pairs of their edits, and which pairs to ask about next.

A source image counts once for each pair of models, however many samples it has: what is ranked by is the mean over the
images of how far the first model won, 1 for a win, 0.5 for a tie. One model is better than another where 0.5 lies
outside the interval of their pair. These intervals hold for all pairs at once with 95 % (Bonferroni), and where pairs
were asked about until they were decided, at every look (`betting`). So the places that follow are wrong, anywhere, in
at most 5 % of comparisons. A place takes it that who is better than the better one is better; where that leads in a
circle, nothing is decided.

Abilities are Davidson's (`elo`). Their standard errors come from a bootstrap over the source images. The 95 % intervals
are Student's t, or, where pairs were asked about until they were decided, as wide as an asymptotically normal estimate
needs for every look (Waudby-Smith et al., Annals of Statistics 52 (2024), arXiv 2103.06476).
`bench/pair_ranking.py` prints how often all of this is right.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from editeval.stats import betting, intervals
from editeval.stats.elo import ELO, Floats, abilities
from editeval.stats.intervals import Clusters

ALPHA = 1 - intervals.LEVEL
MIN_PER_MODEL = 20  # images that a model is compared on before pairs are chosen
GROWTH = {True: 0.25, False: 1.0}
"""By whether a server is asked: the next round, of what was asked. A model of our own is loaded for each round."""
MIN_FOR_ABILITIES = 10  # source images, of which an interval of an ability is made
NUM_DRAWS = 400  # of the bootstrap
_PRECISION = 0.01  # of the prior of abilities: it decides only where a model wins, or loses, everything
_TIGHTEST = 50  # source images at which the intervals of abilities for every look are the shortest
Pair = tuple[str, str]
WonByPair = Mapping[Pair, Clusters]
"""By pair and source image, in the order asked: how far the first of the pair won each sample, 1, 0.5 or 0."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """How `a` stands to `b`. `share`: how far it won, of 1, the mean over source images; None without verdicts."""

    a: str
    b: str
    wins: int
    ties: int
    losses: int
    num_images: int
    share: float | None
    low: float  # [low, high] is the interval of the share that holds for all pairs at once
    high: float

    @property
    def better(self) -> str:
        """The better one of the two; empty where that is not decided."""
        if self.share is None or self.low < 0.5 < self.high:
            return ""
        return self.a if self.share > 0.5 else self.b


@dataclass(frozen=True, slots=True)
class Standing:
    """A model's place. Its `elo` has no interval on too few source images, nor where a model, or some, never lost."""

    name: str
    elo: float
    low: float | None
    high: float | None
    best: int  # [best, worst] holds its true place: as many are better, and as many worse, as is decided
    worst: int
    num_verdicts: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """The models by Elo, the best first, and every pair of them."""

    standings: tuple[Standing, ...]
    pairs: tuple[PairResult, ...]
    is_circular: bool = False  # what is decided of pairs leads in a circle somewhere


def rank(names: Sequence[str], verdicts: WonByPair, is_sequential: bool, seed: int = 0) -> Ranking:
    """The ranking of `names`, two or more.

    is_sequential   pairs were asked about until they were decided; else the answers did not decide how much was asked
    """
    pairs = tuple(
        pair_result(pair, verdicts.get(pair, {}), ALPHA / math.comb(len(names), 2), is_sequential)
        for pair in combinations(names, 2)
    )
    above, is_circular = _above(names, pairs)
    theta, half_widths = _abilities(names, verdicts, is_sequential, seed)
    num = {name: sum(p.wins + p.ties + p.losses for p in pairs if name in (p.a, p.b)) for name in names}
    standings = [
        Standing(
            name,
            elo := 1000.0 + ELO * theta[name],
            None if half_widths is None else elo - ELO * half_widths[name],
            None if half_widths is None else elo + ELO * half_widths[name],
            1 + len(above[name]),
            len(names) - sum(name in better for better in above.values()),
            num[name],
        )
        for name in names
    ]
    return Ranking(tuple(sorted(standings, key=lambda one: -round(one.elo, 6))), pairs, is_circular)


def pair_result(pair: Pair, clusters: Clusters, alpha: float, is_sequential: bool) -> PairResult:
    """What `clusters` of verdicts say of one pair, with an interval that misses in a share of `alpha`."""
    values = [one for several in clusters.values() for one in several]
    means = [math.fsum(several) / len(several) for several in clusters.values()]
    share = math.fsum(means) / len(means) if means else None
    low, high = _fixed_interval(means, alpha) if not is_sequential else betting.interval(means, alpha)
    wins, losses = sum(one > 0.5 for one in values), sum(one < 0.5 for one in values)
    return PairResult(*pair, wins, len(values) - wins - losses, losses, len(means), share, low, high)


def _fixed_interval(means: Sequence[float], alpha: float) -> tuple[float, float]:
    """For one look: Student's t, or where that would be too short the interval for every look."""
    from scipy.special import stdtrit

    alone = {str(number): [mean] for number, mean in enumerate(means)}
    error = None if intervals.doubt([alone]) else intervals.of_mean(alone, centre := math.fsum(means) / len(means))
    if error is None:
        return betting.interval(means, alpha)
    half = float(stdtrit(error.df, 1 - alpha / 2)) * error.value
    return max(0.0, centre - half), min(1.0, centre + half)


def _above(names: Sequence[str], pairs: Sequence[PairResult]) -> tuple[dict[str, set[str]], bool]:
    """(by model, those that are better by what is decided, directly or through others; whether that is circular)."""
    above: dict[str, set[str]] = {name: set() for name in names}
    for pair in pairs:
        if pair.better:
            above[pair.b if pair.better == pair.a else pair.a].add(pair.better)
    for middle in names:
        for name in names:
            if middle in above[name]:
                above[name] |= above[middle]
    circular = {(a, b) for a, b in combinations(names, 2) if a in above[b] and b in above[a]}
    for a, b in circular:
        above[a].discard(b)
        above[b].discard(a)
    for name in names:
        above[name].discard(name)
    return above, bool(circular)


# ------------------------------------------------------------------------------------------------ abilities


def _counts(names: Sequence[str], verdicts: WonByPair) -> tuple[Floats, NDArray[np.intp]]:
    """(by source image and pair: how often the first won, the second, neither, 1 in all; the pairs as numbers)."""
    known = [pair for pair in combinations(names, 2) if verdicts.get(pair)]
    places = {cluster: n for n, cluster in enumerate(dict.fromkeys(c for pair in known for c in verdicts[pair]))}
    counts = np.zeros((len(places), len(known), 3))
    for column, pair in enumerate(known):
        for cluster, values in verdicts[pair].items():
            for value in values:
                outcome = 0 if value > 0.5 else 1 if value < 0.5 else 2
                counts[places[cluster], column, outcome] += 1 / len(values)
    return counts, np.array([(names.index(a), names.index(b)) for a, b in known], dtype=np.intp).reshape(-1, 2)


def _abilities(
    names: Sequence[str], verdicts: WonByPair, is_sequential: bool, seed: int
) -> tuple[dict[str, float], dict[str, float] | None]:
    """(abilities, half widths of their 95 % intervals or None) by model."""
    counts, pairs = _counts(names, verdicts)
    num = len(counts)
    if not num:
        return dict.fromkeys(names, 0.0), None
    weights = np.ones((1, num))
    if num >= MIN_FOR_ABILITIES:
        drawn = np.random.default_rng(seed).multinomial(num, np.full(num, 1 / num), NUM_DRAWS)
        weights = np.concatenate([weights, drawn])
    weighted = np.einsum("bc,cki->bki", weights, counts)[:, None]
    theta = abilities(weighted, pairs, len(names), _PRECISION)
    found = dict(zip(names, map(float, theta[0]), strict=True))
    if num < MIN_FOR_ABILITIES or not _is_bounded(counts.sum(axis=0), pairs, len(names)):
        return found, None
    width = _every_look(num) if is_sequential else _one_look(num)
    errors = theta[1:].std(axis=0, ddof=1)
    return found, {name: width * float(error) for name, error in zip(names, errors, strict=True)}


def _is_bounded(counts: Floats, pairs: NDArray[np.intp], num_models: int) -> bool:
    """Whether each model has lost to each other one, directly or through others: only then has the likelihood an
    optimum (Ford 1957; ties are free and hold nobody back), and an ability is more than what the prior makes of it.
    """
    has_won = np.eye(num_models, dtype=bool)
    for (a, b), (won, lost, _) in zip(pairs, counts, strict=True):
        has_won[a, b] |= won > 0
        has_won[b, a] |= lost > 0
    for middle in range(num_models):
        has_won |= np.outer(has_won[:, middle], has_won[middle])
    return bool(has_won.all())


def _one_look(num: int) -> float:
    """Standard errors in half of an interval."""
    from scipy.special import stdtrit

    return float(stdtrit(num - 1, 1 - ALPHA / 2))


def _every_look(num: int) -> float:
    """The same for an interval that holds after every number of source images."""
    spread = 2 * math.log(1 / ALPHA)
    scale = (spread + math.log(spread + 1)) / _TIGHTEST * num
    return math.sqrt((scale + 1) / scale * 2 * math.log(math.sqrt(scale + 1) / ALPHA))


# ------------------------------------------------------------------------------------------------ what to ask next


def next_round(names: Sequence[str], verdicts: WonByPair, left: Mapping[Pair, int], size: int) -> dict[Pair, int]:
    """How many further source images to ask about, by pair: `size` in all, or fewer; none: nothing is left to decide.

    left   source images that a pair has not been asked about

    First every model is compared on MIN_PER_MODEL images. Then the next image goes to that one of the pairs of
    `undecided_neighbours` whose interval it is expected to shorten most.
    """
    first = math.ceil(MIN_PER_MODEL / (len(names) - 1))
    short = {pair: min(first - len(verdicts.get(pair, {})), num) for pair, num in left.items()}
    wanted = {pair: num for pair, num in short.items() if num > 0}
    if wanted and any(len(verdicts.get(pair, {})) < first for pair in wanted):
        return _in_turns(wanted, size)
    open_pairs = {pair: num for pair in undecided_neighbours(names, verdicts) if (num := left.get(pair, 0))}
    chosen = dict.fromkeys(open_pairs, 0)
    gains = [(-_gain(verdicts.get(pair, {}), 0), pair) for pair in open_pairs]
    heapq.heapify(gains)
    while gains and sum(chosen.values()) < size:
        _, pair = heapq.heappop(gains)
        chosen[pair] += 1
        if chosen[pair] < open_pairs[pair]:
            heapq.heappush(gains, (-_gain(verdicts.get(pair, {}), chosen[pair]), pair))
    return {pair: num for pair, num in chosen.items() if num}


def undecided_neighbours(names: Sequence[str], verdicts: WonByPair) -> list[Pair]:
    """Pairs of models of which it is not decided who is better, and which are asked about next.

    They are next to each other by Elo, or one of them is decided against a model between them: of two models alike
    only one gets decided against the next one as its neighbour.
    """
    counts, numbered = _counts(names, verdicts)
    if not len(counts):
        return list(combinations(names, 2))
    theta = abilities(counts.sum(axis=0)[None, None], numbered, len(names), _PRECISION)[0]
    alpha = ALPHA / math.comb(len(names), 2)
    pairs = [pair_result(pair, verdicts.get(pair, {}), alpha, True) for pair in combinations(names, 2)]
    above, _ = _above(names, pairs)
    order = sorted(names, key=lambda name: -theta[names.index(name)])
    found = [
        (order[i], order[j])
        for i, j in combinations(range(len(order)), 2)
        if order[i] not in above[order[j]] and order[j] not in above[order[i]]
        if j == i + 1 or any(order[i] in above[k] or k in above[order[j]] for k in order[i + 1 : j])
    ]
    return [(a, b) if names.index(a) < names.index(b) else (b, a) for a, b in found]


def _in_turns(wanted: Mapping[Pair, int], size: int) -> dict[Pair, int]:
    """`size` of them, or all, as evenly as can be."""
    turns = sorted((turn, place, pair) for place, (pair, num) in enumerate(wanted.items()) for turn in range(num))
    chosen = dict.fromkeys(wanted, 0)
    for _, _, pair in turns[:size]:
        chosen[pair] += 1
    return {pair: num for pair, num in chosen.items() if num}


def _gain(clusters: Clusters, more: int) -> float:
    """By how much one image more lowers the variance of the pair's share, if `more` are coming anyway."""
    means = [math.fsum(several) / len(several) for several in clusters.values()]
    centre = (0.5 + math.fsum(means)) / (len(means) + 1)
    variance = (0.25 + math.fsum((mean - centre) ** 2 for mean in means)) / (len(means) + 1)
    num = len(means) + more + 1
    return variance / (num * (num + 1))
