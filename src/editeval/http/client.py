"""One HTTP exchange with hard bounds: a deadline for the whole of it, a cap on the reply, no redirects, no proxies.

The standard library's client, because every library measures its time limits per read: a server that sends one byte a
second would hold a worker for ever. Here a timer cuts the connection when the time is up, whatever it is doing.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from socket import SHUT_RDWR, create_connection, socket
from urllib.parse import urlsplit

from editeval.errors import ConfigError, EditevalError, MachineError
from editeval.text import brief

REACH_S = 3.0  # for a server to be seen before anything starts


class TransportError(EditevalError):
    """The server gave no usable answer, and asking it again did not help or would not."""

    reason = "transport"


class BadReplyError(TransportError):
    """The server did its work, and what it sent is of no use: doing it again would only cost again."""

    reason = "bad_output"


class DeclinedError(EditevalError):
    """The server will not do this one request, and asking it again would not help."""

    reason = "declined"

    def __init__(self, message: str, is_refusal: bool) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal  # for what is asked, not for how: a content policy, a safety system


class PassingError(Exception):
    """This exchange failed in a way that another one may not. `wait_s` is how long the server asks to wait."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Server:
    """Where an API is, and the key it wants. The key shows in no representation and in no quotation."""

    scheme: str
    host: str
    port: int
    prefix: str  # path that every address of the API begins with, such as /v1
    key: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The address without any secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, by its address or as localhost."""
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"

    def quote(self, text: object) -> str:
        """`text` as one short printable line in which the key does not occur."""
        return brief(str(text).replace(self.key, "[key]") if self.key else text)


def parse_url(where: str, url: str) -> Server:
    """The server that `url` names; without a path it is /v1. Raises ConfigError, which does not repeat a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{where}: is not an address; write it as http://host:port/v1") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{where}: holds a user name or password; name an environment variable in api_key_env")
    if parts.query or parts.fragment:
        raise ConfigError(f"{where}: {parts.hostname}: has a query or fragment; write it as http://host:port/v1")
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise ConfigError(f"{where}: must be an http or https address, got {url!r}; write it as http://host:port/v1")
    prefix = parts.path.rstrip("/") or "/v1"
    return Server(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), prefix)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent. `path` comes after the server's prefix."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_anonymous: bool = False  # True: without the key


def idempotency(*parts: str) -> dict[str, str]:
    """The header that lets a server know the tries of one call for one: equal if and only if `parts` are.

    A server that heeds it does its work once and gives the same answer again; others pass over it.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode("utf-8", "surrogatepass"))
    return {"Idempotency-Key": f"editeval-{digest.hexdigest()[:40]}"}


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def check_reachable(where: str, server: Server) -> None:
    """Somebody listens at the server's address; nothing is sent. Raises MachineError, within REACH_S."""
    found: list[OSError | UnicodeError | None] = []

    def reach() -> None:
        try:
            create_connection((server.host, server.port), REACH_S).close()
            found.append(None)
        except (OSError, UnicodeError) as error:
            found.append(error)

    caller = threading.Thread(target=reach, daemon=True)  # looking up a name has no time limit of its own
    caller.start()
    caller.join(REACH_S)
    if found and found[0] is None:
        return
    why = getattr(found[0], "strerror", None) or str(found[0]) if found else f"no answer within {REACH_S:g} s"
    advice = "start the server, or fix base_url"
    raise MachineError(f"{where}: {server.url} cannot be reached: {server.quote(why)}; {advice}")


def exchange(server: Server, message: HttpRequest, seconds: float, max_bytes: int) -> HttpReply:
    """The server's reply, complete and within `seconds` and `max_bytes`.

    Raises PassingError if it does not come, breaks off or takes too long; BadReplyError if it is too big.
    """
    end, late = time.monotonic() + seconds, f"no whole reply within {seconds:.3g} s"
    if server.scheme == "http":
        connection = http.client.HTTPConnection(server.host, server.port, timeout=seconds)
    else:
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(server.host, server.port, timeout=seconds, context=context)
    with closing(connection):
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            raise PassingError(f"cannot be reached: {server.quote(error)}") from None
        with _cut_at(connection.sock, end) as is_cut:
            try:
                reply = _converse(connection, server, message, max_bytes)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if is_cut.is_set() or isinstance(error, TimeoutError):
                    raise PassingError(late) from None
                raise PassingError(f"connection broke: {type(error).__name__}: {server.quote(error)}") from None
            if is_cut.is_set():
                raise PassingError(late)
            return reply


@contextmanager
def _cut_at(wire: socket, end: float) -> Iterator[threading.Event]:
    """While inside, a timer shuts `wire` down at `end`; the event says whether it had to."""
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with suppress(OSError):
            wire.shutdown(SHUT_RDWR)

    timer = threading.Timer(max(0.0, end - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_cut
    finally:
        timer.cancel()
        timer.join()  # it must not cut a descriptor that somebody else has got by then
        wire.close()


def _converse(
    connection: http.client.HTTPConnection, server: Server, message: HttpRequest, max_bytes: int
) -> HttpReply:
    headers = {"User-Agent": "editeval", "Accept": "application/json", "Connection": "close", **message.headers}
    if message.content_type:
        headers["Content-Type"] = message.content_type
    if server.key and not message.is_anonymous:
        headers["Authorization"] = f"Bearer {server.key}"
    with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it had read everything
        connection.request(message.method, server.prefix + message.path, message.body or None, headers)
    with connection.getresponse() as response:
        received = {name.lower(): value for name, value in response.getheaders()}
        return HttpReply(response.status, received, _read(response, max_bytes))


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    encoding = response.getheader("Content-Encoding", "identity")
    if encoding != "identity":
        raise BadReplyError(f"the reply is compressed ({encoding[:20]!r}), which was not asked for")
    content = b"" if (response.length or 0) > max_bytes else response.read(max_bytes + 1)
    if len(content) + (response.length or 0) > max_bytes:
        raise BadReplyError(f"the reply is bigger than {max_bytes >> 20} MiB, the most that is read")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return content
