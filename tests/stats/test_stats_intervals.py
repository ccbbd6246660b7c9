"""Intervals agree with closed forms, with the regression they stand for, and cover what they claim to cover."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from editeval.stats import intervals
from editeval.stats.summary import summarise


def _clusters(seed: int, sizes: list[int]) -> dict[str, list[float]]:
    chance = np.random.default_rng(seed)
    return {f"c{number}": list(chance.uniform(0, 10, size)) for number, size in enumerate(sizes)}


def _mean(clusters: dict[str, list[float]]) -> float:
    return float(np.mean(np.concatenate(list(clusters.values()))))


def test_with_clusters_of_one_it_is_the_ordinary_t_interval() -> None:
    from scipy import stats

    values = [1.0, 4.0, 4.5, 7.0, 9.5, 3.0, 2.0, 6.5, 8.0, 5.0, 5.5]
    summary = summarise([("a", "", "scored", value) for value in values], "overall")[0]
    expected = stats.t.interval(0.95, 10, np.mean(values), stats.sem(values))
    assert (summary.ci_low, summary.ci_high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("sizes", [[3, 3], [1, 2, 5], [4] * 10, [1, 1, 1, 20]])
def test_it_is_the_cluster_robust_error_of_a_regression_on_a_constant(sizes: list[int]) -> None:
    from scipy import stats

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
    assert error is not None
    assert error.value == pytest.approx(expected, rel=1e-12)
    assert error.half_width == pytest.approx(stats.t.ppf(0.975, error.df) * expected, rel=1e-12)


def _variances(sizes: list[int]) -> np.ndarray:
    """Of the means of clusters whose values have variance 1 and correlate by 0.3."""
    return np.array([0.3 + 0.7 / size for size in sizes])


@pytest.mark.parametrize("sizes", [[3, 3], [1, 2, 5], [4] * 10, [1, 1, 1, 20], [1] * 7, [1, 2, 3, 5, 8, 13, 2, 2]])
def test_degrees_of_freedom_are_satterthwaites_of_the_sum_of_squared_residuals(sizes: list[int]) -> None:
    weights = np.array(sizes) / sum(sizes)
    residuals = np.diag(weights) @ (np.eye(len(sizes)) - np.outer(np.ones(len(sizes)), weights))
    covariance = residuals @ np.diag(_variances(sizes)) @ residuals.T
    expected = np.trace(covariance) ** 2 / np.trace(covariance @ covariance)
    clusters = _clusters(1, sizes)
    error = intervals.of_mean(clusters, _mean(clusters))
    assert error is not None and error.df == pytest.approx(expected, rel=1e-9)
    assert (error.df == len(sizes) - 1) == (len(set(sizes)) == 1)


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
    dfs = [part.df for part in parts if part is not None]
    welch = sum(squares) ** 2 / sum(square**2 / df for square, df in zip(squares, dfs, strict=True))
    alike = [1 / 6, sum((size / 9) ** 2 * v for size, v in zip((2, 3, 4), _variances([2, 3, 4]), strict=True)), 1 / 15]
    if_alike = sum(alike) ** 2 / sum(part**2 / df for part, df in zip(alike, dfs, strict=True))
    assert error.df == pytest.approx(min(welch, if_alike), rel=1e-9)


def test_macro_of_two_categories_of_one_size_and_spread_is_welchs_interval() -> None:
    from scipy import stats

    one, two = [1.0, 2.0, 5.0, 9.0, 4.5, 7.5, 6.0], [9.5, 8.5, 5.5, 1.5, 6.0, 3.0, 4.5]  # two = 10.5 - one
    entries = [(name, "", "scored", value) for name, values in (("a", one), ("b", two)) for value in values]
    macro = summarise(entries, "m")[-2]
    welch = stats.ttest_ind(one, [-value for value in two], equal_var=False).confidence_interval(0.95)
    assert (macro.ci_low, macro.ci_high) == pytest.approx((welch.low / 2, welch.high / 2), abs=1e-9)


def test_macro_adds_up_what_a_shared_image_does_in_every_category_before_squaring() -> None:
    """Two images of the second category are images of the first; a value weighs 1 / (2 n of its category)."""
    chance = np.random.default_rng(6)
    first = {f"i{n}": [float(x)] for n, x in enumerate(chance.uniform(0, 10, 7))}
    second = {name: [float(chance.uniform(0, 10))] for name in ("i0", "i3", "own1", "own2")}
    totals: dict[str, float] = {}
    for clusters in (first, second):
        count, mean = len(clusters), _mean(clusters)
        for name, (value,) in clusters.items():
            totals[name] = totals.get(name, 0) + (value - mean) / (2 * count) * math.sqrt(count / (count - 1))
    error = intervals.of_macro_mean([first, second], [_mean(first), _mean(second)])
    assert error is not None and error.value == pytest.approx(math.sqrt(sum(t * t for t in totals.values())), rel=1e-12)


def test_macro_of_categories_that_share_images_is_the_weighted_cluster_robust_error() -> None:
    chance = np.random.default_rng(5)
    values = {(category, image): chance.uniform(0, 10, 1 + category) for category in range(3) for image in range(8)}
    categories = [{f"i{i}": list(values[category, i]) for i in range(8)} for category in range(3)]
    means = [_mean(clusters) for clusters in categories]
    totals = [sum((x - means[c]) / (3 * 8 * (1 + c)) for c in range(3) for x in values[c, image]) for image in range(8)]
    error = intervals.of_macro_mean(categories, means)
    assert error is not None and error.df == 7
    assert error.value == pytest.approx(math.sqrt(8 / 7 * sum(total**2 for total in totals)), rel=1e-12)


def test_many_skewed_scores_lengthen_the_interval_in_the_long_tail() -> None:
    from scipy import stats

    values = [10.0] * 75 + [float(x) for x in np.random.default_rng(8).uniform(0, 9, 25)]
    micro = summarise([("a", "", "scored", value) for value in values], "m")[-1]
    t, error = stats.t.ppf(0.975, 99), stats.sem(values)
    skew = stats.skew(values)
    assert skew < -1
    shift = skew / (6 * 10) * (1 + 2 * t * t) * error  # Johnson 1978
    expected = np.mean(values) + shift - t * error, np.mean(values) + t * error
    assert (micro.ci_low, micro.ci_high) == pytest.approx(expected, rel=1e-9)


def spread(num: int) -> list[float]:
    """`num` values no two of which are near one another."""
    return [10 * (n + 0.5) / num for n in range(num)]


NOTES = {
    "ten values beside the most frequent one": ([("a", "", x) for x in [5.0] * 50 + spread(10)], ""),
    "nine values beside the most frequent one": ([("a", "", x) for x in [5.0] * 50 + spread(9)], "few_distinct"),
    "nine values, and fifty that all but agree": (
        [("a", "", x) for x in [9.9 + n / 1000 for n in range(50)] + spread(9)],
        "few_distinct",
    ),
    "all equal": ([("a", "", 7.0)] * 60, "few_distinct"),
    "five clusters of equal size": ([("a", str(n % 5), x) for n, x in enumerate(spread(15))], ""),
    "five clusters, one of them larger": ([("a", str(n % 5), x) for n, x in enumerate(spread(16))], "dominant_cluster"),
    "one cluster": ([("a", "image", x) for x in spread(30)], "few_clusters"),
    "clusters with equal means": ([("a", str(n // 2), 1.0 + 8 * (n % 2)) for n in range(40)], "no_variation"),
}


@pytest.mark.parametrize("case", NOTES)
def test_where_an_interval_would_be_too_narrow_there_is_a_word_instead(case: str) -> None:
    entries, why = NOTES[case]
    category, macro, micro = summarise([(c, g, "scored", x) for c, g, x in entries], "m")
    for summary in (category, macro, micro):
        assert summary.interval_note == why, summary.category
        assert (summary.ci_low is None) == (summary.ci_high is None) == bool(why)


@pytest.mark.parametrize("num_small", [1, 2, 3])
@pytest.mark.parametrize("is_shared", [True, False])
def test_a_macro_mean_needs_three_images_in_every_category(num_small: int, is_shared: bool) -> None:
    large = [("large", f"image{n}", x) for n, x in enumerate(spread(54))]
    small = [("small", f"image{n if is_shared else n + 60}", x) for n, x in enumerate(spread(num_small))]
    others = [(f"other{k}", f"{k}:{n}", x) for k in range(3) for n, x in enumerate(spread(54))]
    summaries = {s.category: s for s in summarise([(*e[:2], "scored", e[2]) for e in large + small + others], "m")}
    assert summaries["macro"].interval_note == ("few_clusters" if num_small < 3 else "")
    assert summaries["micro"].interval_note == "" and summaries["micro"].ci_low is not None


def coverage(draw: Callable[[np.random.Generator], list[tuple[str, str, float]]], row: str, truth: float) -> float:
    """Of the printed intervals of 400 draws; every draw prints one, for half of them at least."""
    chance, printed, hits = np.random.default_rng(11), 0, 0
    for _ in range(400):
        summaries = summarise([(c, g, "scored", x) for c, g, x in draw(chance)], "m")
        found = next(s for s in summaries if s.category == row)
        if found.ci_low is not None and found.ci_high is not None:
            printed += 1
            hits += found.ci_low <= truth <= found.ci_high
    assert printed >= 200
    return hits / printed


def saturated(chance: np.random.Generator) -> list[tuple[str, str, float]]:
    return [("a", "", 10.0 if chance.random() < 0.93 else chance.uniform(0, 9)) for _ in range(270)]


def uneven(chance: np.random.Generator) -> list[tuple[str, str, float]]:
    sizes, images = chance.geometric(0.3, 20), chance.normal(5, 0.7, 20)
    return [("a", str(n), x) for n, size in enumerate(sizes) for x in images[n] + chance.normal(0, 0.7, size)]


def few_shared(chance: np.random.Generator) -> list[tuple[str, str, float]]:
    images = chance.normal(5, 0.7, 30)
    sizes = (30, 30, 30, 3)
    return [(str(c), str(n), images[n] + chance.normal(0, 0.7)) for c, size in enumerate(sizes) for n in range(size)]


@pytest.mark.parametrize(
    ("draw", "row", "truth"), [(saturated, "micro", 9.615), (uneven, "micro", 5.0), (few_shared, "macro", 5.0)]
)
def test_intervals_that_are_printed_cover_the_truth(
    draw: Callable[[np.random.Generator], list[tuple[str, str, float]]], row: str, truth: float
) -> None:
    """.95 less four standard errors; `bench/interval_coverage.py` takes thousands of draws."""
    assert coverage(draw, row, truth) >= 0.95 - 4 * math.sqrt(0.95 * 0.05 / 400)


def test_a_category_of_one_cluster_leaves_macro_without_an_interval() -> None:
    entries = [("a", "", "scored", 1.0), ("a", "", "scored", 3.0), ("b", "", "scored", 5.0)]
    macro = summarise(entries, "m")[-2]
    assert macro.mean == 3.5 and macro.ci_low is None and macro.interval_note == "few_clusters"


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    chance, hits, num_draws = np.random.default_rng(11), 0, 400
    for _ in range(num_draws):
        images = chance.normal(5, 1, 20)
        clusters = {f"c{i}": list(image + chance.normal(0, 1, 3)) for i, image in enumerate(images)}
        mean = _mean(clusters)
        error = intervals.of_mean(clusters, mean)
        assert error is not None
        hits += abs(mean - 5) <= error.half_width
    assert 0.92 <= hits / num_draws <= 0.98  # 95 % +- 3 standard errors; without clusters it would be about 0.83
