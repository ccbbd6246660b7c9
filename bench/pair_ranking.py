"""How often rankings from pairs are right, by simulation: `python bench/pair_ranking.py`, minutes; prints Markdown.

Models have abilities, every source image likes each model more or less than others do, and verdicts are Davidson's.
Pairs are asked about as `editeval compare` does, in the rounds of a judge on a server, until all
neighbours are decided or nothing is left.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from editeval.stats.elo import ELO, abilities
from editeval.stats.ranking import GROWTH, MIN_PER_MODEL, Pair, Ranking, next_round, rank
from targets import Share, Targets, on_all_cores

SEED = 20261130
POPULATION = 20_000  # source images that stand for all


@dataclass(frozen=True)
class World:
    """Models in truth."""

    name: str
    thetas: tuple[float, ...]
    nu: float = 0.3  # inclination to ties
    taste: float = 0.7  # spread of what a source image adds to each ability

    @property
    def names(self) -> list[str]:
        return [f"m{number}" for number in range(len(self.thetas))]

    def draw(self, chance: np.random.Generator, num_images: int) -> dict[Pair, NDArray[np.float64]]:
        """How far the first of each pair wins on each image, asked or not."""
        strength = np.array(self.thetas) + chance.normal(0, self.taste, (num_images, len(self.thetas)))
        found = {}
        for a, b in combinations(range(len(self.thetas)), 2):
            one, other = np.exp(strength[:, a]), np.exp(strength[:, b])
            tie = 2 * self.nu * np.sqrt(one * other)
            drawn = chance.random(num_images) * (one + other + tie)
            found[f"m{a}", f"m{b}"] = np.where(drawn < one, 1.0, np.where(drawn < one + tie, 0.5, 0.0))
        return found

    def elo(self) -> dict[str, float]:
        """As all images together have it."""
        drawn = self.draw(np.random.default_rng(SEED), POPULATION)
        counts = np.array([[(column == won).sum() for won in (1.0, 0.0, 0.5)] for column in drawn.values()])
        pairs = np.array(list(combinations(range(len(self.thetas)), 2)))
        theta = abilities(counts[None, None].astype(float), pairs, len(self.thetas), 1e-6)[0]
        return {name: 1000 + ELO * float(one) for name, one in zip(self.names, theta, strict=True)}


WORLDS = (
    World("2 equal", (0.0, 0.0)),
    World("2 equal, mostly ties", (0.0, 0.0), nu=3.0),
    World("2, one better (0.5)", (0.25, -0.25)),
    World("4 equal", (0.0,) * 4),
    World("4, steps of 0.5", (0.75, 0.25, -0.25, -0.75)),
    World("6, two and two alike", (1.0, 1.0, 0.0, 0.0, -1.0, -1.0)),
    World("3, one far ahead", (2.5, -1.0, -1.5)),
)


def arena(
    world: World, chance: np.random.Generator, num_images: int, max_pairs: int | None = None
) -> tuple[Ranking, int]:
    """(the ranking at the end, verdicts asked for)."""
    truth = world.draw(chance, num_images)
    verdicts: dict[Pair, dict[str, list[float]]] = {pair: {} for pair in truth}
    num = 0
    while True:
        left = {pair: num_images - len(asked) for pair, asked in verdicts.items()}
        size = max(MIN_PER_MODEL, math.ceil(GROWTH[True] * num))
        wanted = next_round(world.names, verdicts, left, size if max_pairs is None else min(size, max_pairs - num))
        if not wanted:
            return rank(world.names, verdicts, is_sequential=True), num
        for pair, more in wanted.items():
            known = len(verdicts[pair])
            verdicts[pair] |= {str(n): [float(truth[pair][n])] for n in range(known, known + more)}
            num += more


def whole(world: World, chance: np.random.Generator, num_images: int) -> Ranking:
    """Everything is asked."""
    truth = world.draw(chance, num_images)
    verdicts = {pair: {str(n): [float(one)] for n, one in enumerate(column)} for pair, column in truth.items()}
    return rank(world.names, verdicts, is_sequential=False)


@dataclass
class Tally:
    """Of many comparisons."""

    num: int = 0
    wrong_pairs: int = 0  # comparisons in which a pair is decided and wrong
    wrong_places: int = 0  # in which the true place of a model lies outside what is said
    num_models: int = 0
    missed: int = 0  # intervals of an Elo without the truth
    asked: int = 0
    decided: int = 0  # comparisons in which all pairs with a difference are decided as they are, directly or not

    def add(self, world: World, truth: dict[str, float], found: Ranking, asked: int) -> None:
        theta = dict(zip(world.names, world.thetas, strict=True))
        self.num += 1
        self.asked += asked
        self.wrong_pairs += any(p.better and theta[p.better] <= min(theta[p.a], theta[p.b]) for p in found.pairs)
        places = {
            n: (sum(t > theta[n] for t in theta.values()), sum(t >= theta[n] for t in theta.values())) for n in theta
        }
        self.wrong_places += any(s.best > places[s.name][1] or s.worst <= places[s.name][0] for s in found.standings)
        self.decided += all((s.best, s.worst) == (places[s.name][0] + 1, places[s.name][1]) for s in found.standings)
        for one in found.standings:
            if one.low is not None and one.high is not None:
                self.num_models += 1
                self.missed += not one.low <= truth[one.name] <= one.high


def tally(world: World, num_images: int, num_draws: int, is_sequential: bool = True) -> Tally:
    """`num_draws` comparisons of models of `world` on `num_images` source images."""
    chance, truth, found = np.random.default_rng([SEED, num_images]), world.elo(), Tally()
    for _ in range(num_draws):
        if is_sequential:
            found.add(world, truth, *arena(world, chance, num_images))
        else:
            found.add(world, truth, whole(world, chance, num_images), math.comb(len(world.thetas), 2) * num_images)
    return found


@dataclass(frozen=True)
class Row:
    world: int
    num_images: int
    num_draws: int
    is_sequential: bool

    def tally(self) -> Tally:
        return tally(WORLDS[self.world], self.num_images, self.num_draws, self.is_sequential)


def print_table(sizes: Sequence[int], num_draws: int, is_sequential: bool, targets: Targets) -> None:
    how = "In rounds, until decided" if is_sequential else "Everything asked"
    print(f"\n{how}, {num_draws} comparisons each\n")
    print("| models | images | a pair wrong | a place wrong | Elo missed | all decided | asked of all |")
    print("|---|---|---|---|---|---|---|")
    rows = [Row(world, size, num_draws, is_sequential) for world in range(len(WORLDS)) for size in sizes]
    wrong = []
    for row, t in on_all_cores(Row.tally, rows):
        world = WORLDS[row.world]
        missed, decided = t.missed / max(t.num_models, 1), t.decided / t.num
        shares = [t.wrong_pairs / t.num, t.wrong_places / t.num, missed, decided]
        of_all = t.asked / t.num / (math.comb(len(world.thetas), 2) * row.num_images)
        cells = f"{' | '.join(f'{s:.3f}' for s in shares)} | {of_all:.2f}"
        print(f"| {world.name} | {row.num_images} | {cells} |", flush=True)
        wrong += [Share(one, t.num, f"{world.name}, {row.num_images} images") for one in shares[:2]]
    targets.between(f"{how}: a pair or a place wrong", wrong, high=0.05 if is_sequential else 0.065)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200, metavar="N", help="comparisons per row")
    parser.add_argument("--sizes", type=int, nargs="+", default=(50, 200), metavar="N", help="source images")
    options = parser.parse_args()
    targets = Targets("bench/pair_ranking.py")
    for is_sequential in (True, False):
        print_table(options.sizes, options.draws, is_sequential, targets)
    sys.exit(targets.print())


if __name__ == "__main__":
    main()
