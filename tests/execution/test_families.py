"""The end of a worker is the end of every process that it started; of nobody else. What it prints fits into its log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from chaos.parent_editor import alive, members
from chaos.processes import can_unshare
from editeval.execution.backends import GIVE_UP_S, HURRY_S, Handle, Listener, end_marked, process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.supervisor import LEAST_BYTES, MAX_LOG_BYTES
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Limits
from editeval.images import encode_png
from editeval.types import EditRequest

SOURCE = encode_png(Image.new("RGB", (8, 8), "red"))
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
needs_namespace = pytest.mark.skipif(not can_unshare(), reason="this user may not make a namespace of process ids")


def build(key: str) -> EditRequest:
    return EditRequest(key, (SOURCE,), "red", 0)


def outcome_with(folder: Path, kind: str, then: str, notices: list[PoolEvent] | None = None, **limits: float) -> Result:
    """What becomes of one edit whose worker starts a family of this kind, and then ends so."""
    params = {"folder": str(folder), "kind": kind, "then": then}
    worker = WorkerSpec("editors", "chaos.parent_editor", params, allow_code=True)
    spec = PoolSpec(worker, [("cpu",)], limits=Limits(max_attempts=1, **limits))  # type: ignore[arg-type]
    launch = process_launcher(lambda number: folder / f"worker{number}.log")
    with Pool(spec, launch, (notices if notices is not None else []).append) as pool:
        (outcome,) = pool.run(["0"], build)
    return outcome


def test_a_worker_that_dies_while_its_child_holds_the_socket_is_one_death(tmp_path: Path) -> None:
    notices: list[PoolEvent] = []
    outcome = outcome_with(tmp_path, "native fork", "die", notices)
    assert outcome.error is not None and outcome.error.message == "its worker died (signal SIGKILL)"
    assert [notice.kind for notice in notices].count("worker_lost") == 1
    assert members(tmp_path / "family") and not alive(tmp_path / "family")


def test_a_daemon_that_listens_to_no_signal_is_gone_when_the_stage_ends(tmp_path: Path) -> None:
    assert outcome_with(tmp_path, "deaf daemon", "end").error is None
    assert members(tmp_path / "family") and not alive(tmp_path / "family")


def test_a_time_limit_ends_a_worker_that_hangs_and_a_child_that_hangs_with_it(tmp_path: Path) -> None:
    outcome = outcome_with(tmp_path, "native fork", "hang", timeout_s=0.2)
    assert outcome.error is not None and outcome.error.reason == "timeout"
    assert members(tmp_path / "family") and not alive(tmp_path / "family")


@needs_namespace
def test_a_namespace_of_processes_ends_with_the_worker_that_made_it(tmp_path: Path) -> None:
    assert outcome_with(tmp_path, "namespace", "exit").error is not None
    assert len(members(tmp_path / "family")) == 2 and not alive(tmp_path / "family")


def test_processes_that_no_worker_started_are_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as own:
        assert outcome_with(tmp_path, "many", "die").error is not None
        end_marked("0" * 32)  # of no worker
        assert own.poll() is None
        own.kill()


def test_a_log_that_is_full_says_what_it_lacks_and_keeps_the_end(tmp_path: Path) -> None:
    log = tmp_path / "worker0.log"
    with log.open("wb") as file:
        file.truncate(MAX_LOG_BYTES)
    worker = WorkerSpec("editors", "fakes.fake_editor", {"prints": 40_000}, allow_code=True)
    with Pool(PoolSpec(worker, [("cpu",)]), process_launcher(lambda _: log)) as pool:
        assert [outcome.error for outcome in pool.run(["0", "1"], build)] == [None, None]
    said = log.read_bytes()[MAX_LOG_BYTES:]
    assert len(said) < 2 * LEAST_BYTES + 1000
    assert b"line 0 of 0\n" in said and b"the log is full" in said
    assert b"bytes are left out here" in said and said.endswith(b"line 39999 of 1\n")


class Stubborn:
    """A worker that takes its time to leave, and says how long it was waited for."""

    place = waiting_for = ""

    def __init__(self, listener: Listener) -> None:
        self.is_killed = threading.Event()
        self.waits: list[float] = []
        self.interrupts = False  # the user loses patience with it
        ready = {"type": "ready", "pid": 1, "started_at": 0.0, "ended_at": 0.0, "facts": {}}
        listener.on_frame((ready, []))

    def send(self, header: object, blobs: Sequence[bytes] = ()) -> None: ...

    def send_nowait(self, header: object) -> None: ...

    def kill(self) -> None:
        self.is_killed.set()

    def stop(self, patience_s: float = GIVE_UP_S) -> None:
        self.waits.append(patience_s)
        if self.interrupts and not self.is_killed.is_set():
            os.kill(os.getpid(), signal.SIGINT)
        self.is_killed.wait(60)


@pytest.fixture
def stubborn() -> tuple[Pool, list[Stubborn]]:
    handles: list[Stubborn] = []

    def launch(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        handles.append(Stubborn(listener))
        return handles[-1]

    return Pool(PoolSpec(WorkerSpec("editors", "identity"), [("cpu",)] * 2), launch), handles


def test_a_pool_that_was_aborted_waits_for_nobody(stubborn: tuple[Pool, list[Stubborn]]) -> None:
    pool, handles = stubborn
    with pool:
        pool.abort()
    assert [handle.waits for handle in handles] == [[HURRY_S], [HURRY_S]]
    assert all(handle.is_killed.is_set() for handle in handles)


def test_an_interrupt_while_a_pool_closes_kills_what_has_not_left(stubborn: tuple[Pool, list[Stubborn]]) -> None:
    pool, handles = stubborn
    with pytest.raises(KeyboardInterrupt), pool:
        handles[1].interrupts = True
    assert [handle.waits[-1] for handle in handles] == [HURRY_S, HURRY_S]
    assert all(handle.is_killed.is_set() for handle in handles)
