"""The harness itself; what it does is run by `make chaos-short`."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos import planted, powercut, storms
from chaos.families import FAMILIES
from chaos.layer import Call


@pytest.mark.parametrize("bug", planted.bugs(), ids=lambda bug: bug.name)
def test_every_planted_bug_still_fits_the_source(bug: planted.Bug) -> None:
    """One that does not: apply its idea to the source as it is now, and save the difference."""
    bug.plant(planted.SOURCE, is_dry=True)
    assert FAMILIES[bug.family].num_to_catch


def test_there_are_twelve_bugs_at_least_and_every_family_that_is_to_catch_one_has_one() -> None:
    assert len(planted.bugs()) >= 12
    assert {bug.family for bug in planted.bugs()} == {name for name, family in FAMILIES.items() if family.num_to_catch}


def _recording() -> powercut.Recording:
    """A file is made, written and renamed; only then its directory is synced."""

    def call(kind: str, path: str, other: str = "", fd: int = -1, data: bytes = b"") -> Call:
        return Call(kind, "", f"/out/{path}".rstrip("/"), f"/out/{other}" if other else "", fd, 0, data)

    calls = [
        call("create", "a.tmp", fd=3),
        call("data", "a.tmp", fd=3, data=b"new" * 500),
        call("fsync", "a.tmp", fd=3),
        call("close", "a.tmp", fd=3),
        call("rename", "a.tmp", "a"),
        call("open", "", fd=3),
        call("fsync", "", fd=3),
        Call("mark", "", "done", "", -1, 0, b""),
    ]
    return powercut.Recording(calls, Path("/out"))


def test_a_power_cut_leaves_what_was_synced_and_nothing_that_is_promised_of_the_rest() -> None:
    recording = _recording()
    last = len(recording.operations) - 1

    def files(at: int, variant: str) -> dict[str, bytes]:
        return recording.disk(powercut.Cut(at, variant, 0)).files

    assert files(last, "lost") == {"a": b"new" * 500}
    assert files(last - 1, "lost") == {}, "nobody synced the directory"
    assert files(last - 1, "kept") == {"a": b"new" * 500}
    assert files(1, "names-kept") == {"a.tmp": b""}, "the name came before the content"
    assert len(files(1, "torn").get("a.tmp", b"")) in (0, 512, 1024, 1500)
    assert recording.disk(powercut.Cut(last, "lost", 0)).acknowledged == {"done"}
    assert recording.disk(powercut.Cut(last - 1, "kept", 0)).acknowledged == set()


def test_a_plan_of_storms_depends_on_its_seed_alone_and_holds_what_was_asked_for() -> None:
    once, again, other = (list(storms.plan(200, seed)) for seed in (1, 1, 2))
    assert once == again != other
    assert sum(storm.num_killings or sum(map(len, storm.fates.values())) for storm in once) >= 200
