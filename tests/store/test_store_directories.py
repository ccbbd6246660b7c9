"""A directory follows from name and identity; a fresh one deletes nothing; what the command line means is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import store_fakes as fakes

from editeval.errors import UserError
from editeval.store.directories import all_runs, find_run, point_latest, resolve_run
from editeval.store.manifest import run_id
from editeval.store.run_store import RunStore

ID = "1a2b3c4d" + "0" * 56


def _make(directory: Path) -> Path:
    with RunStore.open(directory, fakes.manifest()):
        return directory


def test_the_first_directory_is_plain_and_a_fresh_one_counts_on(tmp_path: Path) -> None:
    first = find_run(tmp_path, "demo", ID)
    assert first == tmp_path / "demo-1a2b3c4d" == find_run(tmp_path, "demo", ID, fresh=True)
    first.mkdir()
    assert find_run(tmp_path, "demo", ID) == first
    second = find_run(tmp_path, "demo", ID, fresh=True)
    assert second == tmp_path / "demo-1a2b3c4d-2"
    second.mkdir()
    (tmp_path / "demo-1a2b3c4d-10").mkdir()
    (tmp_path / "demo-1a2b3c4d-old").mkdir()
    (tmp_path / "other-1a2b3c4d-77").mkdir()
    assert find_run(tmp_path, "demo", ID).name == "demo-1a2b3c4d-10"
    assert find_run(tmp_path, "demo", ID, fresh=True).name == "demo-1a2b3c4d-11"


def test_finding_creates_nothing(tmp_path: Path) -> None:
    find_run(tmp_path / "outputs", "demo", ID, fresh=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "...", "x" * 500, "my config (2)", "配置", "-rf", "\0"])
def test_any_configuration_name_gives_one_safe_directory_name(tmp_path: Path, name: str) -> None:
    path = find_run(tmp_path, name, ID)
    assert path.parent == tmp_path and path.name.endswith("-1a2b3c4d")
    assert not path.name.startswith((".", "-")) and len(path.name.encode()) < 255
    path.mkdir()


def test_a_run_is_found_by_path_name_start_id_and_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = _make(tmp_path / "out" / "demo-1a2b3c4d"), _make(tmp_path / "out" / "photos-99887766")
    assert point_latest(two)
    for text in (str(two), two.name, "photos", "9988", "latest"):
        assert resolve_run(text, tmp_path / "out") == two
    monkeypatch.chdir(tmp_path)
    assert resolve_run("out/demo-1a2b3c4d", tmp_path / "out") == one
    assert all_runs(tmp_path / "out") == [one, two]


def test_a_name_that_means_two_runs_or_none_is_refused_with_a_list(tmp_path: Path) -> None:
    _make(tmp_path / "demo-1a2b3c4d"), _make(tmp_path / "demo-1a2b3c4d-2")
    assert resolve_run("demo-1a2b3c4d", tmp_path).name == "demo-1a2b3c4d"
    with pytest.raises(UserError, match=r"means demo-1a2b3c4d, demo-1a2b3c4d-2; write more"):
        resolve_run("demo", tmp_path)
    with pytest.raises(UserError, match="did you mean 'demo-1a2b3c4d'"):
        resolve_run("demo-1a2b3c4e", tmp_path)
    for text in ("", "nothing like it", "latest"):
        with pytest.raises(UserError, match="no run directory of this name"):
            resolve_run(text, tmp_path)
    with pytest.raises(UserError, match="none"):
        resolve_run("demo", tmp_path / "absent")


def test_latest_is_replaced_in_place_and_never_replaces_a_real_directory(tmp_path: Path) -> None:
    one, two = _make(tmp_path / "a-00000001"), _make(tmp_path / "b-00000002")
    assert point_latest(one) and point_latest(two)
    assert (tmp_path / "latest").resolve() == two
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-00000001", "b-00000002", "latest"]
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").mkdir()
    assert not point_latest(one)
    assert not (tmp_path / "latest").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-00000001", "b-00000002", "latest"]


def test_the_run_id_depends_on_every_part_and_on_no_order() -> None:
    known = fakes.manifest()
    assert known.run_id == run_id(known.identity) == run_id(dict(reversed(list(known.identity.items()))))
    others = [
        fakes.manifest(benchmark="c" * 64),
        fakes.manifest(editor="classical"),
        fakes.manifest(params={"steps": 51, "deep": {"a": 1}}),
        fakes.manifest(params={"steps": 50, "deep": {"a": True}}),
        fakes.manifest(params={"steps": "50", "deep": {"a": 1}}),
        fakes.manifest(seed=43),
    ]
    assert len({known.run_id, *(other.run_id for other in others)}) == 1 + len(others)
    with pytest.raises(ValueError, match="JSON"):
        run_id({"x": float("nan")})


def test_a_file_called_latest_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "latest").write_text("notes")
    assert not point_latest(_make(tmp_path / "a"))
    assert (tmp_path / "latest").read_text() == "notes" and not list(tmp_path.glob(".latest*"))
