"""Where the variance of scores comes from: samples, seeds of the editor, repeats of the judge.

A score is mean + sample + seed within the sample + repeat within the seed, each with a variance of its own. They are
estimated by nested analysis of variance of a balanced table (closed form), a component below 0 counts as 0, and

    variance of a mean of n samples, S seeds each, K repeats each = samples / n + seeds / (n S) + repeats / (n S K).

A judge's bias is in none of them: only people, controls or another judge show it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from editeval.stats import power
from editeval.stats.resampling import Estimate, Places, estimate

Floats = NDArray[np.float64]
SAMPLES, SEEDS, DRAWS = "samples", "seeds", "draws"
HOUR_S = 3600.0
NO_VARIATION = "no_variation"  # the scores that would show it are all alike
ONE_SEED = "one_seed"  # what seeds do cannot be told from what samples do


@dataclass(frozen=True, slots=True)
class Component:
    """One source of variance. `name`: samples, seeds, draws; two of them joined by + where the table has one of each.

    `share`: of the variance of one score. `is_negative`: the estimate was below 0, and is taken as 0.
    """

    name: str
    variance: float
    is_negative: bool
    share: Estimate


def components(table: Floats, clusters: Sequence[str]) -> tuple[Component, ...]:
    """Of scores (samples x seeds x draws, none missing), the highest level first, and with it those of size 1."""
    names, folded = _folded(table)
    variances = _variances(folded)

    def share(level: int) -> Estimate:
        def of(at: Places) -> float | None:
            found = np.maximum(_variances(folded[at]), 0.0)
            return float(found[level] / found.sum()) if found.sum() > 0 else None

        return estimate(of, clusters, kind="share of variance")

    return tuple(
        Component(name, max(0.0, float(variance)), bool(variance < -1e-12 * np.abs(variances).max()), share(level))
        for level, (name, variance) in enumerate(zip(names, variances, strict=True))
    )


def _folded(table: Floats) -> tuple[list[str], Floats]:
    """The names of the levels that can be told apart, and the table without the others."""
    names = [SAMPLES]
    for name, size in zip((SEEDS, DRAWS), table.shape[1:], strict=True):
        names = [*names, name] if size > 1 else [*names[:-1], f"{names[-1]}+{name}"]
    return names, table.reshape([size for n, size in enumerate(table.shape) if n == 0 or size > 1])


def _variances(table: Floats) -> Floats:
    """Of each level, the highest first; below 0 where chance has it so."""
    found, below, size = [], 0.0, 1
    for level in range(table.ndim - 1, -1, -1):
        means = table.mean(axis=tuple(range(level + 1, table.ndim)))
        spread = means - means.mean(axis=-1, keepdims=True)
        spread[np.ptp(means, axis=-1) == 0] = 0.0  # equal numbers can have a mean that is another one
        freedom = math.prod(means.shape[:-1]) * (means.shape[-1] - 1)
        square = size * float((spread**2).sum()) / freedom  # the mean square of this level
        found.append((square - below) / size)
        below, size = square, size * table.shape[level]
    return np.array(found[::-1])


@dataclass(frozen=True, slots=True)
class Costs:
    """What one edit and one judgement take of one device, in seconds."""

    edit_s: float
    judgement_s: float


@dataclass(frozen=True, slots=True)
class Spending:
    """An hour of one device more, on what lessens the standard error of the mean, to `error`."""

    on: str
    amount: float  # more samples; seeds or draws for each, a fraction of one if there are many samples
    error: float


@dataclass(frozen=True, slots=True)
class MeanError:
    """Standard error of a run's mean: `now`; `fixed` if only its own samples count, so that they are no error.

    None where these scores do not tell it; a note says why: NO_VARIATION or ONE_SEED.
    """

    num: int
    effect: float | None  # design effect of source images, of the samples' part; None if they have none
    now: float | None
    now_note: str
    fixed: float | None
    fixed_note: str
    spending: tuple[Spending, ...]  # the best first

    @property
    def best(self) -> str:
        return self.spending[0].on if self.spending else ""


def mean_error(
    found: Sequence[Component],
    table: Floats,
    clusters: Sequence[str],
    sizes: tuple[int, int],
    costs: Costs,
    num_seeds: int = 1,
) -> MeanError:
    """Of a run with so many seeds and one draw. `sizes`: its samples, and how many more the benchmark has."""
    num, num_more = sizes
    variance = {component.name: component.variance for component in found}
    seeds, draws = variance.get(SEEDS, variance.get(f"{SEEDS}+{DRAWS}", 0.0)), variance.get(DRAWS, 0.0)
    alone = next(value for name, value in variance.items() if name.startswith(SAMPLES))
    means: dict[str, list[float]] = {}
    for cluster, row in zip(clusters, table, strict=True):
        means.setdefault(cluster, []).append(float(row.mean()))
    spread = power.spread_of(means)
    within = seeds / table.shape[1] + draws / (table.shape[1] * table.shape[2])
    shared = max(alone, spread.effect * spread.sd**2 - within) if spread else alone  # less than alone is chance
    effect = shared / alone if alone > 0 else 1.0

    def error(n: float, s: float = num_seeds, k: float = 1.0) -> float:
        return math.sqrt((shared + (seeds + draws / k) / s) / n)

    one_s = costs.edit_s + costs.judgement_s
    options = []
    if num_more and one_s > 0:
        more = min(num_more, HOUR_S / (num_seeds * one_s))
        options.append(Spending(SAMPLES, more, error(num + more)))
    if table.shape[1] > 1 and one_s > 0:
        options.append(Spending(SEEDS, HOUR_S / (num * one_s), error(num, num_seeds + HOUR_S / (num * one_s))))
    if table.shape[2] > 1 and costs.judgement_s > 0:
        draw = HOUR_S / (num * num_seeds * costs.judgement_s)
        options.append(Spending(DRAWS, draw, error(num, num_seeds, 1 + draw)))
    useful = [option for option in options if option.error < error(num) * (1 - 1e-6)]
    useful.sort(key=lambda option: option.error)
    within_note = ONE_SEED if table.shape[1] == 1 else "" if seeds + draws > 0 else NO_VARIATION
    return MeanError(
        num=num,
        effect=effect if alone > 0 else None,
        now=error(num) or None,
        now_note="" if error(num) > 0 else NO_VARIATION,
        fixed=None if within_note else math.sqrt((seeds + draws) / (num * num_seeds)),
        fixed_note=within_note,
        spending=tuple(useful),
    )
