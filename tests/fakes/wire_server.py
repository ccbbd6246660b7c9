"""A server that follows a script, request by request: it answers, leaves, breaks off, trickles, tunnels."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 5.0
Behaviour = Callable[["WireServer", socket.socket], bool]
"""Does something; False: the connection is over."""


def answer(_server: WireServer, wire: socket.socket) -> bool:
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
    return True


def answer_and_leave(server: WireServer, wire: socket.socket) -> bool:
    """As a server does that closes idle connections: it does not say so."""
    answer(server, wire)
    return False


def leave(_server: WireServer, _wire: socket.socket) -> bool:
    return False


def half(_server: WireServer, wire: socket.socket) -> bool:
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nfine")
    return False


def trickle(server: WireServer, wire: socket.socket) -> bool:
    """A byte now and then, until the other side has had enough."""
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
    with suppress(OSError):
        for _ in range(400):
            wire.sendall(b".")
            if server.ended.wait(0.02):
                break
    return False


def says(status: int) -> Behaviour:
    def say(_server: WireServer, wire: socket.socket) -> bool:
        wire.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
        return True

    return say


def tunnel_to(port: int) -> Behaviour:
    """As a proxy that lets through, wherever the request wants to go."""

    def tunnel(server: WireServer, wire: socket.socket) -> bool:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as there:
            wire.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(there, wire), daemon=True)
            back.start()
            _copy(wire, there)
            back.join(PATIENCE_S)
        return False

    return tunnel


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class WireServer:
    """On 127.0.0.1, on a port of its own; use it in a `with`. What the script does not say is answered."""

    def __init__(self, *script: Behaviour, context: ssl.SSLContext | None = None) -> None:
        self.script = deque(script)
        self.requests: list[tuple[int, str]] = []  # (number of the connection, head of the request)
        self.num_connections = 0
        self.ended = threading.Event()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> WireServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            self.num_connections += 1
            thread = threading.Thread(target=self._serve, args=(wire, self.num_connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: socket.socket, number: int) -> None:
        wire.settimeout(PATIENCE_S)
        with suppress(OSError), self._encrypted(wire) as plain, plain.makefile("rb") as lines:
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = lines.readline()
                    if not line:
                        return
                    head += line
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                lines.read(int(length[0].split(b":")[1]) if length else 0)
                self.requests.append((number, head.decode()))
                behave = self.script.popleft() if self.script else answer
                if not behave(self, plain):
                    return

    def _encrypted(self, wire: socket.socket) -> socket.socket:
        return self._context.wrap_socket(wire, server_side=True) if self._context else wire


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate of a server called `name`, and 127.0.0.1, that signs itself, and what a server does with it."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(made), "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context
