"""What asks a run to end: a closed terminal as well as Ctrl-C and `kill`, but not one that it was told to outlive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command_line import cli

THREADS = [f"--set={section}.execution.backend=inprocess" for section in ("diffusion_model", "reward_model")]
COMMAND = [sys.executable, "-m", "editeval", "run", "small.yaml", "--allow-code"]
IN_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
CONFIG = """\
benchmark:
  type: procedural
  params: {num_per_category: 2, size: 64}
diffusion_model:
  type: fakes.fake_editor
  params: {device_ids: [cpu, cpu], seconds: SECONDS}
reward_model:
  type: reference
  params: {device_ids: [cpu]}
"""


WITH_A_LOCK = """
import os, signal, sys, threading, time
from rich.console import Console
from editeval.cli.console import interruptible
from editeval.display.session import LiveDisplay
from editeval.display.snapshot import RunSnapshot
lock = threading.Lock()
def look():
    with lock:
        return RunSnapshot("", "", 0, 0.0, 0.0, "running")
with interruptible() as interrupt:
    screen = Console(file=open("screen", "w"), force_terminal=True, width=80, height=20)
    with LiveDisplay(look, screen, lambda: interrupt.signum is not None):
        while sys.stderr is sys.__stderr__:
            time.sleep(0.01)
        with lock:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # here the handler runs
"""

INTO_A_FILE = """
import os, signal, sys
from rich.console import Console
from editeval.cli.console import interruptible
from editeval.display.session import LiveDisplay
from editeval.display.snapshot import RunSnapshot
look = lambda: RunSnapshot("", "", 0, 0.0, 0.0, "running")
with interruptible() as interrupt:
    if "early" in sys.argv:
        os.kill(os.getpid(), signal.SIGINT)
    screen = Console(stderr=True, force_terminal="early" in sys.argv, width=80, height=20)
    with LiveDisplay(look, screen, lambda: interrupt.signum is not None):
        if "early" not in sys.argv:
            os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.fixture(autouse=True)
def hang_ups_are_heard() -> Iterator[None]:
    """By the processes that a test starts, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(CONFIG.replace("SECONDS", "0.5"), encoding="utf-8")
    return tmp_path


def has_begun(folder: Path) -> bool:
    return bool(list((folder / "outputs").glob("small-*/edits/*.png")))


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def finish(folder: Path) -> None:
    """The same command continues to the end."""
    done = cli("run", "small.yaml", "--allow-code", *THREADS, cwd=folder)
    assert done.returncode == 0, done.stderr
    run = (folder / "outputs" / "latest").resolve()
    assert len((run / "samples.jsonl").read_text(encoding="utf-8").splitlines()) == 10


def test_a_hang_up_drains_and_prints_the_command_that_continues(folder: Path) -> None:
    process = subprocess.Popen(COMMAND, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: has_begun(folder))
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 129
    assert "Finishing what is running" in stderr and "To continue: editeval run small.yaml --allow-code" in stderr
    finish(folder)


def test_a_signal_that_meets_the_lock_of_the_live_display_does_not_wait_for_it(tmp_path: Path) -> None:
    """The handler runs in the thread that it interrupts: to print through the display would wait for itself."""
    done = subprocess.run([sys.executable, "-c", WITH_A_LOCK], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Finishing what is running" in (tmp_path / "screen").read_text(encoding="utf-8")


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_signal_is_answered_once_before_the_live_display_begins_and_where_it_is_no_terminal(when: str) -> None:
    done = subprocess.run([sys.executable, "-c", INTO_A_FILE, when], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Finishing what is running") == 1


def test_a_second_hang_up_stops_at_once(folder: Path) -> None:
    (folder / "small.yaml").write_text(CONFIG.replace("SECONDS", "600"), encoding="utf-8")
    said = folder / "said"
    with said.open("w") as stderr:
        process = subprocess.Popen(COMMAND, cwd=folder, stderr=stderr)
    wait_for(lambda: any('"editing"' in path.read_text("utf-8") for path in folder.glob("outputs/small-*/live.json")))
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: "once more stops at once" in said.read_text("utf-8"))
    process.send_signal(signal.SIGHUP)
    assert process.wait(120) == 129 and "Stopped. To continue:" in said.read_text("utf-8")
    assert not has_begun(folder), "nobody waited for an edit"


def test_a_run_under_nohup_does_not_hear_its_terminal_go(folder: Path) -> None:
    process = subprocess.Popen(
        ["nohup", *COMMAND], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(lambda: has_begun(folder))
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert b"Finishing" not in stderr


@pytest.mark.parametrize("display", ["live", "plain"])
def test_a_terminal_that_is_closed_ends_the_run_in_order(folder: Path, display: str) -> None:
    """A real one: the kernel sends the signal, and nothing can be written to the terminal from then on."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", IN_A_TERMINAL, *COMMAND, "--display", display]
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    wait_for(lambda: has_begun(folder))
    os.close(ours)
    assert process.wait(60) == 129
    assert has_begun(folder) and not list((folder / "outputs").glob("small-*/samples.jsonl"))
    finish(folder)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_viewer_ends_when_it_is_asked_to(folder: Path, signum: int, code: int) -> None:
    (folder / "small.yaml").write_text(CONFIG.replace("SECONDS", "0"), encoding="utf-8")
    finish(folder)
    command = [sys.executable, "-m", "editeval", "view", "--no-open"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline().startswith("http://127.0.0.1:")
        assert "Ctrl-C" in process.stdout.readline()
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code and not stderr
