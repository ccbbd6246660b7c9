"""A parent that is killed leaves no worker behind, whatever its workers are doing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

PARENT = """
import sys
from pathlib import Path
from PIL import Image
from editeval.execution.backends import process_launcher
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.pool import Pool, PoolSpec
from editeval.images import encode_png
from editeval.types import EditRequest

def notify(notice):
    if notice.kind == "ready":
        print(notice.data["pid"], flush=True)

png = encode_png(Image.new("RGB", (8, 8)))
spec = PoolSpec(WorkerSpec("editors", "fakes.fake_editor", {"seconds": 600.0}, True), [("cpu",)] * 2)
with Pool(spec, process_launcher(lambda worker: Path(sys.argv[1]) / f"{worker}.log"), notify) as pool:
    print("working", flush=True)
    list(pool.run(["0", "1", "2"], lambda key: EditRequest(key, (png,), "wait", 0)))
"""
PATIENCE_S = 60.0


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_parent_that_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline().strip() for _ in range(3)]
        assert lines[2] == "working"
        workers = [int(line) for line in lines[:2]]
        time.sleep(0.3)
        assert all(is_alive(pid) for pid in workers)
        parent.kill()
    deadline = time.monotonic() + PATIENCE_S
    while any(is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.02)
