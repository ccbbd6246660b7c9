"""A comparison of two runs is one of the samples that both scored, whatever is missing from either."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from editeval.stats.compare import Covered, Scored, bootstrapped, compare

OFFSET = 1.5  # what the first run is better by, on every sample


def run_of(values: Mapping[str, float | None]) -> dict[Hashable, Scored]:
    return {key: Scored(key, value) for key, value in values.items()}


@given(
    st.dictionaries(st.text(max_size=3), st.floats(0, 8), min_size=1, max_size=30),
    st.data(),
)
def test_dropping_samples_from_either_run_lets_no_unpaired_sample_in(
    values: dict[str, float], data: st.DataObject
) -> None:
    """The two runs differ by OFFSET on every sample: any other difference would be one of selection."""
    ids = st.lists(st.sampled_from(sorted(values)), unique=True)
    gone, unscored = (data.draw(ids), data.draw(ids)), (data.draw(ids), data.draw(ids))
    first, second = (
        run_of({k: None if k in un else v + up for k, v in values.items() if k not in out})
        for up, out, un in zip((OFFSET, 0.0), gone, unscored, strict=True)
    )
    left = set(values).difference(*gone, *unscored)
    told = compare(first, second)
    assert told.num_shared == told.wins == len(left) and told.ties == told.losses == 0
    assert told.difference == (pytest.approx(OFFSET) if left else None)
    assert (told.first.num_samples, told.second.num_samples) == (len(first), len(second))
    assert told.first.num_scored == len(set(values).difference(gone[0], unscored[0]))
    assert left or (told.low, told.high) == (None, None)


def test_wins_ties_losses_and_coverage_are_counted() -> None:
    first = run_of({"a": 9.0, "b": 5.0, "c": 1.0, "d": None, "e": 3.0})
    second = run_of({"a": 8.0, "b": 5.0, "c": 4.0, "d": 2.0, "f": 3.0})
    told = compare(first, second)
    assert (told.num_shared, told.wins, told.ties, told.losses) == (3, 1, 1, 1)
    assert told.difference == pytest.approx(-2 / 3)
    assert (told.first, told.second) == (Covered(4, 5), Covered(5, 5))
    turned = compare(second, first)
    assert (turned.wins, turned.losses, turned.difference) == (1, 1, pytest.approx(2 / 3))


def test_without_a_shared_sample_there_is_no_number() -> None:
    told = compare(run_of({"a": 9.0, "b": None}), run_of({"b": 8.0, "c": 1.0}))
    assert (told.num_shared, told.difference, told.low, told.high) == (0, None, None, None)


@pytest.mark.parametrize("values", [{"a": 2.0}, {"a": 3.0, "b": 3.0}])
def test_one_cluster_or_no_variation_gives_no_interval(values: dict[str, float]) -> None:
    told = compare(run_of(values), run_of(dict.fromkeys(values, 1.0)))
    assert told.difference is not None and (told.low, told.high) == (None, None)


def test_with_clusters_of_one_it_is_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).normal(0.4, 2.0, 60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    found = bootstrapped([[value] for value in values])
    assert found == pytest.approx((expected.low, expected.high), abs=0.06)
    assert bootstrapped([[value] for value in values]) == found, "the same runs, the same interval"


def test_edits_of_one_image_that_agree_widen_the_interval() -> None:
    values = np.random.default_rng(3).normal(0, 2, 20)
    together = bootstrapped([[value] * 6 for value in values])
    alone = bootstrapped([[value] for value in values for _ in range(6)])
    assert together is not None and alone is not None
    assert (together[1] - together[0]) / (alone[1] - alone[0]) == pytest.approx(np.sqrt(6), rel=0.15)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        images = chance.normal(0.5, 1.0, 40)
        found = bootstrapped([list(image + chance.normal(0, 0.5, 3)) for image in images])
        hits += found is not None and found[0] <= 0.5 <= found[1]
    assert 180 <= hits <= 198


def test_many_clusters_cost_little_memory() -> None:
    found = bootstrapped([[float(n % 7)] for n in range(50_000)])
    assert found is not None and found[0] < 3.0 < found[1] and found[1] - found[0] < 0.05
