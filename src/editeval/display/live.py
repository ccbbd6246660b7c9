"""The live region at the foot of a terminal: redrawn twice a second (with hundreds of workers: less often) by a thread
of its own, log lines scroll above it.

Whoever logs only fills a queue: a terminal that is stopped (Ctrl-S) or slow holds up nobody but this thread.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from editeval.display.rates import refresh_interval_s
from editeval.display.screen import lines
from editeval.display.snapshot import RunSnapshot

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.live import Live
    from rich.segment import Segment

FRAME_S = 0.5
MAX_WAITING = 5000  # log lines; the log file has them all
PATIENCE_S = 2.0  # how long the end of a run waits for a terminal that does not take the last frame


class Region:
    """What `look` shows at the moment of printing; without rich's wrapping, as the lines are cut to size already."""

    def __init__(self, look: Callable[[], RunSnapshot]) -> None:
        self._look = look
        self.num_workers = 0  # when it was printed last

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        picture = self._look()
        self.num_workers = len(picture.workers)
        for line in lines(picture, options.max_width, console.height - 1):
            yield from (Segment(text, console.get_style(style)) for text, style in line)
            yield Segment.line()


class LiveDisplay:
    """A context manager; `handler` is where the log goes meanwhile."""

    def __init__(self, look: Callable[[], RunSnapshot], console: Console) -> None:
        self._look = look
        self._console = console
        self._lines: deque[str] = deque(maxlen=MAX_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._show, name="display", daemon=True)
        self.handler = _ToQueue(self._lines)

    def __enter__(self) -> LiveDisplay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)

    def _show(self) -> None:
        from rich.live import Live

        region = Region(self._look)
        with contextlib.suppress(OSError):  # the terminal is gone: the run and its log file go on
            live = Live(region, console=self._console, auto_refresh=False, vertical_overflow="crop")
            with live:
                self._console.show_cursor(True)  # rich hides it, and nobody would bring it back after a kill -9
                while not self._stop.wait(refresh_interval_s(FRAME_S, region.num_workers)):
                    self._frame(live)
                self._frame(live)

    def _frame(self, live: Live) -> None:
        from rich.text import Text

        waiting = [self._lines.popleft() for _ in range(len(self._lines))]
        if waiting:  # printing redraws the region below
            self._console.print(Text("\n".join(waiting)), soft_wrap=True, highlight=False)
        else:
            live.refresh()


class _ToQueue(logging.Handler):
    def __init__(self, queue: deque[str]) -> None:
        super().__init__()
        self._queue = queue

    def emit(self, record: logging.LogRecord) -> None:
        self._queue.append(self.format(record))
