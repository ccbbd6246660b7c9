"""Scores on another judge's scale: the map rises, and an equated mean is as uncertain as its interval says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from editeval.stats import equating, summary
from editeval.stats.equating import Equating, ScorePair
from editeval.stats.intervals import CATEGORY_WITHOUT_ANCHOR, ONE_ANCHOR_EDITOR
from editeval.types import Metric

NUM_IMAGES = 40
NUM_DRAWS = 120


def editors(
    chance: np.random.Generator, count: int, effect: float = 0.5, ceiling: float = 10.0
) -> list[list[ScorePair]]:
    """What two judges say of `count` editors: both follow a latent quality, each in its own way.

    The judge `given` is mild, curved and whole-numbered, `wanted` is strict. `effect`: how far they differ about an
    editor, whatever its edits. `ceiling`: no score of `given` is above it.
    """
    images = chance.normal(0, 1, NUM_IMAGES)
    found = []
    for number in range(count):
        quality = chance.normal(0, 1) + images + chance.normal(0, 1, NUM_IMAGES)
        given = np.round(10 / (1 + np.exp(-0.8 * (quality + chance.normal(0, 0.7, NUM_IMAGES)))))
        wanted = 5 + 1.5 * quality + chance.normal(0, 1, NUM_IMAGES) + chance.normal(0, effect)
        found.append(
            [
                ScorePair(
                    f"e{number}", f"i{place}", f"c{place % 2}", min(float(x), ceiling), min(10.0, max(0.0, float(y)))
                )
                for place, (x, y) in enumerate(zip(given, wanted, strict=True))
            ]
        )
    return found


def flat(groups: Sequence[Sequence[ScorePair]]) -> list[ScorePair]:
    return [pair for group in groups for pair in group]


def half_width(found: Equating, own: Sequence[ScorePair]) -> float:
    counts = {name: sum(pair.category == name for pair in own) for name in {pair.category for pair in own}}
    error = found.mean_error({name: count / len(own) for name, count in counts.items()}, counts)
    assert not isinstance(error, str), error
    return error.half_width


def coverage(
    num_anchors: int, width: Callable[[Equating, Sequence[ScorePair]], float], **how: float
) -> tuple[float, int]:
    """Share of new editors whose mean by `wanted` is within the interval of the equated one; how many were refused."""
    chance = np.random.default_rng(20261130)
    hits = []
    for _ in range(NUM_DRAWS):
        *anchors, own = editors(chance, num_anchors + 1, **how)
        found = equating.equating(flat(anchors))
        if not found.refusal([pair.given for pair in own]):
            error = math.fsum(pair.wanted - found.map(pair.given) for pair in own) / len(own)
            hits.append(abs(error) <= width(found, own))
    return sum(hits) / len(hits), NUM_DRAWS - len(hits)


@pytest.mark.parametrize("num_anchors", [2, 3, 5])
def test_the_mean_of_a_new_editor_is_within_its_interval(num_anchors: int) -> None:
    covered, num_refused = coverage(num_anchors, half_width)
    assert covered >= 0.93
    assert 0 < num_refused < 0.7 * NUM_DRAWS


def test_a_judge_with_a_ceiling_is_covered_too() -> None:
    assert coverage(4, half_width, ceiling=7.0)[0] >= 0.93


def test_the_spread_of_samples_alone_would_promise_too_much() -> None:
    """What is between editors is no part of it, so the measure above can fail."""

    def narrow(found: Equating, own: Sequence[ScorePair]) -> float:
        return 2 * math.sqrt(found.noise / len(own))

    assert coverage(5, narrow, effect=1.0)[0] < 0.7


def test_with_one_editor_an_equated_mean_has_no_interval() -> None:
    (only,) = editors(np.random.default_rng(1), 1)
    found = equating.equating(only)
    assert found.new_editor is None and found.new_samples.low is not None
    assert found.mean_error({"c0": 1.0}, {"c0": 20}) == ONE_ANCHOR_EDITOR
    entries = [(pair.category, pair.cluster, "scored", found.map(pair.given)) for pair in only]
    rows = summary.summarise(entries, "overall", None, found)
    assert {row.interval_note for row in rows} == {ONE_ANCHOR_EDITOR}
    assert all(row.mean is not None and row.ci_low is None for row in rows)


def test_intervals_of_a_summary_hold_the_error_of_the_map() -> None:
    *anchors, own = editors(np.random.default_rng(2), 5)
    found = equating.equating(flat(anchors))
    entries = [(pair.category, pair.cluster, "scored", found.map(pair.given)) for pair in own]
    plain, widened = (summary.summarise(entries, "overall", None, bridged) for bridged in (None, found))
    for before, after in zip(plain, widened, strict=True):
        assert (before.category, before.mean) == (after.category, after.mean)
        assert after.ci_high - after.ci_low > before.ci_high - before.ci_low  # type: ignore[operator]


def test_what_the_judges_make_of_a_category_is_in_its_interval() -> None:
    """The judge on whose scale the scores are to be likes c1 two points less than the map says."""
    chance = np.random.default_rng(3)
    groups = [
        [replace(pair, wanted=pair.wanted - 2 * (pair.category == "c1")) for pair in group]
        for group in editors(chance, 5)
    ]
    *anchors, own = groups
    found = equating.equating(flat(anchors))
    error = found.mean_error({"c1": 1.0}, {"c1": 20})
    assert not isinstance(error, str)
    mine = [pair for pair in own if pair.category == "c1"]
    missed = math.fsum(pair.wanted - found.map(pair.given) for pair in mine) / len(mine)
    assert missed < -0.5 and abs(missed) <= error.half_width


def test_a_category_that_no_anchor_has_gets_no_interval() -> None:
    found = equating.equating(flat(editors(np.random.default_rng(4), 3)))
    assert found.mean_error({"c0": 0.5, "new": 0.5}, {"c0": 20, "new": 20}) == CATEGORY_WITHOUT_ANCHOR
    assert not isinstance(found.mean_error({"c0": 1.0, "new": 0.0}, {"c0": 20}), str)


def test_the_regression_part_is_isotonic_regression() -> None:
    from scipy.optimize import isotonic_regression

    chance = np.random.default_rng(5)
    for _ in range(20):
        values, weights = chance.normal(0, 1, 12), chance.integers(1, 9, 12)
        expected = isotonic_regression(values, weights=weights).x
        assert equating.rising(values, weights) == pytest.approx(expected)


def test_judges_that_agree_keep_their_spread_and_judges_that_do_not_say_the_mean() -> None:
    chance = np.random.default_rng(6)
    given = chance.normal(5, 1, 400)
    same, _ = equating.fitted(given, 2 * given - 5)
    assert same(7.0) == pytest.approx(9.0, abs=0.1) and same(3.0) == pytest.approx(1.0, abs=0.1)
    nothing, correlation = equating.fitted(given, np.where(np.arange(400) % 2 == 0, 2.0, 8.0))
    assert abs(correlation) < 0.15
    assert nothing(7.0) - nothing(3.0) < 3.0


def test_a_map_rises_is_level_beyond_its_ends_and_has_bounded_size() -> None:
    chance = np.random.default_rng(7)
    given = chance.normal(0, 1, 1000)
    found, _ = equating.fitted(given, given**3 + chance.normal(0, 1, 1000))
    values = [found(x) for x in np.linspace(-5, 5, 200)]
    assert values == sorted(values)
    assert len(found.knots) <= equating.MAX_KNOTS
    assert (found(-99.0), found(99.0)) == (found.knots[0][1], found.knots[-1][1])
    assert found.of(given) == pytest.approx([found(x) for x in given])


def test_scores_outside_the_anchors_are_refused_with_their_share() -> None:
    found = equating.equating(flat(editors(np.random.default_rng(8), 4, ceiling=8.0)))
    inside = [5.0] * 95
    assert found.refusal([*inside, 8.5]) == ""
    assert found.refusal([*inside, *[9.0] * 5]).startswith("5.0 % of 100 scores lie outside 0 to 8")


def test_a_mean_far_from_those_of_the_anchors_is_refused() -> None:
    low, high = (
        [ScorePair(name, f"i{n}", "", float(n % 5) + shift, float(n % 5)) for n in range(30)]
        for name, shift in (("a", 0.0), ("b", 2.0))
    )
    found = equating.equating([*low, *high])
    assert found.means == {"a": 2.0, "b": 4.0}
    assert found.refusal([4.5] * 30) == ""
    assert "their mean 6.00 lies too far outside" in found.refusal([6.0] * 30)


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([ScorePair("a", f"i{n}", "", float(n), 1.0) for n in range(29)], "needs 30"),
        ([ScorePair("a", f"i{n % 3}", "", float(n), 1.0) for n in range(40)], "fewer than 5 source images"),
        ([ScorePair("a", f"i{n}", "", 4.0, float(n)) for n in range(40)], "all the same score"),
    ],
)
def test_too_few_anchors_are_said(pairs: list[ScorePair], why: str) -> None:
    assert why in equating.too_little(pairs)


def test_an_editor_with_a_handful_of_samples_is_left_out() -> None:
    pairs = [ScorePair("a", f"i{n}", "", n, n) for n in range(40)] + [
        ScorePair("b", f"i{n}", "", n, n) for n in range(9)
    ]
    assert {pair.editor for pair in equating.with_enough(pairs)} == {"a"}


def test_intervals_are_cut_at_the_scale() -> None:
    *anchors, own = editors(np.random.default_rng(9), 3)
    found = equating.equating(flat(anchors))
    entries = [(pair.category, pair.cluster, "scored", found.map(pair.given)) for pair in own]
    for row in summary.summarise(entries, "overall", Metric("overall"), found):
        assert row.ci_low is not None and row.ci_high is not None and 0 <= row.ci_low <= row.ci_high <= 10
