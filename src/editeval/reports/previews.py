"""Pictures for the report, made while the run goes: whoever has the bytes in hand offers them here.

Offering never waits and never fails: what there is no room for is made when the report is written.
"""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from types import TracebackType

from editeval.reports.pictures import Found, Shelf

MAX_WAITING = 32


class Previews:
    """A thread that fills the shelf of a run; a context manager. Leaving it waits for the picture in the making."""

    def __init__(self, run_dir: Path) -> None:
        self._shelf = Shelf(run_dir)
        self._waiting: queue.Queue[Found | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._work, name="previews", daemon=True)

    def offer(self, found: Found) -> None:
        """Make the pictures of this sample, if there is time for it. Any thread may call it."""
        if self._shelf.find(found.sample_id, found.edited_sha256) is None:
            try:
                self._waiting.put_nowait(found)
            except queue.Full:
                return

    def __enter__(self) -> Previews:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # stopping: do not keep the user waiting
            while not self._waiting.empty():
                self._waiting.get_nowait()
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
