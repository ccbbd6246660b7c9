"""One HTTP exchange with hard bounds: a deadline for the whole of it, a cap on the reply, no redirects.

The standard library's client, because every library measures its time limits per read: a server that sends one byte a
second would hold a worker for ever. Here a timer cuts the connection when the time is up, whatever it is doing. See
`connections` for how long one is kept, and for proxies.
"""

from __future__ import annotations

import hashlib
import http.client
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from socket import create_connection, inet_aton
from urllib.parse import urlsplit

from editeval.errors import ConfigError, EditevalError, MachineError
from editeval.http import connections
from editeval.http.connections import Route
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
    use_proxy: bool = True  # that of the environment, if it names one for this server

    def route(self) -> Route:
        """How it is reached: this machine directly. Raises MachineError for a proxy that is none."""
        is_direct = self._is_here or not self.use_proxy
        proxy = None if is_direct else connections.proxy_for(self.scheme, self.host, self.port)
        return Route(self.scheme, self.host, self.port, proxy)

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

    @property
    def _is_here(self) -> bool:
        """Whether it is this machine however that is written: 0.0.0.0, 127.1 and localhost. too."""
        try:
            found = ip_address(self.host)
        except ValueError:
            try:
                found = ip_address(inet_aton(self.host))
            except OSError:
                return self.host.removesuffix(".") == "localhost"
        mapped = getattr(found, "ipv4_mapped", None) or found
        return bool(mapped.is_loopback or mapped.is_unspecified)

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
    """Somebody listens at the server's address, or at its proxy's; nothing is sent. MachineError, within REACH_S."""
    route = server.route()
    found: list[OSError | UnicodeError | None] = []

    def reach() -> None:
        try:
            create_connection(route.first_stop, REACH_S).close()
            found.append(None)
        except (OSError, UnicodeError) as error:
            found.append(error)

    caller = threading.Thread(target=reach, daemon=True)  # looking up a name has no time limit of its own
    caller.start()
    caller.join(REACH_S)
    if found and found[0] is None:
        return
    why = getattr(found[0], "strerror", None) or str(found[0]) if found else f"no answer within {REACH_S:g} s"
    through = f" through the proxy {route.proxy.url}" if route.proxy else ""
    advice = (
        "fix the proxy of the environment, or set use_proxy: false" if through else "start the server, or fix base_url"
    )
    raise MachineError(f"{where}: {server.url} cannot be reached{through}: {server.quote(why)}; {advice}")


def exchange(
    server: Server,
    message: HttpRequest,
    seconds: float,
    max_bytes: int,
    before_again: Callable[[], None] = lambda: None,
) -> HttpReply:
    """The server's reply, complete and within `seconds` and `max_bytes`; see `connections.converse` for `before_again`.

    Raises PassingError if it does not come, breaks off or takes too long; BadReplyError if it is too big;
    TransportError where a proxy does not let through.
    """
    late = f"no whole reply within {seconds:.3g} s"
    reached: list[bool] = []  # whether there was a connection
    route = server.route()
    talk = partial(_converse, server, route, message, max_bytes, reached)
    try:
        return connections.converse(route, seconds, talk, before_again)
    except connections.ProxyError as error:
        if error.is_final:
            raise TransportError(f"{server.url}: {error}") from None
        raise PassingError(str(error)) from None
    except TimeoutError:
        raise PassingError(late if reached else f"cannot be reached: {late}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if not reached:
            raise PassingError(f"cannot be reached: {server.quote(error)}") from None
        cause = error.__cause__ if isinstance(error, connections.NoByteError) else error
        raise PassingError(f"connection broke: {type(cause).__name__}: {server.quote(cause)}") from None


def _converse(
    server: Server,
    route: Route,
    message: HttpRequest,
    max_bytes: int,
    reached: list[bool],
    connection: http.client.HTTPConnection,
) -> HttpReply:
    reached.append(True)
    headers = {"User-Agent": "editeval", "Accept": "application/json", **route.headers(), **message.headers}
    if message.content_type:
        headers["Content-Type"] = message.content_type
    if server.key and not message.is_anonymous:
        headers["Authorization"] = f"Bearer {server.key}"
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it had read everything
            connection.request(
                message.method, route.target(server.prefix + message.path), message.body or None, headers
            )
        response = connection.getresponse()
    except connections.CLOSED as error:
        raise connections.NoByteError from error
    with response:
        if route.proxy and route.is_forwarded and response.status == http.client.PROXY_AUTHENTICATION_REQUIRED:
            raise connections.ProxyError(route.proxy, response.status)
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
