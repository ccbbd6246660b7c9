"""Connections are kept, opened again, cut and led through proxies; no request is sent twice that a server may have."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from editeval.errors import BudgetError, MachineError
from editeval.http import calls, connections
from editeval.http.client import (
    HttpReply,
    HttpRequest,
    PassingError,
    Server,
    TransportError,
    check_reachable,
    exchange,
    idempotency,
)
from fakes.wire_server import (
    WireServer,
    answer,
    answer_and_leave,
    certificate,
    half,
    leave,
    says,
    trickle,
    tunnel_to,
)

PAID = HttpRequest("POST", "/edits", b"{}", "application/json", idempotency("one", "call"))
NAMES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    yield
    connections.forget()


def here(server: WireServer, scheme: str = "http") -> Server:
    return Server(scheme, "127.0.0.1", server.port, "/v1")


def ask(server: Server, seconds: float = 5.0) -> HttpReply:
    return exchange(server, PAID, seconds, 1 << 20)


def used(server: WireServer) -> list[int]:
    """Over which connection each request came."""
    return [number for number, _ in server.requests]


def test_a_thread_keeps_its_connection_to_a_server_and_shares_it_with_no_other() -> None:
    with WireServer() as server:
        assert [ask(here(server)).body for _ in range(3)] == [b"fine"] * 3
        other = threading.Thread(target=lambda: [ask(here(server)) for _ in range(2)])
        other.start()
        other.join()
        ask(here(server))
        connections.forget()
    assert used(server) == [1, 1, 1, 2, 2, 1]


def test_a_server_that_closes_idle_connections_gets_each_request_once() -> None:
    with WireServer(*[answer_and_leave] * 3) as server:
        for _ in range(3):
            assert ask(here(server)).body == b"fine"
    assert used(server) == [1, 2, 3]


def test_a_kept_connection_that_ends_before_a_byte_is_replaced_once_with_the_same_key() -> None:
    with WireServer(answer, leave, answer) as server:
        ask(here(server))
        assert ask(here(server)).body == b"fine"
        connections.forget()
    assert used(server) == [1, 1, 2]
    assert all(PAID.headers["Idempotency-Key"] in head for _, head in server.requests)


def test_what_is_sent_once_more_is_in_the_books_before_and_a_spent_budget_forbids_it() -> None:
    books: list[int] = []

    def book() -> None:
        if len(books) == 3:
            raise BudgetError("max_calls is reached")
        books.append(1)

    def paid(server: WireServer) -> bytes:
        bounds = calls.Bounds(5.0, 5.0, 0, 0.0, 1 << 20)
        return calls.ask(here(server), PAID, bounds, lambda reply: reply.body, random.Random(0), book)

    with WireServer(answer, leave, answer, leave) as server:
        assert [paid(server) for _ in range(2)] == [b"fine"] * 2
        assert len(server.requests) == len(books) == 3
        with pytest.raises(BudgetError):
            paid(server)
        connections.forget()
    assert len(server.requests) == 3


def test_what_ends_before_a_byte_on_a_new_connection_is_not_sent_again() -> None:
    with WireServer(leave) as server, pytest.raises(PassingError, match="connection broke: RemoteDisconnected"):
        ask(here(server))
    assert used(server) == [1]
    with WireServer(answer, leave, leave, answer) as server:
        ask(here(server))
        with pytest.raises(PassingError, match="connection broke"):
            ask(here(server))
    assert used(server) == [1, 1, 2], "once, and no more"


def test_half_a_reply_on_a_kept_connection_is_not_asked_for_again() -> None:
    with WireServer(answer, half, answer) as server:
        ask(here(server))
        with pytest.raises(PassingError, match="connection broke: IncompleteRead"):
            ask(here(server))
        assert used(server) == [1, 1]
        assert ask(here(server)).body == b"fine"
        connections.forget()
    assert used(server) == [1, 1, 2]


def test_the_deadline_holds_on_a_kept_connection_and_what_was_cut_is_not_used_again() -> None:
    with WireServer(answer, trickle, answer) as server:
        ask(here(server))
        with pytest.raises(PassingError, match=r"no whole reply within 0\.2 s"):
            ask(here(server), 0.2)
        assert ask(here(server)).body == b"fine"
        connections.forget()
    assert used(server) == [1, 1, 2]


def test_a_reply_that_is_too_big_ends_its_connection() -> None:
    with WireServer() as server:
        with pytest.raises(TransportError, match="bigger than"):
            exchange(here(server), PAID, 5.0, 3)
        ask(here(server))
        connections.forget()
    assert used(server) == [1, 2]


FAR = Server("http", "server.test", 8000, "/v1", "sk-secret")


def test_a_proxy_for_http_gets_the_whole_address_and_its_own_login(monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:s%40cret@127.0.0.1:{proxy.port}")
        check_reachable("judge", FAR)
        assert [ask(FAR).body for _ in range(2)] == [b"fine", b"fine"]
        connections.forget()
    head = proxy.requests[0][1]
    assert head.startswith("POST http://server.test:8000/v1/edits HTTP/1.1\r\nHost: server.test:8000\r\n")
    assert "Proxy-Authorization: Basic bWU6c0BjcmV0\r\n" in head and len(set(used(proxy))) == 1


def test_no_proxy_and_use_proxy_false_and_this_machine_go_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer() as proxy, WireServer() as server:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "elsewhere.test,.other.test")
        for host in ("elsewhere.test", "one.other.test"):
            assert Server("https", host, 443, "/v1").route().proxy is None
        assert Server("https", "server.test", 443, "/v1").route().proxy is not None
        assert Server("https", "server.test", 443, "/v1", use_proxy=False).route().proxy is None
        for host in ("localhost.", "0.0.0.0", "::", "127.1", "127.0.0.9", "::ffff:127.0.0.1"):
            assert Server("http", host, 8000, "/v1").route().proxy is None, host
        ask(here(server))
        connections.forget()
    assert used(server) == [1] and proxy.num_connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_is_one_line_without_any_password(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Server(scheme, "server.test", 8000, "/v1", "sk-secret")
    with WireServer(says(407)) as proxy:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:hidden@127.0.0.1:{proxy.port}")
        with pytest.raises(TransportError) as caught:
            ask(far)
    line = str(caught.value)
    assert f"the proxy http://127.0.0.1:{proxy.port} answers 407; it wants a user name and a password" in line
    assert "hidden" not in line and "sk-secret" not in line and "\n" not in line and len(proxy.requests) == 1
    assert "sk-secret" not in proxy.requests[0][1] or scheme == "http", "a tunnel does not show the key"


def test_a_proxy_that_refuses_or_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    far = Server("https", "server.test", 443, "/v1")
    with WireServer(says(403), says(502)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(TransportError, match="answers 403; ask its owner, or set use_proxy: false"):
            ask(far)
        with pytest.raises(PassingError, match="answers 502"):
            ask(far)
    with pytest.raises(MachineError, match=r"cannot be reached through the proxy http://127\.0\.0\.1"):
        check_reachable("judge", far)


@pytest.mark.parametrize(
    "address", ["socks5://me:hidden@127.0.0.1:1080", "https://127.0.0.1:1", "http://", "http://a:b"]
)
def test_a_proxy_of_another_kind_is_refused_by_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(MachineError, match=r"HTTPS_PROXY: .*use_proxy: false") as caught:
        Server("https", "server.test", 443, "/v1").route()
    assert "hidden" not in str(caught.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_an_encrypted_connection_is_kept_too_also_through_a_tunnel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, context = certificate(tmp_path, "server.test")
    with WireServer(context=context) as server, WireServer(tunnel_to(server.port)) as proxy:
        with pytest.raises(PassingError, match=r"cannot be reached: .*certificate"):
            ask(here(server, "https"))
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        assert [ask(here(server, "https")).body for _ in range(2)] == [b"fine"] * 2
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert [ask(Server("https", "server.test", 443, "/v1")).body for _ in range(2)] == [b"fine"] * 2
        connections.forget()
    assert used(server) == [2, 2, 3, 3] and [head.split("\r\n")[0] for _, head in proxy.requests] == [
        "CONNECT server.test:443 HTTP/1.1"
    ]


def test_a_forked_process_does_not_talk_over_its_parents_connection() -> None:
    with WireServer() as server:
        ask(here(server))
        kept = connections._thread.kept
        kept.process = os.getpid() + 1  # as it looks after a fork
        ask(here(server))
        connections.forget()
    assert used(server) == [1, 2]
