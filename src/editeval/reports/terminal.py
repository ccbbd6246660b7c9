"""The report in the terminal: tables, what failed, what the time went into, where the files are.

Everything from data goes through `Text`, never through rich's markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from editeval.reports.badge import CERTIFIED, claim_lines, control_lines, figures_line, official_lines
from editeval.reports.columns import columns, saturation_note
from editeval.reports.data import (
    INVALID,
    INVALID_JUDGE,
    MICRO,
    OF_SUBSET,
    VALID,
    Cause,
    JsonObject,
    Report,
    Survey,
    surveyed,
)
from editeval.reports.format import (
    GROUP_TITLES,
    category_title,
    coverage_line,
    format_interval,
    group_tables,
    headline,
    interval_notes,
    metric_title,
    metrics_of,
    model_line,
    planted_line,
    policy_line,
    policy_shares,
    reused_line,
    rows_of,
    run_title,
    score_lines,
    seeds_line,
    selection_line,
    stage_times,
    subset_line,
    trust_lines,
)
from editeval.reports.i18n import english
from editeval.text import NOTHING, fixed, moment, printable, share, shortened
from editeval.types import Summary

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_EXPENDABLE = ("quartiles", "ends", "median", "std", "min", "max", "count")
"""Columns that a narrow terminal does without, in this order; mean, interval, coverage and bounds always stay."""

MAX_TITLE = 40  # characters of a category

_STYLES = {VALID: "bold green", INVALID: "bold red", INVALID_JUDGE: "bold red"}
_STATUS_STYLES = {"passed": "green", "warned": "yellow", "failed": "bold red", "not measured": "bold red"}


def render_terminal(report: Report, console: Console) -> None:
    """Prints the report on `console`."""
    for block in _blocks(report, console):
        console.print(block, highlight=False)


def _blocks(report: Report, console: Console) -> Iterator[RenderableType]:
    from rich.text import Text

    seen = surveyed(report)
    title = Text(printable(run_title(report)), style="bold")
    style = _STYLES.get(report.badge.removesuffix(OF_SUBSET), "bold yellow")
    title.append(f"  {report.badge}", style=style)
    yield title
    yield from (Text(line, style="green" if line.startswith("official") else "yellow") for line in claim_lines(report))
    yield Text(headline(report))
    if report.subset is not None:
        yield Text(subset_line(report.subset), style="yellow")
    if line := selection_line(report):
        yield Text(f"this report {line}")
    for warning in report.warnings:
        yield Text(f"! {printable(warning)}", style="yellow")
    if seen.num_scored:
        yield _score_table(report, rows_of(report, report.headline_metric), "", console)
        for by, summaries in group_tables(report):
            yield _score_table(report, summaries, GROUP_TITLES[by], console)
        if "mean" in report.statistics:
            yield from map(Text, interval_notes(rows_of(report, report.headline_metric)))
        if word := saturation_note(report.headline(MICRO)):
            yield Text(english(word))
        if len(metrics_of(report)) > 1:
            yield from _component_tables(report, console)
    if seen.causes:
        yield _cause_table(seen.causes)
    for name, line in _lines(report, seen):
        is_path = name == "report"
        style = "bold" if name == "planted" else ""
        yield Text(f"{name:<7} {line}", style, no_wrap=is_path, overflow="ignore" if is_path else None)


def _lines(report: Report, seen: Survey) -> Iterator[tuple[str, str]]:
    """(name, what there is to say) below the tables."""
    directory = report.run.get("dir")
    said = [
        ("time", "   ".join(f"{name} {value}" for name, value in stage_times(report))),
        ("shares", coverage_line(report) if seen.num_scored < seen.num_samples or seen.num_unparsed else ""),
        ("seeds", str(seeds_line(report) or "")),
        ("edits", policy_shares(report.run)),
        *score_lines(report),
        *trust_lines(report),
        *((name, str(line)) for name, line in control_lines(report.run)),
        *official_lines(report),
        ("policy", policy_line(report)),
        ("reused", reused_line(report)),
        ("report", printable(Path(str(directory)) / "report.html") if directory else ""),
        ("note", str(model_line(report) or "")),
        ("planted", str(planted_line(report) or "")),
    ]
    return ((name, line) for name, line in said if line)


def _score_table(report: Report, summaries: Sequence[Summary], groups: str, console: Console) -> Table:
    """Of the headline; `groups`: what its rows are, if they are no categories."""
    title = " ".join(filter(None, (metric_title(report, report.headline_metric), groups)))
    shown = list(columns(report, summaries))
    for name in (None, *_EXPENDABLE):
        shown = [column for column in shown if column.name != name]
        table = _table([title, *(column.title for column in shown)])
        for summary in summaries:
            _add_row(table, [_title(summary.category), *(column.cell(summary) for column in shown)])
        if _fits(table, console):
            break
    return table


def _component_tables(report: Report, console: Console) -> Iterator[Table]:
    """Means of every metric, one row per category: as many metrics side by side as there is room for."""
    left = list(metrics_of(report))
    while left:
        shown = len(left)
        while shown > 1 and not _fits(_component_table(report, left[:shown]), console):
            shown -= 1
        yield _component_table(report, left[:shown])
        left = left[shown:]


def _component_table(report: Report, metrics: Sequence[str]) -> Table:
    means = {(s.category, s.metric): s.mean for s in report.summaries}
    table = _table(["means", *(printable(metric) for metric in metrics)])
    for summary in rows_of(report, report.headline_metric):
        cells = [fixed(means.get((summary.category, metric))) for metric in metrics]
        _add_row(table, [_title(summary.category), *cells])
    return table


def _fits(table: Table, console: Console) -> bool:
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(width=1000), table).maximum <= console.width


def _title(category: str) -> str:
    """A long name must not take the figures' room."""
    return shortened(category_title(category), MAX_TITLE)


