"""The head of the cluster is lost. Of a cluster of its own: nothing is left of it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster_runs import (
    LiveRun,
    Machines,
    bytes_of,
    finished,
    machines,
    wait_until_gone,
    workers_on_this_machine,
    write_config,
)

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]  # Ray's own


def test_a_lost_head_ends_the_run_with_one_line_and_it_continues_without_ray(
    alone: dict[str, str], tmp_path: Path
) -> None:
    """C2."""
    with machines() as cluster:
        _lose_the_head(cluster, alone, tmp_path)


def _lose_the_head(cluster: Machines, alone: dict[str, str], tmp_path: Path) -> None:
    config = write_config(tmp_path, cluster.address, seconds=1.2)
    run = LiveRun(config)
    run.wait_for("Batch 1/")
    pids = workers_on_this_machine()
    cluster.kill_head()
    assert run.ended() == 3, run.text
    last = run.lines[-1]
    assert last.startswith("editeval: the head of the Ray cluster") and "the same command continues" in last
    assert "Traceback" not in run.text and "raylet" not in run.text
    wait_until_gone(pids)
    flags = [f"--set={name}.execution.backend=process" for name in ("diffusion_model", "reward_model")]
    done = finished("run", str(config), *flags, "--device-ids", "cpu", "cpu")
    assert done.returncode == 0, done.stderr
    assert ", 0 edited already" not in done.stderr
    assert bytes_of(tmp_path) == alone
    again = finished("run", str(config), "--fresh")
    assert again.returncode == 2 and again.stderr.count("\n") == 1, again.stderr
    assert "no Ray cluster answers at" in again.stderr and "ray start --head" in again.stderr
