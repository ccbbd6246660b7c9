"""The repeats of a sample: what they are called, what they share with it, and what selects them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from editeval.images import FileImage
from editeval.run.selection import by_seed, num_distinct, with_repeats
from editeval.types import Sample


def sample(name: str, after: str = "", cluster: str = "") -> Sample:
    return Sample(name, "a", (FileImage(__file__),), f"do {name}", cluster=cluster, after=after)  # type: ignore[arg-type]


def ids(samples: Sequence[Sample]) -> list[str]:
    return [one.id for one in samples]


def test_one_seed_leaves_samples_as_they_are() -> None:
    given = [sample("x"), sample("y#2")]
    assert with_repeats(given, given, 1) == given


def test_repeats_follow_their_sample_and_share_its_cluster() -> None:
    given = [sample("x"), sample("y", cluster="image")]
    found = with_repeats(given, given, 3)
    assert ids(found) == ["x", "x#2", "x#3", "y", "y#2", "y#3"] and num_distinct(found) == 2
    assert [one.cluster for one in found] == ["", "x", "x", "image", "image", "image"]
    assert [one.repeat_of for one in found] == ["", "x", "x", "", "y", "y"]
    assert [ids(part) for part in by_seed(found)] == [["x", "y"], ["x#2", "y#2"], ["x#3", "y#3"]]


def test_more_seeds_leave_the_ids_of_fewer_as_they_are() -> None:
    everything = [sample("x"), sample("y#7")]
    two, nine = (with_repeats(everything, everything, num) for num in (2, 9))
    assert set(ids(two)) < set(ids(nine)) and len(set(ids(nine))) == 18


def test_an_id_that_ends_like_a_repeat_never_is_one() -> None:
    everything = [sample(name) for name in ("x", "x#2", "x##3", "x#", "y#2")]
    found = with_repeats(everything[:1], everything, 3)
    assert ids(found) == ["x", "x###2", "x###3"]
    whole = ids(with_repeats(everything, everything, 3))
    assert len(set(whole)) == len(whole)


def test_a_chain_stays_inside_its_seed() -> None:
    given = [sample("x"), sample("x-2", after="x"), sample("x-3", after="x-2")]
    found = {one.id: one.after for one in with_repeats(given, given, 2)}
    assert found == {"x": "", "x#2": "", "x-2": "x", "x-2#2": "x#2", "x-3": "x-2", "x-3#2": "x-2#2"}


def test_a_benchmark_that_has_the_repeats_says_what_they_are_called() -> None:
    known = [sample("x"), replace(sample("x###2"), repeat_of="x", seed_index=2)]
    assert ids(with_repeats(known, known, 3)) == ["x", "x###2", "x#3"]
