"""A sweep over checkpoints: in the terminal, as Markdown, CSV and JSON, and as a page that holds everything."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from editeval.files import write_atomic
from editeval.reports.data import JsonObject
from editeval.reports.i18n import Message
from editeval.reports.markdown import escaped
from editeval.reports.tables import to_json
from editeval.text import NOTHING, fixed, printable

if TYPE_CHECKING:
    from rich.console import Console

    from editeval.reports.site.markup import Html

BARS = "▁▂▃▄▅▆▇█"
WIDTH, HEIGHT, LEFT = 800, 180, 56  # of a curve; names of checkpoints lie below it, values left of it
MAX_LABELS = 8
NOTES = {
    "first": Message("sweep_note_first"),
    "best": Message("sweep_note_best"),
    "early": Message("sweep_note_early"),
}
_HEADER = tuple(map(Message, ("sweep_checkpoint", "ranked_scored", "ranked_mean", "sweep_to_first", "sweep_to_best")))
_CSV = (
    *("checkpoint", "status", "run", "num_samples", "num_edited", "num_scored", "mean", "low", "high", "to_first"),
    *("first_low", "first_high", "to_best", "best_low", "best_high", "may_be_best", "worse_than", "num_saved", "error"),
)


def render_sweep(found: JsonObject, console: Console) -> None:
    """Prints it; texts from data are never markup."""
    from rich.table import Table
    from rich.text import Text

    if curve := sparkline([row["mean"] for row in found["checkpoints"]]):
        console.print(Text(f"{_metric(found)}  {curve}"), highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in _HEADER:
        table.add_column(str(name), justify="left" if name == _HEADER[0] else "right", overflow="fold")
    for row in found["checkpoints"]:
        table.add_row(*(Text(printable(str(cell))) for cell in _cells(row, found["first"])))
    console.print(table)
    for line in _lines(found):
        console.print(Text(printable(str(line))), highlight=False)


def write_sweep(found: JsonObject, folder: Path) -> None:
    """sweep.json, sweep.csv, sweep.md and sweep.html."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "sweep.json", (to_json(found, indent=2) + "\n").encode())
    write_atomic(folder / "sweep.csv", _table(found).encode("utf-8", "replace"))
    write_atomic(folder / "sweep.md", sweep_markdown(found).encode("utf-8", "replace"))
    write_atomic(folder / "sweep.html", sweep_html(found, time.time()).encode("utf-8", "replace"))


def sweep_markdown(found: JsonObject) -> str:
    """The same as a page of Markdown."""
    lines = [f"# Sweep {escaped(found['name'])}", "", f"{_metric(found)}", "", f"| {' | '.join(map(str, _HEADER))} |"]
    lines += ["|---" * len(_HEADER) + "|"]
    lines += [
        f"| {' | '.join(escaped(str(cell)) for cell in _cells(row, found['first']))} |" for row in found["checkpoints"]
    ]
    lines += ["", *(f"- {escaped(str(line))}" for line in _lines(found))]
    return "\n".join(lines) + "\n"


