"""Text for a terminal: nothing in it can steer one, and it is as wide as it is meant to be."""

from __future__ import annotations

from typing import Any

from editeval.numbers import NOTHING

_FULL, _HALF, _EMPTY = "━", "╸", "─"


def clean(text: object) -> str:
    """One line in which every unprintable character stands as its escape, whatever an id or a message holds."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def fit(text: str, width: int, is_right: bool = False) -> str:
    """`text` in exactly `width` cells (a Chinese character takes two); what is cut off shows as an ellipsis."""
    from rich.cells import cell_len, set_cell_size

    size = cell_len(text)
    if size > width:
        return set_cell_size(text, max(width - 1, 0)) + "…"[:width]
    padding = " " * (width - size)
    return padding + text if is_right else text + padding


def bar(share: float, width: int) -> tuple[str, str]:
    """(full part, empty part) of a bar."""
    halves = round(2 * width * min(max(share, 0.0), 1.0))
    full = _FULL * (halves // 2) + _HALF * (halves % 2)
    return full, _EMPTY * (width - len(full))


def clock(seconds: float | None) -> str:
    """`1:35`, or `2:01:35` from an hour on; a dash for None."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """Fixed decimals; a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}{unit}"


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: what is not a JSON value becomes text."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
