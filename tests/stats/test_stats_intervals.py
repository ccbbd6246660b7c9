"""Intervals agree with closed forms, with the regression they stand for, and cover what they claim to cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from editeval.stats import intervals
from editeval.stats.summary import summarise


def _clusters(seed: int, sizes: list[int]) -> dict[str, list[float]]:
    chance = np.random.default_rng(seed)
    return {f"c{number}": list(chance.uniform(0, 10, size)) for number, size in enumerate(sizes)}


def _mean(clusters: dict[str, list[float]]) -> float:
    return float(np.mean(np.concatenate(list(clusters.values()))))


def test_with_clusters_of_one_it_is_the_ordinary_t_interval() -> None:
    values = [1.0, 4.0, 4.5, 7.0, 9.5]
    summary = summarise([("a", "", "scored", value) for value in values], "overall")[0]
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (summary.ci_low, summary.ci_high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("sizes", [[3, 3], [1, 2, 5], [4] * 10, [1, 1, 1, 20]])
def test_it_is_the_cluster_robust_error_of_a_regression_on_a_constant(sizes: list[int]) -> None:
    clusters = _clusters(3, sizes)
    values = np.concatenate(list(clusters.values()))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    design = np.ones((len(values), 1))
    bread = np.linalg.inv(design.T @ design)
    residuals = values - design @ (bread @ design.T @ values)
    rows = [design[labels == c].T @ residuals[labels == c] for c in range(len(sizes))]
    meat = sum(np.outer(row, row) for row in rows)
    # statsmodels' corrections: C / (C - 1) * (n - 1) / (n - k), k = 1
    correction = len(sizes) / (len(sizes) - 1)
    expected = math.sqrt((correction * bread @ meat @ bread).item())
    error = intervals.of_mean(clusters, _mean(clusters))
    assert error is not None and error.df == len(sizes) - 1
    assert error.value == pytest.approx(expected, rel=1e-12)
    assert error.half_width == pytest.approx(stats.t.ppf(0.975, error.df) * expected, rel=1e-12)


def test_edits_of_one_image_that_agree_widen_the_interval() -> None:
    together = [("a", f"image{number // 3}", "scored", float(number // 3)) for number in range(30)]
    alone = [("a", "", "scored", value) for *_, value in together]
    with_clusters, without = summarise(together, "m")[0], summarise(alone, "m")[0]
    assert with_clusters.ci_low is not None and without.ci_low is not None
    assert with_clusters.mean == without.mean and with_clusters.ci_low < without.ci_low


def test_macro_of_separate_categories_adds_their_errors() -> None:
    categories = [
        {f"{name}{key}": values for key, values in _clusters(seed, sizes).items()}
        for seed, (name, sizes) in enumerate([("a", [1] * 6), ("b", [2, 3, 4]), ("c", [1] * 15)])
    ]
    means = [_mean(clusters) for clusters in categories]
    parts = [intervals.of_mean(clusters, mean) for clusters, mean in zip(categories, means, strict=True)]
    squares = [(part.value / 3) ** 2 for part in parts if part is not None]
    error = intervals.of_macro_mean(categories, means)
    assert error is not None and error.value == pytest.approx(math.sqrt(sum(squares)), rel=1e-12)
    welch = sum(squares) ** 2 / (squares[0] ** 2 / 5 + squares[1] ** 2 / 2 + squares[2] ** 2 / 14)
    assert error.df == pytest.approx(welch, rel=1e-12)


def test_macro_of_two_categories_is_welchs_interval() -> None:
    one, two = [1.0, 2.0, 5.0, 9.0], [3.0, 3.5, 8.0]
    entries = [(name, "", "scored", value) for name, values in (("a", one), ("b", two)) for value in values]
    macro = summarise(entries, "m")[-2]
    welch = stats.ttest_ind(one, [-value for value in two], equal_var=False).confidence_interval(0.95)
    assert (macro.ci_low, macro.ci_high) == pytest.approx((welch.low / 2, welch.high / 2), abs=1e-12)


def test_macro_of_categories_that_share_images_is_the_weighted_cluster_robust_error() -> None:
    chance = np.random.default_rng(5)
    values = {(category, image): chance.uniform(0, 10, 1 + category) for category in range(3) for image in range(8)}
    categories = [{f"i{i}": list(values[category, i]) for i in range(8)} for category in range(3)]
    means = [_mean(clusters) for clusters in categories]
    totals = [sum((x - means[c]) / (3 * 8 * (1 + c)) for c in range(3) for x in values[c, image]) for image in range(8)]
    error = intervals.of_macro_mean(categories, means)
    assert error is not None and error.df == 7
    assert error.value == pytest.approx(math.sqrt(8 / 7 * sum(total**2 for total in totals)), rel=1e-12)


def test_a_category_of_one_cluster_leaves_macro_without_an_interval() -> None:
    entries = [("a", "", "scored", 1.0), ("a", "", "scored", 3.0), ("b", "", "scored", 5.0)]
    macro = summarise(entries, "m")[-2]
    assert macro.mean == 3.5 and macro.ci_low is None


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    chance, hits, num_draws = np.random.default_rng(11), 0, 400
    for _ in range(num_draws):
        images = chance.normal(5, 1, 20)
        clusters = {f"c{i}": list(image + chance.normal(0, 1, 3)) for i, image in enumerate(images)}
        mean = _mean(clusters)
        error = intervals.of_mean(clusters, mean)
        assert error is not None and error.half_width is not None
        hits += abs(mean - 5) <= error.half_width
    assert 0.92 <= hits / num_draws <= 0.98  # 95 % +- 3 standard errors; without clusters it would be about 0.83
