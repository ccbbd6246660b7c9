"""`editeval view`: the front end over the loopback interface, for one reader.

What keeps others out: it listens on 127.0.0.1 only; every address begins with a random token; the Host must be ours
(another name that resolves to 127.0.0.1 is refused); what changes anything must come from our page (Origin) as JSON.
What can be read is a list of folders and shapes of names, resolved and compared, never a path. Only ratings are
written.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import TypeAlias

from editeval.errors import MachineError, UserError
from editeval.files import Folder, StrangeFileError, from_json
from editeval.reports.i18n import Message
from editeval.reports.site import page
from editeval.reports.site.first_page import Comparison, RunView, first_page
from editeval.reports.site.payload import Block, data_of, read_block
from editeval.viewer import ratings

LOOPBACK = "127.0.0.1"
MAX_PORT = 65535
MAX_BODY = 2_000_000
IDLE_S = 30
_FOLDERS = {
    "edits": re.compile(r"[0-9a-f]{32}\.png"),
    "report/thumbs": re.compile(r"[0-9a-f]{32}\.webp"),
    "report/pictures": re.compile(r"[0-9a-f]{32}\.(png|jpg|webp)"),
}
_DATA = re.compile(r"(run|rows-(?=[0-9])|details-(?=[0-9]))([0-9]{0,6})")
_TYPES = {"js": "text/javascript", "css": "text/css", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_POLICIES = {True: "frame-ancestors 'none'", False: "default-src 'none'; frame-ancestors 'none'; sandbox"}
"""For the page, which brings the rest of its own with it, and for everything that is none."""
_OF_STRANGE_DATA = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


Answer: TypeAlias = tuple[str, bytes]
"""The kind of what is sent, and its bytes."""
Comparing: TypeAlias = Callable[[Sequence[Block]], tuple[Sequence[Comparison], int | None]]
"""comparing(blocks of all runs) -> how the first compares with each other, and how many samples all have, if asked."""


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run to look at: where it is, what it is called, and the ids of its samples."""

    dir: Path
    id: str
    name: str
    samples: Collection[str]
    names_code: bool = False  # its configuration names code of the user's own: commands need --allow-code
    is_own: bool = True  # this user made it here
    change: Message | None = None  # that another program changed its ledger, as of when the viewer began

    def block(self) -> Block:
        """Raises UserError for a report that is not there, or cannot be read."""
        block = read_block(self.dir, self.names_code, self.is_own)
        if self.change is None:
            return block
        said = [f"{self.name}: {told}" for told in (self.change, self.change.chinese)]
        return {**block, "warnings": [said, *(block.get("warnings") or ())]}


