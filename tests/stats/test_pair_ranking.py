"""Rankings from pairs: the error is held however often one looks, and pairs are chosen where they decide."""

from __future__ import annotations

import importlib
import sys
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import binom

from editeval.stats import betting
from editeval.stats.elo import ELO, PairVerdict, abilities, elo
from editeval.stats.ranking import MIN_PER_MODEL, next_round, rank, undecided_neighbours

sys.path.append(str(Path(__file__).parents[2] / "bench"))


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return importlib.import_module("pair_ranking")


def clusters(values: list[float]) -> dict[str, list[float]]:
    return {str(n): [value] for n, value in enumerate(values)}


def most(num: int) -> float:
    """So many errors of 5 % are still to be expected, once in a thousand times."""
    return float(binom.ppf(0.999, num, 0.05))


def test_an_interval_misses_at_no_look_where_a_t_test_at_every_look_misses_often() -> None:
    chance, num = np.random.default_rng(1), 300
    misses = naive = 0
    for _ in range(num):
        values = chance.choice([0.0, 0.5, 1.0], 150, p=[0.4, 0.2, 0.4])
        misses += betting.is_ruled_out(values, 0.5, 0.05)
        errors = [values[:n].std(ddof=1) / np.sqrt(n) for n in range(20, 151, 10)]
        naive += any(
            abs(values[:n].mean() - 0.5) > 2.1 * error for n, error in zip(range(20, 151, 10), errors, strict=True)
        )
    assert misses <= most(num) < naive, "what this test would notice"


def test_an_interval_is_where_the_mean_is_and_shrinks() -> None:
    chance = np.random.default_rng(2)
    values = chance.choice([0.0, 1.0], 400, p=[0.3, 0.7])
    widths = []
    for num in (20, 100, 400):
        low, high = betting.interval(values[:num], 0.05)
        assert low < 0.7 < high
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2] and widths[2] < 0.2
    assert betting.interval([], 0.05) == (0.0, 1.0)
    assert (low >= 0.5) == betting.is_ruled_out(values, 0.5, 0.05)


def test_equal_models_are_told_apart_in_at_most_5_percent_of_arenas(bench: ModuleType) -> None:
    num = 60
    found = bench.tally(bench.World("3 equal", (0.0, 0.0, 0.0)), num_images=60, num_draws=num)
    assert found.wrong_pairs <= most(num) and found.missed <= most(found.num_models)
    assert found.num == num and found.asked < num * 3 * 60


def test_a_better_model_is_found_early_and_said_with_its_share(bench: ModuleType) -> None:
    world = bench.World("2 far apart", (1.5, -1.5))
    found, asked = bench.arena(world, np.random.default_rng(3), 200)
    (pair,) = found.pairs
    assert pair.better == "m0" and asked < 100 and pair.low < pair.share < pair.high
    assert [(one.name, one.best, one.worst) for one in found.standings] == [("m0", 1, 1), ("m1", 2, 2)]


@pytest.mark.parametrize("is_sequential", [True, False])
def test_a_row_of_the_bench_counts_what_it_says_that_it_counts(bench: ModuleType, is_sequential: bool) -> None:
    found = bench.Row(2, 30, 2, is_sequential).tally()
    assert (found.num == 2 and found.asked <= 2 * 30 and found.asked == 60) or is_sequential
    assert max(found.wrong_pairs, found.wrong_places, found.decided) <= 2 and found.missed <= found.num_models <= 4


def test_abilities_are_those_of_elo_and_weightings_do_not_touch_each_other() -> None:
    chance, names = np.random.default_rng(4), ["a", "b", "c"]
    pairs = list(combinations(names, 2))
    rows = [
        [PairVerdict(*pairs[k], float(won)) for k, won in zip(chance.integers(0, 3, 60), draw, strict=True)]
        for draw in chance.choice([0.0, 0.5, 1.0], (2, 60))
    ]
    counts = np.zeros((2, 1, 3, 3))
    for n, verdicts in enumerate(rows):
        for one in verdicts:
            counts[n, 0, pairs.index((one.a, one.b)), {1.0: 0, 0.0: 1, 0.5: 2}[one.won]] += 1
    numbered = np.array([(names.index(a), names.index(b)) for a, b in pairs])
    theta = abilities(counts, numbered, 3)
    for n, verdicts in enumerate(rows):
        assert [1000 + ELO * one for one in theta[n]] == pytest.approx(list(elo([verdicts]).values()), abs=1e-3)


def test_models_that_win_everything_have_finite_abilities() -> None:
    verdicts = {("a", "b"): clusters([1.0] * 30), ("a", "c"): clusters([1.0] * 30), ("b", "c"): clusters([0.5] * 30)}
    found = rank(["a", "b", "c"], verdicts, is_sequential=True)
    assert [one.name for one in found.standings] == ["a", "b", "c"]
    assert np.isfinite([one.elo for one in found.standings]).all()
    assert [(one.best, one.worst) for one in found.standings] == [(1, 1), (2, 3), (2, 3)]


