"""The live display in a real terminal (tmux) at three widths, during a real run: what is captured goes to
outputs/terminal/ to be looked at. `make test-terminal`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux on this machine (make test-terminal installs it)"),
]
ROOT = Path(__file__).parent.parent.parent
CAPTURES = ROOT / "outputs" / "terminal"
CONFIG = """\
benchmark: {{type: procedural, params: {{num_per_category: {per_category}, size: 64}}}}
diffusion_model:
  type: fakes.fake_editor
  params: {{device_ids: {devices}, seconds: 1.5, steps: 28, refuse: [physical/0003]}}
reward_model: {{type: reference, params: {{device_ids: [cpu]}}}}
"""


class Terminal:
    """A tmux server of our own with one window of a given size."""

    def __init__(self, folder: Path, columns: int, lines: int) -> None:
        self.columns = columns
        self._socket = str(folder / "tmux")
        size = ["-x", str(columns), "-y", str(lines)]
        shell = ["env", "PS1=prompt> ", "TERM=xterm-256color", "bash", "--norc", "-i"]
        self.tmux("-f", os.devnull, "new-session", "-d", "-s", "test", "-c", str(folder), *size, shlex.join(shell))

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "test", *keys)

    def screen(self, *more: str) -> str:
        return self.tmux("capture-pane", "-p", "-t", "test", *more)

    def is_cursor_there(self) -> bool:
        return self.tmux("display-message", "-p", "-t", "test", "#{cursor_flag}").strip() == "1"

    def wait_for(self, is_there: Callable[[str], object], seconds: float = 60.0) -> str:
        deadline = time.monotonic() + seconds
        while not is_there(screen := self.screen()):
            assert time.monotonic() < deadline, f"it never came:\n{screen}"
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        self.tmux("kill-server")


Start = Callable[..., Terminal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(columns, lines, num_workers): a run that has begun in a terminal."""
    opened: list[Terminal] = []

    def begin(columns: int, lines: int = 40, num_workers: int = 6, per_category: int = 6) -> Terminal:
        devices = f"[{', '.join(['cpu'] * num_workers)}]"
        config = CONFIG.format(devices=devices, per_category=per_category)
        (tmp_path / "six.yaml").write_text(config, encoding="utf-8")
        terminal = Terminal(tmp_path, columns, lines)
        opened.append(terminal)
        command = [sys.executable, "-m", "editeval", "run", "six.yaml", "--allow-code"]
        terminal.type(shlex.join(command), "Enter")
        return terminal

    yield begin
    for terminal in opened:
        terminal.close()


def worker_rows(screen: str) -> list[str]:
    return [line for line in screen.splitlines() if re.match(r" +[0-5] cpu ", line)]


def is_editing(screen: str) -> bool:
    """Batches have gone by, and every worker shown is in the middle of an edit."""
    rows = worker_rows(screen)
    return (
        bool(re.search(r"batch +[2-9]/", screen))
        and bool(rows)
        and all(re.search(r"editing .* \d+/28", row) for row in rows)
    )


@pytest.mark.parametrize("columns", [80, 118, 200])
def test_the_display_fits_and_shows_every_worker(start: Start, columns: int) -> None:
    terminal = start(columns)
    screen = terminal.wait_for(is_editing)
    CAPTURES.mkdir(parents=True, exist_ok=True)
    (CAPTURES / f"live-{columns}.txt").write_text(screen, encoding="utf-8")
    (CAPTURES / f"live-{columns}.ansi").write_text(terminal.screen("-e"), encoding="utf-8")
    assert all(cell_len(line) <= columns for line in screen.splitlines())
    rows = worker_rows(screen)
    assert len(rows) == 6
    assert screen.count("img/min") == 1 and re.search(r"edit +FakeEditor +━", screen)
    assert "last failure  physical/0003" in screen and "edit-worker" in screen
    assert ("GiB" in screen) == (columns >= 90) and ("▇" in rows[0].split("cpu")[1]) == (columns >= 118)
    above = screen[: screen.index("img/min")]
    assert "Batch 1/5 done, GPUs synced ✓" in above, "log lines scroll above the region"


