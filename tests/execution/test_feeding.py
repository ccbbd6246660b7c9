"""What the thread that reads requests says of an error, and to whom."""

from __future__ import annotations

import queue
from typing import Any

from editeval.execution.backends import PrefetchedRequest, PrefetchStep, prefetch
from editeval.execution.worker_messages import Unit


class Deaf:
    """A worker that is sent nothing."""

    def send(self, *frame: Any) -> None:
        raise AssertionError("nothing was built")


def fed(error: BaseException) -> list[object]:
    """What is put of a request whose building raises `error`."""

    def build(key: str) -> Unit:
        raise error

    requests: queue.SimpleQueue[PrefetchedRequest | None] = queue.SimpleQueue()
    requests.put(PrefetchedRequest(1, 0, "a", build))
    requests.put(None)
    put: list[object] = []
    try:
        prefetch(Deaf(), requests, put.append)  # type: ignore[arg-type]
    except SystemExit:
        put.append("raised")
    return put


def test_a_bug_is_told_to_the_loop_and_printed_by_no_thread() -> None:
    bug = KeyError("boom")
    assert fed(bug) == [bug]


def test_a_wish_to_end_is_told_and_goes_on_up() -> None:
    error = SystemExit(1)
    assert fed(error) == [error, "raised"]


def test_a_picture_that_does_not_fit_into_memory_fails_its_own_sample() -> None:
    (step,) = fed(MemoryError())
    assert isinstance(step, PrefetchStep) and step.failure is not None
    assert (step.state, step.failure.reason) == ("failed", "bad_source") and "memory" in step.failure.message
