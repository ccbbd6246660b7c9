"""Several checkpoints on the same samples: intervals that hold although the best was chosen in the same data."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pytest
from scipy import stats

from editeval.stats.checkpoints import ALPHA, is_worse, standings
from editeval.stats.compare import Scored
from editeval.types import Metric

SCALE = Metric("overall")


def scores(values: np.ndarray) -> dict[Hashable, Scored]:
    return {n: Scored(str(n), float(value)) for n, value in enumerate(values)}


def drawn(chance: np.random.Generator, means: list[float], count: int = 60) -> list[dict[Hashable, Scored]]:
    """Scores that share half of their variance over the checkpoints."""
    shared = chance.normal(0, 0.5, count)
    return [scores(np.clip(mean + shared + chance.normal(0, 0.5, count), 0, 10)) for mean in means]


def test_two_checkpoints_have_the_intervals_of_a_paired_t_test() -> None:
    one, other = drawn(np.random.default_rng(0), [5.0, 5.6])
    first, second = standings([one, other], SCALE)
    differences = [other[key].value - one[key].value for key in one]  # type: ignore[operator]
    wanted = stats.ttest_1samp(differences, 0).confidence_interval(1 - ALPHA)
    assert (second.first_low, second.first_high) == (pytest.approx(wanted.low), pytest.approx(wanted.high))
    assert (second.best_low, second.best_high) == (pytest.approx(wanted.low), pytest.approx(wanted.high))
    assert (first.best_low, first.best_high) == (pytest.approx(-wanted.high), pytest.approx(-wanted.low))
    assert second.may_be_best and not first.may_be_best and first.to_first is None


@pytest.mark.parametrize("means", [[5.0] * 6, [5.0, 5.2, 5.4, 5.4, 5.3, 4.0]])
def test_intervals_against_the_best_hold_together_in_95_percent_although_the_best_is_chosen(means: list[float]) -> None:
    chance, num = np.random.default_rng(1), 200
    truth = [mean - max(other for j, other in enumerate(means) if j != i) for i, mean in enumerate(means)]
    wrong = 0
    for _ in range(num):
        found = standings(drawn(chance, means), SCALE)
        inside = [
            one.best_low is not None and one.best_high is not None and one.best_low <= true <= one.best_high
            for one, true in zip(found, truth, strict=True)
        ]
        wrong += not (all(inside) and found[int(np.argmax(means))].may_be_best)
    assert wrong <= num * ALPHA + 3 * np.sqrt(num * ALPHA)


def test_where_lower_is_better_the_lowest_is_the_best() -> None:
    models = drawn(np.random.default_rng(2), [5.0, 4.0, 6.0])
    found = standings(models, Metric("error", is_higher_better=False))
    assert [one.may_be_best for one in found] == [False, True, False]
    assert found[2].to_best is not None and found[2].to_best > 1.5 and found[1].to_best < -0.5  # type: ignore[operator]
    assert all(one.best_low <= one.to_best <= one.best_high for one in found)  # type: ignore[operator]


def test_one_checkpoint_or_equal_ones_have_no_interval_and_may_be_best() -> None:
    (alone,) = standings(drawn(np.random.default_rng(3), [5.0]), SCALE)
    assert alone.may_be_best and alone.to_first is None and alone.to_best is None
    same = drawn(np.random.default_rng(3), [5.0])[0]
    found = standings([same, same, {}], SCALE)
    assert [one.first_low for one in found] == [None] * 3 and all(one.may_be_best for one in found)
    assert found[1].to_first == 0.0 and found[2].mean is None and found[2].to_best is None and found[1].note


def test_a_checkpoint_no_worse_than_the_margin_is_stopped_in_5_percent_over_all_looks() -> None:
    chance, num, looks = np.random.default_rng(4), 400, (20, 40, 80)
    stopped = {"at the margin": 0, "worse": 0}
    for _ in range(num):
        rival = np.round(chance.normal(6, 1, looks[-1]))
        for name, lead in (("at the margin", 0.2), ("worse", 1.0)):
            model = rival - lead + chance.normal(0, 0.8, looks[-1])
            stopped[name] += any(
                is_worse(scores(model[:n]), scores(rival[:n]), SCALE, 0.2, ALPHA / len(looks)) for n in looks
            )
    assert stopped["at the margin"] <= num * ALPHA + 3 * np.sqrt(num * ALPHA)
    assert stopped["worse"] > 0.95 * num


def test_samples_of_one_source_image_count_as_one_image() -> None:
    chance = np.random.default_rng(5)
    few = {(n, k): Scored(str(n % 4), float(chance.normal(2, 0.5))) for n in range(12) for k in range(5)}
    rival = {key: Scored(one.cluster, 6.0) for key, one in few.items()}
    assert not is_worse(few, rival, SCALE, 0.1, ALPHA)
    apart = {key: Scored(str(key), one.value) for key, one in few.items()}
    assert is_worse(apart, {key: Scored(str(key), 6.0) for key in few}, SCALE, 0.1, ALPHA)


def test_where_all_differences_are_the_same_the_exact_limit_decides() -> None:
    same, better = np.full(40, 3.0), np.full(40, 9.0)
    assert is_worse(scores(same), scores(better), SCALE, 0.1, ALPHA)
    assert not is_worse(scores(same), scores(np.full(40, 3.5)), SCALE, 0.1, ALPHA), "one of 40 may lose the whole scale"
    assert not is_worse(scores(same), scores(better), Metric("reward", None, None), 0.1, ALPHA)
    assert not is_worse({}, scores(same), SCALE, 0.1, ALPHA) and not is_worse({}, {}, SCALE, 0.1, ALPHA)
