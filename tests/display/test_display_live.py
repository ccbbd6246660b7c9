"""The live region on a recorded console, on a terminal that is stopped, and on one that has gone."""

from __future__ import annotations

import io
import logging
import os
import re
import threading
import time

import pytest
from display_fakes import Told, edit_facts
from rich.console import Console

from editeval.display import session as live_module
from editeval.display.session import FRAME_S, LiveDisplay
from waiting import wait_for

SHOW_CURSOR = "\x1b[?25h"


def console(file: io.TextIOBase | None = None, width: int = 100) -> Console:
    return Console(file=file or io.StringIO(), force_terminal=True, width=width, height=30, highlight=False)


def logged(display: LiveDisplay, *said: str) -> None:
    for line in said:
        display.handler.handle(logging.LogRecord("x", logging.INFO, "", 0, line, None, None))


def told() -> Told:
    result = Told(edit_facts())
    result.tracker.stage_began(edit_facts())
    result.edits("a", 0)
    return result


def printed(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.fixture(autouse=True)
def it_is_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last frame is waited for, however busy the machine is."""
    monkeypatch.setattr(live_module, "PATIENCE_S", 60.0)


def test_log_lines_scroll_above_the_region_exactly_as_they_are() -> None:
    screen = console()
    lines = ("[SYNC] Editing images:  33%|██████▋   | 90/270 [00:30<01:00]", "", "🔄 [bold]no markup[/bold] :smile:")
    with LiveDisplay(told().tracker.picture, screen) as display:
        logged(display, *lines)
        time.sleep(3 * FRAME_S)
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed(screen)).replace("\r", "")
    assert "\n".join(lines) + "\n" in said
    assert said.rindex("1/10") > said.index(lines[0])


def test_the_last_frame_stays_and_the_cursor_is_back() -> None:
    screen = console()
    with LiveDisplay(told().tracker.picture, screen):
        pass
    assert "1/10" in printed(screen)
    assert printed(screen).rstrip("\n").endswith(SHOW_CURSOR)


def test_the_cursor_is_never_away_for_longer_than_the_first_frame() -> None:
    """A kill -9 leaves the terminal as it is at that moment."""
    screen = console()
    with LiveDisplay(told().tracker.picture, screen):
        wait_for(lambda: "1/10" in printed(screen))
        assert wait_for(lambda: 0 <= printed(screen).rfind("\x1b[?25l") < printed(screen).rfind(SHOW_CURSOR))


def test_an_error_of_the_run_leaves_a_sane_terminal_too() -> None:
    screen = console()
    with pytest.raises(KeyboardInterrupt), LiveDisplay(told().tracker.picture, screen):
        raise KeyboardInterrupt
    assert printed(screen).rstrip("\n").endswith(SHOW_CURSOR)


def test_a_stopped_terminal_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads the other end: after a few kilobytes every write blocks, as after Ctrl-S."""
    monkeypatch.setattr(live_module, "PATIENCE_S", 0.2)
    reader, writer = os.openpty()
    file = os.fdopen(writer, "w", encoding="utf-8")
    with LiveDisplay(told().tracker.picture, console(file)) as display:
        for number in range(20_000):
            logged(display, f"line {number} " + 50 * "x")
        time.sleep(2 * FRAME_S)
        blocked = [thread for thread in threading.enumerate() if thread.name == "display"]
        assert blocked, "the display waits for its terminal"
    assert all(thread.is_alive() for thread in blocked), "whoever logged, and the end, did not wait for it"
    while any(thread.is_alive() for thread in blocked):  # read on: the thread ends
        os.read(reader, 65536)
        blocked[0].join(0.01)
    os.close(reader)
    file.close()


class GoneTerminal(io.StringIO):
    is_gone = False

    def write(self, text: str) -> int:
        if self.is_gone:
            raise OSError(5, "Input/output error")
        return super().write(text)


def test_a_terminal_that_goes_away_ends_the_display_and_nothing_else() -> None:
    file = GoneTerminal()
    with LiveDisplay(told().tracker.picture, console(file)) as display:
        wait_for(file.getvalue)
        file.is_gone = True
        logged(display, "nobody reads this")
        assert wait_for(lambda: not any(thread.name == "display" for thread in threading.enumerate()))
