"""The harness itself: it runs, it is small enough to be run here, and its planted bugs still fit the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos import layer, planted, powercut, storms, suite
from chaos.families import FAMILIES
from chaos.layer import Call

pytestmark = pytest.mark.slow

needs_layer = pytest.mark.skipif(bool(layer.missing()), reason=layer.missing() or "-")


@needs_layer
def test_a_few_faults_of_every_family_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    code = suite.main("smoke", seed=1)
    told = capsys.readouterr().out
    assert code == 0 and "everything held" in told, told


@needs_layer
def test_a_planted_bug_is_caught() -> None:
    bug = planted.Bug(planted.HERE / "planted" / "no-directory-fsync.patch")
    with layer.built() as library:
        assert planted.found_with(bug, library, num=60, seed=1)


@pytest.mark.parametrize("bug", planted.bugs(), ids=lambda bug: bug.name)
def test_every_planted_bug_still_fits_the_source(bug: planted.Bug) -> None:
    """One that does not: apply its idea to the source as it is now, and save the difference."""
    with planted.copy_of_source(bug) as source:
        changed = [path for path in source.rglob("*.py") if path.read_bytes() != _original(path, source)]
    assert changed
    assert FAMILIES[bug.family].num_to_catch


def _original(path: Path, source: Path) -> bytes:
    return (planted.SOURCE / path.relative_to(source)).read_bytes()


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
