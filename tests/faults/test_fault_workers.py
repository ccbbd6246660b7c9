"""Rows P1-P9 of the fault table: what becomes of a run whose worker processes die, hang, stop or break."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fault_runs import SOURCE, FaultRun, build

from editeval.errors import MachineError
from editeval.execution.worker_state import Clock, Limits
from editeval.types import EditRequest
from waiting import wait_for

pytestmark = pytest.mark.slow

LARGE = SOURCE + bytes(50_000_000)  # what follows the end of a PNG is not looked at, but it has to be carried


def states(pid: int) -> str:
    """The kernel's letter for the state of a process; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("SIGKILL", "signal SIGKILL"),
        ("SIGSEGV", "signal SIGSEGV"),
        ("SIGABRT", "signal SIGABRT"),
        ("SIGBUS", "signal SIGBUS"),
        ("null pointer", "signal SIGSEGV"),
        ("exit 1", "exit code 1"),
        ("exit 0", "exit code 0"),
    ],
)
def test_a_worker_that_dies_costs_one_process_and_its_death_is_on_record(
    tmp_path: Path, fault: str, named: str
) -> None:
    run = FaultRun(tmp_path, once={"1": fault})
    outcomes = run(6)
    assert all(o.error is None for o in outcomes.values())
    died = [o for o in run.attempts() if o.key == "1"]
    assert died[0].error is not None and died[0].error.reason == "worker_died"
    assert named in died[0].error.message and len(run.deaths()) == 1
    if fault in ("SIGSEGV", "SIGABRT", "SIGBUS", "null pointer"):
        log = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("worker*.log"))
        assert "Fatal Python error" in log and "faulty_editor.py" in log, "the stack of the crash is kept"


def test_a_poison_request_fails_alone_after_three_deaths(tmp_path: Path) -> None:
    outcomes = FaultRun(tmp_path, faults={"2": "SIGSEGV", "5": "SIGSEGV"})(8)
    failed = {key: o for key, o in outcomes.items() if o.error}
    assert {key: (o.error.reason, o.attempt) for key, o in failed.items()} == {
        "2": ("worker_died", 3),
        "5": ("worker_died", 3),
    }


@pytest.mark.parametrize("fault", ["SIGSTOP", "deadlock", "interpreter held", "sleep"])
def test_a_worker_that_hangs_is_ended_at_its_limit_and_the_request_made_elsewhere(tmp_path: Path, fault: str) -> None:
    run = FaultRun(tmp_path, limits=Limits(stall_s=3.0), once={"2": fault})
    outcomes = run(4)
    assert all(o.error is None for o in outcomes.values()) and outcomes["2"].attempt == 2
    hung = run.attempts()[0]
    assert hung.error is not None and hung.error.reason == "stalled"
    assert hung.seconds >= 3.0
    assert not any(states(pid) for pid in run.pids()), "not even a stopped process is left behind"


def test_a_slow_worker_is_not_killed_before_its_limit(tmp_path: Path) -> None:
    run = FaultRun(tmp_path, limits=Limits(stall_s=20.0, timeout_s=20.0), seconds=2.4)
    outcomes = run(2)
    assert all(o.error is None and o.attempt == 1 for o in outcomes.values()) and not run.deaths()


def test_a_worker_that_stops_while_it_is_sent_a_large_request_holds_nobody_up(tmp_path: Path) -> None:
    """Neither the thread that decides nor the other worker waits for one that no longer reads."""
    run = FaultRun(tmp_path, limits=Limits(stall_s=10.0), policy="dynamic")
    with run.pool() as pool:
        stopped = run.pids()[0]
        os.kill(stopped, signal.SIGSTOP)
        outcomes = run.outcomes(pool, 4, lambda key: EditRequest(key, (LARGE,), "", int(key)))
    assert all(o.error is None for o in outcomes.values())
    assert [how for how in run.deaths() if "no progress for 10 s" in how]
    before = run.notices[: [n.kind for n in run.notices].index("worker_lost")]
    assert [n for n in before if n.kind == "finished"], "the other one has worked meanwhile"
    assert not states(stopped)


