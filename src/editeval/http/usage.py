"""What calls to a server may cost: every try of a call asks for leave first, and says afterwards what was used.

The books are kept by whoever runs the stage, for all of its workers and over all invocations of a run; here is only
what one worker knows. Calls that are under way when a limit in money is reached are still paid for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from editeval.errors import BudgetError, ConfigError, MachineError
from editeval.types import RequestBudget, UsageRequest

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that a stage may spend (None: no limit), and prices. Raises ConfigError for what makes no sense."""

    max_calls: int | None
    max_usd: float | None
    usd_per_mtok_in: float
    usd_per_mtok_out: float

    def __post_init__(self) -> None:
        if self.max_calls is not None and self.max_calls < 1:
            raise ConfigError(f"max_calls: must be at least 1, got {self.max_calls}; leave it out for no limit")
        if self.max_usd is not None and not 0.0 < self.max_usd < 1e9:
            raise ConfigError(f"max_usd: must be above 0, got {self.max_usd:g}; leave it out for no limit")
        for name in ("usd_per_mtok_in", "usd_per_mtok_out"):
            if not 0.0 <= getattr(self, name) < 1e9:
                raise ConfigError(f"{name}: must be 0 or more, got {getattr(self, name):g}")
        has_price = self.usd_per_mtok_in > 0 or self.usd_per_mtok_out > 0
        if self.max_usd is not None and not has_price:
            raise ConfigError("max_usd: needs prices; set usd_per_mtok_in and usd_per_mtok_out (per million tokens)")
        if has_price and self.max_usd is None:
            raise ConfigError(
                "usd_per_mtok_in, usd_per_mtok_out: have no effect without max_usd; set it, or leave them out"
            )

    @property
    def is_none(self) -> bool:
        """Whether nothing is limited, so that nobody has to be asked."""
        return self.max_calls is None and self.max_usd is None


class UsageMeter:
    """The calls of one worker. Any thread may call. `where` is what they are made for, in messages."""

    def __init__(self, where: str, caps: Caps, request_budget: RequestBudget) -> None:
        self._where = where
        self._caps = caps
        self._pay = request_budget
        self._lock = threading.Lock()
        self._dearest = 0.0

    def begin(self) -> None:
        """One more try is about to be made. Raises BudgetError if it may not."""
        if not self._caps.is_none:
            why = self._pay(UsageRequest(calls=1, max_calls=self._caps.max_calls, max_usd=self._caps.max_usd))
            if why:
                raise BudgetError(f"{self._where}: {why}")

    def answered(self, usage: tuple[int, int] | None, url: str) -> None:
        """A call was answered; `usage` is its tokens in and out. One that tells none costs as much as the dearest.

        Raises MachineError if none has told any, and the limit is one in money.
        """
        if self._caps.is_none:
            return
        with self._lock:
            if usage is None:
                usd = self._dearest
            else:
                usd = usage[0] * self._caps.usd_per_mtok_in / MILLION + usage[1] * self._caps.usd_per_mtok_out / MILLION
                self._dearest = max(self._dearest, usd)
            is_unknown = usage is None and not self._dearest
        if is_unknown and self._caps.max_usd is not None:
            raise MachineError(
                f"{self._where}.max_usd: {url} does not tell how many tokens it used; set max_calls instead"
            )
        tokens = usage or (0, 0)
        self._pay(UsageRequest(prompt_tokens=tokens[0], reply_tokens=tokens[1], usd=usd))
