"""A real HTTP server that speaks as much of the Hugging Face Hub as a download needs, from one folder, on loopback."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PATIENCE_S = 20.0  # a silent server holds a connection no longer than that


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def _answer(self, has_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        if self.server.is_silent:
            self.connection.settimeout(PATIENCE_S)
            with suppress(OSError):
                self.connection.recv(1)
            self.close_connection = True
            return
        repo = self.server.repo
        kind = self.server.kind
        api, resolve = f"/api/{kind}/{repo}", f"/{repo}/resolve/" if kind == "models" else f"/{kind}/{repo}/resolve/"
        if path == api or path.startswith(f"{api}/revision/"):
            self._tell(path.partition("/revision/")[2] or "main", has_body)
        elif path.startswith(f"{api}/tree/"):
            entries = [{"type": "file", "path": n, "oid": "0", "size": len(b)} for n, b in self.server.files().items()]
            self._send(200, json.dumps(entries).encode(), {}, has_body)
        elif path.startswith(resolve):
            revision, _, name = path.removeprefix(resolve).partition("/")
            self._give(revision, name, has_body)
        else:
            self._refuse(404, "RepoNotFound", has_body)

    def _tell(self, revision: str, has_body: bool) -> None:
        if revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound", has_body)
            return
        siblings = [{"rfilename": name} for name in self.server.files()]
        about = {"_id": "0", "id": self.server.repo, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
        self._send(200, self.server.about or json.dumps(about).encode(), {}, has_body)

    def _give(self, revision: str, name: str, has_body: bool) -> None:
        if self.server.is_gated:
            self._refuse(401, "GatedRepo", has_body)
        elif revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound", has_body)
        elif name not in self.server.files():
            self._refuse(404, "EntryNotFound", has_body)
        else:
            body = self.server.files()[name]
            etag = self.server.etag or hashlib.sha256(body).hexdigest()
            self._send(200, body, {"ETag": f'"{etag}"', "X-Repo-Commit": self.server.commit}, has_body)

    def _refuse(self, status: int, code: str, has_body: bool) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code}, has_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], has_body: bool) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if has_body:
            is_cut = self.server.is_cut and "ETag" in headers
            self.wfile.write(body[: len(body) // 2] if is_cut else body)
            self.close_connection |= is_cut


class HubServer(ThreadingHTTPServer):
    """Serves `folder` as the model `repo` (`kind`: "datasets"), whose only commit is COMMIT; use it in a `with`."""

    daemon_threads = True
    kind = "models"
    is_cut = False  # the connection ends in the middle of a file
    about = b""  # what it says of the repo instead
    etag = ""  # what it says of every file instead
    commit = COMMIT  # what it says that a file is of

    def __init__(self, repo: str, folder: Path, is_gated: bool = False, is_silent: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repo = repo
        self.folder = folder
        self.is_gated = is_gated
        self.is_silent = is_silent
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def files(self) -> dict[str, bytes]:
        """Every file of the model."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def handle_error(self, request: object, client_address: object) -> None:
        return  # a client that gave up is what some tests are about

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(PATIENCE_S)
