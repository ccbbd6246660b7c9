"""Which display `auto` means."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from editeval.display.session import DISPLAYS, chosen


def terminal(environ: dict[str, str]) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, _environ=environ)


@pytest.mark.parametrize(
    ("environ", "meant"),
    [
        ({"TERM": "xterm-256color"}, "live"),
        ({"TERM": "dumb"}, "plain"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "live"),
        ({"TERM": "xterm", "TTY_INTERACTIVE": "0"}, "plain"),
    ],
)
def test_auto_is_live_on_a_terminal_that_can(environ: dict[str, str], meant: str) -> None:
    assert chosen("auto", terminal(environ)) == meant


def test_auto_is_plain_in_a_pipe() -> None:
    assert chosen("auto", Console(file=io.StringIO(), _environ={"TERM": "xterm"})) == "plain"


def test_no_color_takes_the_colours() -> None:
    assert terminal({"TERM": "xterm", "NO_COLOR": "1"}).no_color


@pytest.mark.parametrize("display", [name for name in DISPLAYS if name != "auto"])
def test_a_display_that_is_named_is_meant(display: str) -> None:
    assert chosen(display, terminal({"TERM": "dumb"})) == display
