"""Connections to servers: one per calling thread and server, kept open from one exchange to the next.

A connection goes to the server itself, or through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY,
NO_PROXY, in capitals or not), and never through one to this machine. One that the server has closed meanwhile is opened
again before anything is sent. Where it closes in that very moment, before a byte of the reply came, the request is sent
once more on a new connection: the server had not taken it. Everything else that breaks is the caller's to try again.
"""

from __future__ import annotations

import base64
import http.client
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from editeval.errors import MachineError

T = TypeVar("T")
CLOSED = (
    http.client.RemoteDisconnected,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
"""What is raised where the other side has closed the connection."""
_AT_ONCE_S = 1.0
"""A server that closes later than that after a request may have worked on it."""


class NoByteError(ConnectionError):
    """The connection was closed before a byte of the reply came."""


class ProxyError(OSError):
    """The proxy does not let through. `is_final`: asking it again would not help."""

    def __init__(self, proxy: Proxy, status: int) -> None:
        advice = (
            "it wants a user name and a password: http://user:password@host:port" if status == 407 else "ask its owner"
        )
        super().__init__(f"the proxy {proxy.url} answers {status}; {advice}, or set use_proxy: false")
        self.is_final = status < HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and what it wants to see. Only its address shows anywhere."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The address without user name and password."""
        return f"http://{self.host}:{self.port}"


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy that the environment names for a server; None: it is asked directly. MachineError: it is none."""
    proxies = getproxies_environment()
    address = proxies.get(scheme, "")
    if not address or proxy_bypass(f"{host}:{port}"):
        return None
    variable = f"{scheme.upper()}_PROXY"
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        number = parts.port or 80
    except ValueError:
        raise MachineError(
            f"{variable}: is no address; write it as http://host:port, or set use_proxy: false"
        ) from None
    if parts.scheme != "http" or not parts.hostname:
        what = f"{parts.scheme}://..." if parts.scheme != "http" else "no host"
        raise MachineError(f"{variable}: must be http://host:port, got {what}; fix it, or set use_proxy: false")
    if parts.username is None:
        return Proxy(parts.hostname, number)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return Proxy(parts.hostname, number, f"Basic {base64.b64encode(login).decode('ascii')}")


@dataclass(frozen=True, slots=True)
class Route:
    """How a server is reached."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None

    @property
    def first_stop(self) -> tuple[str, int]:
        """To what the connection is made."""
        return (self.proxy.host, self.proxy.port) if self.proxy else (self.host, self.port)

    @property
    def is_forwarded(self) -> bool:
        """Whether the proxy reads the requests: each names the whole address."""
        return self.proxy is not None and self.scheme == "http"

    def target(self, path: str) -> str:
        """What a request names for `path`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{path}" if self.is_forwarded else path

    def headers(self) -> dict[str, str]:
        """What a proxy that reads the requests wants in each."""
        login = self.proxy.authorization if self.proxy and self.is_forwarded else ""
        return {"Proxy-Authorization": login} if login else {}


class _Kept:
    """The open connections of one thread, closed when it ends."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.open: dict[Route, http.client.HTTPConnection] = {}

    def take(self, route: Route) -> http.client.HTTPConnection | None:
        """The connection to `route`, if it is open still; it is not kept any longer."""
        if self.process != os.getpid():  # after a fork they are the parent's
            self.close()
            self.process = os.getpid()
        connection = self.open.pop(route, None)
        if connection is None or (connection.sock is not None and _is_quiet(connection.sock)):
            return connection
        connection.close()
        return None

    def close(self) -> None:
        """None of them stays open."""
        while self.open:
            self.open.popitem()[1].close()

    __del__ = close


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.kept = _Kept()


def _is_quiet(wire: socket.socket) -> bool:
    """Whether nothing has come, not even the end: an idle server has nothing to say."""
    poll = select.poll()
    try:
        poll.register(wire, select.POLLIN)
    except (OSError, ValueError):
        return False
    return not poll.poll(0)


_thread = _OfThread()


def forget() -> None:
    """The calling thread keeps no connection any longer."""
    _thread.kept.close()


def converse(
    route: Route,
    seconds: float,
    talk: Callable[[http.client.HTTPConnection], T],
    before_again: Callable[[], None] = lambda: None,
) -> T:
    """What `talk` returns, which has `seconds` over a connection to `route`. It closes one that is not to be kept.

    `before_again` is called before the same is sent once more; what it raises ends it.

    Raises TimeoutError when the time is up, and OSError where there is no connection; whatever `talk` raises besides.
    """
    end = time.monotonic() + seconds
    kept = _thread.kept.take(route)
    if kept is not None:
        begin = time.monotonic()
        try:
            return _talk(route, kept, end, talk)
        except NoByteError:
            if time.monotonic() - begin > _AT_ONCE_S:
                raise
        before_again()
    return _talk(route, _open(route, end), end, talk)


def _talk(
    route: Route, connection: http.client.HTTPConnection, end: float, talk: Callable[[http.client.HTTPConnection], T]
) -> T:
    connection.sock.settimeout(max(0.001, end - time.monotonic()))
    wire = _Wire(connection.sock)
    try:
        with _until(end, wire):
            result = talk(connection)
    except BaseException:
        connection.close()
        raise
    if connection.sock is not None:
        _thread.kept.open[route] = connection
    else:
        wire.socket.close()
    return result


def _open(route: Route, end: float) -> http.client.HTTPConnection:
    """A new connection, through the tunnel and encrypted where that is wanted."""
    wire = _Wire(socket.create_connection(route.first_stop, timeout=max(0.001, end - time.monotonic())))
    with _until(end, wire):
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body are sent one after the other
        if route.proxy and not route.is_forwarded:
            _tunnel(route.proxy, route, wire.socket)
        if route.scheme == "https":
            context = ssl.create_default_context()
            encrypted = context.wrap_socket(wire.socket, server_hostname=route.host, do_handshake_on_connect=False)
            wire.socket = encrypted
            encrypted.do_handshake()
    connection = http.client.HTTPConnection(route.host, route.port)
    connection.default_port = 443 if route.scheme == "https" else 80  # the one that the header Host leaves out
    connection.sock = wire.socket
    return connection


def _tunnel(proxy: Proxy, route: Route, plain: socket.socket) -> None:
    """Asks the proxy to pass on whatever comes now."""
    host = f"[{route.host}]" if ":" in route.host else route.host
    lines = [f"CONNECT {host}:{route.port} HTTP/1.1", f"Host: {host}:{route.port}"]
    lines += [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []
    plain.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    answer = http.client.HTTPResponse(plain, method="CONNECT")
    try:
        answer.begin()
    finally:
        answer.close()
    if answer.status != HTTPStatus.OK:
        raise ProxyError(proxy, answer.status)


class _Wire:
    """The socket of an exchange, which a timer may cut."""

    def __init__(self, open_socket: socket.socket) -> None:
        self.socket = open_socket
        self.is_cut = False

    def cut(self) -> None:
        """Ends every read and write that waits."""
        self.is_cut = True
        with suppress(OSError, ValueError):
            self.socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def _until(end: float, wire: _Wire) -> Iterator[None]:
    """While inside, a timer cuts `wire` at `end`: TimeoutError then. What is raised inside closes it."""
    timer = threading.Timer(max(0.0, end - time.monotonic()), wire.cut)
    timer.daemon = True
    timer.start()
    try:
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # it must not cut a descriptor that is another connection's by then
        if wire.is_cut:
            raise TimeoutError
    except BaseException as error:
        wire.socket.close()
        if wire.is_cut and isinstance(error, Exception):
            raise TimeoutError from None
        raise