class _Refused(Exception):  # noqa: N818 - not an error of ours: it is the answer
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Viewer:
    """A server of some runs; `serve` answers until `stop` is called from another thread."""

    def __init__(
        self, runs: Sequence[ShownRun], port: int = 0, comparing: Comparing | None = None, rater: str = ""
    ) -> None:
        self.runs = runs
        self.comparing = comparing
        self.rater = rater  # whose ratings are shown and saved; empty: of who gives no name
        ratings.name_of(rater)
        self.token = secrets.token_urlsafe(24)
        if not 0 <= port <= MAX_PORT:
            raise UserError(f"--port: must be from 0 to {MAX_PORT}, got {port}; leave it out to get a free one")
        try:
            self._server = _Server((LOOPBACK, port), type("Handler", (_Handler,), {"owner": self}))
        except OSError as error:
            raise MachineError(f"--port {port}: {error.strerror or error}; leave it out to get a free one") from error
        self.port = int(self._server.server_address[1])
        self.hosts = {f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"}

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    def page(self) -> str:
        """The page, as the reports on the disk are now. Raises UserError for a report that cannot be read."""
        blocks = [run.block() for run in self.runs]
        title = f"{' / '.join(run.name for run in self.runs)} - editeval"
        try:
            return self._drawn(title, blocks)
        except _OF_STRANGE_DATA as error:
            what = f"a report that editeval did not write: {error}; `editeval report RUN` writes it again"
            raise UserError(f"{title}: {what}") from error

    def _drawn(self, title: str, blocks: Sequence[Block]) -> str:
        comparisons, num_shared = self.comparing(blocks) if self.comparing else ((), None)
        roots = [f"runs/{number}/" for number in range(len(blocks))]
        drawn = [
            RunView(block, partial("{}report/thumbs/{}.webp".format, root), number)
            for number, (block, root) in enumerate(zip(blocks, roots, strict=True))
        ]
        places = [{"root": root} for root in roots]
        settings = json.dumps({"runs": places, "served": True, "intersect": num_shared is not None})
        nonce = secrets.token_urlsafe(16)
        return page.linked(title, settings, first_page(drawn, comparisons, num_shared), "app", nonce)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """`serve` returns; the port is free again."""
        self._server.shutdown()
        self.close()

    def close(self) -> None:
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):  # the reader left
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    owner: Viewer
    server_version, sys_version = "editeval", ""
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, work: Callable[[list[str]], Answer]) -> None:
        try:
            kind, body = work(self._place())
            self._send(HTTPStatus.OK, kind, body)
        except _Refused as refused:
            self.close_connection = True  # a body that was not read must not be taken for the next request
            self._send(refused.status, "text/plain; charset=utf-8", str(refused).encode())
        except UserError as error:
            self._send(HTTPStatus.CONFLICT, "text/plain; charset=utf-8", str(error).encode())
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True  # the reader left

    def _place(self) -> list[str]:
        """The parts of the address after the token. Raises _Refused for a wrong host or token."""
        if self.headers.get("Host") not in self.owner.hosts or len(self.headers.get_all("Host", [])) != 1:
            raise _Refused(HTTPStatus.FORBIDDEN, "wrong host")
        segments = self.path.partition("?")[0].split("/")
        # the page itself is opened from a file of ours, which is another site to a browser
        is_page = self.command == "GET" and segments[2:] == [""] and self.headers.get("Sec-Fetch-Dest") == "document"
        if not is_page and self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise _Refused(HTTPStatus.FORBIDDEN, "asked by another site")
        if len(segments) < 3 or not hmac.compare_digest(segments[1].encode(), self.owner.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "wrong token: open the address that `editeval view` printed")
        return segments[2:]

    def _get(self, parts: list[str]) -> Answer:
        match parts:
            case [""]:
                return "text/html; charset=utf-8", self.owner.page().encode()
            case ["app", name]:
                if name in page.STYLES + page.SCRIPTS:
                    return _type(name), page.asset(name)
            case ["runs", number, "ratings"]:
                run = self._run(number)
                return "application/json", json.dumps({"ratings": ratings.read(run.dir, self.owner.rater)}).encode()
            case ["runs", number, "data", name] if found := _DATA.fullmatch(name):
                return "application/json", _data(self._run(number), found[1].rstrip("-"), int(found[2] or 0))
            case ["runs", number, *folder, name]:
                return _type(name), self._file(self._run(number), "/".join(folder), name)
        raise _Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _post(self, parts: list[str]) -> Answer:
        if self.headers.get("Origin") not in {f"http://{host}" for host in self.owner.hosts}:
            raise _Refused(HTTPStatus.FORBIDDEN, "wrong origin")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON is expected")
        match parts:
            case ["runs", number, "ratings"]:
                run, changes = self._run(number), self._body()
            case _:
                raise _Refused(HTTPStatus.NOT_FOUND, "nothing here")
        try:
            num = ratings.change(run.dir, run.id, changes, run.samples, self.owner.rater)
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        except OSError as error:
            raise _Refused(HTTPStatus.INSUFFICIENT_STORAGE, f"{run.dir}: {error.strerror or error}") from error
        return "application/json", json.dumps({"num_ratings": num}).encode()

    def _body(self) -> dict[str, object]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY or "Transfer-Encoding" in self.headers:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY} bytes, of a stated length")
        try:
            changes = from_json(self.rfile.read(int(length)))
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, f"not JSON: {error}") from error
        if not isinstance(changes, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "an object of ratings is expected")
        return changes

    def _run(self, number: str) -> ShownRun:
        if re.fullmatch(r"[0-9]{1,4}", number) and int(number) < len(self.owner.runs):
            return self.owner.runs[int(number)]
        raise _Refused(HTTPStatus.NOT_FOUND, "no such run")

    def _file(self, run: ShownRun, folder: str, name: str) -> bytes:
        """A file of one of _FOLDERS whose name has the shape that we write; a link is none."""
        shape = _FOLDERS.get(folder)
        if shape is None or not shape.fullmatch(name):
            raise _Refused(HTTPStatus.NOT_FOUND, "nothing here")
        try:
            return Folder(run.dir).read(f"{folder}/{name}")
        except (OSError, StrangeFileError) as error:
            raise _Refused(HTTPStatus.NOT_FOUND, "nothing here") from error

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        is_picture = status == HTTPStatus.OK and kind.startswith("image/")
        headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        headers["Content-Security-Policy"] = _POLICIES[kind.startswith("text/html")]
        headers["Cache-Control"] = "private, max-age=3600" if is_picture else "no-store"
        for name, value in (headers | _HEADERS).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to the user, and the address holds the token."""


def _data(run: ShownRun, kind: str, number: int) -> bytes:
    """What the page asks for of a run: JSON, whoever wrote it."""
    if kind == "run":
        return json.dumps(run.block()).encode()
    try:
        return data_of(run.dir, kind, number)
    except OSError as error:
        raise _Refused(HTTPStatus.NOT_FOUND, "nothing here") from error
    except ValueError as error:
        raise UserError(f"{run.dir}: report/data/{kind}-{number}.js: {error}; write the report again") from error


def _type(name: str) -> str:
    return _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
