"""Text and numbers for people: on one line, printable, and the commands to type next."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import shlex
import time
from collections.abc import Iterable, Mapping
from typing import Any

from editeval.redaction import redacted

FINISHING = "Finishing what is running; once more stops at once."
"""What the first Ctrl-C is answered with."""


def one_line(text: object) -> str:
    """`text` on one line that cannot steer a terminal, whatever it holds: what does not print stands as its escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def brief(text: object, limit: int = 300) -> str:
    """What another program said, on one line of at most `limit` characters."""
    return shortened(one_line(" ".join(str(text).split())), limit)


_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINE_BREAK = re.compile(r"\r\n?|[\u2028\u2029\x85]")


def printable(value: object, keep_lines: bool = False) -> str:
    """`value` as text in which every unprintable character stands as its escape, `\\x1b`; line breaks as ` / `."""
    text = _LINE_BREAK.sub("\n", "" if value is None else str(value))
    lines = text.split("\n")
    if not keep_lines:
        lines = [line.strip() for line in lines if line.strip()]
    clean = (_UNPRINTABLE.sub(lambda match: one_line(match[0]), line.replace("\t", " ")) for line in lines)
    return ("\n" if keep_lines else " / ").join(clean)


def shortened(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def shell_line(words: Iterable[str]) -> str:
    """`words` as one line for a shell, without secrets."""
    return redacted(shlex.join(words))


def run_command(verb: str, directory: object, *flags: str, names_code: bool) -> str:
    """`editeval VERB FLAGS DIRECTORY` as it can be pasted into a shell.

    `names_code`: the run's configuration names code of the user's own, which is imported only with --allow-code.
    """
    consent = ("--allow-code",) if names_code else ()
    return shell_line(("editeval", verb, *flags, str(directory), *consent))


def extent(num_edits: int, num_seeds: int) -> str:
    """Of how many samples so many wanted edits are: "40 samples", "40 samples x 4 seeds"."""
    return f"{num_edits // num_seeds} samples" + (f" x {num_seeds} seeds" if num_seeds > 1 else "")


NOTHING = "-"


_SMALL, _MOST_DECIMALS = 0.1, 4


def fixed(value: float | None, digits: int = 2) -> str:
    """`value` with `digits` decimals; below 0.1 in size with two significant figures, in at most four decimals."""
    if value is None:
        return NOTHING
    if 0 < abs(value) < _SMALL:
        exponent = int(f"{value:.1e}".partition("e")[2])  # of the rounded value: 0.0999 is 0.10
        digits = max(digits, min(_MOST_DECIMALS, 1 - exponent))
    shown = f"{value:.{digits}f}"
    return shown if shown.strip("-0.") else shown.removeprefix("-")


def span(low: float | None, high: float | None) -> str:
    """An interval, on a page."""
    return NOTHING if low is None or high is None else f"{fixed(low)} \u2013 {fixed(high)}"


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


_KEY_PART = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^.]*))(\.|$)', re.DOTALL)


def key_part(name: str) -> str:
    """`name` as one part of a dotted key: in quotes where it has a dot, as a category may."""
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"' if "." in name or name.startswith('"') else name


def key_parts(key: str) -> list[str]:
    """The names in a dotted key: `prompts."a.b".user` has three."""
    found: list[str] = []
    for match in _KEY_PART.finditer(key):
        quoted, plain, end = match.groups()
        found.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        if not end:
            break
    return found


_FULL, _HALF, _EMPTY = "━", "╸", "─"


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
    """`01:35`, or `2:01:35` from an hour on; a dash for None."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """Fixed decimals; a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}{unit}"


def plain(value: Any) -> Any:
    """`value` in JSON's own types: a number that is not finite is null, a dataclass a mapping or the text it has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__:
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return str(value)


def as_yaml(value: object, width: int) -> str:
    """`value`, of YAML's own types, as YAML: keys in their order, text as itself."""
    import yaml

    def dumped(by: type[yaml.SafeDumper]) -> str:
        return str(yaml.dump(value, Dumper=by, allow_unicode=True, sort_keys=False, width=width))

    with contextlib.suppress(UnicodeEncodeError):  # libyaml: ten times faster, but it takes no lone surrogate
        text = dumped(getattr(yaml, "CSafeDumper", yaml.SafeDumper))
        if "\\U" not in text:  # and escapes an emoji
            return text
    return dumped(yaml.SafeDumper)


def stem_of(name: str) -> str:
    """How the directories of a configuration begin: letters and digits of any script, dots, dashes; at most 60."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:60].rstrip(".-") or "run"
