"""A run as an experiment of trackio, wandb, mlflow or swanlab: what they get, and that their failures harm nothing."""

from __future__ import annotations

import importlib
import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tracking_fakes import Calls, fake

from command_line import cli
from editeval.config.schema import Tracking
from editeval.config.trackers import with_flags
from editeval.display.observer import Observer, RequestCompleted, RunFacts
from editeval.errors import ConfigError
from editeval.trackers import tracking
from editeval.trackers.tracking import Ending, TrackedRun, tracked

SERVICES = ("trackio", "wandb", "mlflow", "swanlab")
YAML = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model: {type: identity, execution: {backend: inprocess}}
reward_model: {type: reference, execution: {backend: inprocess}}
"""


def run(folder: Path, *flags: str, yaml: str = YAML) -> tuple[int, str]:
    (folder / "c.yaml").write_text(yaml, encoding="utf-8")
    done = cli("run", "c.yaml", "--display", "json", *flags, cwd=folder)
    assert all(json.loads(line) for line in done.stdout.splitlines()), "stdout is for events"
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_settings_progress_means_and_pictures_and_goes_on_with_the_same_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Calls = []
    monkeypatch.setitem(sys.modules, name, fake(name, calls))
    assert run(tmp_path, "--track", f"{name}:mine")[0] == 0
    (begun,) = [what for word, what in calls if word == "init"]
    assert begun["project"] == "mine" and begun["config"]["diffusion_model.type"] == "identity"
    told = {key: value for word, what in calls if word in ("log", "summary") for key, value in what.items()}
    assert told["edit/done"] == 10 and told["judge reference/running_mean"] == 0
    assert told["overall/macro/mean"] == 0 and told["overall/macro/coverage"] == 1 and told["samples"]
    assert [word for word, _ in calls][-1] == "finish"
    first = len(calls)
    assert run(tmp_path, "--track", f"{name}:mine")[0] == 0
    again = [what for word, what in calls[first:] if word in ("init", "resumed")]
    assert again == ["r1"] if name == "mlflow" else again[0]["id"] == begun["id"]


def test_the_section_of_a_file_and_the_flag_are_both_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, Calls] = {"wandb": [], "trackio": []}
    for name, heard in calls.items():
        monkeypatch.setitem(sys.modules, name, fake(name, heard))
    text = YAML + "tracking: {type: wandb, project: mine, offline: true}\n"
    assert run(tmp_path, "--track", "trackio", yaml=text)[0] == 0
    assert calls["wandb"][0][1]["mode"] == "offline" and calls["trackio"][0][1]["project"] == "editeval"


def test_each_value_of_a_sweep_is_a_run_of_the_service_that_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Calls = []
    monkeypatch.setitem(sys.modules, "wandb", fake("wandb", calls))
    (tmp_path / "c.yaml").write_text(f"{YAML}tracking: {{type: wandb, project: mine}}\n", encoding="utf-8")
    done = cli("sweep", "c.yaml", "--json", "--set-each", "diffusion_model.params.seed=1,2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len({what["id"] for word, what in calls if word == "init"}) == 2
    assert sum("overall/macro/mean" in what for word, what in calls if word == "summary") == 2
    assert {what for word, what in calls if word == "finish"} == {None}, "none is called failed"


def test_a_flag_for_the_service_of_the_file_changes_its_project_and_keeps_its_host() -> None:
    own = Tracking("wandb", "mine", "https://wandb.example.org")
    assert with_flags([own], ["wandb:other"]) == (replace(own, project="other"),)
    assert with_flags([own], ["wandb", "trackio"]) == (own, Tracking("trackio"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["wandb:a", "wandb:b"], "--track: wandb is named twice"),
        (["wandb:"], "--track: 'wandb:' has no project after the colon; write wandb, or wandb:my-project"),
    ],
)
def test_a_service_named_twice_and_an_empty_project_are_refused(flags: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        with_flags([], flags)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tracking: {type: wandbb}", "tracking.type: must be "),
        ("tracking: {type: wandb, projct: a}", "tracking.projct: unknown key; did you mean 'project'?"),
        ("tracking: {project: a}", "tracking.type: missing; it has no default"),
        ("tracking: wandb", "tracking: must be a mapping, got 'wandb'"),
        ("tracking: {type: swanlab, host: 'https://a.b'}", "tracking.host: swanlab takes its server from its own"),
        ("tracking: {type: trackio, host: 'https://a.b'}", "tracking.host: must be a Space, owner/name"),
        ("tracking: {type: wandb, host: evil}", "tracking.host: "),
        ("tracking: {type: wandb, host: 'http://a.b'}", "tracking.host: http://a.b would get the key of wandb unencry"),
        ("tracking: {type: wandb, project: ''}", "tracking.project: must not be empty"),
    ],
)
def test_what_is_wrong_with_the_section_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    code, said = run(tmp_path, "--allow-code", yaml=YAML + text + "\n")
    assert code == 2 and words in said and said.count("\n") == 1


def test_a_library_that_is_not_there_and_an_unknown_service_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    assert run(tmp_path, "--track", "wandb") == (
        2,
        "editeval: tracking: wandb is not installed here: pip install wandb\n",
    )
    code, said = run(tmp_path, "--track", "wandbb:x")
    assert code == 2 and "--track: must be " in said and "did you mean wandb?" in said
    assert not (tmp_path / "outputs").exists()


def test_another_host_in_a_file_needs_consent_and_one_of_this_machine_does_not(tmp_path: Path) -> None:
    code, said = run(tmp_path, yaml=YAML + "tracking: {type: wandb, host: 'https://wandb.evil.org'}\n")
    assert code == 2 and "sends settings, scores and pictures, and your key of wandb, to https://wandb.evil" in said
    for text in ("host: 'http://localhost:8080'", "host: 'http://[::1]:8080'", "offline: true"):
        (tmp_path / "c.yaml").write_text(YAML + f"tracking: {{type: wandb, {text}}}\n", encoding="utf-8")
        assert cli("check", "c.yaml", cwd=tmp_path).returncode == 0


class Recording:
    """A service that fails, waits or does as it is told."""

    def __init__(self, fails_in: str = "", holds: threading.Event | None = None) -> None:
        self.fails_in, self.holds, self.calls = fails_in, holds, list[str]()

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.holds is not None:
            self.holds.wait(30)
        if name == self.fails_in:
            raise RuntimeError(f"no\nnetwork in {name}")

    def begin(self, run: TrackedRun) -> None:
        self._called("begin")

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._called("log")

    def end(self, ending: Ending | None) -> None:
        self._called("end")


def work(service: Recording) -> list[str]:
    """What the inner observer heard of a run with that service."""
    heard: list[str] = []

    class Inner(Observer):
        def settled(self, stage: str, settled: RequestCompleted) -> None:
            heard.append(settled.key)

    how = Tracking("wandb")
    about = TrackedRun("id", "name", Path(), {}, how)
    with tracked(Inner(), [how], lambda _: about, lambda _: service) as observer:
        observer.run_began(RunFacts("a", "b", 2, ()))
        for key in ("x", "y"):
            observer.settled("edit", RequestCompleted(key, 0, 1.0, scores=((key, key, 4.0),)))
    return heard


@pytest.mark.parametrize("fails_in", ["begin", "log", "end"])
def test_a_service_that_fails_is_one_warning_and_the_run_goes_on(
    fails_in: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "editeval"):
        assert work(Recording(fails_in)) == ["x", "y"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("tracking: wandb: RuntimeError: no") and "\n" not in line


def test_a_service_that_hangs_is_left_alone(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PATIENCE_S", 0.05)
    holds = threading.Event()
    with caplog.at_level(logging.WARNING, "editeval"):
        assert work(Recording(holds=holds)) == ["x", "y"]
    holds.set()
    assert "is still sending" in caplog.text


def test_what_two_services_print_and_ask_leaves_stdout_and_stdin_to_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    begun, stdin, stdout = threading.Barrier(2, timeout=30), sys.stdin, sys.stdout
    keys: list[str] = []

    class Chatty(Recording):
        def begin(self, run: TrackedRun) -> None:
            begun.wait()
            print("logged in")
            keys.append(sys.stdin.readline())

    both = (Tracking("wandb"), Tracking("trackio"))
    with tracked(Observer(), both, lambda how: TrackedRun("id", "name", Path(), {}, how), lambda _: Chatty()):
        pass
    assert (sys.stdin, sys.stdout, keys) == (stdin, stdout, ["", ""])
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("logged in") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVICES)
def test_the_real_library_keeps_a_run_on_this_machine(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    code, said = run(tmp_path, yaml=YAML + f"tracking: {{type: {name}, project: mine, offline: true}}\n")
    assert code == 0 and "tracking: " not in said
