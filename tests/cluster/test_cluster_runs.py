"""Runs on a cluster: the bytes are those of one machine, whatever is killed on the way."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from cluster_runs import (
    LiveRun,
    Machines,
    bytes_of,
    finished,
    wait_until_gone,
    workers_on_this_machine,
    write_config,
)

from editeval.store.ledger_events import InterpreterUsed
from editeval.store.run_store import RunStore

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]  # Ray's own
NUM_KILLS = int(os.environ.get("CLUSTER_KILLS", "20"))


def test_a_cluster_gives_the_bytes_and_scores_of_one_machine(
    healthy: Machines, alone: dict[str, str], tmp_path: Path
) -> None:
    done = finished("run", str(write_config(tmp_path, healthy.address)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert bytes_of(tmp_path) == alone
    with RunStore.read(tmp_path / "outputs" / "latest") as store:
        places = {edit.device for edit in store.edits()}
        (edits, scores) = (one.event for one in store.events_of(InterpreterUsed))
    assert places == {f"{node}:cuda:{i}" for node in healthy.nodes for i in (0, 1)}  # all four, by node
    assert edits.versions["python"] == scores.versions["python"]
    assert "GPUs of a Ray cluster are not sampled" in done.stderr
    logs = sorted(path.name for path in (tmp_path / "outputs" / "logs").glob("*-edit-worker*.log"))
    assert len(logs) == 4
    assert " on cuda:0" in (tmp_path / "outputs" / "logs" / logs[0]).read_text(encoding="utf-8")


def test_nodes_are_killed_in_the_middle_and_the_bytes_stay_the_same(
    healthy: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """C1. One node or both at once, while workers on them are busy; as many others take their place."""
    judge = {"type": "fakes.fake_judge", "params": {"seconds": 0.7}}
    assert finished("run", str(write_config(tmp_path / "alone", None, judge))).returncode == 0
    want = bytes_of(tmp_path / "alone")
    chance = random.Random(0)
    num_kills = num_runs = 0
    began = time.monotonic()
    while num_kills < NUM_KILLS:
        folder = tmp_path / f"run{num_runs}"
        run = LiveRun(write_config(folder, healthy.address, judge, seconds=1.0))
        num_runs += 1
        seen = 0
        while run.process.poll() is None:
            hosts = [name for name in run.places(seen) if name in healthy.nodes]
            if num_kills < NUM_KILLS and run.is_working and hosts:
                seen = len(run.lines)
                victims = {chance.choice(hosts) for _ in range(chance.choice((1, 2, 3)))}
                time.sleep(chance.uniform(0, 0.4))
                for name in victims:
                    healthy.kill(name, is_sudden=chance.random() < 0.5)
                num_kills += len(victims)
                for _ in victims:  # only now: on a busy machine a node may take longer to start than a run to end
                    healthy.add()
            time.sleep(0.05)
        assert run.ended() == 0, run.text
        assert bytes_of(folder) == want
        assert "was lost (" in run.text
        assert "raylet" not in run.text, "Ray's own words are not for our output"
    with capsys.disabled():
        print(f"\n{num_kills} nodes killed in {num_runs} runs, {time.monotonic() - began:.0f} s: equal bytes each time")


def test_what_a_lost_node_had_is_made_by_the_others_when_none_takes_its_place(
    healthy: Machines, alone: dict[str, str], tmp_path: Path
) -> None:
    run = LiveRun(write_config(tmp_path, healthy.address, seconds=1.2))
    run.wait_for("Starting batch edit")
    healthy.kill(next(iter(healthy.nodes)))
    assert run.ended() == 0, run.text
    assert "of the Ray cluster" in run.text and "waiting for 1 free GPU on one node" in run.text
    assert bytes_of(tmp_path) == alone


def test_a_worker_that_dies_on_its_node_costs_one_process_and_the_node_stays(
    healthy: Machines, alone: dict[str, str], tmp_path: Path
) -> None:
    done = finished("run", str(write_config(tmp_path, healthy.address, kills_once=["causal/0002", "physical/0001"])))
    assert done.returncode == 0, done.stderr
    deaths = [line for line in done.stderr.splitlines() if " WARNING Worker " in line]
    assert len(deaths) == 2 and all("its worker died (signal SIGKILL)" in line for line in deaths)
    assert bytes_of(tmp_path) == alone


def test_workers_end_with_their_driver_and_processes_carry_on_without_the_cluster(
    healthy: Machines, alone: dict[str, str], tmp_path: Path
) -> None:
    config = write_config(tmp_path, healthy.address, seconds=1.0)
    run = LiveRun(config)
    run.wait_for("Batch 1/")
    pids = workers_on_this_machine()
    assert len(pids) >= 8  # each with its supervisor
    run.process.kill()
    run.ended()
    wait_until_gone(pids)
    flags = [f"--set={name}.execution.backend=process" for name in ("diffusion_model", "reward_model")]
    done = finished("run", str(config), *flags, "--device-ids", "cpu", "cpu")
    assert done.returncode == 0, done.stderr
    assert ", 0 edited already" not in done.stderr  # it is the same run
    assert done.stderr.count("ray_address: has no effect") == 2
    assert bytes_of(tmp_path) == alone


def test_an_interrupt_finishes_what_runs_and_the_same_command_continues(
    healthy: Machines, alone: dict[str, str], tmp_path: Path
) -> None:
    config = write_config(tmp_path, healthy.address, seconds=0.6)
    run = LiveRun(config)
    run.wait_for("Batch 1/")
    run.process.send_signal(signal.SIGTERM)  # which Ray would take for itself
    assert run.ended() == 143, run.text
    assert "To continue: editeval run" in run.text
    assert finished("run", str(config)).returncode == 0
    assert bytes_of(tmp_path) == alone
