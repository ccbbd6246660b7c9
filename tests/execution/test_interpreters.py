"""Workers in other interpreters: looked at before they are used, built once, named by content."""

from __future__ import annotations

import json
import os
import site
import sys
import venv
from pathlib import Path

import pytest

from editeval.errors import MachineError
from editeval.machine import interpreters


def make_interpreter(folder: Path, *more: Path) -> str:
    """A virtual environment that sees the packages of this one, after those in `more`."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    lines = [*map(str, more), *site.getsitepackages(), *(p for p in sys.path if p.endswith("site-packages"))]
    (packages / "more.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder / "bin" / "python")


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_an_interpreter_tells_its_versions(tmp_path: Path) -> None:
    python = make_interpreter(tmp_path / "env")
    found = interpreters.inspect("here", python, ["pillow", "no-such-package"])
    assert found.path == python and found.versions["python"].startswith("3.")
    assert {"numpy", "pillow"} < set(found.versions) and "no-such-package" not in found.versions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exit 3", "is no working Python: exit code 3"),
        ("echo oops >&2; exit 1", "is no working Python: oops"),
        ("echo hello", "is no working Python: it does not say its version"),
        ("""echo '{"python": "3.10.4", "numpy": "2", "pillow": "12"}'""", "is Python 3.10.4, and workers need 3.11"),
        ("""echo '{"python": "3.12.0", "numpy": "2"}'""", "lacks pillow, which workers need; "),
    ],
)
def test_what_cannot_serve_is_one_line_with_the_reason(tmp_path: Path, text: str, expected: str) -> None:
    python = script(tmp_path / "python", text)
    with pytest.raises(MachineError) as caught:
        interpreters.inspect("reward_model.execution.python", python)
    assert str(caught.value).startswith("reward_model.execution.python: ") and expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="No such file or directory; name another interpreter"):
        interpreters.inspect("x", str(tmp_path / "nothing"))


def test_names_are_looked_up_and_links_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = script(tmp_path / "some-python", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert interpreters.resolved("some-python") == python
    link = tmp_path / "link"
    link.symlink_to(sys.executable)
    assert interpreters.resolved(str(link)) == str(link)


def test_an_environment_is_named_by_its_content_alone(tmp_path: Path) -> None:
    one = interpreters.path_of(["b==1", " a "], tmp_path)
    assert one == interpreters.path_of(["a", "b==1"], tmp_path) != interpreters.path_of(["a", "b==2"], tmp_path)
    assert one.parent == tmp_path and len(one.name) == 16


def fake_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, install: str) -> Path:
    """A `uv` on PATH that notes how it is called; its environments are links to this interpreter."""
    calls = folder / "calls"
    make = f'for last; do :; done; mkdir -p "$last/bin" && ln -s {sys.executable} "$last/bin/python"'
    folder.mkdir()
    script(folder / "uv", f'echo "$@" >> {calls}\nif [ "$1" = venv ]; then {make}; else {install}; fi')
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return calls


def test_an_environment_is_built_once_with_what_workers_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_uv(tmp_path / "bin", monkeypatch, "exit 0")
    cache = tmp_path / "cache"
    assert interpreters.known(cache) == []
    first = interpreters.build("here", ["x==1"], cache)
    again = interpreters.build("here", ["x==1"], cache)
    assert first == again and interpreters.known(cache) == [first] and interpreters.is_built(["x==1"], cache)
    assert first.requirements == ("x==1",) and Path(first.python).exists()
    lines = calls.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 and lines[1].endswith("x==1 numpy pillow")


def test_an_environment_that_was_cut_short_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_uv(tmp_path / "bin", monkeypatch, "exit 0")
    built = interpreters.build("here", ["x"], tmp_path / "cache")
    (built.path / interpreters.MARK).write_text('{"requirements": [')
    (built.path / "half").touch()
    assert not interpreters.is_built(["x"], tmp_path / "cache")
    assert interpreters.build("here", ["x"], tmp_path / "cache").is_complete
    assert not (built.path / "half").exists() and len(calls.read_text(encoding="utf-8").splitlines()) == 4


def test_what_cannot_be_installed_is_one_line_and_leaves_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(tmp_path / "bin", monkeypatch, "echo no such package: x >&2; exit 1")
    with pytest.raises(
        MachineError, match=r"^here: the environment cannot be built: no such package: x; change the requirements$"
    ):
        interpreters.build("here", ["x"], tmp_path / "cache")
    assert not interpreters.is_built(["x"], tmp_path / "cache")


def test_without_uv_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MachineError, match="needs uv; pip install uv"):
        interpreters.build("here", ["x"], tmp_path / "cache")


def test_the_probe_is_plain_json(tmp_path: Path) -> None:
    versions = interpreters.inspect("here", make_interpreter(tmp_path / "env")).versions
    assert json.loads(json.dumps(versions)) == versions


def test_looking_at_an_interpreter_runs_nothing_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken for a library')\n")
    monkeypatch.chdir(tmp_path)
    assert interpreters.inspect("here", sys.executable).versions["python"].startswith("3.")