def test_when_all_is_done_the_bars_stay_above_the_result(start: Start) -> None:
    terminal = start(118, lines=60)
    screen = terminal.wait_for(lambda s: "report.html" in s and s.rstrip().endswith("prompt>"), 120)
    (CAPTURES / "ended-118.txt").write_text(screen, encoding="utf-8")
    assert terminal.is_cursor_there()
    assert len(re.findall(r"^edit +FakeEditor +━", screen, re.MULTILINE)) == 1, "one region, no leftovers"
    assert re.search(r"30/30 100%\s+ended", screen) and screen.index("ended") < screen.index("micro")


def test_twenty_workers_are_summed_up(start: Start) -> None:
    terminal = start(118, num_workers=20, per_category=20)
    screen = terminal.wait_for(lambda s: re.search(r"batch +[1-9]/", s) and re.search(r"^editing +\d+ ", s, re.M), 120)
    (CAPTURES / "live-118-20-workers.txt").write_text(screen, encoding="utf-8")
    assert "20 workers" in screen and not re.search(r"^ +\d+ cpu", screen, re.MULTILINE)


def test_ctrl_c_finishes_what_runs_and_leaves_a_sane_terminal(start: Start) -> None:
    terminal = start(118)
    terminal.wait_for(is_editing)
    terminal.type("C-c")
    terminal.wait_for(lambda s: "Ctrl-C again stops at once" in s)
    screen = terminal.wait_for(lambda s: "To continue: " in s and s.rstrip().endswith("prompt>"))
    (CAPTURES / "interrupted-118.txt").write_text(screen, encoding="utf-8")
    assert terminal.is_cursor_there()
    assert len(re.findall(r"^edit +FakeEditor +━", screen, re.MULTILINE)) == 1, "one region, no leftovers"
    assert_sane(terminal)


def test_ctrl_c_twice_stops_at_once_and_leaves_a_sane_terminal(start: Start) -> None:
    terminal = start(118)
    terminal.wait_for(is_editing)
    terminal.type("C-c")
    terminal.wait_for(lambda s: "Ctrl-C again stops at once" in s)
    terminal.type("C-c")
    terminal.wait_for(lambda s: "Stopped. To continue: " in s and s.rstrip().endswith("prompt>"))
    assert_sane(terminal)


def test_kill_9_leaves_a_sane_terminal(start: Start, tmp_path: Path) -> None:
    terminal = start(118)
    terminal.wait_for(is_editing)
    lock = (tmp_path / "outputs" / "latest" / ".lock").read_text(encoding="utf-8")
    os.kill(int(re.findall(r'"pid": (\d+)', lock)[0]), signal.SIGKILL)
    terminal.wait_for(lambda s: "Killed" in s)
    assert_sane(terminal)


def assert_sane(terminal: Terminal) -> None:
    """The cursor is there, and what is typed is echoed and done."""
    assert terminal.is_cursor_there()
    terminal.type("C-u")
    terminal.type("echo $((40 + 2)) is the answer", "Enter")
    screen = terminal.wait_for(lambda s: "42 is the answer" in s)
    assert "echo $((40 + 2))" in screen


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path, start: Start) -> None:
    terminal = start(118, lines=100, num_workers=2, per_category=1)
    terminal.wait_for(lambda s: "report.html" in s and s.rstrip().endswith("prompt>"), 120)
    terminal.type("clear", "Enter")
    command = [sys.executable, "-m", "editeval", "run", "six.yaml", "--allow-code", "--fresh"]
    terminal.type(f"TERM=dumb {shlex.join(command)}", "Enter")
    screen = terminal.wait_for(lambda s: "report.html" in s and s.rstrip().endswith("prompt>"), 120)
    assert "img/min  ETA" not in screen and "Batch 1/3 done, GPUs synced ✓" in screen
