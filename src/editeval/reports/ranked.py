"""A leaderboard, as its document has it: terminal, Markdown, CSV, TeX and one page that holds everything."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from editeval.reports import markdown, tex
from editeval.reports.data import INVALID, VALID, JsonObject
from editeval.reports.format import format_interval
from editeval.reports.i18n import Message, english
from editeval.reports.run_list import RowColumn, fitted, official_cell
from editeval.reports.tables import guarded
from editeval.text import NOTHING, fixed, printable
from editeval.types import Metric

if TYPE_CHECKING:
    from rich.console import Console


MAX_NAMED = 5  # runs that are left out for one reason
_WORDS = (
    *("ranked_place", "ranked_model", "ranked_mean", "ranked_interval", "ranked_scored"),
    *("ranked_badge", "ranked_official", "ranked_flags", "ranked_engine", "ranked_left_out"),
)
"""Of the page."""
_FIELDS = (
    *("benchmark", "subset", "judge", "protocol", "score_set", "metric", "is_higher_better", "best_place"),
    *("worst_place", "model", "run", "run_id", "mean", "low", "high", "interval_note", "num_scored", "num_samples"),
    *("is_official", "badge", "engine", "flags", "created_at"),
)


def place_cell(row: JsonObject) -> str:
    """`1`, or `2 to 4` where the data do not say which."""
    if row["place"] is None:
        return NOTHING
    best, worst = row["place"]
    return str(best) if best == worst else f"{best} to {worst}"


def _interval(row: JsonObject) -> str:
    return format_interval(row["low"], row["high"]) or ("unreliable" if row["interval_note"] else NOTHING)


COLUMNS: Sequence[RowColumn] = (
    RowColumn("place", place_cell, is_needed=True),
    RowColumn("model", lambda row: printable(row["model"]), is_needed=True, is_text=True),
    RowColumn("mean", lambda row: fixed(row["mean"]), is_needed=True),
    RowColumn("95 % interval", _interval, is_needed=True),
    RowColumn("scored", lambda row: f"{row['num_scored']}/{row['num_samples']}", is_needed=True),
    RowColumn("badge", lambda row: printable(row["badge"]), is_needed=True, is_text=True),
    RowColumn("official", official_cell, is_needed=True),
    RowColumn("flags", lambda row: printable(", ".join(row["flags"])) or NOTHING, is_text=True),
    RowColumn("engine", lambda row: printable(row["engine"]), is_text=True),
    RowColumn("run", lambda row: printable(row["run"]), is_text=True),
)


def title(table: JsonObject) -> Message:
    """Benchmark, part, judge, metric and its direction, in one line."""
    subset, scale = table["subset"], Metric(**table["scale"])
    num_seeds = table.get("num_seeds", 1)
    part = f"{subset['num']} of {subset['of']}" if subset else str(table["num_samples"] // num_seeds)
    part += f" (x {num_seeds} seeds)" if num_seeds > 1 else ""
    judge = f"{table['judge']} ({table['protocol']})" if table["protocol"] else str(table["judge"])
    better = Message("higher_is_better" if scale.is_higher_better else "lower_is_better")
    texts = (printable(text) for text in (table["benchmark"], table["metric"], scale.range, part, judge))
    return Message("ranked_title", (*texts, better))


def lines(table: JsonObject) -> Iterator[Message]:
    """What stands below a table."""
    yield from (table[name] for name in ("apart", "note") if table[name])
    for row in table["rows"]:
        yield from (Message("ranked_claim", (printable(row["model"]), line)) for line in row["official"])


def whys(table: JsonObject) -> list[str]:
    """Why means have no interval: words of the page."""
    return [f"why_{note}" for note in dict.fromkeys(row["interval_note"] for row in table["rows"]) if note]


def _texts(table: JsonObject) -> list[str]:
    return [*map(english, whys(table)), *map(str, lines(table))]


def left_out(document: JsonObject) -> Iterator[Message]:
    """A line for each reason why runs are in no table: the first of them, and how many more."""
    runs: dict[Message, list[str]] = {}
    for one in document["left_out"]:
        runs.setdefault(one["why"], []).append(printable(one["run"]))
    for why, names in runs.items():
        more = f" (+{len(names) - MAX_NAMED})" if len(names) > MAX_NAMED else ""
        yield Message("left_out_run", (", ".join(names[:MAX_NAMED]) + more, why))


def render(document: JsonObject, console: Console) -> None:
    """Prints it."""
    from rich.text import Text

    for table in document["tables"]:
        console.print(Text(str(title(table)), "bold"))
        shown = [
            one
            for one in COLUMNS
            if one.title != "official" or any(r["is_official"] is not None for r in table["rows"])
        ]
        console.print(fitted(shown, table["rows"], console))
        for line in (*_texts(table), ""):
            console.print(Text(line), highlight=False)
    for line in (*left_out(document), *([Message("places_key")] if document["tables"] else ())):
        console.print(Text(str(line)), highlight=False)


def as_markdown(document: JsonObject) -> str:
    out = ["# Leaderboard", ""]
    for table in document["tables"]:
        out += [f"## {markdown.escaped(title(table))}", ""]
        out += [f"| {' | '.join(one.title for one in COLUMNS)} |"]
        out += [f"| {' | '.join(':--' if one.is_text else '--:' for one in COLUMNS)} |"]
        out += [f"| {' | '.join(markdown.escaped(one.cell(row)) for one in COLUMNS)} |" for row in table["rows"]]
        out += ["", *(f"- {markdown.escaped(line)}" for line in _texts(table)), ""]
    out += [f"- {markdown.escaped(line)}" for line in left_out(document)]
    return "\n".join([*out, f"- {Message('places_key')}"]) + "\n"


def as_csv(document: JsonObject) -> str:
    """One row per model, every table behind the other; texts that a spreadsheet could run are guarded."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(_FIELDS)
    for table in document["tables"]:
        subset = table["subset"]
        common = {**table, "subset": f"{subset['num']} of {subset['of']}" if subset else ""}
        common |= {"is_higher_better": table["scale"]["is_higher_better"]}
        for row in table["rows"]:
            best, worst = row["place"] or (None, None)
            cells = {**common, **row, "best_place": best, "worst_place": worst, "flags": ", ".join(row["flags"])}
            writer.writerow([guarded(cell) if isinstance(cell := cells[name], str) else cell for name in _FIELDS])
    return out.getvalue()


