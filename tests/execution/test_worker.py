"""One worker, spoken to by hand: what it answers, how it names what went wrong, and that it never hangs."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from editeval.errors import BadOutputError, ConfigError, EditRefusedError, ImageError, MachineError
from editeval.execution.backends import launch_thread, process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.pool_events import PoolEvent
from editeval.execution.transport import Frame, FrameError, QueueChannel, SocketChannel
from editeval.execution.validation import describe
from editeval.execution.worker import PROGRESS_INTERVAL_S, Worker
from editeval.execution.worker_messages import StepDone, WorkerSpec, pack_unit, read_message, unpack_scores
from editeval.execution.worker_state import Limits
from editeval.images import DecodedBytes, decode, encode_png, predecode
from editeval.types import EditRequest, Failure, JudgeRequest, Score

PNG = encode_png(Image.new("RGB", (16, 12), "teal"))


class Talk:
    """The parent's end of a worker in a thread of this process."""

    def __init__(self, channel: QueueChannel) -> None:
        self.channel = channel

    def send(self, header: dict[str, Any], blobs: list[bytes] | None = None) -> None:
        self.channel.send(header, blobs or [])

    def hear(self, kind: str) -> Frame:
        while (frame := self.channel.recv())[0]["type"] != kind:
            assert frame[0]["type"] == "progress", frame[0]
        return frame

    def load(self, kind: str, name: str, **params: Any) -> dict[str, Any]:
        spec = {"kind": kind, "type": name, "params": params, "allow_code": True}
        self.send({"spec": spec, "devices": ["cpu"], "worker": 3})
        return self.hear("ready")[0]

    def judge(self, keys: list[str]) -> dict[str, Any]:
        """The header of "done", with "scores" or "error" of the result in it."""
        unit = tuple(JudgeRequest(key, (PNG,), PNG, f"judge {key}") for key in keys)
        self.send(*pack_unit("batch 0", unit))
        self.send({"type": "start", "key": "batch 0"})
        done, _ = self.hear("done")
        return done if "error" in done else done | self.hear("result")[0]


@pytest.fixture
def worker() -> Iterator[Talk]:
    ours, theirs = QueueChannel.create_ends()

    def serve() -> None:
        with contextlib.suppress(FrameError):
            Worker(theirs).serve()
        theirs.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield Talk(ours)
    with contextlib.suppress(FrameError):
        ours.send({"type": "exit"})
    ours.close()
    thread.join(60)
    assert not thread.is_alive(), "a worker leaves when it is asked to"


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_an_error_that_cannot_say_what_it_is_is_described_by_its_name() -> None:
    try:
        raise MuteError
    except MuteError as caught:
        failure = describe(caught)
    assert failure.reason == "exception" and failure.message.startswith("MuteError")


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (EditRefusedError("not that"), "refused", "not that"),
        (ImageError("a.png: broken"), "bad_source", "a.png: broken"),
        (BadOutputError("no image"), "bad_output", "no image"),
        (MachineError("no weights"), "environment", "no weights"),
        (ConfigError("x: wrong"), "bad_request", "x: wrong"),
        (MemoryError(), "oom", "MemoryError"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "oom", "RuntimeError: CUDA out of memory. Tried to"),
        (type("OutOfMemoryError", (RuntimeError,), {})("gone"), "oom", "OutOfMemoryError: gone"),
        (RuntimeError("one\n  two\tthree"), "exception", "RuntimeError: one two three"),
        (ValueError(), "exception", "ValueError"),
        (TimeoutError("slow"), "exception", "TimeoutError: slow"),
    ],
)
def test_an_error_is_described_by_a_word_a_line_and_a_traceback(error: Exception, reason: str, message: str) -> None:
    try:
        raise error
    except type(error) as caught:
        failure = describe(caught)
    assert failure.reason == reason
    assert failure.message.startswith(message) and "\n" not in failure.message
    assert "Traceback" in failure.traceback and "test_worker" in failure.traceback


def test_a_worker_says_ready_done_and_result_and_knows_its_number(worker: Talk) -> None:
    ready = worker.load("editors", "fakes.fake_editor")
    assert ready["pid"] == os.getpid() and ready["started_at"] <= ready["ended_at"]
    worker.send(*pack_unit("a", EditRequest("a", (PNG,), "seven c", seed=258)))
    before = time.time()
    worker.send({"type": "start", "key": "a"})
    done, _ = worker.hear("done")
    assert done["key"] == "a" and done["seconds"] >= 0 and "error" not in done
    assert before <= done["started_at"] <= time.time() and done["peak_memory_gib"] is None
    header, (png,) = worker.hear("result")
    assert (header["width"], header["height"]) == (16, 12)
    assert decode(png).getpixel((0, 0)) == (2, 1, 7)


