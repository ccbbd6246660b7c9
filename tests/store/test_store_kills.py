"""Nothing acknowledged is ever lost or done twice, wherever the process is killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import store_fakes as fakes

from editeval.store.run_store import RunStore
from editeval.store.verify import verify

CHILD = [sys.executable, str(Path(__file__).with_name("store_child.py"))]


def _sweep(directory: Path, stride: int) -> int:
    done = subprocess.run(
        [*CHILD, "sweep", str(directory), str(stride)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == []
    return int(found["points"])


def test_a_kill_at_a_call_that_touches_the_disk_is_resumed_to_the_same_result(tmp_path: Path) -> None:
    assert _sweep(tmp_path, stride=9) >= 15


@pytest.mark.slow
def test_a_kill_at_every_call_that_touches_the_disk_is_resumed_to_the_same_result(tmp_path: Path) -> None:
    assert _sweep(tmp_path, stride=1) >= 150


def test_kills_at_random_times_lose_no_acknowledged_record_and_double_none(tmp_path: Path) -> None:
    run, count, chance = tmp_path / "run", 150, random.Random(7)
    acknowledged: list[str] = []
    for _ in range(6):
        command = [*CHILD, "record", str(run), str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            acknowledged.append(child.stdout.readline().strip())  # at work now
            time.sleep(chance.uniform(0.0, 0.15))
            child.kill()
            acknowledged += child.stdout.read().split("\n")[:-1]  # what follows the last line end was cut off
    done = subprocess.run([*CHILD, "record", str(run), str(count)], capture_output=True, text=True, check=True)
    acknowledged += done.stdout.splitlines()
    acknowledged = [line for line in acknowledged if line]
    with RunStore.read(run) as store:
        kept = [f"{attempt.stage} {attempt.sample_id}" for attempt in store.attempts()]
        assert len(kept) == len(set(kept)) == 2 * count
        assert len(acknowledged) == len(set(acknowledged))
        assert set(acknowledged) <= set(kept)
        assert [problem for problem in verify(store) if problem.kind != "temporary"] == []
    fakes.work(tmp_path / "whole", fakes.samples(count))
    assert fakes.result(run) == fakes.result(tmp_path / "whole")
