"""A real HTTP server for POST /v1/images/edits that edits deterministically, and misbehaves as its script says.

`script` holds one behaviour per coming edit call (the last one stays if `repeats`); an empty script edits.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from editeval.images import decode
from fakes.image_dialects import Effective, RefusalError, effective

SHAPES: dict[str, dict[str, Any]] = {  # what each kind of server says besides the image
    "vllm_omni": {"output_format": "png", "size": "as asked", "cot_output": None, "metrics": {}},
    "sglang": {"id": "0", "peak_memory_mb": 1.0, "inference_time_s": 0.1, "usage": None},
    "openai": {"usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}, "background": "opaque"},
}
PATIENCE_S = 5.0  # no behaviour holds a connection longer than that


@dataclass(frozen=True)
class Call:
    """One edit call as it arrived."""

    fields: dict[str, str]
    image: bytes
    headers: dict[str, str]


@dataclass
class Quirks:
    """What differs between the servers that it can be."""

    dialect: str = "vllm_omni"
    models: tuple[str, ...] = ("tiny-edit",)
    key: str = ""  # wanted in the Authorization header
    lists_models: bool = True
    answers_url: bool = False  # url instead of b64_json
    size_off_by: int = 0  # pixels that the answer is wider than asked
    script: deque[Callable[[Handler], None]] = field(default_factory=deque)
    repeats: bool = False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ImageServer
    call: Call

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        quirks = self.server.quirks
        self.server.gets.append((self.path, dict(self.headers)))
        if self.path == "/v1/models" and quirks.lists_models:
            if not self._is_allowed():
                return
            self.json(200, {"object": "list", "data": [{"id": m, "object": "model"} for m in quirks.models]})
        elif self.path in self.server.files:
            self.raw(200, self.server.files[self.path], "image/png")
        else:
            self.json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/images/edits":
            self.json(404, {"detail": "Not Found"})
            return
        fields, image = parse_form(self.headers["Content-Type"], body)
        self.call = Call(fields, image, dict(self.headers))
        script = self.server.quirks.script
        with self.server.lock:
            self.server.calls.append(self.call)
            behave = (script[0] if self.server.quirks.repeats else script.popleft()) if script else None
        if not self._is_allowed():
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            (behave or edit)(self)

    def _is_allowed(self) -> bool:
        key = self.server.quirks.key
        sent = self.headers.get("Authorization", "")
        if not key or sent == f"Bearer {key}":
            return True
        # a careless server: it repeats the secret
        self.json(401, {"error": {"message": f"Incorrect API key provided: {sent}", "code": "invalid_api_key"}})
        return False

    def json(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        self.raw(status, json.dumps(data).encode(), "application/json", headers)

    def raw(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True


class ImageServer(ThreadingHTTPServer):
    """On 127.0.0.1, on a port of its own; use it in a `with`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, **quirks: Any) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.quirks = Quirks(**quirks)
        self.calls: list[Call] = []
        self.done: list[Effective] = []  # what it did in the end, edit by edit
        self.gets: list[tuple[str, dict[str, str]]] = []
        self.files: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> ImageServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(PATIENCE_S)

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that left is what some tests are about

    def will(self, *behaviours: Callable[[Handler], None], repeats: bool = False) -> ImageServer:
        """Behave like that in the coming edit calls."""
        self.quirks.script = deque(behaviours)
        self.quirks.repeats = repeats
        return self


