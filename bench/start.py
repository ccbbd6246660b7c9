"""Seconds from the start of the process to the first edit of the default run: `python bench/start.py`; best of several.

To compare with another version of editeval, put its `src` on PYTHONPATH.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_fakes import machine

RUNS = 5
CONFIG = Path(__file__).parent.parent / "config.yaml"


def started_at(root: Path) -> tuple[float, float] | None:
    """(when the run was announced, when its first edit was sent); None if that is still to come."""
    for ledger in root.glob("outputs/config-*/ledger.sqlite"):
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as db:
            found: dict[str, float] = dict(db.execute("SELECT kind, min(at) FROM events GROUP BY kind").fetchall())
        if "stage_start" in found:
            return found["stage_begin"], found["stage_start"]
    return None


def measured() -> tuple[float, float]:
    """(seconds until the workers are started, seconds until the first edit)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copy(CONFIG, root)
        began_at = time.time()
        with subprocess.Popen(
            [sys.executable, "-m", "editeval", "run"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while (found := started_at(root)) is None:
                time.sleep(0.1)
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.2)
            process.wait()
    return found[0] - began_at, found[1] - began_at


def main() -> None:
    """Print both figures."""
    runs = [measured() for _ in range(RUNS)]
    parent_s, edit_s = (min(column) for column in zip(*runs, strict=True))
    print(f"workers started after {parent_s:.2f} s, first edit after {edit_s:.2f} s (best of {RUNS}); {machine()}")


if __name__ == "__main__":
    main()
