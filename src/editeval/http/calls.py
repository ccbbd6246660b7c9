"""Asking a server for one thing, within bounds: of time and tries, and of what calls may cost.

A call that failed in a way that passes is made again: doubling pauses with seeded jitter, or as long as the server asks
for, under one deadline. Every try of a call with a price asks the budget first, and says afterwards what was used; the
budget is kept by the parent, for all workers and invocations of a run. Calls that are under way when a limit in money
is reached are still paid for.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from editeval.errors import BudgetError, ConfigError, MachineError
from editeval.http.client import HttpReply, HttpRequest, PassingError, Server, TransportError, exchange
from editeval.types import RequestBudget, UsageRequest

T = TypeVar("T")
MAX_WAIT_S = 60.0
"""The longest pause between two calls, whatever the server asks for."""
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how often one server is asked for one thing."""

    timeout_s: float  # one call, from connecting to the last byte
    deadline_s: float  # all calls and pauses together
    max_retries: int
    backoff_s: float  # the first pause; each following one is twice as long
    max_bytes: int  # of one reply


def ask(
    server: Server,
    message: HttpRequest,
    bounds: Bounds,
    read: Callable[[HttpReply], T],
    jitter: random.Random,
    before_try: Callable[[], None] = lambda: None,
) -> T:
    """What `read` makes of the server's reply; asked again as long as that, or the exchange, is a PassingError.

    `before_try` is called before each; whatever it raises ends the asking.

    Raises TransportError when tries or time are used up, and at once whatever else `read` raises.
    """
    begin = time.monotonic()
    last = ""
    num_calls = 0
    for attempt in range(bounds.max_retries + 1):
        left = bounds.deadline_s - (time.monotonic() - begin)
        if left <= 0:
            break
        before_try()
        num_calls += 1
        try:
            return read(exchange(server, message, min(bounds.timeout_s, left), bounds.max_bytes))
        except PassingError as error:
            last = str(error)
            pause = pause_s(attempt, error.wait_s, bounds.backoff_s, jitter)
        if attempt == bounds.max_retries or time.monotonic() - begin + pause >= bounds.deadline_s:
            break
        time.sleep(pause)
    calls = f"{num_calls} call{'' if num_calls == 1 else 's'} and {time.monotonic() - begin:.1f} s"
    raise TransportError(f"{server.url}: no usable answer in {calls}; last: {last}")


def pause_s(attempt: int, wait_s: float | None, backoff_s: float, jitter: random.Random) -> float:
    """Seconds until the next call: as long as the server asks for, or longer, but at most MAX_WAIT_S."""
    own = backoff_s * float(2 ** min(attempt, 16)) * jitter.uniform(0.5, 1.0)
    return float(min(MAX_WAIT_S, max(own, wait_s or 0.0)))


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
        """Whether nothing is limited, so that no budget has to be asked."""
        return self.max_calls is None and self.max_usd is None


class UsageMeter:
    """The calls of one worker. Any thread may call. `where` is what they are made for, in messages."""

    def __init__(self, where: str, caps: Caps, request_budget: RequestBudget) -> None:
        self._where = where
        self._caps = caps
        self._request = request_budget
        self._lock = threading.Lock()
        self._dearest = 0.0

    def begin(self) -> None:
        """One more try is about to be made. Raises BudgetError if it may not."""
        if not self._caps.is_none:
            why = self._request(UsageRequest(calls=1, max_calls=self._caps.max_calls, max_usd=self._caps.max_usd))
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
        self._request(UsageRequest(prompt_tokens=tokens[0], reply_tokens=tokens[1], usd=usd))


SECRET = re.compile(r"api_?key|auth|token|password|secret|credential")
"""Names of fields that hold secrets."""

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def check_variable(name: str) -> None:
    """Raises ConfigError for what looks like a key itself, and does not repeat it."""
    if name and (not _VARIABLE.fullmatch(name) or (len(name) >= 20 and "_" not in name)):
        raise ConfigError(
            "api_key_env: must be the NAME of an environment variable, such as OPENAI_API_KEY (capitals, digits, _); "
            "the value given is not one and is not shown here, as it may be a key"
        )


def key_in(where: str, variable: str) -> str:
    """The key in the environment variable; none without one. Raises MachineError, which never shows it."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise MachineError(f"{where}: the environment variable {variable} is not set; export it")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise MachineError(f"{where}: {variable} holds something that is no key (spaces, controls)")
    return key