def test_progress_in_numbers_of_numpy_can_be_sent_and_other_things_fail_the_edit_that_says_them() -> None:
    ours, theirs = QueueChannel.create_ends()
    progress = Worker(theirs)._progress("a")
    time.sleep(PROGRESS_INTERVAL_S)
    progress(np.int64(3), np.int32(9))
    header, blobs = ours.recv()
    assert header == {"type": "progress", "key": "a", "step": 3, "num_steps": 9} and read_message(
        header, blobs
    ) == StepDone("a", 3, 9)
    for wrong in (0.5, "3", None):
        with pytest.raises(TypeError):
            progress(wrong, 9)
    ours.close()


def test_what_a_loaded_model_says_of_itself_comes_with_ready(worker: Talk) -> None:
    facts = {"commit": "c0ffee", "num_devices": 2, "compiled": False, "revision": None}
    assert worker.load("editors", "fakes.fake_editor", facts=facts)["facts"] == facts


@pytest.mark.parametrize("bad", [{"devices": ["cpu"]}, {"scale": float("inf")}])
def test_a_model_that_says_what_cannot_be_recorded_is_not_loaded(worker: Talk, bad: dict[str, Any]) -> None:
    spec = {"kind": "editors", "type": "fakes.fake_editor", "params": {"facts": bad}, "allow_code": True}
    worker.send({"spec": spec, "devices": ["cpu"], "worker": 0})
    failed, _ = worker.hear("load_failed")
    assert failed["error"]["reason"] == "bad_output" and next(iter(bad)) in failed["error"]["message"]


def test_a_dropped_request_is_forgotten_and_the_next_one_runs(worker: Talk) -> None:
    worker.load("editors", "fakes.fake_editor")
    for key in ("a", "b"):
        worker.send(*pack_unit(key, EditRequest(key, (PNG,), "", 0)))
    worker.send({"type": "drop", "key": "a"})
    worker.send({"type": "drop", "key": "never sent"})
    worker.send({"type": "start", "key": "b"})
    assert worker.hear("done")[0]["key"] == "b"
    assert worker.hear("result")[0]["key"] == "b"
    worker.send({"type": "exit"})
    worker.hear("bye")


@pytest.mark.parametrize(
    ("mode", "reason", "words"),
    [
        ("raises", "exception", "RuntimeError: the judge fell over"),
        ("nan", "exception", "score a/overall: nan is no score"),
        ("eleven", "exception", "score a/overall: 11.0 is outside 0-10"),
        ("one_short", "bad_output", "the judge returned 0 results for 1 requests"),
        ("one_more", "bad_output", "the judge returned 2 results for 1 requests"),
        ("no_scores", "bad_output", "the judge's scores for a name []"),
        ("other_key", "bad_output", "the judge's scores for a name ['somebody else', 'somebody else']"),
        ("nothing", "bad_output", "the judge returned NoneType"),
        ("numbers", "bad_output", "the judge's scores for a are float"),
        ("no_headline", "bad_output", "the judge gave a the metrics ['care'], not ['care', 'overall']"),
        ("headline_not_applicable", "bad_output", "its headline does not apply; it always must"),
    ],
)
def test_what_a_judge_must_not_return_becomes_a_failure_and_the_worker_lives(
    worker: Talk, mode: str, reason: str, words: str
) -> None:
    worker.load("judges", "fakes.fake_judge", modes={"a": mode})
    answer = worker.judge(["a"])
    assert "scores" not in answer
    failure = Failure(**answer["error"])
    assert failure.reason == reason and words in failure.message
    assert unpack_scores(worker.judge(["b", "c"])["scores"])[1][0] == Score(
        "c", "fakes.fake_judge", "overall", 5.0, "raw c"
    )


@pytest.mark.parametrize(
    ("kind", "name", "params", "reason", "words"),
    [
        ("editors", "fakes.fake_editor", {"cannot_load": "no such file"}, "exception", "no such file"),
        ("editors", "fakes.fake_editor", {"sede": 1}, "exception", "sede"),
        ("editors", "fakes.absent", {}, "bad_request", "no module 'fakes.absent'"),
        ("judges", "absent", {}, "bad_request", "no type 'absent'"),
    ],
)
def test_what_cannot_be_loaded_is_told_and_the_worker_leaves(
    worker: Talk, kind: str, name: str, params: dict[str, Any], reason: str, words: str
) -> None:
    spec = {"kind": kind, "type": name, "params": params, "allow_code": True}
    worker.send({"spec": spec, "devices": ["cpu"], "worker": 0})
    header, _ = worker.hear("load_failed")
    assert header["error"]["reason"] == reason and words in header["error"]["message"]
    assert header["user"] == (reason == "bad_request")
    with pytest.raises(FrameError):
        worker.hear("bye")


def test_a_request_of_the_other_kind_is_a_failure(worker: Talk) -> None:
    worker.load("editors", "fakes.fake_editor")
    assert "FakeEditor cannot serve tuple" in worker.judge(["a"])["error"]["message"]


@contextlib.contextmanager
def process() -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "editeval.execution.supervisor", str(theirs.fileno()), str(os.getpid())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE) as child:
        theirs.close()
        yield child, ours
        child.kill()