@pytest.mark.parametrize("is_sequential", [True, False])
def test_an_elo_has_an_interval_only_where_no_model_is_without_a_loss(is_sequential: bool) -> None:
    for values in ([1.0] * 40, [0.5] * 40, [1.0] * 30 + [0.5] * 10):
        found = rank(["a", "b"], {("a", "b"): clusters(values)}, is_sequential)
        assert {one.low for one in found.standings} == {one.high for one in found.standings} == {None}
    for one in rank(["a", "b"], {("a", "b"): clusters([1.0] * 39 + [0.0])}, is_sequential).standings:
        true = 1000 + (1 if one.name == "a" else -1) * ELO * 3  # one loss in 400 games is as likely as one in 40
        assert one.low is not None and one.high is not None and one.low < true < one.high
    two_and_two = {
        ("a", "c"): [1.0] * 20,
        ("b", "d"): [1.0] * 20,
        ("a", "b"): [1.0, 0.0] * 10,
        ("c", "d"): [0.0, 1.0] * 10,
    }
    found = rank(["a", "b", "c", "d"], {pair: clusters(won) for pair, won in two_and_two.items()}, is_sequential)
    assert {one.low for one in found.standings} == {None}


def test_a_circle_decides_no_place() -> None:
    won, lost = clusters([1.0] * 60), clusters([0.0] * 60)
    found = rank(["a", "b", "c"], {("a", "b"): won, ("b", "c"): won, ("a", "c"): lost}, is_sequential=True)
    assert found.is_circular and {(one.best, one.worst) for one in found.standings} == {(1, 3)}
    assert [pair.better for pair in found.pairs] == ["a", "c", "b"]


def test_what_is_better_than_the_better_one_is_better_without_being_asked() -> None:
    won = clusters([1.0] * 60)
    found = rank(["a", "b", "c"], {("a", "b"): won, ("b", "c"): won}, is_sequential=True)
    assert [(one.best, one.worst) for one in found.standings] == [(1, 1), (2, 2), (3, 3)]
    assert undecided_neighbours(["a", "b", "c"], {("a", "b"): won, ("b", "c"): won}) == []


def test_samples_of_one_source_image_count_once() -> None:
    alone, several = {str(n): [1.0] for n in range(5)}, {str(n): [1.0] * 40 for n in range(5)}
    one, other = (rank(["a", "b"], {("a", "b"): found}, True).pairs[0] for found in (alone, several))
    assert (one.low, one.high, one.share) == (other.low, other.high, other.share) and other.wins == 200
    assert not other.better, "five pictures decide nothing"


def test_every_model_is_compared_first_and_then_undecided_neighbours_alone() -> None:
    names = ["a", "b", "c"]
    left = dict.fromkeys(combinations(names, 2), 100)
    first = next_round(names, {}, left, 1000)
    assert first == dict.fromkeys(left, MIN_PER_MODEL // 2)
    assert sum(next_round(names, {}, left, 4).values()) == 4
    chance = np.random.default_rng(5)
    even = clusters([float(one) for one in chance.permutation([0.0, 1.0] * 20)])
    known = {("a", "b"): clusters([1.0] * 40), ("a", "c"): clusters([1.0] * 40), ("b", "c"): even}
    assert next_round(names, known, left, 30) == {("b", "c"): 30}
    assert next_round(names, known, {**left, ("b", "c"): 7}, 30) == {("b", "c"): 7}
    assert next_round(names, known, {**left, ("b", "c"): 0}, 30) == {}


def test_of_two_models_alike_each_is_compared_with_the_next_one() -> None:
    names, won = ["a", "b", "c"], clusters([1.0] * 30)
    even = clusters([0.5, 1.0, 0.0] * 20)
    known = {("a", "b"): even, ("b", "c"): won, ("a", "c"): clusters([1.0, 1.0, 0.5])}
    assert undecided_neighbours(names, known) == [("a", "b"), ("a", "c")]
    assert undecided_neighbours(names, {**known, ("a", "c"): won}) == [("a", "b")]
    open_pairs = {("a", "b"): even, ("a", "c"): clusters([1.0] * 3), ("b", "c"): clusters([1.0, 0.5])}
    assert len(undecided_neighbours(names, open_pairs)) == 2, "nothing is decided: neighbours alone"


def test_of_two_open_pairs_the_less_certain_one_gets_more() -> None:
    names = ["a", "b", "c"]
    calm, restless = [0.5] * 18 + [1.0, 1.0], [0.0, 1.0] * 8 + [1.0] * 4
    known = {("a", "b"): clusters(restless), ("b", "c"): clusters(calm), ("a", "c"): clusters([1.0] * 10 + [0.0] * 2)}
    chosen = next_round(names, known, dict.fromkeys(known, 100), 40)
    assert chosen[("a", "b")] > chosen[("b", "c")] > 0
