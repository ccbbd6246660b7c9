"""What `editeval gate` decided: in the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from editeval.reports.data import JsonObject
from editeval.reports.markdown import escaped
from editeval.text import NOTHING, fixed, printable, share

if TYPE_CHECKING:
    from rich.console import Console

DIAGNOSIS = "Pixels are for looking: they decide nothing."


def render_gate(found: JsonObject, console: Console) -> None:
    """Prints it; texts from data are never markup."""
    from rich.text import Text

    for name, value in _facts(found):
        console.print(Text(f"{name:<11}{printable(value)}"), highlight=False)
    console.print(Text(printable(found["sentence"])), style="bold", highlight=False)
    if found["edits"] is None:
        return
    for line in _edits(found["edits"]):
        console.print(Text(line), highlight=False)
    for one in found["edits"]["most_different"]:
        console.print(Text(f"  {printable(one['sample'])}: {_numbers(one)}"), highlight=False)
        for path in (one["edit_a"], one["edit_b"]):
            console.print(Text(f"    {printable(path)}"), highlight=False, soft_wrap=True)


def gate_markdown(found: JsonObject) -> str:
    """The same as a page of Markdown."""
    lines = ["# Engine gate", "", f"**{escaped(found['sentence'])}**", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {escaped(value)} |" for name, value in _facts(found)]
    if found["edits"] is not None:
        lines += ["", "## How the edits differ", "", *_edits(found["edits"])]
        if most := found["edits"]["most_different"]:
            lines += ["", "| sample | difference | A | B |", "|---|---|---|---|"]
            lines += [
                f"| {escaped(one['sample'])} | {escaped(_numbers(one))} | {escaped(one['edit_a'])} | "
                f"{escaped(one['edit_b'])} |"
                for one in most
            ]
    return "\n".join(lines) + "\n"


def _facts(found: JsonObject) -> Iterator[tuple[str, str]]:
    told, metric = found["scores"], found["metric"]
    yield "A", found["runs"]["a"]["name"]
    yield "B", found["runs"]["b"]["name"]
    yield "metric", f"{metric['name']}, {'higher' if metric['is_higher_better'] else 'lower'} is better"
    yield "margin", f"{told['margin']:g}"
    interval = f", {_signed(told['low'])} to {_signed(told['high'])} (each end 95 %, one-sided)"
    yield "B - A", _signed(told["difference"]) + (interval if told["low"] is not None else ", no interval")
    if told["p"] is not None:
        shown = "< 0.0001" if told["p"] < 1e-4 else f"{told['p']:.4f}"
        yield "p", f"{shown} (that B is worse by the margin or more)"
    counts = f"{told['num_pairs']} of {told['num_clusters']} source images"
    counts += f"; B failed to edit {told['num_failed']}: worst score" if told["num_failed"] else ""
    counts += f"; {told['num_unscored']} without a score in B: bounds" if told["num_unscored"] else ""
    counts += f"; {told['num_left_out']} without a score in A: left out" if told["num_left_out"] else ""
    yield "samples", counts
    if told["detectable"] is not None:
        how = "a B as good as A passes with 80 % chance" if told["method"] == "t" else "by an exact limit"
        yield "detectable", f"{told['detectable']:.3g} is the smallest margin for so many samples ({how})"


def _edits(found: JsonObject) -> Iterator[str]:
    same = share(found["num_same_bytes"] / found["num"]) if found["num"] else NOTHING
    yield f"{DIAGNOSIS} {found['num_same_bytes']} of {found['num']} edits have the same bytes ({same})."
    middle = found["median"]
    if middle["l1"] is not None:
        yield f"Median: {_measures(middle)}."
    for name, what in (("num_other_size", "have another size"), ("num_unreadable", "cannot be read")):
        if found[name]:
            yield f"{found[name]} {what} and are in no number of pixels."


def _numbers(one: JsonObject) -> str:
    return f"{_measures(one)}, score {fixed(one['score_a'])} -> {fixed(one['score_b'])}"


def _measures(one: JsonObject) -> str:
    return f"mean absolute difference {one['l1']:.4f}, PSNR {one['psnr']:.1f} dB, SSIM {one['ssim']:.3f}"


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.3f}"