def sparkline(values: Sequence[float | None]) -> str:
    """One bar per value, between the lowest and the highest; a dot where there is none. Empty for fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, span = min(known), max(known) - min(known)
    places = [None if value is None else round((value - low) / span * 7) if span else 3 for value in values]
    return "".join("." if place is None else BARS[place] for place in places)


def _table(found: JsonObject) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(_CSV)
    writer.writerows([["" if row[name] is None else row[name] for name in _CSV] for row in found["checkpoints"]])
    return out.getvalue()


def _metric(found: JsonObject) -> Message:
    metric = found["metric"]
    if metric is None:
        return Message("sweep_no_judge")
    better = Message("higher_is_better" if metric["is_higher_better"] else "lower_is_better")
    return Message("sweep_metric", (printable(metric["name"]), better))


def _cells(row: JsonObject, first: str | None) -> list[Message | str]:
    name, counted = printable(row["checkpoint"]), f"{row['num_scored']}/{row['num_samples']}"
    if row["status"] == "failed":
        return [name, counted, NOTHING, Message("sweep_failed"), NOTHING]
    if row["status"] == "stopped":
        why = Message("sweep_worse", (printable(row["worse_than"]),))
        return [name, counted, fixed(row["mean"]), Message("sweep_stopped"), why]
    to_first = _difference(row["to_first"], row["first_low"], row["first_high"])
    best = _difference(row["to_best"], row["best_low"], row["best_high"])
    return [
        *(name, counted, fixed(row["mean"])),
        Message("sweep_is_first") if row["checkpoint"] == first else to_first,
        f"{best} *" if row["may_be_best"] else best,
    ]


def _difference(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if low is not None and high is not None else " (?)")


def _lines(found: JsonObject) -> Iterator[Message]:
    rows = found["checkpoints"]
    for row in rows:
        name = printable(row["checkpoint"])
        if row["status"] == "failed":
            yield Message("sweep_error", (name, printable(row["error"])))
        if row["status"] == "incomplete":
            yield Message("sweep_unfinished", (name,))
        if row["status"] == "stopped":
            has_more = row["num_made"] > row["num_edited"]
            counts = (row["num_edited"], row["num_made"]) if has_more else (row["num_edited"],)
            yield Message("sweep_part_of" if has_more else "sweep_part", (name, *counts))
    candidates = [printable(name) for name in found["may_be_best"]]
    if found["best"] is not None and len(candidates) == 1:
        yield Message("sweep_one_best", (candidates[0],))
    elif found["best"] is not None and candidates:
        yield Message("sweep_may_be_best", (printable(found["best"]), ", ".join(candidates)))
    if any(row["status"] == "complete" and None in (row["best_low"], row["best_high"]) for row in rows):
        yield Message("sweep_no_interval")
    yield from (NOTES["first"], NOTES["best"])
    if found["margin"] is not None:
        yield Message("sweep_margin", (NOTES["early"], f"{found['margin']:g}"))
        yield Message("sweep_saved", (found["num_saved"],))


# -- the page ------------------------------------------------------------------------------------------------------


def sweep_html(found: JsonObject, written_at: float) -> str:
    """One file without scripts, in both languages: three curves, and the table."""
    from editeval.reports.site import page

    rows = found["checkpoints"]
    curves = [
        (Message("sweep_mean"), _curve(rows, ("mean", "low", "high"), found["first"])),
        (_HEADER[3], _curve(rows, ("to_first", "first_low", "first_high"), found["first"])),
        (_HEADER[4], _curve(rows, ("to_best", "best_low", "best_high"), None)),
    ]
    values = {
        "name": printable(found["name"]),
        "metric": _metric(found),
        "curves": [one for one in curves if one[1]],
        "header": _HEADER,
        "rows": [_cells(row, found["first"]) for row in rows],
        "lines": list(_lines(found)),
    }
    return page.single("sweep.html", Message("sweep_sweep"), written_at, values)


def _curve(rows: Sequence[JsonObject], names: tuple[str, str, str], first: str | None) -> Html | None:
    """Values by checkpoint with their intervals; differences around a line at 0. None if fewer than two are known."""
    from editeval.reports.site.markup import h

    points = [[row[name] for name in names] for row in rows]
    if names[0] == "to_first":  # the first against itself
        points = [
            [0.0, None, None] if row["checkpoint"] == first else ends for row, ends in zip(rows, points, strict=True)
        ]
    points = [[one, None, None] if None in ends else [one, *ends] for one, *ends in points]  # half of one is not drawn
    known = [value for point in points for value in point if value is not None]
    if sum(point[0] is not None for point in points) < 2:
        return None
    is_difference = names[0] != "mean"
    low, high = min([*known, *([0.0] * is_difference)]), max([*known, *([0.0] * is_difference)])
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    step = (WIDTH - LEFT - 20) / max(1, len(rows) - 1)

    def x(number: int) -> float:
        return LEFT + 10 + number * step if len(rows) > 1 else WIDTH / 2

    def y(value: float) -> float:
        return float(10 + (HEIGHT - 40) * (high - value) / (high - low))

    zero = y(0.0) if is_difference else y(low)
    parts = [h("path.base", d=f"M{LEFT} {zero:.1f}H{WIDTH}")]
    parts += [h("text", fixed(value), x=LEFT - 6, y=round(y(value) + 4, 1), text_anchor="end") for value in (low, high)]
    parts += [
        h("path.reach", d=f"M{x(n):.1f} {y(ends[0]):.1f}V{y(ends[1]):.1f}")
        for n, (_, *ends) in enumerate(points)
        if None not in ends
    ]
    at = [
        (x(n), y(value), row)
        for n, ((value, *_), row) in enumerate(zip(points, rows, strict=True))
        if value is not None
    ]
    whole = [f"{one:.1f} {other:.1f}" for one, other, row in at if row["status"] != "stopped"]
    parts += [h("path.trace", d=f"M{'L'.join(whole)}")] if whole else []
    for one, other, row in at:
        kind = (
            "circle.is-part"
            if row["status"] == "stopped"
            else "circle.is-candidate"
            if row["may_be_best"]
            else "circle"
        )
        said = f"{printable(row['checkpoint'])}: {fixed(row[names[0]])}"
        parts.append(h(kind, h("title", said), cx=round(one, 1), cy=round(other, 1), r=4))
    every = max(1, math.ceil(len(rows) / MAX_LABELS))
    for n, row in enumerate(rows):
        if n % every == 0 or n == len(rows) - 1:
            anchor = "start" if n == 0 else "end" if n == len(rows) - 1 else "middle"
            parts.append(h("text", _short(row["checkpoint"]), x=round(x(n), 1), y=HEIGHT - 8, text_anchor=anchor))
    return h("svg.curve", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", aria_hidden="true")


def _short(name: str) -> str:
    """What is behind its middle, where there is no room: steps differ at the end."""
    text = printable(name)
    return text if len(text) <= 14 else f"…{text[-13:]}"
