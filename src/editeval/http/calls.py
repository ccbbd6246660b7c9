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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from editeval.errors import BudgetError, ConfigError, MachineError
from editeval.http.client import (
    HttpReply,
    HttpRequest,
    PassingError,
    Server,
    TransportError,
    check_reachable,
    exchange,
    parse_url,
)
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

    `before_try` is called before each request that is sent; whatever it raises ends the asking.

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
            return read(exchange(server, message, min(bounds.timeout_s, left), bounds.max_bytes, before_try))
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


NOT_IDENTITY: Mapping[str, bool] = {"identity": False}  # such a field changes no result, only how it is got
DEFAULT_URL = "http://127.0.0.1:8000/v1"


@dataclass(frozen=True, kw_only=True)
class ServerParams:
    """Which servers a plug-in asks, how patiently, and at what cost. Raises ConfigError for what makes no sense."""

    base_url: str = field(default="", metadata=NOT_IDENTITY)  # one server; without it and base_urls: DEFAULT_URL
    base_urls: tuple[str, ...] = field(default=(), metadata=NOT_IDENTITY)  # several; worker i takes number i mod n
    model: str = ""  # as the server names it
    api_key_env: str = field(default="", metadata=NOT_IDENTITY)  # NAME of the environment variable; empty = no key
    timeout_s: float = field(default=120.0, metadata=NOT_IDENTITY)  # one call, from connecting to the last byte
    deadline_s: float = field(default=600.0, metadata=NOT_IDENTITY)  # one result, with every retry and pause
    max_retries: int = field(default=4, metadata=NOT_IDENTITY)  # after 408, 409, 425, 429, 5xx, resets and timeouts
    backoff_s: float = field(default=1.0, metadata=NOT_IDENTITY)  # the first pause; each further one is twice as long
    use_proxy: bool = field(default=True, metadata=NOT_IDENTITY)  # that of HTTPS_PROXY, HTTP_PROXY and NO_PROXY
    max_calls: int | None = field(default=None, metadata=NOT_IDENTITY)  # of a run, retries included; then it stops
    max_usd: float | None = field(default=None, metadata=NOT_IDENTITY)  # of a run, by these prices; then it stops
    usd_per_mtok_in: float = field(default=0.0, metadata=NOT_IDENTITY)  # US dollars per million tokens sent
    usd_per_mtok_out: float = field(default=0.0, metadata=NOT_IDENTITY)  # ... of replies

    def __post_init__(self) -> None:
        if self.base_url and self.base_urls:
            raise ConfigError("base_urls: given together with base_url; give one of them")
        object.__setattr__(self, "base_urls", tuple(self.base_urls))  # a list, when it comes out of JSON
        check_variable(self.api_key_env)
        for name, server in zip(("base_urls",) * len(self.base_urls) or ("base_url",), self.servers(), strict=True):
            if self.api_key_env and server.scheme == "http" and not server.is_loopback:
                raise ConfigError(
                    f"{name}: {server.url} would get the key in {self.api_key_env} unencrypted; use https, "
                    "a tunnel to 127.0.0.1, or a server without a key"
                )
        if not self.model.strip():
            raise ConfigError("model: is empty; name the model that the server serves")
        self.check_number("timeout_s", 0.01, 86400)
        self.check_number("deadline_s", 0.01, 86400)
        self.check_number("max_retries", 0, 20, int)
        self.check_number("backoff_s", 0, 60)
        self._check_budget()

    def check_number(self, name: str, least: float, most: float, kind: type = float) -> None:
        """Raises ConfigError unless the field `name` is a number within these bounds."""
        value = getattr(self, name)
        is_number = type(value) is int or (kind is float and type(value) is float)
        if not is_number or not least <= value <= most:
            what = "an integer" if kind is int else "a number"
            raise ConfigError(f"{name}: must be {what} from {least:g} to {most:g}, got {value!r}")

    def _check_budget(self) -> None:
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
    def num_workers(self) -> int:
        """How many workers there are where the configuration names no devices: one per server."""
        return len(self.base_urls) or 1

    def servers(self) -> list[Server]:
        """Every server, without its key."""
        urls = [(f"base_urls[{i}]", url) for i, url in enumerate(self.base_urls)]
        urls = urls or [("base_url", self.base_url or DEFAULT_URL)]
        return [replace(parse_url(where, url), use_proxy=self.use_proxy) for where, url in urls]

    def check_servers(self, where: str) -> None:
        """The key's variable is set, and every address answers. Raises MachineError."""
        key_in(f"{where}.api_key_env", self.api_key_env)
        for server in self.servers():
            check_reachable(where, server)

    def server_of(self, where: str, worker: int) -> Server:
        """The server that this worker asks, with the key."""
        servers = self.servers()
        return replace(servers[worker % len(servers)], key=key_in(f"{where}.api_key_env", self.api_key_env))

    def bounds(self, max_bytes: int) -> Bounds:
        """How long and how often the server is asked for one result."""
        return Bounds(self.timeout_s, self.deadline_s, self.max_retries, self.backoff_s, max_bytes)


class UsageMeter:
    """The calls of one worker. Any thread may call. `where` is what they are made for, in messages."""

    def __init__(self, where: str, params: ServerParams, request_budget: RequestBudget) -> None:
        self._where = where
        self._params = params
        self._is_limited = params.max_calls is not None or params.max_usd is not None
        self._request = request_budget
        self._lock = threading.Lock()
        self._dearest = 0.0

    def begin(self) -> None:
        """One more try is about to be made. Raises BudgetError if it may not."""
        if self._is_limited:
            why = self._request(UsageRequest(calls=1, max_calls=self._params.max_calls, max_usd=self._params.max_usd))
            if why:
                raise BudgetError(f"{self._where}: {why}")

    def answered(self, usage: tuple[int, int] | None, url: str) -> None:
        """A call was answered; `usage` is its tokens in and out. One without a count costs as much as the dearest.

        Raises MachineError if no call had a count, and the limit is one in money.
        """
        if not self._is_limited:
            return
        with self._lock:
            if usage is None:
                usd = self._dearest
            else:
                usd = (
                    usage[0] * self._params.usd_per_mtok_in / MILLION
                    + usage[1] * self._params.usd_per_mtok_out / MILLION
                )
                self._dearest = max(self._dearest, usd)
            is_unknown = usage is None and not self._dearest
        if is_unknown and self._params.max_usd is not None:
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
