"""A sweep over checkpoints: in the terminal, as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from editeval.files import write_atomic
from editeval.reports.data import JsonObject
from editeval.reports.markdown import escaped
from editeval.reports.tables import to_json
from editeval.text import NOTHING, fixed, printable

if TYPE_CHECKING:
    from rich.console import Console

BARS = "▁▂▃▄▅▆▇█"
_HEADER = ("checkpoint", "scored", "mean", "against the first", "against the best")
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
        table.add_column(name, justify="left" if name == "checkpoint" else "right", overflow="fold")
    for row in found["checkpoints"]:
        table.add_row(*(Text(printable(cell)) for cell in _cells(row, found["first"])))
    console.print(table)
    for line in _lines(found):
        console.print(Text(printable(line)), highlight=False)


def write_sweep(found: JsonObject, folder: Path) -> None:
    """sweep.json, sweep.csv and sweep.md."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "sweep.json", (to_json(found, indent=2) + "\n").encode())
    write_atomic(folder / "sweep.csv", _table(found).encode("utf-8", "replace"))
    write_atomic(folder / "sweep.md", sweep_markdown(found).encode("utf-8", "replace"))


def sweep_markdown(found: JsonObject) -> str:
    """The same as a page of Markdown."""
    lines = [f"# Sweep {escaped(found['name'])}", "", f"{_metric(found)}", "", f"| {' | '.join(_HEADER)} |"]
    lines += ["|---" * len(_HEADER) + "|"]
    lines += [f"| {' | '.join(map(escaped, _cells(row, found['first'])))} |" for row in found["checkpoints"]]
    lines += ["", *(f"- {escaped(line)}" for line in _lines(found))]
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


def _metric(found: JsonObject) -> str:
    metric = found["metric"]
    if metric is None:
        return "no judge: nothing is scored"
    return f"{printable(metric['name'])}, {'higher' if metric['is_higher_better'] else 'lower'} is better"


def _cells(row: JsonObject, first: str | None) -> list[str]:
    counted = f"{row['num_scored']}/{row['num_samples']}"
    if row["status"] == "failed":
        return [row["checkpoint"], counted, NOTHING, "failed", NOTHING]
    if row["status"] == "stopped":
        return [row["checkpoint"], counted, fixed(row["mean"]), "stopped early", f"worse than {row['worse_than']}"]
    best = _difference(row["to_best"], row["best_low"], row["best_high"])
    return [
        row["checkpoint"],
        counted,
        fixed(row["mean"]),
        "is the first"
        if row["checkpoint"] == first
        else _difference(row["to_first"], row["first_low"], row["first_high"]),
        f"{best} *" if row["may_be_best"] else best,
    ]


def _difference(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if low is not None and high is not None else " (?)")


def _lines(found: JsonObject) -> Iterator[str]:
    rows = found["checkpoints"]
    for row in rows:
        if row["status"] == "failed":
            yield f"{row['checkpoint']}: {row['error']}"
        if row["status"] == "incomplete":
            yield f"{row['checkpoint']}: not finished; the same command continues"
        if row["status"] == "stopped":
            more = (
                f"; its run has {row['num_made']}, of an earlier sweep" if row["num_made"] > row["num_edited"] else ""
            )
            yield f"{row['checkpoint']}: its mean is of the {row['num_edited']} samples at which it was stopped{more}"
    candidates = found["may_be_best"]
    if found["best"] is not None and len(candidates) == 1:
        yield f"{candidates[0]} is the best, with 95 %."
    elif found["best"] is not None and candidates:
        yield f"{found['best']} has the best mean. May be the best (*), with 95 %: {', '.join(candidates)}."
    if any(row["status"] == "complete" and row["best_low"] is None and row["best_high"] is None for row in rows):
        yield "(?): no interval: too few source images, or too few scores that differ."
    yield found["methods"]["first"]
    yield found["methods"]["best"]
    if found["margin"] is not None:
        yield f"{found['methods']['early']}; margin {found['margin']:g}"
        yield f"{found['num_saved']} samples were saved by stopping early."
