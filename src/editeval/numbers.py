"""How numbers are written for people, in every report and on every page (`dom.js` does the same). None is a dash."""

from __future__ import annotations

import time

NOTHING = "-"


def fixed(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def span(low: float | None, high: float | None) -> str:
    """An interval, on a page."""
    return NOTHING if low is None or high is None else f"{low:.2f} \u2013 {high:.2f}"


def share(value: float | None) -> str:
    """Percent, never rounded to a full 100 or to 0 that it is not."""
    if value is None:
        return NOTHING
    shown = value if value in (0, 1) else min(0.999, max(0.001, value))
    return f"{shown * 100:.1f} %".replace(".0 %", " %")


def duration(seconds: float | None) -> str:
    """1.25 s, 94.5 s, 12 min 05 s, 3 h 07 min."""
    if seconds is None:
        return NOTHING
    if seconds < 120:
        return f"{seconds:.{2 if seconds < 10 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(unix_seconds: float | None) -> str:
    """UTC date and time to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(unix_seconds)) if unix_seconds else NOTHING
