"""A photographic certificate on the terminal: agreement with people by dimension and task, in every way of counting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from editeval.reports.badge import CERTIFIED
from editeval.reports.data import JsonObject
from editeval.text import NOTHING, fixed, moment, printable, share

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_TITLES = {"ties wrong": "wrong", "ties half": "half", "ties calibrated": "cali-\nbrated"}
_WAYS = tuple(_TITLES)
_TEXTS = (("looked at, task", 5), ("metric", 5))


def render_photographic(certificate: JsonObject, console: Console) -> None:
    """Prints the whole certificate on `console`."""
    for block in _photographic_parts(certificate):
        console.print(block, highlight=False)


def _photographic_parts(certificate: JsonObject) -> Iterator[RenderableType]:
    from rich.text import Text

    judge, data, verdict = certificate["judge"], certificate["data"], certificate["verdict"]
    name = " ".join(printable(part) for part in (judge["requested_type"], judge["params"].get("model_name")) if part)
    yield Text(name, "bold").append(f"  {verdict}", "bold green" if verdict == CERTIFIED else "bold red")
    missing = f", {data['num_missing']} cannot be shown" if data["num_missing"] else ""
    yield Text(
        f"{printable(data['name'])}: {data['num_used']} of {data['num_pairs']} used{missing}; "
        f"{moment(certificate['created_at'])}, judging {printable(certificate['key'])}"
    )
    yield _group_table(certificate)
    for check in certificate["checks"]:
        style = "green" if check["status"] == "passed" else "bold red"
        required = f"{printable(check['name'])}: {fixed(check['value'])} {_span(check)}, {printable(check['required'])}"
        note = f" ({printable(check['note'])})" if check["note"] else ""
        yield Text(f"{required}: {printable(check['status'])}{note}", style=style)
    yield Text("controls: " + ", ".join(f"{printable(k)} {fixed(v)}" for k, v in certificate["controls"].items()))
    yield from map(Text, _position_lines(certificate))
    yield from map(Text, _ranking_lines(certificate))
    if certificate["unscored"]:
        counts = ", ".join(f"{count} {printable(reason)}" for reason, count in certificate["unscored"].items())
        yield Text(f"pairs without a verdict: {counts}", style="yellow")


def _group_table(certificate: JsonObject) -> Table:
    """One row per dimension and task; the authors' own number carries a star. Figures are never cut off."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    own = [way for way in certificate["groups"][0] if way.startswith(("ties below", "each order"))]
    ways = [*_WAYS, *own]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1 - len(own), 0, 0))
    figures_of = [(_TITLES.get(way, "au-\nthors"), 5) for way in ways]
    for title, width in (*_TEXTS, *figures_of, ("95 % of half", 12), ("ties", 4), ("scored", 7), ("clus-\nters", 4)):
        table.add_column(Text(title), overflow="fold", min_width=width)
    rule = certificate["data"]["counted"]
    for group in certificate["groups"]:
        figures = [fixed(group[way]["value"]) + ("*" if group["is_official"] and way == rule else "") for way in ways]
        scored = f"{group['num_scored']}/{group['num_pairs']}"
        ties = share(group["ties"]) if group["ties"] is not None else NOTHING
        task = "" if group["task"] == "all" else f"  {printable(group['task'])}"
        named = [task or printable(group["dimension"]), printable(group["metric"])]
        cells = [*named, *figures, _span(group["ties half"]), ties, scored, str(group["num_clusters"])]
        table.add_row(*map(Text, cells))
    table.caption = Text(
        "accuracy with ties wrong, half right, or called up to a threshold\n"
        f"* as the authors count: {printable(certificate['data']['rule'])}"
    )
    return table


def _position_lines(certificate: JsonObject) -> Iterator[str]:
    if one := certificate["position"]:
        contrary = share(one["contradictions"]) if one["contradictions"] is not None else NOTHING
        yield (
            f"position: image A is taken in {fixed(one['first'])} {_span(one)} of {one['num_verdicts']} verdicts; "
            f"the two orders contradict each other in {contrary} of {one['num_pairs']} pairs"
        )
    if one := certificate["whole_groups"]:
        scored = f"{one['num_scored']} of {one['num_groups']} scored"
        yield f"rankings with every pair right: {fixed(one['value'])} {_span(one)}, {scored}"


def _ranking_lines(certificate: JsonObject) -> Iterator[str]:
    for one in certificate["rankings"]:
        scored = f"{one['num_scored']}/{one['num_edits']}"
        yield (
            f"rank correlation, {printable(one['dimension'])} ({printable(one['metric'])}): within editors "
            f"{fixed(one['within'], 3)} {_span(one)}, as the authors average {fixed(one['as_printed'], 3)}, over all "
            f"edits {fixed(one['pooled'], 3)}, scored {scored}"
        )


def _span(one: Mapping[str, Any]) -> str:
    return NOTHING if one["low"] is None else f"[{fixed(one['low'])}, {fixed(one['high'])}]"
