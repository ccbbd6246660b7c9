"""A comparison of two runs is one of the samples that both scored, whatever is missing from either."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from editeval.stats.compare import Covered, Scored, compare
from editeval.types import Metric

SCALE = Metric("overall")

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
    told = compare(first, second, SCALE)
    assert told.num_shared == told.wins == len(left) and told.ties == told.losses == 0
    assert told.difference == (pytest.approx(OFFSET) if left else None)
    assert (told.first.num_samples, told.second.num_samples) == (len(first), len(second))
    assert told.first.num_scored == len(set(values).difference(gone[0], unscored[0]))
    assert left or (told.low, told.high) == (None, None)


def test_wins_ties_losses_and_coverage_are_counted() -> None:
    first = run_of({"a": 9.0, "b": 5.0, "c": 1.0, "d": None, "e": 3.0})
    second = run_of({"a": 8.0, "b": 5.0, "c": 4.0, "d": 2.0, "f": 3.0})
    told = compare(first, second, SCALE)
    assert (told.num_shared, told.wins, told.ties, told.losses) == (3, 1, 1, 1)
    assert told.difference == pytest.approx(-2 / 3)
    assert (told.first, told.second) == (Covered(4, 5), Covered(5, 5))
    turned = compare(second, first, SCALE)
    assert (turned.wins, turned.losses, turned.difference) == (1, 1, pytest.approx(2 / 3))


def test_without_a_shared_sample_there_is_no_number() -> None:
    told = compare(run_of({"a": 9.0, "b": None}), run_of({"b": 8.0, "c": 1.0}), SCALE)
    assert (told.num_shared, told.difference, told.low, told.high) == (0, None, None, None)


@pytest.mark.parametrize(("values", "why"), [({"a": 2.0}, "few_clusters"), ({"a": 3.0, "b": 3.0}, "dominant_cluster")])
def test_one_cluster_or_no_variation_gives_a_reason_instead_of_an_interval(values: dict[str, float], why: str) -> None:
    told = compare(run_of(values), run_of(dict.fromkeys(values, 1.0)), SCALE)
    assert told.difference is not None and (told.low, told.high, told.interval_note) == (None, None, why)


def test_two_runs_that_are_equal_but_for_a_few_samples_get_no_interval() -> None:
    first = run_of({str(n): 9.0 if n < 9 else 5.0 for n in range(60)})
    told = compare(first, run_of({str(n): 5.0 for n in range(60)}), SCALE)
    assert (told.low, told.high, told.interval_note) == (None, None, "few_distinct")


def test_with_clusters_of_one_it_is_scipys_paired_t_interval() -> None:
    from scipy import stats

    chance = np.random.default_rng(1)
    first, second = chance.uniform(0, 10, 40), chance.uniform(0, 10, 40)
    told = compare(*(run_of({str(n): float(x) for n, x in enumerate(values)}) for values in (first, second)), SCALE)
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (told.low, told.high, told.interval_note) == (pytest.approx(expected.low), pytest.approx(expected.high), "")


def test_edits_of_one_image_that_agree_widen_the_interval() -> None:
    from scipy import stats

    values = np.random.default_rng(3).uniform(0, 10, 20)
    zeros: dict[Hashable, Scored] = {(n, k): Scored("", 0.0) for n in range(20) for k in range(6)}
    widths = []
    for name in ("{n}", "{n}:{k}"):
        first = {(n, k): Scored(name.format(n=n, k=k), float(values[n])) for n in range(20) for k in range(6)}
        told = compare(first, zeros, SCALE)  # type: ignore[arg-type]
        assert told.low is not None and told.high is not None
        widths.append(told.high - told.low)
    few, many = (np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1) for n in (20, 120))
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(6) * few / many)


def uneven(chance: np.random.Generator, count: int) -> list[int]:
    return [int(size) for size in chance.geometric(0.3, count)]


NUM_DRAWS = 500
SIZES = {"3": lambda _, count: [3] * count, "5": lambda _, count: [5] * count, "uneven": uneven}


@pytest.mark.parametrize(("count", "sizes"), [(5, "3"), (5, "5"), (12, "3"), (12, "uneven"), (20, "5"), (54, "uneven")])
def test_two_equal_runs_are_told_apart_about_once_in_twenty(count: int, sizes: str) -> None:
    """Scores of which half are 0. A percentile bootstrap is wrong in .15 to .28 of the draws with 5 images.

    The tolerance is four standard errors of this many draws; `bench/interval_coverage.py` takes thousands.
    """
    chance = np.random.default_rng(4)
    num_printed = num_wrong = 0
    while num_printed < NUM_DRAWS:
        drawn = SIZES[sizes](chance, count)
        runs: list[dict[Hashable, Scored]] = [{}, {}]
        for run in runs:
            for image, size in enumerate(drawn):
                values = chance.normal(0, 0.55) + chance.normal(0, 0.84, size)
                run |= {
                    (image, k): Scored(str(image), max(0.0, 4 + 3 * x) if x > 0 else 0.0) for k, x in enumerate(values)
                }
        told = compare(*runs, SCALE)
        if told.low is None or told.high is None:
            assert told.interval_note in ("few_distinct", "dominant_cluster")
            continue
        num_printed += 1
        num_wrong += not told.low <= 0 <= told.high
    assert abs(num_wrong / NUM_DRAWS - 0.05) < 4 * np.sqrt(0.05 * 0.95 / NUM_DRAWS)


def test_where_lower_is_better_the_lower_score_wins() -> None:
    first, second = run_of({"a": 0.1, "b": 0.5, "c": 0.2}), run_of({"a": 0.4, "b": 0.5, "c": 0.3})
    distance = compare(first, second, Metric("lpips", 0.0, None, is_higher_better=False))
    score = compare(first, second, Metric("clip", None, None))
    assert (distance.wins, distance.ties, distance.losses) == (2, 1, 0) == (score.losses, score.ties, score.wins)
    assert distance.difference == score.difference == pytest.approx(-0.4 / 3)
    assert (distance.superiority, score.superiority) == (pytest.approx(2.5 / 3), pytest.approx(0.5 / 3))
    turned = compare(second, first, Metric("lpips", 0.0, None, is_higher_better=False))
    assert (turned.wins, turned.losses) == (0, 2)


def of_seeds(shift: float, num: int, seed: int) -> dict[Hashable, Scored]:
    chance = random.Random(seed)
    return {
        f"s{n}#{k}": Scored(f"s{n}", min(10.0, 3 + n % 5 + shift + chance.random()), sample=f"s{n}", seed_index=k)
        for n in range(40)
        for k in range(1, num + 1)
    }


def test_a_sample_with_several_seeds_is_one_pair_of_means() -> None:
    first, second = of_seeds(0.4, 3, 1), of_seeds(0.0, 3, 2)
    second["s0#2"] = Scored("s0", None, sample="s0", seed_index=2)
    told = compare(first, second, SCALE)
    pairs: dict[str, list[float]] = {}
    for key, one in first.items():
        other = second[key].value
        if one.value is not None and other is not None:
            pairs.setdefault(one.sample, []).append(one.value - other)
    means = [float(np.mean(found)) for found in pairs.values()]
    assert (told.num_shared, told.num_clusters, told.second.num_samples) == (40, 40, 120)
    assert told.difference == pytest.approx(np.mean(means))
    interval = scipy.stats.t.interval(0.95, 39, np.mean(means), scipy.stats.sem(means))
    assert (told.low, told.high) == pytest.approx(interval)
    assert told.wins + told.ties + told.losses == 40 and told.wins == sum(mean > 0 for mean in means)


def test_yes_and_no_of_several_seeds_have_no_test_for_two_values() -> None:
    yes = Metric("m", 0.0, 1.0)
    first, second = (
        {f"s{n}#{k}": Scored(f"s{n}", float((n * k + turn) % 2), sample=f"s{n}") for n in range(30) for k in (1, 2)}
        for turn in (0, 1)
    )
    told = compare(first, second, yes)
    assert told.mcnemar is None and told.p is not None and told.num_shared == 30
