"""Intervals of agreement over clusters, and prediction-powered means: against slow ways that are written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from editeval.stats import agreement
from editeval.stats.prediction_powered import PredictedMean, predicted_mean
from editeval.stats.resampling import MIN_FOR_BOOTSTRAP, NUM_DRAWS, estimate


def scores(images: int, per_image: int = 3) -> tuple[np.ndarray, np.ndarray, list[str]]:
    chance = np.random.default_rng(images)
    shared = np.repeat(chance.normal(0, 1, images), per_image)
    first, second = (shared + chance.normal(0, 1, len(shared)) for _ in range(2))
    return first, second, [f"image{n // per_image}" for n in range(len(shared))]


def test_with_few_clusters_it_is_the_jackknife_on_fishers_scale() -> None:
    first, second, clusters = scores(20)
    found = estimate(lambda at: agreement.spearman(first[at], second[at]), clusters)
    whole = math.atanh(float(stats.spearmanr(first, second)[0]))
    without = []
    for name in sorted(set(clusters)):
        kept = [n for n, one in enumerate(clusters) if one != name]
        without.append(math.atanh(float(stats.spearmanr(first[kept], second[kept])[0])))
    error = math.sqrt(19 / 20 * sum((x - np.mean(without)) ** 2 for x in without))
    ends = [math.tanh(whole + sign * stats.t.ppf(0.975, 19) * error) for sign in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(ends)


def test_with_many_clusters_it_is_the_bootstrap_of_whole_clusters() -> None:
    first, second, clusters = scores(MIN_FOR_BOOTSTRAP)
    found = estimate(lambda at: agreement.spearman(first[at], second[at]), clusters)
    chance, draws = np.random.default_rng(7), []
    for _ in range(NUM_DRAWS):
        names = chance.choice(MIN_FOR_BOOTSTRAP, MIN_FOR_BOOTSTRAP)
        rows = [3 * name + n for name in names for n in range(3)]
        draws.append(stats.spearmanr(first[rows], second[rows])[0])
    assert [found.low, found.high] == pytest.approx(list(np.quantile(draws, [0.025, 0.975])), abs=0.03)
    assert estimate(lambda at: agreement.spearman(first[at], second[at]), clusters) == found  # seeded


def test_what_is_undefined_or_stands_on_few_clusters_has_no_interval() -> None:
    constant = np.ones(60)
    first, _, clusters = scores(20)
    nothing = estimate(lambda at: agreement.spearman(first[at], constant[at]), clusters)
    assert (nothing.value, nothing.low, nothing.high) == (None, None, None)
    first, second, clusters = scores(9)
    few = estimate(lambda at: agreement.spearman(first[at], second[at]), clusters)
    assert few.value is not None and (few.low, few.note) == (None, "few_clusters")
    first, _, clusters = scores(20)
    same = estimate(lambda at: agreement.spearman(first[at], first[at]), clusters)
    assert (same.value, same.low, same.note) == (pytest.approx(1), None, "no_variation")
    one = estimate(lambda at: 1.0, [str(n) for n in range(60)], kind="share")
    assert (one.value, one.low, one.note) == (1.0, None, "no_variation")


def test_a_correlation_of_nearly_1_has_an_interval_that_says_something() -> None:
    first, _, clusters = scores(20)
    second = first.copy()
    second[:2] = second[1::-1]  # one pair changes places: without its image the correlation is 1
    found = estimate(lambda at: agreement.spearman(first[at], second[at]), clusters)
    assert found.value is not None and found.low is not None and 0.5 < found.low < found.value < 1


def test_a_share_of_a_variance_is_jackknifed_on_log_odds_however_many_clusters() -> None:
    values, clusters = np.random.default_rng(4).normal(0, 1, (80, 2)), [f"image{n}" for n in range(80)]

    def share(rows: np.ndarray) -> float:
        return float(rows[:, 0].var() / rows.var(axis=0).sum())

    found = estimate(lambda at: share(values[at]), clusters, kind="share of variance")
    without = [math.log(s / (1 - s)) for n in range(80) if (s := share(np.delete(values, n, axis=0)))]
    error = math.sqrt(79 / 80 * sum((x - np.mean(without)) ** 2 for x in without))
    middle = math.log(share(values) / (1 - share(values)))
    ends = [1 / (1 + math.exp(-middle - sign * stats.t.ppf(0.975, 79) * error)) for sign in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(ends)


def powered(tuning: float, people: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> tuple[float, float]:
    """(mean, variance of it) of PPI++ with this tuning, for independent edits: equation 5 of arXiv 2311.01453."""
    mean = people.mean() + tuning * (unseen.mean() - seen.mean())
    return mean, (people - tuning * seen).var() / len(people) + tuning**2 * unseen.var() / len(unseen)


def edits(rated: int, others: int, closeness: float = 0.8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng([rated, others])
    truth = chance.normal(3, 1, rated)
    seen = 2 * closeness * truth + chance.normal(0, 1, rated)
    return truth, seen, 2 * closeness * chance.normal(3, 1, others) + chance.normal(0, 1, others)


def mean_of(people: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> PredictedMean:
    rated = [(f"r{n}", float(y), float(f)) for n, (y, f) in enumerate(zip(people, seen, strict=True))]
    return predicted_mean(rated, [(f"o{n}", float(f)) for n, f in enumerate(unseen)])


@pytest.mark.parametrize(("rated", "others"), [(25, 200), (100, 50)])
def test_the_prediction_powered_mean_has_the_tuning_of_least_variance(rated: int, others: int) -> None:
    people, seen, unseen = edits(rated, others)
    best = optimize.minimize_scalar(lambda x: powered(x, people, seen, unseen)[1], bounds=(0, 1), method="bounded").x
    found = mean_of(people, seen, unseen)
    assert found.tuning == pytest.approx(best, abs=1e-5)
    assert found.tuning is not None and found.mean is not None and found.high is not None
    mean, variance = powered(found.tuning, people, seen, unseen)
    assert found.mean == pytest.approx(mean, abs=1e-10)
    half = stats.t.ppf(0.975, rated - 2) * math.sqrt(variance * rated / (rated - 1))
    assert found.high - found.mean == pytest.approx(half, rel=1e-10)
    assert found.people_half is not None and half < found.people_half


def test_a_judge_that_knows_nothing_leaves_the_mean_of_the_ratings() -> None:
    people, _, unseen = edits(60, 300)
    found = mean_of(people, -people, unseen - unseen.mean() - people.mean())
    assert (found.tuning, found.mean) == (0.0, pytest.approx(people.mean()))


def test_an_edit_that_is_there_twice_adds_nothing_to_the_mean() -> None:
    people, seen, unseen = edits(30, 100)
    once = mean_of(people, seen, unseen)
    rated = [(f"r{n // 2}", float(people[n // 2]), float(seen[n // 2])) for n in range(60)]
    twice = predicted_mean(rated, [(f"o{n // 2}", float(unseen[n // 2])) for n in range(200)])
    assert [twice.mean, twice.low, twice.high] == pytest.approx([once.mean, once.low, once.high])


def test_ratings_of_chosen_edits_of_few_or_of_all_give_no_mean() -> None:
    people, seen, unseen = edits(60, 300)
    assert mean_of(people, seen + 3, unseen).note == "not_drawn"
    assert mean_of(people[:19], seen[:19], unseen).note == "few_rated"
    everything = mean_of(people, seen, unseen[:0])
    assert (everything.note, everything.mean) == ("no_others", None)
    constant = mean_of(np.ones(60), np.ones(60), np.ones(300))
    assert (constant.note, constant.people, constant.people_half) == ("no_variation", 1.0, None)
