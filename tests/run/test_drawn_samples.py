"""A draw is the same every time, even over the categories, and part of every larger one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from editeval.run.selection import stratified

SAMPLES = st.lists(st.tuples(st.text(max_size=4), st.sampled_from("abc")), max_size=40, unique_by=lambda s: s[0])


@given(SAMPLES, st.integers(0, 45), st.integers(0, 9))
def test_a_draw_is_part_of_every_larger_one_and_does_not_depend_on_the_order(
    samples: list[tuple[str, str]], num: int, seed: int
) -> None:
    drawn = stratified(samples, num, seed)
    assert drawn == sorted(set(drawn)) and len(drawn) == min(num, len(samples))
    assert set(drawn) <= set(stratified(samples, num + 1, seed))
    turned = list(reversed(samples))
    assert {samples[n] for n in drawn} == {turned[n] for n in stratified(turned, num, seed)}


@given(SAMPLES, st.integers(1, 45), st.integers(0, 9))
def test_every_category_gets_its_share_and_one_sample_if_there_is_room(
    samples: list[tuple[str, str]], num: int, seed: int
) -> None:
    sizes = Counter(category for _, category in samples)
    drawn = Counter(samples[n][1] for n in stratified(samples, num, seed))
    if num >= len(sizes):
        assert set(drawn) == set(sizes)
    for category, size in sizes.items():
        share = min(num, len(samples)) * size / len(samples)
        assert abs(drawn[category] - share) <= len(sizes) - 1 + 1e-9


def test_another_seed_draws_other_samples() -> None:
    samples = [(str(n), "a") for n in range(200)]
    draws = [frozenset(stratified(samples, 20, seed)) for seed in range(5)]
    assert len(set(draws)) == 5
    assert all(len(one & other) < 12 for one in draws for other in draws if one != other)
