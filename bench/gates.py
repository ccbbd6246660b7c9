"""How often `editeval gate` is wrong, by simulation: `python bench/gates.py`, a minute; prints Markdown.

Two engines of one model on the same samples. "alike": on average B is as good as A, and a gate that fails is a false
alarm. "at the margin": B is worse by the margin itself, and a gate that passes lets a worse engine through. Both may
happen in 5 % of cases. "worse": by three margins; the gate should fail, and not pass.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from editeval.stats.noninferiority import GatePair, judge
from editeval.types import Metric
from targets import Share, Targets, on_all_cores

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


@dataclass(frozen=True)
class Row:
    shape: int
    case: str
    count: int
    num_draws: int

    def outcomes(self) -> Counter[str]:
        mean, shape = CASES[self.case], SHAPES[self.shape]
        chance = np.random.default_rng([SEED, self.count, round(1000 - 1000 * mean), self.shape])
        drawn = (pairs(shape, chance, self.count, mean) for _ in range(self.num_draws))
        return Counter(judge(one, SCALE, MARGIN).outcome for one in drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 200])
    options = parser.parse_args()
    targets = Targets("bench/gates.py")
    print(f"\n## `editeval gate`, margin {MARGIN} on 0-10, {options.draws} draws\n")
    print("| differences | B is | samples | passes | fails | not decided | wrong |\n|---|---|---|---|---|---|---|")
    rows = [
        Row(shape, case, count, options.draws)
        for shape in range(len(SHAPES))
        for case in CASES
        for count in options.sizes
    ]
    wrong: dict[str, list[Share]] = {case: [] for case in CASES}
    caught = []
    for row, found in on_all_cores(Row.outcomes, rows):
        passes, fails, undecided = (found[what] / options.draws for what in ("passes", "fails", "undecided"))
        name = f"{SHAPES[row.shape].name}, {row.count} samples"
        is_wrong = fails if row.case == "alike" else passes
        wrong[row.case].append(Share(is_wrong, options.draws, name))
        if row.case == "worse" and row.count == max(options.sizes):
            caught.append(Share(fails, options.draws, name))
        cells = f"{passes:.3f} | {fails:.3f} | {undecided:.3f} | {is_wrong:.3f}"
        print(f"| {SHAPES[row.shape].name} | {row.case} | {row.count} | {cells} |", flush=True)
    targets.between("B as good as A, and the gate fails", wrong["alike"], high=0.05)
    targets.between("B worse by the margin, and it passes", wrong["at the margin"], high=0.065)
    targets.between("B worse by three margins, and it passes", wrong["worse"], high=0.05)
    targets.between(f"B worse by three margins, {max(options.sizes)} samples: it fails", caught, low=0.8)
    sys.exit(targets.print())


if __name__ == "__main__":
    main()
