"""The display of one run: a live region on a terminal, lines in a log or pipe, events for programs; and the recorder.

live: the region at the foot of a terminal is redrawn twice a second (with hundreds of workers: less often) by a thread
of its own, log lines scroll above it. Logging only fills a queue: a terminal that is stopped (Ctrl-S) or slow holds up
nothing but this thread. plain: a line every half minute and at every tenth of a stage, beside the lines of the log
contract.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from editeval.display.observer import Observer
from editeval.display.recorder import EventLines, Recorder
from editeval.display.screen import lines, status_line
from editeval.display.snapshot import RunSnapshot, refresh_interval_s
from editeval.display.tracker import Interval, Tracker
from editeval.text import FINISHING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.live import Live
    from rich.segment import Segment

DISPLAYS = ("auto", "live", "plain", "json", "none")
"""auto: live on a terminal that can, else plain. json: events on stdout. none: nothing but the result."""
LINE = "line"
"""For notebooks, where no terminal is: one line of stdout that is written anew each second, and warnings on stderr."""


@dataclass(frozen=True, slots=True)
class DisplaySession:
    """`observer` gets what happens; the log's lines for the terminal go to `handler` (None: to nowhere)."""

    observer: Observer
    handler: logging.Handler | None


@contextmanager
def watching(
    display: str, interval: Interval, is_stopping: Callable[[], bool], say: Callable[[str], None]
) -> Iterator[DisplaySession]:
    """While inside, what the session's observer gets can be seen. `say` logs one line."""
    tracker = Tracker(interval, is_stopping)
    console = _console()
    shown = chosen(display, console)
    with Recorder(tracker):
        if shown == "live":
            with LiveDisplay(tracker.picture, console, is_stopping) as live:
                yield DisplaySession(tracker, live.handler)
        elif shown == "json":
            with EventLines(tracker, sys.stdout) as events:
                yield DisplaySession(events, logging.StreamHandler(sys.stderr))
        elif shown == "plain":
            with PlainDisplay(tracker.picture, say):
                yield DisplaySession(tracker, logging.StreamHandler(sys.stderr))
        elif shown == LINE:
            warnings = logging.StreamHandler(sys.stderr)
            warnings.addFilter(lambda record: record.levelno >= logging.WARNING)
            with LineDisplay(tracker.picture, sys.stdout):
                yield DisplaySession(tracker, warnings)
        else:
            yield DisplaySession(tracker, None)


def chosen(display: str, console: Console) -> str:
    """What `auto` means here; rich knows TERM=dumb, TTY_COMPATIBLE and TTY_INTERACTIVE, and NO_COLOR takes colours."""
    if display != "auto":
        return display
    return "live" if console.is_interactive and not console.is_dumb_terminal else "plain"


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=False)


# -- live --------------------------------------------------------------------------------------------------------------

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

    def __init__(
        self, look: Callable[[], RunSnapshot], console: Console, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._look = look
        self._console = console
        self._is_stopping = is_stopping
        self._has_said_so = False
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
            self._has_said_so = self._is_stopping()  # the handler of the signal says it, unless stderr is the region's
            with live:
                self._has_said_so |= sys.stderr is sys.__stderr__
                self._console.show_cursor(True)  # rich hides it, and after a kill -9 it would stay away
                while not self._stop.wait(refresh_interval_s(FRAME_S, region.num_workers)):
                    self._frame(live)
                self._frame(live)

    def _frame(self, live: Live) -> None:
        from rich.text import Text

        waiting = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._is_stopping() and not self._has_said_so:
            self._has_said_so = True
            waiting.insert(0, FINISHING)
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


# -- plain -------------------------------------------------------------------------------------------------------------

INTERVAL_S = 30.0
MIN_GAP_S = 5.0  # tenths that follow one another faster share a line
LOOK_S = 1.0


class PlainDisplay:
    """A context manager: says `Status: ...` from a thread of its own."""

    def __init__(self, look: Callable[[], RunSnapshot], say: Callable[[str], None]) -> None:
        self._look = look
        self._say = say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="display", daemon=True)
        self._rhythm = Rhythm()

    def __enter__(self) -> PlainDisplay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(LOOK_S)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Say where we are, if it is time to."""
        picture = self._look()
        if self._rhythm.is_due(picture) and picture.workers:
            self._say(status_line(picture))


class LineDisplay:
    """A context manager: the status on one line, over the one before."""

    def __init__(self, look: Callable[[], RunSnapshot], out: TextIO) -> None:
        self._look = look
        self._out = out
        self._width = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="display", daemon=True)

    def __enter__(self) -> LineDisplay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(LOOK_S)
        self._show("\n")

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._show("")

    def _show(self, end: str) -> None:
        line = status_line(self._look())
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            self._out.write(f"\r{line.ljust(self._width)}{end}")
            self._out.flush()
        self._width = len(line)


class Rhythm:
    """Every INTERVAL_S, and at every tenth of a stage, but at most one in MIN_GAP_S."""

    def __init__(self) -> None:
        self._said_at: float | None = None
        self._tenths: dict[str, int] = {}

    def is_due(self, picture: RunSnapshot) -> bool:
        tenths = {s.key: 10 * (s.done + s.failed) // s.total if s.total else 10 for s in picture.stages}
        if self._said_at is None:
            self._said_at, self._tenths = picture.at, tenths
            return False
        waited = picture.at - self._said_at
        is_due = waited >= INTERVAL_S or (waited >= MIN_GAP_S and tenths != self._tenths)
        if is_due:
            self._said_at, self._tenths = picture.at, tenths
        return is_due
