"""`make bench-stats` counts what it says that it counts."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))


@pytest.fixture(scope="module")
def targets() -> ModuleType:
    return importlib.import_module("targets")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return importlib.import_module("interval_coverage")


def test_a_share_out_of_bounds_by_more_than_its_error_misses_the_target(targets: ModuleType) -> None:
    found = targets.Targets("this")
    found.between("near", [targets.Share(0.06, 400, "row")], high=0.05)
    assert found.num_missed == 0, "two standard errors of 400 draws are .024"
    found.between("far", [targets.Share(0.06, 40_000, "row 1"), targets.Share(0.05, 40_000, "row 2")], high=0.05)
    found.between("nothing", [])
    assert found.num_missed == 2 and found.print() == 1
    assert [line.split()[0] for line in found.lines] == ["PASS", "FAIL", "0.060", "FAIL"], "the row is named"


def test_shares_of_a_population_are_shares_and_wrong_ones_are_among_the_printed(bench: ModuleType) -> None:
    for population in [*bench.populations()][::9]:
        errors = bench.summary_errors(population, 2)
        assert errors.num_draws == 2 == sum(errors.notes.values())
        assert errors.num_printed_wrong <= min(errors.num_wrong, errors.num_printed)


def test_decisions_from_arrays_are_those_of_the_command() -> None:
    """`verified` compares intervals, notes, p and decisions of twenty draws of each row."""
    bench = importlib.import_module("comparing")
    for shape, sizes, count in (("half at 0", "skewed", 20), ("93 % at 10", "1", 12), ("skewed differences", "3", 5)):
        found = bench.errors_of(bench.Row(shape, sizes, count, bench.NUM_VERIFIED))
        assert found.num_better <= found.num_with_p <= found.num == bench.NUM_VERIFIED
        assert found.num_missed <= found.num_with_interval


def test_populations_have_the_mean_that_they_claim(bench: ModuleType) -> None:
    """Within four standard errors of 60 draws; a population with another mean would make every interval look wrong."""
    import numpy as np

    chance = np.random.default_rng(0)
    for population in (*bench.populations(), *bench.rates()):
        if population.category == "micro":
            means = [np.mean([value for *_, value in population.draw(chance)]) for _ in range(60)]
            error = np.std(means, ddof=1) / np.sqrt(60)
            assert abs(np.mean(means) - population.truth) < 4 * error, population.name


def test_runs_of_the_simulated_editor_are_drawn_anew_and_their_mean_is_the_planted_one(bench: ModuleType) -> None:
    for is_drawn in (False, True):
        errors = bench.Planted(4).errors(4, is_drawn)
        assert errors.num_draws == 4 and errors.num_wrong <= errors.num_draws
