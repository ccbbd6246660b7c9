"""`make bench-stats` counts what it says that it counts."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[2] / "bench" / "interval_coverage.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interval_coverage", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def test_every_row_is_printed_and_its_shares_are_shares(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    bench.print_comparisons(2)
    bench.print_summaries(2)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ") and "marked" not in line]
    assert len(rows) == 6 * 5 + len([*bench.populations(), *bench.rates()])
    for row in rows:
        *_, every, printed, wrong = (cell.strip() for cell in row.strip("|").split("|"))
        assert 0 <= float(every) <= 1 and 0 <= float(wrong) <= 1
        assert printed == "-" or 0 <= float(printed) <= 1


def test_draws_are_marked_or_printed_and_wrong_ones_are_among_both(bench: ModuleType) -> None:
    errors = bench.comparison_errors(bench.SIZES["1"], 12, 100)
    assert errors.num_draws == 100 == sum(errors.notes.values())
    assert 0 < errors.num_printed < 100 and errors.notes["few_distinct"] == 100 - errors.num_printed
    assert errors.num_printed_wrong <= errors.num_wrong <= errors.num_draws
    assert errors.printed is None, "less than half are printed"


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
    errors = bench.planted_errors(4, 4)
    assert errors.num_draws == 4 and errors.num_wrong <= errors.num_draws