def test_a_worker_that_is_told_nonsense_ends_and_says_why() -> None:
    with process() as (child, ours):
        ours.sendall(b"GET / HTTP/1.1\r\n\r\n")
        said, _ = child.communicate(timeout=60)
        assert child.returncode == 1 and b"not a frame" in said


def test_a_loaded_worker_ends_when_it_hears_nonsense_or_its_parent_is_gone() -> None:
    for last_words in (b"\xff" * 64, b""):
        with process() as (child, ours):
            channel = SocketChannel(ours)
            spec = {"kind": "editors", "type": "identity", "params": {}}
            channel.send({"spec": spec, "devices": ["cpu"], "worker": 0})
            assert channel.recv()[0]["type"] == "ready"
            ours.sendall(last_words)
            if not last_words:
                ours.shutdown(socket.SHUT_WR)
            assert child.wait(60) == 1


@pytest.fixture
def threads_end() -> Iterator[None]:
    """What a thread of this test raises is raised before the next test begins."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_frame_without_a_type_ends_the_worker_and_does_not_leave_it_waiting(threads_end: None, worker: Talk) -> None:
    worker.load("editors", "fakes.fake_editor")
    worker.send({"no type": True})
    assert worker.hear("bye")[0]["type"] == "bye"


def test_decoding_ahead_changes_neither_bytes_nor_pixels() -> None:
    ahead = predecode(PNG)
    assert isinstance(ahead, DecodedBytes) and ahead == PNG and hash(ahead) == hash(PNG) and len(ahead) == len(PNG)
    assert decode(ahead).tobytes() == decode(PNG).tobytes()
    assert decode(ahead, "L").tobytes() == decode(PNG, "L").tobytes() and decode(ahead, "L").mode == "L"


def test_what_an_editor_does_to_its_image_does_not_reach_the_next_decode() -> None:
    ahead = predecode(PNG)
    decode(ahead).putpixel((3, 3), (255, 0, 0))
    assert decode(ahead).tobytes() == decode(PNG).tobytes()


def test_a_broken_image_is_handed_on_as_it_is() -> None:
    for data in (b"", b"not a picture", PNG[: len(PNG) // 2]):
        assert predecode(data) is data


# -- what a pool does with workers that misbehave ---------------------------------------------------------------------


def build(key: str) -> EditRequest:
    return EditRequest(key, (PNG,), "", 0)


def spec(num_workers: int = 2, limits: Limits | None = None, **params: object) -> PoolSpec:
    fake = WorkerSpec("editors", "fakes.fake_editor", params, allow_code=True)
    return PoolSpec(fake, [("cpu",)] * num_workers, "round_robin", limits=limits or Limits())


def test_a_hang_is_noticed_while_the_neighbours_are_busy(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    lost: list[float] = []

    def notify(notice: PoolEvent) -> None:
        if notice.kind == "worker_lost":
            lost.append(time.time())

    hanging = spec(3, Limits(timeout_s=2.0), hangs_once=["0"], seconds=0.1, notes=str(notes))
    with Pool(hanging, process_launcher(lambda worker: tmp_path / f"{worker}.log"), notify) as pool:
        outcomes = list(pool.run([str(i) for i in range(90)], build))
    assert len(outcomes) == 90 and all(o.error is None for o in outcomes)
    before = [o for o in outcomes if o.started_at + o.seconds < lost[0]]
    assert len(lost) == 1 and 0 < len(before) < 60, "before the others have finished theirs"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_reading_a_request_ends_the_run_with_its_own_error(threads_end: None) -> None:
    def broken(key: str) -> EditRequest:
        if key == "2":
            raise KeyError("no such sample")
        return build(key)

    with Pool(spec(), launch_thread) as pool, pytest.raises(KeyError, match="no such sample"):
        list(pool.run([str(i) for i in range(4)], broken))


def test_a_request_that_no_frame_can_carry_fails_alone(tmp_path: Path) -> None:
    def odd(key: str) -> EditRequest:
        return EditRequest(key, (PNG,), "", 0, {"strength": float("nan")} if key == "1" else {})

    with Pool(spec(1), process_launcher(lambda worker: tmp_path / f"{worker}.log")) as pool:
        outcomes = {o.key: o for o in pool.run(["0", "1", "2"], odd)}
    assert [o.error.reason if o.error else None for o in map(outcomes.get, ("0", "1", "2")) if o] == [
        None,
        "bad_request",
        None,
    ]


def test_a_score_that_is_numpys_travels_as_a_number() -> None:
    ours, theirs = (SocketChannel(end) for end in socket.socketpair())
    talk = Talk(ours)  # type: ignore[arg-type]
    thread = threading.Thread(target=Worker(theirs).serve, daemon=True)
    thread.start()
    talk.load("judges", "fakes.fake_judge", mode="float32")
    answer = talk.judge(["a", "b"])
    ours.send({"type": "exit"})
    thread.join(60)
    ours.close()
    theirs.close()
    assert answer["scores"][0][0]["value"] == 5.0, answer
