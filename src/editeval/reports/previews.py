"""Pictures for the report, made while the run goes: whoever has the bytes in hand offers them here.

Offering never waits and never fails: what there is no room for is made when the report is written.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from pathlib import Path

from editeval.reports.pictures import Found, Shelf

MAX_WAITING = 32


class Previews:
    """A thread that fills the shelf of a run, from `start` to `finish`."""

    def __init__(self, run_dir: Path) -> None:
        self._shelf = Shelf(run_dir)
        self._waiting: queue.Queue[Found | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._work, name="previews", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, found: Found) -> None:
        """Make the pictures of this sample, if there is room for it. Any thread may call it."""
        if not self._waiting.full() and self._shelf.find(found.sample_id, found.edited_sha256) is None:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(found)

    def finish(self) -> None:
        """What waits is made; then the thread is gone."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        is_writable = True
        while (found := self._waiting.get()) is not None:
            try:
                if is_writable:
                    self._shelf.add(found)
            except OSError:  # a full disk: the report meets it again, and says so
                is_writable = False
