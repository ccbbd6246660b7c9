"""How often `editeval gate` is wrong, by simulation: `python bench/gates.py`, a minute; prints Markdown.

Two engines of one model on the same samples. "alike": on average B is as good as A, and a gate that fails is a false
alarm. "at the margin": B is worse by the margin itself, and a gate that passes lets a worse engine through. Both may
happen in 5 % of cases. "worse": by three margins; the gate should fail.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from editeval.stats.noninferiority import GatePair, judge
from editeval.types import Metric

Numbers = NDArray[np.float64]
MARGIN = 0.1
SEED = 20261130
SCALE = Metric("overall")


@dataclass(frozen=True)
class Shape:
    """How scores of two engines differ: `draw(chance, count, mean)` gives differences with that mean."""

    name: str
    draw: Callable[[np.random.Generator, int, float], Numbers]
    per_image: int = 1


def _small(chance: np.random.Generator, count: int, mean: float) -> Numbers:
    return chance.normal(mean, 0.5, count)


def _some(chance: np.random.Generator, count: int, mean: float) -> Numbers:
    """Three of four samples have the same score; a whole point more or less for the others."""
    lower = 0.125 - mean / 2
    drawn = chance.random(count)
    return np.where(drawn < lower, -1.0, np.where(drawn > 1 - (0.25 - lower), 1.0, 0.0))


def _rare(chance: np.random.Generator, count: int, mean: float) -> Numbers:
    """A few edits are ruined, or saved: four points."""
    drawn = chance.random(count)
    lost = 0.01 + max(0.0, -mean) / 4.0
    return np.where(drawn < lost, -4.0, np.where(drawn > 1 - 0.01, 4.0, 0.0))


def _ruined(chance: np.random.Generator, count: int, mean: float) -> Numbers:
    """What is lost is lost in few edits, and everything else is the same."""
    return np.where(chance.random(count) < -mean / 4.0, -4.0, 0.0)


SHAPES = (
    Shape("small everywhere (SD 0.5)", _small),
    Shape("small everywhere, 3 edits per image", _small, 3),
    Shape("a point in 25 %", _some),
    Shape("four points in 2 %", _rare),
    Shape("four points lost in some, the others the same", _ruined),
)
CASES = {"alike": 0.0, "at the margin": -MARGIN, "worse": -3 * MARGIN}


def pairs(shape: Shape, chance: np.random.Generator, count: int, mean: float) -> list[GatePair]:
    """Half of a difference belongs to the image where an image has several edits."""
    found = shape.draw(chance, count, mean)
    if shape.per_image > 1:
        shared = chance.normal(0, 0.35, count // shape.per_image + 1)
        found = found + shared[np.arange(count) // shape.per_image]
    return [GatePair(str(number // shape.per_image), 5.0, 5.0 + float(one)) for number, one in enumerate(found)]


def outcomes(shape: Shape, count: int, mean: float, num_draws: int) -> Counter[str]:
    chance = np.random.default_rng([SEED, count, round(1000 - 1000 * mean), SHAPES.index(shape)])
    return Counter(judge(pairs(shape, chance, count, mean), SCALE, MARGIN).outcome for _ in range(num_draws))


def rows(num_draws: int, sizes: tuple[int, ...]) -> Iterator[tuple[str, str, int, float, float, float]]:
    """(shape, case, samples, shares that pass, fail and are not decided)."""
    for shape in SHAPES:
        for case, mean in CASES.items():
            for count in sizes:
                found = outcomes(shape, count, mean, num_draws)
                shares = (found[what] / num_draws for what in ("passes", "fails", "undecided"))
                yield (shape.name, case, count, *shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 200])
    options = parser.parse_args()
    print(f"\n## `editeval gate`, margin {MARGIN} on 0-10, {options.draws} draws\n")
    print("| differences | B is | samples | passes | fails | not decided | wrong |\n|---|---|---|---|---|---|---|")
    for shape, case, count, passes, fails, undecided in rows(options.draws, tuple(options.sizes)):
        wrong = {"alike": fails, "at the margin": passes, "worse": passes}[case]
        print(f"| {shape} | {case} | {count} | {passes:.3f} | {fails:.3f} | {undecided:.3f} | {wrong:.3f} |")


if __name__ == "__main__":
    main()
