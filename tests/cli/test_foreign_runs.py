"""A run directory from somebody else: looking at it runs nothing, and working on it needs consent to what runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import cli
from editeval.store import seal

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: simulated, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a finished run, `outputs/small-...`, and a program that leaves `ran` when it is started."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    done = cli("run", "small.yaml", "--limit", "3", cwd=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    program.chmod(0o755)
    return tmp_path


def change(folder: Path, **settings: Any) -> None:
    """Keys of the manifest's configuration, with __ for a dot, as somebody with an editor changes them."""
    (path,) = folder.glob("outputs/small-*/manifest.json")
    content = json.loads(path.read_bytes())
    for key, value in settings.items():
        *above, last = key.split("__")
        place = content["config"]
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    path.write_text(json.dumps(content), encoding="utf-8")


def hostile(folder: Path) -> None:
    execution = {"python": str(folder / "python"), "backend": "process"}
    change(folder, diffusion_model__execution=execution, reward_model__execution=execution)
    change(folder, logging__log_file=str(folder / "victim.log"), evaluation__output_dir=str(folder / "elsewhere"))


def test_looking_at_a_strangers_run_runs_nothing_and_writes_nothing_elsewhere(folder: Path) -> None:
    hostile(folder)
    for command in (["report"], ["verify"], ["status"], ["show", "latest", "*"], ["export", "--to", "md"]):
        done = cli(*command, cwd=folder)
        assert done.returncode in (0, 3), done.stderr
    assert not (folder / "ran").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["config", "outputs", "python", "small.yaml"]


@pytest.mark.parametrize("command", [["retry"], ["score", "latest"]])
def test_working_on_a_strangers_run_starts_its_programs_only_with_consent(folder: Path, command: list[str]) -> None:
    hostile(folder)
    done = cli(*command, cwd=folder)
    assert done.returncode == 2 and "--allow-code" in done.stderr and "execution.python" in done.stderr, done.stderr
    assert not (folder / "ran").exists() and "Traceback" not in done.stderr
    cli(*command, "--allow-code", cwd=folder)
    assert not (folder / "victim.log").exists() and not (folder / "elsewhere").exists()


def test_with_consent_a_strangers_settings_are_used(folder: Path) -> None:
    hostile(folder)
    (edit,) = list(folder.glob("outputs/small-*/edits/*.png"))[:1]
    edit.unlink()
    assert cli("verify", "latest", "--repair", cwd=folder).returncode in (0, 3)
    assert cli("retry", "--allow-code", cwd=folder).returncode != 0
    assert (folder / "ran").exists()


def test_ones_own_run_goes_on_as_it_was_begun_and_an_old_one_says_what_to_type(folder: Path) -> None:
    change(folder)  # nothing but its layout: the seal is of the values
    assert cli("retry", cwd=folder).returncode in (0, 3)
    (path,) = folder.glob("outputs/small-*/manifest.json")
    content = json.loads(path.read_bytes())
    del content["seal"]
    path.write_text(json.dumps(content))
    done = cli("retry", cwd=folder)
    assert done.returncode in (0, 3), "nothing in it executes anything"
    assert seal.key_file().is_relative_to(folder / "config")
