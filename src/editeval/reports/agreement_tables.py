"""How far judges and people agree, as the terminal shows it. Input is JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from editeval.reports.data import JsonObject
from editeval.reports.format import format_interval
from editeval.reports.i18n import english
from editeval.text import NOTHING, fixed, printable, share

if TYPE_CHECKING:
    from rich.console import Console

Row = tuple[str, str, str]
_KINDS = {"stars": "stars, 1-5", "verdict": "good 1, tie 0.5, bad 0", "number": "of the table"}
_WHY = {
    "few_rated": "fewer than 20 source images are rated",
    "not_drawn": "the judge scores the rated edits unlike the others: they are no random draw",
    "no_others": "all edits are rated: the ratings' own mean is the answer",
    "no_variation": "all ratings are alike",
    "few_clusters": "fewer than 10 source images",
}


def render_agreement(found: JsonObject, console: Console) -> None:
    """Prints it; texts from data are never markup."""
    from rich.table import Table
    from rich.text import Text

    for title, head, rows in _tables(found):
        table = Table(title=Text(title), title_justify="left")
        for n, name in enumerate(head):
            table.add_column(name, justify="right" if n else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    for line in _notes(found):
        console.print(line, markup=False, highlight=False)


def _tables(found: JsonObject) -> Iterator[tuple[str, tuple[str, ...], list[Row]]]:
    head = ("agreement", "value", "95 % interval")
    for side in found["sides"]:
        counted = f"{side['num']:,} edits, {side['num_clusters']:,} source images"
        title = f"{printable(side['first'])} and {printable(side['second'])}, {printable(found['metric'])}: {counted}"
        yield title, head, list(_of_sides(side))
    if people := found["people"]:
        counted = f"{people['num']:,} edits that two or more rated, {people['num_clusters']:,} source images"
        names = ", ".join(printable(name) or "(no name)" for name in people["raters"])
        rows = [
            _row("Krippendorff's alpha, ordinal", people["alpha_ordinal"]),
            _row("Krippendorff's alpha, interval", people["alpha_interval"]),
            _row("Spearman, one rater with the others", people["with_others"]),
        ]
        yield f"raters {names}: {counted}", head, rows
    if found["means"]:
        head = ("mean that people would give", "value", "95 % interval")
        rows = [row for one in found["means"] for row in _of_mean(one)]
        yield "people's ratings of some edits, the judge's scores of all", head, rows


def _of_sides(side: JsonObject) -> Iterator[Row]:
    yield _row("Spearman, all edits", side["spearman"])
    if side["within"]:
        yield _row("Spearman within a model (mean)", side["within"])
    yield _row("Kendall tau-b", side["kendall"])
    if side["alpha_ordinal"]:
        yield _row("Krippendorff's alpha, ordinal", side["alpha_ordinal"])
        yield _row("Krippendorff's alpha, interval", side["alpha_interval"])
        told = side["difference_interval"]
        cell = format_interval(told["low"], told["high"]) or english("unreliable")
        yield "mean difference, first - second", fixed(side["difference"]), cell
    if pairs := side["pairs"]:
        yield _row(f"order in {pairs['num']:,} pairs, ties half", pairs["half"])
        yield _row(f"order in {pairs['num']:,} pairs, ties calibrated", pairs["calibrated"])


def _row(name: str, estimate: JsonObject) -> Row:
    if estimate["value"] is None:
        return name, "undefined", "one side is constant"
    why = _WHY.get(estimate["note"], "") if estimate["note"] else NOTHING
    return name, fixed(estimate["value"]), format_interval(estimate["low"], estimate["high"]) or why


def _of_mean(one: JsonObject) -> Iterator[Row]:
    mean, name = one["mean"], printable(one["model"])
    half = mean["people_half"]
    ends = (None, None) if half is None else (mean["people"] - half, mean["people"] + half)
    yield f"{name}: {mean['num_rated']} ratings alone", fixed(mean["people"]), format_interval(*ends) or NOTHING
    with_judge = f"{name}: with {printable(one['judge'])} of {mean['num_others']} others"
    cell = format_interval(mean["low"], mean["high"]) or _WHY.get(mean["note"], mean["note"])
    yield with_judge, fixed(mean["mean"]), cell


def _notes(found: JsonObject) -> Iterator[str]:
    if found["num_ratings"]:
        blind = "" if found["num_blind"] is None else f", {found['num_blind']:,} made blind"
        yield f"{found['num_ratings']:,} ratings ({_KINDS[found['kind']]}){blind}."
    if found["num_strange"]:
        yield f"{found['num_strange']:,} ratings are of edits that no run here has, and are left out."
    if found["num_other_kind"]:
        yield f"{found['num_other_kind']:,} ratings of another kind are left out: they cannot be mixed."
    if any(one["pairs"] for one in found["sides"]):
        yield (
            "Pairs are two models' edits of one sample. Ties half: a tie that only one side sees is half right. Ties "
            "calibrated: it is wrong, and a tie is what lies within the margin that is best on these pairs, so that "
            "the share is an upper bound."
        )
    if any(one["mean"]["mean"] is not None for one in found["means"]):
        yield (
            "A mean with the judge's help holds if the rated edits were drawn at random from all. Ratings of edits "
            "that were chosen bias it, and no figure here can show that."
        )
    if found["num_blind"] is not None and found["num_blind"] < found["num_ratings"]:
        said = share(1 - found["num_blind"] / found["num_ratings"])
        yield f"{said} of the ratings were made in sight of the scores: agreement with the judge may be too high."
