"""How often `editeval sweep` is wrong, by simulation: `python bench/sweeps.py`, a minute; prints Markdown.

Checkpoints score the same samples, three to a source image, on 0-10. "best stopped": early stopping, with
the looks of the command, stops the best in truth. "intervals wrong": of one look at all samples,
some checkpoint's true distance to the best of the others is outside its interval, or the best is not among those that
may be best. Both may happen in 5 % of the sweeps. "saved": the share of the samples that early stopping left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from editeval.run.sweep import LOOKS
from editeval.stats.checkpoints import ALPHA, is_worse, standings
from editeval.stats.compare import Scored
from editeval.types import Metric
from targets import Share, Targets, on_all_cores

SCALE = Metric("overall")
MARGIN = 0.1
SEED = 20261130
PER_IMAGE = 3
WORLDS = {
    "5 alike": (6.0,) * 5,
    "training: 4, 5, 6, 6, 5.5": (4.0, 5.0, 6.0, 6.0, 5.5),
    "10, one better by 0.5": (6.0,) * 9 + (6.5,),
}


def draw(chance: np.random.Generator, means: tuple[float, ...], count: int) -> list[NDArray[np.float64]]:
    """Scores by checkpoint; their noise is symmetric and small enough to stay on the scale, so that means are true."""
    images = np.arange(count) // PER_IMAGE
    shared = chance.uniform(-1.2, 1.2, count)
    found = []
    for mean in means:
        own = chance.uniform(-0.8, 0.8, count // PER_IMAGE + 1)[images] + chance.uniform(-1.5, 1.5, count)
        found.append(mean + shared + own)
    return found


def scores(values: NDArray[np.float64], count: int) -> dict[Hashable, Scored]:
    return {n: Scored(str(n // PER_IMAGE), float(values[n])) for n in range(count)}


def stopped(values: list[NDArray[np.float64]], count: int) -> dict[int, int]:
    """Checkpoint -> samples that it was edited for, of those that stopped; the first is the reference."""
    found: dict[int, int] = {}
    alpha = ALPHA / (len(values) - 1) / (len(LOOKS) - 1)
    for share in LOOKS[:-1]:
        seen = int(share * count)
        sets = [scores(one, min(seen, found.get(i, seen))) for i, one in enumerate(values)]
        for i in range(1, len(values)):
            if i not in found and any(
                is_worse(sets[i], sets[j], SCALE, MARGIN, alpha) for j in range(len(values)) if j != i
            ):
                found[i] = seen
    return found


@dataclass(frozen=True)
class Row:
    world: str
    count: int
    num_draws: int

    def shares(self) -> tuple[float, float, float]:
        """Of the sweeps: best stopped, intervals wrong; of the samples: saved."""
        means = WORLDS[self.world]
        best = max(range(len(means)), key=lambda i: (means[i], i))
        truth = [mean - max(other for j, other in enumerate(means) if j != i) for i, mean in enumerate(means)]
        chance, lost, wrong, saved = np.random.default_rng([SEED, self.count, len(means)]), 0, 0, 0
        for _ in range(self.num_draws):
            values = draw(chance, means, self.count)
            gone = stopped(values, self.count)
            lost += best in gone
            saved += sum(self.count - seen for seen in gone.values())
            found = standings([scores(one, self.count) for one in values], SCALE)
            inside = all(
                one.best_low is not None and one.best_high is not None and one.best_low <= true <= one.best_high
                for one, true in zip(found, truth, strict=True)
            )
            wrong += not (inside and found[best].may_be_best)
        return lost / self.num_draws, wrong / self.num_draws, saved / self.num_draws / self.count / len(means)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500, metavar="N", help="a row; the error of .05 is .010 with 500")
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 270])
    options = parser.parse_args()
    targets = Targets("bench/sweeps.py")
    print(f"\n## `editeval sweep`, margin {MARGIN} on 0-10, {options.draws} draws\n")
    print("| checkpoints | samples | best stopped | intervals wrong | saved |\n|---|---|---|---|---|")
    stopped_best, missed = [], []
    for row, (lost, wrong, saved) in on_all_cores(
        Row.shares, [Row(name, count, options.draws) for name in WORLDS for count in options.sizes]
    ):
        print(f"| {row.world} | {row.count} | {lost:.3f} | {wrong:.3f} | {saved:.2f} |", flush=True)
        name = f"{row.world}, {row.count} samples"
        stopped_best.append(Share(lost, options.draws, name))
        missed.append(Share(wrong, options.draws, name))
    targets.between("the best checkpoint is stopped", stopped_best, high=0.05)
    targets.between("a distance to the best missed, of all checkpoints of a sweep", missed, high=0.05)
    sys.exit(targets.print())


if __name__ == "__main__":
    main()
