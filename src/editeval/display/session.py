"""Who watches one run: the display that was chosen, and the recorder, which every run has."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editeval.display.events import EventLines
from editeval.display.live import LiveDisplay
from editeval.display.observer import CompositeObserver, Observer
from editeval.display.plain import PlainDisplay
from editeval.display.recorder import Recorder
from editeval.display.tracker import Interval, Tracker

if TYPE_CHECKING:
    from rich.console import Console

DISPLAYS = ("auto", "live", "plain", "json", "none")
"""auto: live on a terminal that can, else plain. json: events on stdout. none: nothing but the result."""


@dataclass(frozen=True, slots=True)
class DisplaySession:
    """`observer` is to be told; the log's lines for the terminal go to `handler` (None: to nowhere)."""

    observer: Observer
    handler: logging.Handler | None


@contextmanager
def watching(
    display: str, interval: Interval, is_stopping: Callable[[], bool], say: Callable[[str], None]
) -> Iterator[DisplaySession]:
    """While inside, what the session's observer is told can be seen. `say` logs one line."""
    tracker = Tracker(interval, is_stopping)
    console = _console()
    shown = chosen(display, console)
    with Recorder(tracker) as recorder:
        watchers = (tracker, recorder)
        if shown == "live":
            with LiveDisplay(tracker.picture, console) as live:
                yield DisplaySession(CompositeObserver(watchers), live.handler)
        elif shown == "json":
            with EventLines(tracker.picture, sys.stdout) as events:
                yield DisplaySession(CompositeObserver((*watchers, events)), logging.StreamHandler(sys.stderr))
        elif shown == "plain":
            with PlainDisplay(tracker.picture, say):
                yield DisplaySession(CompositeObserver(watchers), logging.StreamHandler(sys.stderr))
        else:
            yield DisplaySession(CompositeObserver(watchers), None)


def chosen(display: str, console: Console) -> str:
    """What `auto` means here; rich knows TERM=dumb, TTY_COMPATIBLE and TTY_INTERACTIVE, and NO_COLOR takes colours."""
    if display != "auto":
        return display
    return "live" if console.is_interactive and not console.is_dumb_terminal else "plain"


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=False)
