"""Errors in code of the user's own: the file and line in one line, its frames in the worker's log, none of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from editeval.cli.main import main

YAML = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: my_editor.py, params: {device_ids: [cpu]}, execution: {max_attempts: 1}}
"""
HEAD = "from editeval.types import Editor\n\n\nclass Mine(Editor):\n    default_device = 'cpu'\n\n"
LOAD = (
    HEAD
    + "    def load(self, device):\n        raise OSError('no weights')\n\n    def edit(self, request, progress): ...\n"
)
EDIT = HEAD + "    def edit(self, request, progress):\n        return self.helped(request)\n\n"
EDIT += "    def helped(self, request):\n        raise KeyError(request.key)\n"
BENCHMARK = """\
from editeval.types import Benchmark


class Mine(Benchmark):
    def __iter__(self):
        yield {}["no such key"]

    def fingerprint(self):
        return ""
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(YAML, encoding="utf-8")
    return tmp_path


def ended(*command: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(command)
    return int(str(caught.value.code))


def worker_log(folder: Path) -> tuple[str, str]:
    """Its path as one types it, and what is in it."""
    (path,) = (folder / "outputs" / "logs").glob("*-edit-worker0.log")
    return str(path.relative_to(folder)), path.read_text(encoding="utf-8")


def test_what_load_raises_is_one_line_and_its_frames_are_in_the_worker_s_log(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my_editor.py").write_text(LOAD, encoding="utf-8")
    assert ended("run", "small.yaml", "--allow-code", "--display", "none") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("editeval: ")]
    path, log = worker_log(folder)
    assert line.endswith(f"cannot be loaded: OSError: no weights (my_editor.py:8); its traceback is in {path}")
    assert 'my_editor.py", line 8, in load' in log and "editeval/execution" not in log


def test_a_load_that_ends_its_process_is_told_as_one_that_raises(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my_editor.py").write_text(LOAD.replace("OSError('no weights')", "SystemExit(4)"), encoding="utf-8")
    assert ended("run", "small.yaml", "--allow-code", "--display", "none") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("editeval: ")]
    path, log = worker_log(folder)
    assert line.endswith(f"cannot be loaded: SystemExit: 4 (my_editor.py:8); its traceback is in {path}")
    assert 'my_editor.py", line 8, in load' in log


def test_what_edit_raises_fails_its_sample_with_the_line_and_the_frames_are_in_the_log_and_the_ledger(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my_editor.py").write_text(EDIT, encoding="utf-8")
    assert ended("run", "small.yaml", "--allow-code", "--sample", "causal/0000", "--display", "plain") == 3
    said = capsys.readouterr().err
    path, log = worker_log(folder)
    assert f"edit failed (exception): KeyError: 'causal/0000' (my_editor.py:11); its traceback is in {path}" in said
    assert log.count("my_editor.py") == 2 and "editeval/execution" not in log
    (again,) = [line for line in said.splitlines() if "editeval retry" in line]
    assert again.endswith(" --allow-code"), "the command that is printed works as it is printed"
    command = again.partition(": editeval ")[2].split()
    assert ended(*command, "--display", "none") == 3
    assert ended("show", "latest", "causal/0000") == 0
    shown = capsys.readouterr().out
    assert "my_editor.py:11" in shown


@pytest.mark.parametrize("command", ["check", "run"])
def test_what_a_benchmark_raises_in_this_process_is_one_line(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my_bench.py").write_text(BENCHMARK, encoding="utf-8")
    text = "benchmark: {type: my_bench.py}\ndiffusion_model: {type: identity, params: {device_ids: [cpu]}}\n"
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    assert ended(command, "small.yaml", "--allow-code") == 2
    assert capsys.readouterr().err == "editeval: my_bench.py:6: KeyError: 'no such key'; --debug shows its traceback\n"
    assert not (folder / "outputs").exists()


def test_a_run_goes_on_from_another_folder_with_the_same_file(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from editeval.images import decode\n" + HEAD
    text += "    def edit(self, request, progress):\n        return decode(request.images[0])\n"
    (folder / "my_editor.py").write_text(text, encoding="utf-8")
    assert ended("run", "small.yaml", "--allow-code", "--display", "none") == 0
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert ended("report", str(folder / "outputs" / "latest"), "--allow-code") == 0
    assert ended("retry", str(folder / "outputs" / "latest"), "--allow-code") == 0
