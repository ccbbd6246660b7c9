"""Workers without processes: what they do at each start is written down beforehand, and they do it at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from editeval.execution.backends import Handle, Listener
from editeval.execution.transport import FrameError
from editeval.types import Failure

FAILS = {
    "exception": Failure("exception", "RuntimeError: no"),
    "oom": Failure("oom", "out of memory"),
    "device_lost": Failure("device_lost", "CUDA error"),
    "refused": Failure("refused", "I would rather not"),
}
ENDS = {"environment": Failure("environment", "the key is revoked")}
LATE_S = 0.01
DIES = ("die", "die_encoding", "babble")
"""At once; when the pixels are there but the PNG is not; by a message that makes no sense."""


class Script:
    """What every sample meets, attempt after attempt; when it has met all, it is edited."""

    def __init__(self, fates: Mapping[str, Sequence[str]], png: Callable[[str], bytes]) -> None:
        self._left = {key: list(fates) for key, fates in fates.items()}
        self.png = png

    def next(self, key: str) -> str:
        left = self._left.get(key)
        return left.pop(0) if left else "ok"

    def launch(self, worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        del worker, devices
        return ScriptedHandle(self, listener)


class ScriptedHandle:
    """One worker's life. Everything but requests comes from the thread of the dispatcher, and is answered in it."""

    place = waiting_for = ""

    def __init__(self, script: Script, listener: Listener) -> None:
        self.pid = 0
        self._script = script
        self._listener = listener
        self._waiting: set[str] = set()
        self._dropped: set[str] = set()
        self._late: list[dict[str, Any]] = []  # results that wait for the next start, as behind a slow encoder
        self._is_gone = False
        self._lock = threading.Lock()

    def send_nowait(self, header: dict[str, Any]) -> None:
        with contextlib.suppress(FrameError):
            self.send(header)

    def send(self, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        if self._is_gone:
            raise FrameError("gone")
        kind = header.get("type", "spec")
        if kind == "spec":
            self._say({"type": "ready", "pid": 0, "started_at": 0.0, "ended_at": 0.0, "facts": {}})
        elif kind == "request":
            # a drop may overtake what it is about; then the same request is there twice, which does no harm
            assert header["key"] not in self._waiting or header["key"] in self._dropped, "sent twice"
            self._waiting.add(header["key"])
        elif kind == "drop":
            self._waiting.discard(header["key"])
            self._dropped.add(header["key"])
        elif kind == "start":
            self._waiting.remove(header["key"])  # a KeyError: started without having been sent
            self._start(header["key"], self._script.next(header["key"]))

    def kill(self) -> None:
        self._end("signal SIGKILL")

    def stop(self, patience_s: float = 0.0) -> None:
        self._flush()
        self._end("exit code 0")

    def _start(self, key: str, fate: str) -> None:
        if fate == "die":
            self._end("signal SIGSEGV")
            return
        if fate == "babble":
            self._say({"type": "result", "key": "nobody", "width": 1, "height": 1, "flags": []}, b"")
            fate = "ok"  # it talks on as if nothing had been; nobody may believe it
        self._flush()
        done = {"type": "done", "key": key, "started_at": 1.0, "seconds": 0.5}
        self._say(done | ({"error": asdict((FAILS | ENDS)[fate])} if fate in FAILS | ENDS else {}))
        if fate == "die_encoding":
            self._end("signal SIGBUS")
        elif fate == "late":
            self._late.append({"type": "result", "key": key, "width": 3, "height": 2, "flags": []})
            threading.Timer(LATE_S, self._flush).start()  # if nothing follows
        elif fate == "behind":  # the result comes after whatever the worker says next
            result = {"type": "result", "key": key, "width": 3, "height": 2, "flags": []}
            threading.Timer(LATE_S, self._say, (result, self._script.png(key))).start()
        elif fate not in FAILS | ENDS:
            self._say({"type": "result", "key": key, "width": 3, "height": 2, "flags": []}, self._script.png(key))

    def _flush(self) -> None:
        with self._lock:
            late, self._late = self._late, []
        for header in late:
            self._say(header, self._script.png(header["key"]))

    def _say(self, header: dict[str, Any], *blobs: bytes) -> None:
        if not self._is_gone:
            self._listener.on_frame((header, list(blobs)))

    def _end(self, how: str) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._listener.on_gone(how)