def as_tex(document: JsonObject) -> str:
    r"""Booktabs, a table for each of the document's."""
    shown = [one for one in COLUMNS if one.title not in ("engine", "run")]
    out = ["% editeval leaderboard", r"% \usepackage{booktabs}"]
    for number, table in enumerate(document["tables"], 1):
        told = " ".join(tex.escaped(line) for line in _texts(table))
        caption = f"{tex.escaped(title(table))}. {tex.escaped(Message('places_key'))} {told}"
        out += [
            r"\begin{table}[t]",
            r"  \centering",
            f"  \\caption{{{caption}}}",
            f"  \\label{{tab:leaderboard-{number}}}",
        ]
        out += [f"  \\begin{{tabular}}{{{''.join('l' if one.is_text else 'r' for one in shown)}}}", r"    \toprule"]
        out += [f"    {' & '.join(tex.escaped(one.title) for one in shown)} \\\\", r"    \midrule"]
        out += [f"    {' & '.join(tex.escaped(one.cell(row)) for one in shown)} \\\\" for row in table["rows"]]
        out += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""]
    return "\n".join(out)


def as_html(document: JsonObject, written_at: float) -> str:
    """One file without scripts, in both languages: which is shown is a matter of its style alone."""
    from editeval.reports.site import page
    from editeval.reports.site.markup import both

    values = {"tables": [_page_table(one) for one in document["tables"]], "left_out": list(left_out(document))}
    word = {name.removeprefix("ranked_"): both(Message(name)) for name in _WORDS}
    about = {"word": word, "key": Message("places_key")}
    return page.single("leaderboard.html", Message("ranked_leaderboard"), written_at, {**values, **about})


def _page_table(table: JsonObject) -> dict[str, object]:
    scale = Metric(**table["scale"])
    reach = [v for row in table["rows"] for v in (row["mean"], row["low"], row["high"]) if v is not None]
    low, high = scale.axis(min(reach, default=None), max(reach, default=None))
    return {
        **table,
        "title": title(table),
        "notes": list(lines(table)),
        "whys": whys(table),
        "rows": [{**row, **_drawn(row, low, high)} for row in table["rows"]],
        "ends": (fixed(low), fixed(high)),
    }


def _drawn(row: JsonObject, low: float, high: float) -> dict[str, object]:
    """Where interval and mean are on the axis, in per cent."""

    def at(value: object) -> float | None:
        return (
            round(100 * (float(value) - low) / (high - low), 2)
            if isinstance(value, int | float) and high > low
            else None
        )

    badge = str(row["badge"])
    kind = "valid" if badge == VALID else "invalid" if badge.startswith(INVALID) else "warned"
    texts = {"place_text": place_cell(row), "mean_text": fixed(row["mean"]), "interval": _interval(row)}
    texts |= {"official_text": official_cell(row), "badge_class": kind, "engine": printable(row["engine"])}
    return {"at": at(row["mean"]), "from": at(row["low"]), "to": at(row["high"]), **texts}
