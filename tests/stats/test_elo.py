"""Elo of models from verdicts with ties."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import minimize

from editeval.stats.elo import PairVerdict, elo

NAMES = ("fox", "ant", "bee")


def drawn(num: int, seed: int, names: Sequence[str] = NAMES) -> list[PairVerdict]:
    """Verdicts in which the first name is the best one."""
    chosen = random.Random(seed)
    found = []
    for _ in range(num):
        a, b = chosen.sample(range(len(names)), 2)
        won = 0.5 if chosen.random() < 0.2 else float(chosen.random() < 1 / (1 + math.exp(a - b)))
        found.append(PairVerdict(names[a], names[b], won))
    return found


def by_force(dimensions: Sequence[Sequence[PairVerdict]], is_by_name: bool) -> dict[str, float]:
    """The same optimum, written down verdict by verdict and searched without a gradient."""
    names = sorted(NAMES)
    mean = sum(map(len, dimensions)) / len(dimensions)

    def loss(params: np.ndarray) -> float:
        theta = dict(zip(names, [*params[:2], 0.0], strict=True))
        centre = 0.0 if is_by_name else sum(theta.values()) / 3
        value = sum((one - centre) ** 2 for one in theta.values()) / 2
        for log_nu, rows in zip(params[2:], dimensions, strict=True):
            for row in rows:
                a, b = math.exp(theta[row.a]), math.exp(theta[row.b])
                tie = 2 * math.exp(log_nu) * math.sqrt(a * b)
                chance = {1.0: a, 0.0: b, 0.5: tie}[row.won] / (a + b + tie)
                value -= mean / len(rows) * math.log(chance)
        return value

    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 20_000, "maxfev": 20_000}
    found = minimize(loss, np.zeros(2 + len(dimensions)), method="Nelder-Mead", options=options).x
    theta = [*found[:2], 0.0]
    return {name: 1000 + (one - sum(theta) / 3) * 400 / math.log(10) for name, one in zip(names, theta, strict=True)}


@pytest.mark.parametrize("is_by_name", [False, True])
def test_it_is_the_optimum_that_a_search_finds(is_by_name: bool) -> None:
    dimensions = [drawn(40, 1), drawn(15, 2)]
    assert elo(dimensions, is_by_name) == pytest.approx(by_force(dimensions, is_by_name), abs=0.01)


def test_the_prior_about_the_mean_treats_all_names_alike_and_the_published_one_does_not() -> None:
    rows, other = drawn(12, 3), ("zoo", "ant", "bee")
    renamed = [PairVerdict(*(other[NAMES.index(name)] for name in (one.a, one.b)), one.won) for one in rows]
    one, two = elo([rows]), elo([renamed])
    assert [one[name] for name in NAMES] == pytest.approx([two[name] for name in other], abs=1e-3)
    last, first = elo([rows], True), elo([[PairVerdict(_first(v.a), _first(v.b), v.won) for v in rows]], True)
    assert abs(last["fox"] - first["aaa"]) > 0.5


def _first(name: str) -> str:
    return "aaa" if name == "fox" else name


def test_a_dimension_with_few_verdicts_counts_as_much_as_one_with_many() -> None:
    for_fox = [PairVerdict("fox", "ant", 1.0)] * 40
    for_ant = [PairVerdict("fox", "ant", 0.0)] * 4
    found = elo([for_fox, for_ant])
    assert found["fox"] == pytest.approx(found["ant"], abs=0.01) == pytest.approx(1000, abs=0.01)


def test_verdicts_of_nothing_but_ties_and_of_one_model_have_an_elo() -> None:
    assert elo([[PairVerdict("fox", "ant", 0.5)] * 9]) == pytest.approx({"ant": 1000.0, "fox": 1000.0})
    assert elo([[], []]) == {} and elo([drawn(30, 4), []])["fox"] > 1000
    with pytest.raises(ValueError, match=r"1\.0, 0\.0 or 0\.5"):
        elo([[PairVerdict("fox", "ant", 0.75)]])
