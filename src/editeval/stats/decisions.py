"""Several comparisons at once: p that hold for all of them together, what is decided, and the places that follow.

Holm's method (1979): wrong anywhere in the family in at most 5 % of families, whatever depends on what.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from editeval.stats import intervals
from editeval.stats.compare import Comparison
from editeval.stats.power import ALPHA, POWER, Spread, detectable, power_of, samples_for

MAX_TIMES = 100  # as many samples as there are; where it would take more, no number of samples is named
NOTHING_SHARED, IDENTICAL, UNRELIABLE = "nothing_shared", "identical", "unreliable"
NOT_IDENTIFIED, NOT_DISTINGUISHABLE = "not_identified", "not_distinguishable"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a comparison decides as one of its family: which is `better`, or in `reason` why neither is."""

    better: str  # first | second, or empty
    reason: str  # one of the words above, or empty
    p_holm: float | None
    detectable: float | None = None  # the difference that as many samples find 80 % of the time, if nothing is decided
    num_more: int | None = None  # samples that would decide, were the difference as observed: an estimate


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p, in the order given."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for place, number in enumerate(sorted(range(len(p_values)), key=lambda n: p_values[n])):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = worst
    return adjusted


def rank_intervals(names: Sequence[str], better: Collection[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """By name (best, worst) place: 1 + as many as are better, and as many fewer than all as are worse.

    better   (the better one, the worse one), of every pair that is decided
    """
    return {
        name: (1 + sum(loser == name for _, loser in better), len(names) - sum(winner == name for winner, _ in better))
        for name in names
    }


def decide(family: Sequence[Comparison], is_higher_better: bool) -> list[Decision]:
    """The decision on each; those without a p are not of the family.

    Decided is what Holm's p allows and the interval agrees with; where there are too few differences for an interval,
    or all source images differ alike, p alone. A sign that the missing scores could turn decides nothing.
    """
    tested = [n for n, one in enumerate(family) if one.p is not None]
    adjusted = dict(zip(tested, holm([p for one in family if (p := one.p) is not None]), strict=True))
    level = ALPHA / max(len(tested), 1)
    return [_decision(one, adjusted.get(n), level, is_higher_better) for n, one in enumerate(family)]


def _decision(one: Comparison, p: float | None, level: float, is_higher_better: bool) -> Decision:
    if not one.num_shared or one.difference is None:
        return Decision("", NOTHING_SHARED, None)
    if not one.wins and not one.losses:
        return Decision("", IDENTICAL, p)
    if p is None:
        return Decision("", UNRELIABLE, None)
    is_agreed = one.interval_note in (intervals.FEW_DISTINCT, intervals.NO_VARIATION) or (
        one.low is not None and one.high is not None and not one.low <= 0 <= one.high
    )
    if p <= ALPHA and is_agreed:
        if not one.is_identified:
            return Decision("", NOT_IDENTIFIED, p)
        return Decision("first" if (one.difference > 0) == is_higher_better else "second", "", p)
    if one.spread is None:
        return Decision("", NOT_DISTINGUISHABLE, p)
    least = detectable(one.spread, one.num_shared, level)
    return Decision("", NOT_DISTINGUISHABLE, p, least, _num_more(one.spread, one.difference, level))


def _num_more(spread: Spread, difference: float, level: float) -> int | None:
    """One or more; None where it takes more than MAX_TIMES as many."""
    if power_of(spread, MAX_TIMES * spread.num, difference, level) < POWER:
        return None
    needed = samples_for(spread, difference, level)
    return None if needed is None else max(1, needed - spread.num)
