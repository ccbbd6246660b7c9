"""The books of one stage: what its workers have spent together, and whether one of them may spend more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from editeval.types import Bill


@dataclass(frozen=True, slots=True)
class Spent:
    """Tries of calls, tokens of those that were answered, and their price."""

    calls: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    usd: float = 0.0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> Spent:
        """What `to_json` gave; nothing spent without a text."""
        return cls(**json.loads(text)) if text else cls()

    def line(self) -> str:
        """In words."""
        tokens = f"{self.prompt_tokens:,} prompt and {self.reply_tokens:,} reply tokens"
        return f"{self.calls:,} calls made, {tokens}" + (f", {self.usd:.4f} USD" if self.usd else "")


class Till:
    """Keeps the books. `save` hears of every change before it counts."""

    def __init__(self, spent: Spent | None = None, save: Callable[[Spent], None] = lambda _: None) -> None:
        self.spent = spent or Spent()
        self._save = save

    def settle(self, bill: Bill) -> str:
        """ "" if what the bill is about may be spent, and then it is on record; otherwise why not."""
        why = self.limit(bill)
        if why:
            return f"{why} is reached: {self.spent.line()}"
        now = self.spent
        then = Spent(
            now.calls + bill.calls,
            now.prompt_tokens + bill.prompt_tokens,
            now.reply_tokens + bill.reply_tokens,
            now.usd + bill.usd,
        )
        self._save(then)
        self.spent = then
        return ""

    def limit(self, bill: Bill) -> str:
        """The limit that stands against the calls of `bill`; empty if none does. What was used is always booked."""
        if not bill.calls:
            return ""
        if bill.max_calls is not None and self.spent.calls + bill.calls > bill.max_calls:
            return "max_calls"
        return "max_usd" if bill.max_usd is not None and self.spent.usd >= bill.max_usd else ""
