"""report.md: the run on one page of plain text, for a repository, an issue or a chat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from editeval.files import write_atomic
from editeval.reports.badge import claim_lines, control_lines
from editeval.reports.columns import columns, saturation_note
from editeval.reports.data import Report, Survey, surveyed
from editeval.reports.format import (
    GROUP_TITLES,
    command,
    coverage_line,
    group_tables,
    headline,
    interval_notes,
    metric_title,
    metrics_of,
    policy_line,
    row_title,
    rows_of,
    run_facts,
    run_title,
    stage_times,
    subset_line,
)
from editeval.reports.i18n import english
from editeval.text import printable, shortened
from editeval.types import Summary

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$!&])")


def write_report_md(report: Report, directory: Path) -> Path:
    """report.md with the statistics that were asked for; texts from data are escaped."""
    path = directory / "report.md"
    write_atomic(path, render_report_md(report).encode("utf-8", "replace"))
    return path


def render_report_md(report: Report) -> str:
    """The text of report.md."""
    return "\n".join(line for block in _blocks(report, surveyed(report)) for line in [*block, ""])


def escaped(text: object) -> str:
    """One line in which Markdown finds nothing to interpret, HTML and links included."""
    return _SPECIAL.sub(r"\\\1", printable(text)).replace("://", ":\\//")


def _blocks(report: Report, seen: Survey) -> Iterator[Sequence[str]]:
    yield [f"# {escaped(run_title(report))}"]
    yield from ([f"**{escaped(line)}**"] for line in claim_lines(report))
    yield [f"**{report.badge}**. {escaped(headline(report))}"]
    if report.subset is not None:
        yield [f"**{escaped(subset_line(report.subset))}**"]
    if report.warnings:
        yield [f"- {escaped(warning)}" for warning in report.warnings]
    shares = [("shares, 95 % intervals", line)] if (line := coverage_line(report)) else []
    yield [f"- {name}: {escaped(value)}" for name, value in (*shares, *control_lines(report.run), *run_facts(report))]
    if seen.num_scored:
        yield from _scores(report)
    if seen.causes:
        yield ["## Not scored"]
        rows = [
            (
                c.stage,
                escaped(c.reason),
                str(c.count),
                escaped(c.example_id),
                escaped(shortened(c.example_message, 200)),
            )
            for c in seen.causes
        ]
        yield _table(("stage", "reason", "samples", "example", "message"), rows, num_texts=2)
    yield from _times(report)
    if command(report):
        yield ["## Again"]
        yield [f"    {command(report)}"]


def _scores(report: Report) -> Iterator[Sequence[str]]:
    for metric in metrics_of(report):
        summaries = rows_of(report, metric)
        if not summaries:
            continue
        yield [f"## {escaped(metric_title(report, metric))}"]
        yield _score_table(report, summaries, "category")
        notes = list(interval_notes(summaries)) if "mean" in report.statistics else []
        notes += [english(word)] if (word := saturation_note(summaries[-1])) else []
        if notes:
            yield [f"- {escaped(note)}" for note in notes]
        for by, rows in group_tables(report) if metric == report.headline_metric else ():
            yield [f"### {escaped(metric_title(report, metric))} {GROUP_TITLES[by]}"]
            yield _score_table(report, rows, by)


def _score_table(report: Report, summaries: Sequence[Summary], first: str) -> list[str]:
    shown = columns(report, summaries)
    return _table(
        (first, *(column.title for column in shown)),
        [(escaped(row_title(report, s)), *(column.cell(s) for column in shown)) for s in summaries],
    )


def _times(report: Report) -> Iterator[Sequence[str]]:
    times = list(stage_times(report))
    line = policy_line(report)
    if not times and not line:
        return
    yield ["## Time"]
    if times:
        yield [f"- {escaped(name)}: {value}" for name, value in times]
    if line:
        yield [escaped(line)]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1) -> list[str]:
    """A Markdown table: the first `num_texts` columns and any after a count are text, figures stand right."""
    marks = [
        ":--" if index < num_texts or title in ("example", "message") else "--:" for index, title in enumerate(titles)
    ]
    return [_line(titles), _line(marks), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
