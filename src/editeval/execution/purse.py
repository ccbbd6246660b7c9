"""A worker's side of spending: its model asks here before every paid call, and whoever keeps the books answers."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from editeval.execution.frames import Channel
from editeval.types import Bill

CLOSED = "nobody keeps the books any more"


class Purse:
    """Bills go out by `channel`; `paid` hears the answers. Any thread may `pay`, while the model loads only one."""

    def __init__(self, channel: Channel) -> None:
        self.is_read = False  # another thread receives what comes; until then whoever pays does
        self._channel = channel
        self._numbers = itertools.count(time.time_ns())  # none that an earlier process of this worker used
        self._answers: dict[int, queue.SimpleQueue[str]] = {}  # by the bill's number
        self._lock = threading.Lock()
        self._is_closed = False

    def pay(self, bill: Bill) -> str:
        """ "" if what `bill` is about may be spent, or why not. Waits for the answer. Raises FrameError without one."""
        number, answer = next(self._numbers), queue.SimpleQueue[str]()
        with self._lock:
            if self._is_closed:
                return CLOSED
            self._answers[number] = answer
        self._channel.send({"type": "pay", "number": number, "bill": asdict(bill)})
        while not self.is_read and answer.empty():
            self.paid(self._channel.recv()[0])
        return answer.get()

    def paid(self, header: Mapping[str, Any]) -> None:
        """One thing that the parent said; what answers no bill is passed over."""
        with self._lock:
            answer = self._answers.pop(header["number"], None) if header["type"] == "paid" else None
        if answer is not None:
            answer.put(header["why"])

    def close(self) -> None:
        """No answer comes any more: those who wait, and those who ask from now on, are told so."""
        with self._lock:
            self._is_closed = True
            waiting = list(self._answers.values())
            self._answers.clear()
        for answer in waiting:
            answer.put(CLOSED)