def _cause_table(causes: Sequence[Cause]) -> Table:
    table = _table(["not scored", "samples", "example"])
    table.columns[-1].justify = "left"
    for cause in causes:
        example = f"{printable(cause.example_id)}: {printable(cause.example_message) or NOTHING}"
        _add_row(table, [printable(f"{cause.stage} {cause.reason}"), str(cause.count), shortened(example, 160)])
    return table


def _table(titles: Sequence[str], whole: Sequence[str] | None = None) -> Table:
    """Figures stand right. `whole`: the columns that are not broken into lines, of a table of texts."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(titles):
        if whole is None:
            table.add_column(Text(title), justify="right" if index else "left", no_wrap=index < len(titles) - 1)
        else:
            table.add_column(Text(title), no_wrap=title in whole)
    return table


def _add_row(table: Table, cells: Sequence[str], status: str = "") -> None:
    """`status`: a last but one cell, in the colour of what it says."""
    from rich.text import Text

    styles = {len(cells) - 2: _STATUS_STYLES.get(status, "dim")} if status else {}
    table.add_row(*(Text(cell, styles.get(place, "")) for place, cell in enumerate(cells)))


def render_certificate(certificate: JsonObject, console: Console) -> None:
    """Prints the whole certificate of a judge on `console`."""
    for block in _certificate_blocks(certificate):
        console.print(block, highlight=False)


def _certificate_blocks(certificate: JsonObject) -> Iterator[RenderableType]:
    from rich.text import Text

    judge, verdict = certificate["judge"], certificate["verdict"]
    name = " ".join(printable(part) for part in (judge["requested_type"], judge["params"].get("model_name")) if part)
    yield Text(name, "bold").append(f"  {verdict}", "bold green" if verdict == CERTIFIED else "bold red")
    yield Text(
        f"{certificate['num_samples']} samples ({', '.join(map(printable, certificate['categories']))}), "
        f"suite {certificate['suite']}, {moment(certificate['created_at'])}, judging {printable(certificate['key'])}"
    )
    yield _means(certificate["rungs"])
    checks = _table(_CHECK_TITLES, whole=("check", "value", "95 % interval", "n", "status"))
    for check in certificate["checks"]:
        _add_row(checks, _check_cells(check), status=check["status"])
    yield checks
    yield Text(figures_line(certificate))
    if certificate["unscored"]:
        counts = ", ".join(f"{count} {printable(reason)}" for reason, count in certificate["unscored"].items())
        yield Text(f"unscored: {counts}", style="yellow")


def _means(rungs: Sequence[JsonObject]) -> Table:
    """One row per rung or control, one column per metric."""
    metrics = list(dict.fromkeys(metric for rung in rungs for metric in rung["metrics"]))
    table = _table(["shown", *(printable(metric) for metric in metrics), "scored"], whole=())
    for rung in rungs:
        means = [fixed(rung["metrics"][metric]["mean"]) for metric in metrics]
        scored = f"{rung['metrics'][metrics[0]]['num_scored']}/{rung['num_asked']}"
        _add_row(table, [printable(rung["arm"].replace("_", " ")), *means, scored])
    return table


_CHECK_TITLES = ("check", "metric", "value", "95 % interval", "n", "required", "status", "note")


def _check_cells(check: JsonObject) -> list[str]:
    """Under _CHECK_TITLES."""
    tied = f"{share(check['tied'])} ties" if check["tied"] else ""
    texts = [printable(check[name]) for name in ("name", "metric", "required", "status", "note")]
    name, metric, required, status, note = texts
    figures = [fixed(check["value"]), format_interval(check["low"], check["high"]) or NOTHING]
    count = str(check["num_compared"] or NOTHING)
    return [name, metric or NOTHING, *figures, count, required, status, ", ".join(filter(None, (tied, note)))]
