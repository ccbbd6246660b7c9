"""`editeval certify` on the command line: verdict, exit code, JSON, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFIG = """\
benchmark: {type: procedural}
diffusion_model: {type: identity}
reward_models:
  dull: {type: fakes.ladder_judge, params: {device_ids: [cpu, cpu], batch_size: 30, broken: constant}}
  slow: {type: fakes.ladder_judge, params: {device_ids: [cpu], batch_size: 1, broken: constant, seconds: 0.5}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "editeval", "certify", "small.yaml", "--allow-code", "--num-items", "30", *arguments]


def test_a_judge_that_is_not_certified_is_exit_code_3_and_says_why(folder: Path) -> None:
    done = subprocess.run(command("--judge", "dull"), cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3, done.stderr
    assert "fakes.ladder_judge  not certified" in done.stdout
    line = next(line for line in done.stdout.splitlines() if "scores differ" in line)
    assert "1.00" in line and "failed" in line
    kept = list((folder / "outputs" / "certificates").glob("*.json"))
    assert len(kept) == 1 and str(kept[0].relative_to(folder)) in done.stderr
    again = subprocess.run(
        command("--judge", "dull", "--json"), cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 3 and json.loads(again.stdout)["verdict"] == "not certified"
    written = json.loads(kept[0].read_text(encoding="utf-8"))
    assert written.pop("seal") and json.loads(again.stdout) == written


def test_a_wrong_judge_and_too_few_samples_are_one_line(folder: Path) -> None:
    wrong = subprocess.run(command("--judge", "dul"), cwd=folder, capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and wrong.stderr == "editeval: --judge dul: the configuration has dull, slow\n"
    few = subprocess.run(command("--num-items", "5"), cwd=folder, capture_output=True, text=True, timeout=60)
    assert few.returncode == 2 and few.stderr == "editeval: --num-items: a verdict takes at least 30, got 5\n"


def test_ctrl_c_ends_it_cleanly_and_keeps_nothing(folder: Path) -> None:
    running = subprocess.Popen(
        command("--judge", "slow"), cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert running.stderr is not None
        line = running.stderr.readline()
        assert "Loading judge 0 on cpu" in line
        deadline = time.monotonic() + 60
        workers = ""
        while not workers and time.monotonic() < deadline:
            workers = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True).stdout
        time.sleep(2)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[1]
        assert running.returncode == 130, said
        assert "Interrupted; no certificate was made" in said and "Traceback" not in said
        assert not (folder / "outputs" / "certificates").exists()
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers.split())
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
