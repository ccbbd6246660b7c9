"""One worker behind an actor, with a Ray whose network does as the test says: late words, silence, a full disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from editeval.errors import ClusterLostError, EditevalError
from editeval.execution.ray import handle
from editeval.execution.ray.handle import RayHandle
from editeval.execution.transport import Frame, FrameError

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]  # Ray's own
DONE: Frame = ({"type": "done"}, [])


class Method:
    """A method of the actor: the answer to every call is whatever has been put there, when it is there."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._answers: list[Any] = []
        self._news = threading.Condition()

    def remote(self, *arguments: Any) -> Method:
        self.calls.append(arguments)
        return self

    def answer(self, value: Any) -> None:
        with self._news:
            self._answers.append(value)
            self._news.notify_all()

    def get(self) -> Any:
        with self._news:
            assert self._news.wait_for(lambda: self._answers, timeout=60)
            value = self._answers.pop(0)
        if isinstance(value, Exception):
            raise value
        return value


class Actor:
    def __init__(self) -> None:
        self.deliver, self.collect, self.where, self.end = Method(), Method(), Method(), Method()


class FakeCluster:
    """What a handle needs of the cluster, and of ray."""

    address = "head:6379"

    def __init__(self) -> None:
        self.ray = self
        self.kills = 0
        self.lose: Callable[[ClusterLostError], None] = lambda _: None

    def get(self, call: Method) -> Any:
        return call.get()

    def wait(self, calls: list[Method], timeout: float) -> tuple[list[Method], list[Method]]:
        del timeout
        return calls, []

    def kill(self, _: Actor, no_restart: bool) -> None:
        assert no_restart
        self.kills += 1

    @contextmanager
    def on_loss(self, listener: Callable[[ClusterLostError], None]) -> Iterator[None]:
        self.lose = listener
        yield


class Listener:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_frame(self, frame: Frame) -> None:
        self.heard.append(frame)

    def on_gone(self, how: str) -> None:
        self.heard.append(how)

    def on_broken(self, error: EditevalError) -> None:
        self.heard.append(error)

    def wait_for(self, count: int) -> list[Any]:
        deadline = time.monotonic() + 60
        while len(self.heard) < count:
            assert time.monotonic() < deadline, self.heard
            time.sleep(0.01)
        return self.heard


class Line:
    """A handle, and both ends of it."""

    def __init__(self, log: Path) -> None:
        self.cluster, self.actor, self.listener = FakeCluster(), Actor(), Listener()
        self.handle = RayHandle(self.cluster, self.actor, "a node", self.listener, log)  # type: ignore[arg-type]

    def says(self, *frames: Frame, end: str = "", log: bytes = b"") -> None:
        self.actor.collect.answer({"frames": list(frames), "end": end, "log": log})


@pytest.fixture
def line(tmp_path: Path) -> Line:
    made = Line(tmp_path / "logs" / "worker.log")
    made.actor.where.answer({"node": "n1", "devices": ["cuda:0", "cuda:3"]})
    return made


def test_frames_pass_and_the_end_is_told_once_with_the_place(line: Line, tmp_path: Path) -> None:
    line.says(DONE, log=b"one\n")
    line.says(end="exit code 1", log=b"two\n")
    assert line.listener.wait_for(2) == [DONE, "exit code 1"]
    assert (line.handle.place, line.handle.waiting_for) == ("n1:cuda:0+cuda:3", "")
    assert (tmp_path / "logs" / "worker.log").read_text(encoding="utf-8") == "one\ntwo\n"
    with pytest.raises(FrameError):
        line.handle.send({"type": "drop"})
    line.handle.send_nowait({"type": "drop"})  # never raises
    assert line.cluster.kills == 1, "its GPU is free"


def test_what_a_worker_says_after_it_was_given_up_counts_no_more(line: Line) -> None:
    line.says(DONE)
    line.listener.wait_for(1)
    lost = ClusterLostError("the head was lost")
    line.cluster.lose(lost)
    line.says(DONE, end="exit code 0")
    time.sleep(0.3)
    assert line.listener.heard == [DONE, lost]
    assert line.actor.end.calls == [()], "the worker is told, past the head that is lost"


def test_a_lost_head_is_told_also_where_ray_can_no_longer_carry_anything(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses() -> None:
        raise RuntimeError("Ray has gone")

    line.says(DONE)
    line.listener.wait_for(1)
    lost = ClusterLostError("the head was lost")
    monkeypatch.setattr(line.actor.end, "remote", refuses)
    with pytest.raises(RuntimeError, match="Ray has gone"):
        line.cluster.lose(lost)
    assert line.listener.heard == [DONE, lost]
    line.says(end="exit code 0")


def test_a_node_that_does_not_answer_is_gone_in_time_and_lets_nobody_wait(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handle, "GRACE_S", 0.3)
    raised: list[BaseException] = []

    def send() -> None:
        try:
            line.handle.send({"type": "request"}, [b"x"])
        except FrameError as error:
            raised.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    line.handle.stop()
    sender.join(60)
    assert line.listener.heard == ["killed; its node does not answer"] and len(raised) == 1


def test_frames_keep_their_order_and_what_waits_travels_together(line: Line) -> None:
    for number in range(5):
        line.handle.send_nowait({"number": number})
    for _ in range(5):
        line.actor.deliver.answer(None)
    line.handle.send_nowait({"number": 5})
    deadline = time.monotonic() + 60
    while sum(len(call[0]) for call in line.actor.deliver.calls) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    numbers = [header["number"] for (frames,) in line.actor.deliver.calls for header, _ in frames]
    assert numbers == [0, 1, 2, 3, 4, 5] and len(line.actor.deliver.calls) < 6
    with pytest.raises(ValueError):
        line.handle.send({"number": float("nan")})
    line.says(end="exit code 0")
    line.listener.wait_for(1)


def test_rays_errors_are_told_in_our_words(tmp_path: Path) -> None:
    from ray.exceptions import ActorDiedError, ActorUnavailableError

    class DiedError(ActorDiedError):
        def __init__(self, text: str) -> None:
            self.text = text

        def __str__(self) -> str:
            return self.text

    for error, words in (
        (ActorUnavailableError("no route", b"0" * 16), "node n1 was lost (ActorUnavailableError)"),
        (DiedError("first\nkilled: too much memory\n"), "its actor on node n1 ended: killed: too much memory"),
        (DiedError("The actor died because its node has died."), "node n1 was lost (DiedError)"),
    ):
        line = Line(tmp_path / "worker.log")
        line.actor.where.answer({"node": "n1", "devices": ["cpu"]})
        line.actor.collect.answer(error)
        assert line.listener.wait_for(1) == [words]


def test_a_log_that_cannot_be_written_is_said_once_and_the_worker_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").touch()  # no folder
    line = Line(tmp_path / "logs" / "worker.log")
    line.actor.where.answer({"node": "n1", "devices": ["cpu"]})
    with caplog.at_level(logging.WARNING, "editeval"):
        line.says(DONE, log=b"one\n")
        line.says(DONE, end="exit code 0", log=b"two\n")
        line.listener.wait_for(3)
    assert [record.getMessage().partition("; ")[2] for record in caplog.records] == [
        "the worker's log is incomplete, the run is not"
    ]