def test_a_pool_ends_although_a_worker_has_stopped_reading(tmp_path: Path) -> None:
    run = FaultRun(tmp_path, num_workers=1)
    with run.pool() as pool:
        os.kill(run.pids()[0], signal.SIGSTOP)
        threading.Timer(1.0, pool.drain).start()  # its request has half left by then
        assert list(pool.run(["0"], lambda key: EditRequest(key, (LARGE,), "", 0))) == []
        assert states(run.pids()[0]) == "T", "nobody had to kill it first"
    assert not states(run.pids()[0])


def test_a_worker_that_never_becomes_ready_is_named_with_its_device(tmp_path: Path) -> None:
    run = FaultRun(tmp_path, limits=Limits(start_timeout_s=1.0), load_fault="sleep")
    with pytest.raises(MachineError, match=r"worker 0 on cpu: worker not ready after 1 s; killed while loading"):
        run(2)


@pytest.mark.parametrize("fault", ["exit 1", "SIGSEGV"])
def test_a_worker_that_dies_while_loading_ends_the_run_with_its_device_and_log(tmp_path: Path, fault: str) -> None:
    with pytest.raises(MachineError, match=r"worker 0 on cpu: its worker died .* while loading .*; see its log"):
        FaultRun(tmp_path, load_fault=fault)(2)


def test_workers_end_when_their_parent_is_killed_even_in_the_middle_of_native_code(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from fault_runs import FaultRun\n"
        "run = FaultRun(Path(sys.argv[1]), once={'0': 'interpreter held', '1': 'sleep'})\n"
        "with run.pool() as pool:\n"
        "    print(*run.pids(), flush=True)\n"
        "    run.outcomes(pool, 2)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(states(pid) for pid in pids)
        wait_for(lambda: len(list((tmp_path / "notes").glob("first-*"))) == 2)
        parent.kill()
    wait_for(lambda: all(states(pid) in ("", "Z") for pid in pids))


def test_a_parent_that_was_stopped_for_a_while_kills_nobody_when_it_goes_on(tmp_path: Path) -> None:
    """Ctrl-Z and `fg`: longer than the limits, while the workers go on and their words lie unread."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from fault_runs import FaultRun\n"
        "from editeval.execution.worker_state import Limits\n"
        "run = FaultRun(Path(sys.argv[1]), limits=Limits(stall_s=6.0, timeout_s=6.0), seconds=1.0)\n"
        "with run.pool() as pool:\n"
        "    print('ready', flush=True)\n"
        "    found = run.outcomes(pool, 4)\n"
        "print(len(run.deaths()), max(o.attempt for o in found.values()), flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
        time.sleep(0.3)
        parent.send_signal(signal.SIGSTOP)
        time.sleep(8.5)
        parent.send_signal(signal.SIGCONT)
        assert parent.stdout.readline() == "0 1\n"


def test_time_that_nobody_saw_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: at)
    clock = Clock()
    for step in (0.2, 4.0, 3600.0, 0.2):
        at += step
        clock.tick()
    assert clock.now() == pytest.approx(100.0 + 0.2 + 4.0 + 0.2)


def test_starting_and_ending_pools_leaves_no_descriptor_thread_or_process_behind(tmp_path: Path) -> None:
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    run = FaultRun(tmp_path, once={"1": "SIGKILL"})
    run(2)
    before = open_descriptors(), threading.active_count()
    for _ in range(3):
        run(2)
    wait_for(lambda: open_descriptors() <= before[0] and threading.active_count() <= before[1])
    assert not any(states(pid) for pid in run.pids())


def test_the_fault_free_run_is_the_measure(tmp_path: Path) -> None:
    """The same bytes with and without faults: nothing of a fault is in a result."""
    (tmp_path / "calm").mkdir()
    (tmp_path / "storm").mkdir()
    calm = FaultRun(tmp_path / "calm")(8)
    faults = {"0": "SIGSEGV", "3": "exit 1", "4": "raise", "6": "SIGKILL"}
    storm = FaultRun(tmp_path / "storm", once=faults, policy="dynamic")(8)
    assert {k: o.value for k, o in storm.items()} == {k: o.value for k, o in calm.items()}
    assert build("3").seed == 3
