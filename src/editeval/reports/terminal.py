"""The report in the terminal: tables, what failed, what the time went into, where the files are.

Everything from data goes through `Text`, never through rich's markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from editeval.reports.data import INVALID, OF_SUBSET, VALID, Cause, Report, surveyed
from editeval.reports.format import (
    category_title,
    columns,
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
    score_lines,
    selection_line,
    stage_times,
    subset_line,
    trust_lines,
)
from editeval.text import NOTHING, fixed, printable, shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_EXPENDABLE = ("median", "std", "min", "max", "count")
"""Columns that a narrow terminal does without, in this order; mean, interval, coverage and bounds always stay."""

MAX_TITLE = 40  # characters of a category

_STYLES = {VALID: "bold green", INVALID: "bold red"}


def render_terminal(report: Report, console: Console) -> None:
    """Prints the report on `console`."""
    for block in _blocks(report, console):
        console.print(block, highlight=False)


def _blocks(report: Report, console: Console) -> Iterator[RenderableType]:
    from rich.text import Text

    seen = surveyed(report)
    title = Text(printable(report.run.get("name") or report.run.get("id") or "run"), style="bold")
    style = _STYLES.get(report.badge.removesuffix(OF_SUBSET), "bold yellow")
    title.append(f"  {report.badge}", style=style)
    yield title
    yield Text(headline(report))
    if report.subset is not None:
        yield Text(subset_line(report.subset), style="yellow")
    if line := selection_line(report):
        yield Text(f"this report {line}")
    for warning in report.warnings:
        yield Text(f"! {printable(warning)}", style="yellow")
    if seen.num_scored:
        yield _score_table(report, console)
        if "mean" in report.statistics:
            yield from map(Text, interval_notes(rows_of(report, report.headline_metric)))
        if len(metrics_of(report)) > 1:
            yield from _component_tables(report, console)
    if seen.causes:
        yield _cause_table(seen.causes)
    times = "   ".join(f"{name} {value}" for name, value in stage_times(report))
    if times:
        yield Text(f"time    {times}")
    if line := policy_shares(report.run):
        yield Text(f"edits   {line}")
    for name, line in score_lines(report):
        yield Text(f"{name:<7} {line}")
    for _, line in trust_lines(report):
        yield Text(f"trust   {line}")
    if line := policy_line(report):
        yield Text(f"policy  {line}")
    if line := reused_line(report):
        yield Text(f"reused  {line}")
    if report.run.get("dir"):
        yield Text(
            f"report  {printable(Path(str(report.run['dir'])) / 'report.html')}", no_wrap=True, overflow="ignore"
        )
    if message := model_line(report):
        yield Text(f"model   {message}")
    if message := planted_line(report):
        yield Text(f"planted {message}", style="bold")


def _score_table(report: Report, console: Console) -> Table:
    summaries = rows_of(report, report.headline_metric)
    shown = list(columns(report, summaries))
    for name in (None, *_EXPENDABLE):
        shown = [column for column in shown if column.name != name]
        table = _table([metric_title(report, report.headline_metric), *(column.title for column in shown)])
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


def _table(titles: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(titles):
        table.add_column(Text(title), justify="right" if index else "left", no_wrap=index < len(titles) - 1)
    return table


def _add_row(table: Table, cells: Sequence[str]) -> None:
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))
