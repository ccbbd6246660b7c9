"""How often the interval of a run with several seeds for each sample covers the true mean, by simulation.

The edits are those of the editor `simulated`, by its own draws: samples of many kinds, each kind with chances
of its own (so that some samples are harder than others), seeds as a run derives them, failures included. A judge gives
each rung a fixed score. The true mean is known. Beside the interval of the report stands the one that would take every
edit for an observation of its own.

    python bench/seeds.py --draws 2000
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass

from editeval.editors.simulated import FAILURES, SimulatedParams, chances_of, drawn
from editeval.run.plan import seed_of
from editeval.stats.summary import Entry, summarise

SCORES = {
    "target": 10.0,
    "target_reencoded": 9.8,
    "partial": 5.5,
    "over_edit": 7.0,
    "wrong_object": 2.5,
    "identity": 0.0,
}
NUM_KINDS = 40


@dataclass(frozen=True)
class Case:
    num: int  # samples
    num_seeds: int
    failing: float  # mean chance that an edit fails; it is higher for harder kinds


def population(failing: float) -> SimulatedParams:
    """Kinds from easy to hard; where an edit is more likely to be wrong it is more likely to fail."""
    dice = random.Random(1)
    chances = {}
    for kind in range(NUM_KINDS):
        wrong = kind / (NUM_KINDS - 1) * 0.8
        parts = [dice.random() for _ in range(4)]
        shares = [wrong * part / sum(parts) for part in parts]
        names = ("partial", "over_edit", "wrong_object", "identity")
        chances[f"k{kind}"] = dict(zip(names, shares, strict=True)) | {"failed": failing * wrong / 0.4 * 0.9}
    return SimulatedParams(chances=chances, latency_s=0)


def truth(params: SimulatedParams, num_seeds: int) -> float:
    """The mean of samples that have a score, each by the mean of its kind."""
    weights, total = 0.0, 0.0
    for kind in params.chances:
        known = chances_of(params, f"{kind}/0")
        failing = sum(known.get(name, 0.0) for name in FAILURES)
        mean = sum(chance * SCORES[name] for name, chance in known.items() if name in SCORES) / (1 - failing)
        weight = 1 - failing**num_seeds
        weights, total = weights + weight, total + weight * mean
    return total / weights


def entries(params: SimulatedParams, case: Case, number: int) -> list[Entry]:
    """The scores of one run of fresh samples."""
    dice, found = random.Random(number), list[Entry]()
    for n in range(case.num):
        sample = f"k{dice.randrange(NUM_KINDS)}/{number}-{n}"
        for index in range(1, case.num_seeds + 1):
            key = sample if index == 1 else f"{sample}#{index}"
            value = SCORES.get(drawn(params, key, seed_of(number, key)))
            found.append(("a", sample, "failed" if value is None else "scored", value, sample))
    return found


def covered(params: SimulatedParams, case: Case, num_draws: int) -> tuple[float, float, float, float]:
    """(coverage, mean width, coverage of edits as observations, share of runs without an interval)."""
    mean, hits, naive, width, none = truth(params, case.num_seeds), 0, 0, 0.0, 0
    for number in range(num_draws):
        given = entries(params, case, number)
        row = summarise(given, "overall")[-1]
        alone = summarise([("a", "", one[2], one[3]) for one in given], "overall")[-1]
        if row.ci_low is None or row.ci_high is None:
            none += 1
            continue
        hits += row.ci_low <= mean <= row.ci_high
        width += row.ci_high - row.ci_low
        naive += alone.ci_low is not None and alone.ci_high is not None and alone.ci_low <= mean <= alone.ci_high
    made = num_draws - none
    return hits / made, width / made, naive / made, none / num_draws


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    num_draws = parser.parse_args().draws
    error = 1.96 * math.sqrt(0.95 * 0.05 / num_draws)
    print(
        f"{num_draws} runs each ({num_draws // 4} of 270 samples); coverage, nominal .95 (chance alone: +-{error:.3f})"
    )
    print("samples  seeds  failing  coverage  width  edits as observations  no interval")
    for failing in (0.0, 0.1):
        params = population(failing)
        for num in (30, 54, 270):
            for num_seeds in (1, 2, 4, 8):
                case = Case(num, num_seeds, failing)
                hits, width, naive, none = covered(params, case, num_draws if num < 100 else num_draws // 4)
                print(f"{num:7} {num_seeds:6} {failing:8.2f} {hits:9.3f} {width:6.2f} {naive:22.3f} {none:12.3f}")


if __name__ == "__main__":
    main()
