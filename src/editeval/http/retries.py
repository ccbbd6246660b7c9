"""Asking again, a bounded number of times: doubling pauses with seeded jitter, the server's wish, one deadline."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from editeval.errors import ConfigError, MachineError
from editeval.http.client import HttpReply, HttpRequest, PassingError, Server, TransportError, exchange

T = TypeVar("T")
MAX_WAIT_S = 60.0
"""The longest pause between two calls, whatever the server wishes."""


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
    seconds = time.monotonic() - begin
    raise TransportError(f"{server.url}: no usable answer in {_calls(num_calls)} and {seconds:.1f} s; last: {last}")


def pause_s(attempt: int, wait_s: float | None, backoff_s: float, jitter: random.Random) -> float:
    """Seconds until the next call: as long as the server wishes, or longer, but at most MAX_WAIT_S."""
    own = backoff_s * float(2 ** min(attempt, 16)) * jitter.uniform(0.5, 1.0)
    return float(min(MAX_WAIT_S, max(own, wait_s or 0.0)))


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"


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
