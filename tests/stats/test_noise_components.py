"""Components of variance by nested analysis of variance, against sums that are written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from editeval.stats.noise import Costs, components, mean_error


def drawn(samples: int, seeds: int, draws: int, sds: tuple[float, float, float], number: int = 0) -> np.ndarray:
    chance = np.random.default_rng([samples, seeds, draws, number])
    table = chance.normal(5, sds[0], (samples, 1, 1)) + chance.normal(0, sds[1], (samples, seeds, 1))
    return table + chance.normal(0, sds[2], (samples, seeds, draws))


def alone(table: np.ndarray) -> list[str]:
    return [f"image{n}" for n in range(len(table))]


def by_sums(table: np.ndarray) -> list[float]:
    """The textbook's table of three levels, with loops."""
    n, s, k = table.shape
    grand = table.sum() / table.size
    squares = [0.0, 0.0, 0.0]
    for i in range(n):
        of_sample = sum(table[i, a, b] for a in range(s) for b in range(k)) / (s * k)
        squares[0] += s * k * (of_sample - grand) ** 2 / (n - 1)
        for a in range(s):
            of_seed = sum(table[i, a, b] for b in range(k)) / k
            squares[1] += k * (of_seed - of_sample) ** 2 / (n * (s - 1))
            squares[2] += sum((table[i, a, b] - of_seed) ** 2 for b in range(k)) / (n * s * (k - 1))
    return [(squares[0] - squares[1]) / (s * k), (squares[1] - squares[2]) / k, squares[2]]


@pytest.mark.parametrize("shape", [(12, 2, 2), (30, 3, 4), (60, 5, 2)])
def test_components_are_those_of_the_textbook(shape: tuple[int, int, int]) -> None:
    table = drawn(*shape, sds=(3.0, 2.0, 1.0))
    found = components(table, alone(table))
    assert [one.name for one in found] == ["samples", "seeds", "draws"]
    assert [one.variance for one in found] == pytest.approx(by_sums(table), rel=1e-10)
    shares = np.array(by_sums(table)) / sum(by_sums(table))
    assert [one.share.value for one in found] == pytest.approx(list(shares), rel=1e-10)


def test_over_many_tables_the_components_are_right_on_average() -> None:
    found = [
        [one.variance for one in components(table, alone(table))]
        for table in (drawn(40, 2, 2, (2.0, 1.5, 1.0), number) for number in range(300))
    ]
    assert np.mean(found, axis=0) == pytest.approx([4.0, 2.25, 1.0], rel=0.06)


def test_levels_of_one_are_told_together_with_the_level_above() -> None:
    table = drawn(50, 1, 3, (2.0, 1.0, 1.0))
    found = components(table, alone(table))
    assert [one.name for one in found] == ["samples+seeds", "draws"]
    assert found[1].variance == pytest.approx(table[:, 0].var(axis=1, ddof=1).mean())
    assert found[0].variance == pytest.approx(table[:, 0].mean(axis=1).var(ddof=1) - found[1].variance / 3)
    assert [one.name for one in components(table.transpose(0, 2, 1), alone(table))] == ["samples", "seeds+draws"]


def test_a_component_below_0_is_0_and_said_and_a_deterministic_judge_has_none() -> None:
    table = drawn(20, 2, 1, (0.0, 1.0, 0.0))
    table -= table.mean(axis=1, keepdims=True)  # all samples alike: less than chance has it
    repeated = np.repeat(table, 2, axis=2)
    samples, seeds, draws = components(repeated, alone(table))
    assert samples.is_negative and samples.variance == 0 and samples.share.value == 0
    assert not draws.is_negative and draws.variance == 0 and seeds.share.value == pytest.approx(1)
    flat = components(np.full((20, 2, 2), 3.0), alone(table))
    assert [(one.variance, one.is_negative, one.share.value) for one in flat] == [(0.0, False, None)] * 3


def test_the_standard_error_is_that_of_the_components_and_an_hour_goes_where_it_lessens_it_most() -> None:
    table = drawn(60, 2, 2, (1.0, 3.0, 0.5))
    samples, seeds, draws = (one.variance for one in components(table, alone(table)))
    told = mean_error(components(table, alone(table)), table, alone(table), (100, 0), Costs(9.0, 1.0))
    assert told.now == pytest.approx(math.sqrt((samples * told.effect + seeds + draws) / 100))
    assert told.fixed == pytest.approx(math.sqrt((seeds + draws) / 100))
    assert [one.on for one in told.spending] == ["seeds", "draws"]  # the benchmark has no more samples
    three = mean_error(components(table, alone(table)), table, alone(table), (100, 0), Costs(9.0, 1.0), num_seeds=3)
    assert three.now == pytest.approx(math.sqrt((samples * told.effect + (seeds + draws) / 3) / 100))
    assert three.fixed == pytest.approx(math.sqrt((seeds + draws) / 300))
    more = 1 + 3600 / (100 * 10)
    assert told.spending[0].error == pytest.approx(math.sqrt((samples * told.effect + (seeds + draws) / more) / 100))
    wider = mean_error(components(table, alone(table)), table, alone(table), (100, 1000), Costs(9.0, 1.0))
    assert wider.best == "samples" and wider.spending[0].amount == 360


def test_samples_of_one_image_raise_the_standard_error() -> None:
    half = drawn(40, 2, 2, (2.0, 0.5, 0.5))
    table, images = np.concatenate([half, half]), [f"image{n % 40}" for n in range(80)]
    found = components(table, images)
    shared = mean_error(found, table, images, (80, 0), Costs(1, 1))
    assert shared.effect > 1.7
    assert mean_error(found, table, alone(table), (80, 0), Costs(1, 1)).now < shared.now
