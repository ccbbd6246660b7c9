"""Workers without processes whose edits end in random order, fail, take their worker along and lose their results.

What they do is carried out by one thread; everything that happens has a number, so that no clock is needed to say what
came first.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from editeval.execution.backends import Handle, Listener
from editeval.execution.transport import FrameError
from editeval.types import Failure

FATES = {  # what an attempt meets -> how often
    "ok": 75,
    "exception": 7,
    "oom": 3,
    "device_lost": 2,
    "refused": 2,
    "dies": 5,
    "dies_encoding": 3,
    "cannot_encode": 3,
}
MAX_PAUSE_S = 0.0003


class World:
    """Launches the workers, and lets them act. `fault_rate` scales how often something goes wrong."""

    def __init__(self, seed: int, fault_rate: float = 1.0, is_one_cursed: bool = False) -> None:
        self.chance = random.Random(seed)
        self.starts: dict[str, list[int]] = {}  # key -> numbers of the events at which its attempts started ...
        self.ends: dict[str, list[int]] = {}  # ... and ended: a result or a failure left the worker, or it died
        self._weights = [weight * (1 if fate == "ok" else fault_rate) for fate, weight in FATES.items()]
        self._is_one_cursed = is_one_cursed
        self._num_events = 0
        self._actions: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._act, daemon=True)
        self._thread.start()

    def launch(self, worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        del devices
        return RandomHandle(self, worker, listener)

    def end(self) -> None:
        """Nothing happens any more."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join()

    def later(self, action: Callable[[], None]) -> None:
        """It will happen, at some time."""
        with self._changed:
            self._actions.append(action)
            self._changed.notify()

    def fate(self) -> str:
        return self.chance.choices(list(FATES), self._weights)[0]

    def note(self, record: dict[str, list[int]], key: str) -> None:
        with self._changed:
            self._num_events += 1
            record.setdefault(key, []).append(self._num_events)

    def is_cursed(self, worker: int) -> bool:
        """Whether it dies as soon as it is loaded: the first worker, from its first death on."""
        return self._is_one_cursed and worker == 0 and self._num_events > 0

    def _act(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._actions or self._is_over)
                if self._is_over:
                    return
            time.sleep(self.chance.uniform(0, MAX_PAUSE_S))
            with self._changed:
                action = self._actions.pop(self.chance.randrange(len(self._actions)))
            action()


class RandomHandle:
    """One worker's life. It is told by the dispatcher's thread, and acts in the world's."""

    place = waiting_for = ""

    def __init__(self, world: World, worker: int, listener: Listener) -> None:
        self._world = world
        self._worker = worker
        self._listener = listener
        self._running: list[str] = []  # started and not ended
        self._is_gone = False

    def send_nowait(self, header: dict[str, Any]) -> None:
        with contextlib.suppress(FrameError):
            self.send(header)

    def send(self, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        if self._is_gone:
            raise FrameError("gone")
        if "type" not in header:
            self._world.later(self._load)
        elif header["type"] == "start":
            self._world.note(self._world.starts, header["key"])
            self._running.append(header["key"])
            started_at = time.time()
            self._world.later(lambda: self._compute(header["key"], started_at))

    def kill(self) -> None:
        self._world.later(self._end)

    def stop(self, patience_s: float = 0.0) -> None:
        self._end()

    def _load(self) -> None:
        if self._world.is_cursed(self._worker):
            self._end()
        else:
            self._say({"type": "ready", "pid": 0, "started_at": 0.0, "ended_at": time.time(), "facts": {}})

    def _compute(self, key: str, started_at: float) -> None:
        fate = self._world.fate()
        if self._is_gone:
            return
        if fate == "dies" or (self._worker == 0 and self._world.is_cursed(0)):
            self._end()
            return
        done = {"type": "done", "key": key, "started_at": started_at, "seconds": time.time() - started_at}
        if fate in ("exception", "oom", "device_lost", "refused"):
            self._ended(key)
            self._say(done | {"error": asdict(Failure(fate, "no"))})
            return
        self._say(done)
        self._world.later(self._end if fate == "dies_encoding" else lambda: self._hand_over(key, fate))

    def _hand_over(self, key: str, fate: str) -> None:
        if self._is_gone:
            return
        self._ended(key)
        result: dict[str, Any] = {"type": "result", "key": key}
        if fate == "cannot_encode":
            self._say(result | {"error": asdict(Failure("exception", "no PNG"))})
        else:
            self._say(result | {"width": 3, "height": 2, "flags": []}, b"PNG")

    def _ended(self, key: str) -> None:
        self._running.remove(key)
        self._world.note(self._world.ends, key)

    def _say(self, header: dict[str, Any], *blobs: bytes) -> None:
        if not self._is_gone:
            self._listener.on_frame((header, list(blobs)))

    def _end(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            for key in list(self._running):
                self._ended(key)
            self._listener.on_gone("signal SIGKILL")
