"""Scores by category: how the headline is distributed, the statistics asked for, the means of the other metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from editeval.reports.i18n import is_word
from editeval.reports.site.summary.charts import axis, strip
from editeval.reports.site.summary.elements import (
    Child,
    category,
    h,
    interval,
    interval_notes,
    line,
    link,
    section,
    t,
    table,
)
from editeval.reports.site.summary.run_view import WHOLE, RunView
from editeval.text import fixed

_STATISTICS = ("mean", "std", "median", "min", "max")


def scores(view: RunView, runs: Sequence[RunView]) -> Element | None:
    """None without summaries; in each drawing stand all `runs`."""
    block = view.block
    if view.summary("micro") is None:
        return None
    names = dict.fromkeys(one["category"] for one in block["summaries"] if one["category"] not in WHOLE)
    shown = [name for name in _STATISTICS if name in block["statistics"]]
    others = [h("span", metric) for metric in block["metrics"][1:]]
    head: list[str | Element] = ["category", axis(), *shown, "interval", "n", *others]
    rows = [_row(view, runs, one, shown) for name in (*names, *WHOLE) if (one := view.summary(name)) is not None]
    is_part = block["coverage"]["scored"] < 1
    key = t("span", "scores_key"), " ", t("span", "bounds_key") if is_part else None
    about = h("p.soft.note", *_about(block["metrics"]))
    shown_rows = (one for one in block["summaries"] if one["metric"] == block["headline"])
    below = h("p.soft.note", *key), interval_notes(shown_rows), about
    return section("", "scores_title", h("div.card.wide", table("scores", head, rows), below))


def _row(view: RunView, runs: Sequence[RunView], one: Mapping[str, Any], shown: Sequence[str]) -> Element:
    """Of the category that `one` is the summary of."""
    name = one["category"]
    is_whole = name in WHOLE
    entries = [(summary, run.colour) for run in runs if (summary := run.summary(name)) is not None]
    cells: list[Child] = [
        strip(entries, _bins(view, name)),
        *(h(f"span.{statistic}", fixed(one[statistic])) for statistic in shown),
        interval(one),
        f"{one['num_scored']}/{one['num_samples']}",
    ]
    for metric in view.block["metrics"][1:]:
        other = view.summary(name, metric)
        cells.append(h("span.soft", fixed(other["mean"] if other else None)))
    first: Child = category(name) if is_whole else link(_samples_of(name), category(name))
    return line(first, *cells, tag="tr.whole" if is_whole else "tr")


def _samples_of(name: str) -> str:
    return f"page=grid&sort=worst&cat={quote(name, safe='', errors='replace')}"


def _bins(view: RunView, name: str) -> Sequence[int]:
    histograms = view.block["histograms"]
    if name == "micro":
        return [sum(counts) for counts in zip(*histograms.values(), strict=True)]
    bins: Sequence[int] = histograms.get(name, ())
    return bins


def _about(metrics: Sequence[str]) -> Iterator[Child]:
    """What each metric measures, of those that we know."""
    between = ""
    for metric in metrics:
        word = f"about_{metric.rpartition('.')[2]}"
        if is_word(word):
            yield from (f"{between}{metric}: ", t("span", word))
            between = " \u00b7 "
