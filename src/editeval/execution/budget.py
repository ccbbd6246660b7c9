"""The books of one stage: what its workers have spent together, and whether one of them may spend more."""

from __future__ import annotations

import itertools
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from editeval.execution.transport import Channel
from editeval.types import UsageRequest


@dataclass(frozen=True, slots=True)
class Usage:
    """Tries of calls, tokens of those that were answered, and their price."""

    calls: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    usd: float = 0.0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> Usage:
        """What `to_json` gave; nothing spent without a text."""
        return cls(**json.loads(text)) if text else cls()

    def line(self) -> str:
        """In words."""
        tokens = f"{self.prompt_tokens:,} prompt and {self.reply_tokens:,} reply tokens"
        return f"{self.calls:,} calls made, {tokens}" + (f", {self.usd:.4f} USD" if self.usd else "")


class BudgetLedger:
    """Keeps the books. `save` hears of every change before it counts."""

    def __init__(self, spent: Usage | None = None, save: Callable[[Usage], None] = lambda _: None) -> None:
        self.spent = spent or Usage()
        self._save = save

    def settle(self, bill: UsageRequest) -> str:
        """ "" if what the bill is about may be spent, and then it is on record; otherwise why not."""
        why = self.limit(bill)
        if why:
            return f"{why} is reached: {self.spent.line()}"
        now = self.spent
        then = Usage(
            now.calls + bill.calls,
            now.prompt_tokens + bill.prompt_tokens,
            now.reply_tokens + bill.reply_tokens,
            now.usd + bill.usd,
        )
        self._save(then)
        self.spent = then
        return ""

    def limit(self, bill: UsageRequest) -> str:
        """The limit that stands against the calls of `bill`; empty if none does. What was used is always booked."""
        if not bill.calls:
            return ""
        if bill.max_calls is not None and self.spent.calls + bill.calls > bill.max_calls:
            return "max_calls"
        return "max_usd" if bill.max_usd is not None and self.spent.usd >= bill.max_usd else ""


CLOSED = "the budget service has shut down"


class BudgetClient:
    """Asks through `channel`; `paid` takes the answers. Any thread may ask; while the model loads, only one."""

    def __init__(self, channel: Channel) -> None:
        self.is_read = False  # another thread receives what comes; until then the caller of `request_budget` does
        self._channel = channel
        self._numbers = itertools.count(time.time_ns())  # none that an earlier process of this worker used
        self._answers: dict[int, queue.SimpleQueue[str]] = {}  # by the bill's number
        self._lock = threading.Lock()
        self._is_closed = False

    def request_budget(self, bill: UsageRequest) -> str:
        """Returns the reason the budget refuses, or an empty string. Blocks until the parent answers, or FrameError."""
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
