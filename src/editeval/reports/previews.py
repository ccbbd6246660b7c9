"""Pictures for the report, made while the run goes: whoever has the bytes in hand offers them here.

Offering never waits and never fails: what there is no room for is made when the report is written.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from pathlib import Path

from editeval.reports.pictures import Found, Shelf

MAX_WAITING, MAX_BYTES = 32, 64_000_000  # pictures of so many samples, and encoded bytes of all of them
WAKE_S = 0.2


class Previews:
    """A thread that fills the shelf of a run, from `start` to `finish`."""

    def __init__(self, run_dir: Path) -> None:
        self._shelf = Shelf(run_dir)
        self._waiting: queue.Queue[Found | None] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._num_bytes = 0  # in the queue and in hand
        self._thread = threading.Thread(target=self._work, name="previews", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, found: Found) -> None:
        """Make the pictures of this sample, if there is room for it. Any thread may call it."""
        if self._waiting.full() or self._shelf.find(found.sample_id, found.edited_sha256) is not None:
            return
        with self._lock:
            if self._num_bytes + _size(found) <= MAX_BYTES:
                with contextlib.suppress(queue.Full):
                    self._waiting.put_nowait(found)
                    self._num_bytes += _size(found)

    def finish(self) -> None:
        """What waits is made; then the thread is gone."""
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=WAKE_S)
                break
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        is_writable = True
        while (found := self._waiting.get()) is not None:
            try:
                if is_writable:
                    self._shelf.add(found)
            except OSError:  # a full disk: the report meets it again, and says so
                is_writable = False
            with self._lock:
                self._num_bytes -= _size(found)


def _size(found: Found) -> int:
    return sum(len(data) for data in (found.source, found.target, found.edited) if data is not None)