def parse_form(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """(fields, image) by a strict reading of multipart/form-data (RFC 7578). Raises AssertionError otherwise."""
    kind, _, boundary = content_type.partition("; boundary=")
    assert kind == "multipart/form-data" and 1 <= len(boundary) <= 70, content_type
    delimiter = b"--" + boundary.encode()
    assert body.startswith(delimiter + b"\r\n") and body.endswith(b"\r\n" + delimiter + b"--\r\n")
    parts = (b"\r\n" + body).removesuffix(b"\r\n" + delimiter + b"--\r\n").split(b"\r\n" + delimiter + b"\r\n")[1:]
    fields: dict[str, str] = {}
    image = b""
    for part in parts:
        head, _, value = part.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n"))
        name = lines["Content-Disposition"].split('name="', 1)[1].split('"')[0]
        if "filename=" in lines["Content-Disposition"]:
            assert name == "image" and lines["Content-Type"] == "image/png"
            image = value
        else:
            assert name not in fields, f"{name} is sent twice"
            fields[name] = value.decode("utf-8")
    assert image, "no image"
    return fields, image


def pixels(image: bytes, does: Effective, size_off_by: int) -> bytes:
    """The edited file: the source at that size, each channel moved by an amount that the settings decide."""
    shift = zlib.crc32(repr(does.settings).encode())
    size = does.size[0] + size_off_by, does.size[1]
    source = decode(image).resize(size, Image.Resampling.NEAREST)
    bands = [band.point([(v + (shift >> 8 * i)) % 256 for v in range(256)]) for i, band in enumerate(source.split())]
    buffer = io.BytesIO()
    Image.merge("RGB", bands).save(
        buffer, does.file_format, **({"compress_level": 1} if does.file_format == "PNG" else {})
    )
    return buffer.getvalue()


# -- behaviours --------------------------------------------------------------------------------------------------------


def edit(handler: Handler) -> None:
    """The normal answer, in the shape of the server's kind."""
    quirks, call = handler.server.quirks, handler.call
    try:
        does = effective(quirks.dialect, call.fields, call.image, quirks.models)
    except RefusalError as refusal:
        handler.json(refusal.status, refusal.body)
        return
    handler.server.done.append(does)
    file = pixels(call.image, does, quirks.size_off_by)
    data: dict[str, Any] = {"b64_json": base64.b64encode(file).decode(), "url": None, "revised_prompt": None}
    if quirks.answers_url:
        path = f"/files/{zlib.crc32(file):08x}.png"
        handler.server.files[path] = file
        data = {"b64_json": None, "url": f"{handler.server.url.removesuffix('/v1')}{path}"}
    handler.json(200, {"created": 1, "data": [data], **SHAPES[quirks.dialect]})


def status(code: int, message: str = "busy", error_code: str = "", **headers: str) -> Callable[[Handler], None]:
    """An error in OpenAI's shape; headers with _ for -."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"error": {"message": message, "type": "error", "code": error_code or None}}
    return lambda handler: handler.json(code, body, sent)


def body(content: bytes, code: int = 200, kind: str = "application/json", **headers: str) -> Callable[[Handler], None]:
    """Any reply at all."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.raw(code, content, kind, sent)


def holding(image: bytes) -> Callable[[Handler], None]:
    """A sound reply around `image`, whatever that is."""
    return body(json.dumps({"data": [{"b64_json": base64.b64encode(image).decode()}]}).encode())


def hang_up(handler: Handler) -> None:
    """No reply at all."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def reset(handler: Handler) -> None:
    """Half a body, then a reset instead of an orderly end."""
    break_off(handler)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(handler.connection.detach())


def break_off(handler: Handler) -> None:
    """Half of the body that was promised."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.close_connection = True


def break_off_chunked(handler: Handler) -> None:
    """A chunked body without its end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"a\r\n" + b'{"data": [' + b"\r\n")
    handler.close_connection = True


def drip(pieces: Sequence[bytes], pause_s: float = 0.05) -> Callable[[Handler], None]:
    """The same few bytes over and over, slowly: never silent for long, never finished."""

    def behave(handler: Handler) -> None:
        end = time.monotonic() + PATIENCE_S
        handler.wfile.write(pieces[0])
        while time.monotonic() < end:
            handler.wfile.write(pieces[1])
            time.sleep(pause_s)

    return behave


def silence(handler: Handler) -> None:
    """Nothing, until the client leaves."""
    handler.connection.settimeout(PATIENCE_S)
    with suppress(OSError):
        handler.connection.recv(1)
    handler.close_connection = True


def flood(handler: Handler) -> None:
    """100 MB of nothing, without saying so before."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(bytes(1_000_000))
    handler.close_connection = True
