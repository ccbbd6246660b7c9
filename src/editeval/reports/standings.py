"""A comparison of models by pairs, as its document has it: in the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from editeval.reports.data import JsonObject
from editeval.reports.markdown import escaped
from editeval.text import NOTHING, printable, share

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Rows = Sequence[Sequence[str]]
_STANDINGS = ("place", "model", "Elo", "95 % interval", "true place", "verdicts")
_PAIRS = ("question", "pair", "images", "wins", "ties", "losses", "first won", "interval", "read", "asked of all")
_POSITION = ("question", "both orders read", "flip with the order", "first image won", "95 % interval")


def render_comparison(document: JsonObject, console: Console) -> None:
    """Prints it; texts from data are never markup."""
    from rich.text import Text

    for title, header, rows in _tables(document):
        console.print(_table(title, header, rows))
    for line in (*_notes(document), *_sentences(document)):
        console.print(Text(line), highlight=False)


def _table(title: str, header: Sequence[str], rows: Rows) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for name in header:
        is_text = name in ("model", "pair", "question")
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def comparison_markdown(document: JsonObject) -> str:
    """comparison.md."""
    lines = ["# Comparison by pairs of edits", ""]
    lines += [f"- {escaped(line)}" for line in _about(document)]
    lines += ["", *(f"**{escaped(line)}**\n" for line in _sentences(document))]
    for title, header, rows in _tables(document):
        lines += [f"## {escaped(title)}", "", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
        lines += [f"| {' | '.join(map(escaped, row))} |" for row in rows]
        lines.append("")
    lines += [f"- {escaped(line)}" for line in _notes(document)]
    return "\n".join(lines) + "\n"


def _about(document: JsonObject) -> Iterator[str]:
    judge, verdicts = document.get("judge"), document.get("verdicts")
    if judge:
        yield f"judge: {judge['name']} ({judge['type']}, protocol {judge['protocol'] or 'of its own'}, {judge['id']})"
    if verdicts:
        yield f"verdicts: {verdicts['file']} ({verdicts['layout']}, sha256 {verdicts['sha256'][:16]})"
    for one in document["models"]:
        where = f"{one['directory']}, " if one.get("directory") else ""
        yield f"{one['name']}: {where}{one['num']} {one['of']}"


def _tables(document: JsonObject) -> Iterator[tuple[str, Sequence[str], Rows]]:
    first = document["questions"][0]
    yield f"ranking by {first['name']}", _STANDINGS, [_standing(n, one) for n, one in enumerate(first["standings"], 1)]
    pairs = [_pair(question["name"], one) for question in document["questions"] for one in question["pairs"]]
    yield "pairs", _PAIRS, pairs
    if document["position"]:
        yield "position bias", _POSITION, [_position(one) for one in document["position"]]


def _standing(place: int, one: JsonObject) -> list[str]:
    interval = NOTHING if one["low"] is None else f"{one['low']:.0f} to {one['high']:.0f}"
    true_place = str(one["best"]) if one["best"] == one["worst"] else f"{one['best']} to {one['worst']}"
    return [str(place), printable(one["name"]), f"{one['elo']:.0f}", interval, true_place, str(one["num_verdicts"])]


def _pair(question: str, one: JsonObject) -> list[str]:
    name = printable(f"{one['a']} : {one['b']}")
    num_read = one["wins"] + one["ties"] + one["losses"]
    counted = [str(one[what]) for what in ("wins", "ties", "losses")]
    expected = num_read + one["num_unread"]
    won = NOTHING if one["share"] is None else share(one["share"])
    interval = NOTHING if one["share"] is None else _percent(one["low"], one["high"])
    about = [printable(question), name, str(one["num_images"])]
    return [*about, *counted, won, interval, f"{num_read}/{expected}", f"{expected}/{one['num_possible']}"]


def _position(one: JsonObject) -> list[str]:
    flips = f"{share(one['flipped'])} ({_percent(one['flipped_low'], one['flipped_high'])})"
    first = NOTHING if one["first_won"] is None else share(one["first_won"])
    interval = NOTHING if one["first_won"] is None else _percent(one["first_low"], one["first_high"])
    return [one["question"], str(one["num_both"]), flips, first, interval]


def _percent(low: float, high: float) -> str:
    return f"{low * 100:.0f} to {high * 100:.0f} %"


def _notes(document: JsonObject) -> Iterator[str]:
    counts, method = document["counts"], document["method"]
    if left_out := (document.get("verdicts") or {}).get("num_left_out"):
        yield f"{left_out} further verdicts are on two edits of one model, and left out."
    asked = f"{counts['asked']} of {counts['possible']} pairs of edits were asked about"
    equal = f", {counts['equal']} more are the same picture twice: a tie" if counts["equal"] else ""
    yield f"{asked}{equal}; {_WHY[method['stopped']]}."
    if counts["reasons"]:
        reasons = ", ".join(f"{name} {num}" for name, num in sorted(counts["reasons"].items()))
        yield f"Questions without a verdict: {reasons}."
    looks = "every look at once, so that stopping early makes them no less true" if method["is_sequential"] else ""
    pairs = f"all {method['num_intervals']} pairs at once" if method["num_intervals"] > 1 else ""
    holds = " and ".join(filter(None, (pairs, looks)))
    yield f"Intervals of pairs hold with 95 %{f' for {holds}' if holds else ''}; every source image counts once."


_WHY: Mapping[str, str] = {
    "decided": "it ended when all neighbours in rank were decided, or no sample was left for them",
    "max_pairs": "it ended at --max-pairs",
    "all": "nothing is left to ask",
}


def _sentences(document: JsonObject) -> Iterator[str]:
    yield from (printable(question["sentence"]) for question in document["questions"])
