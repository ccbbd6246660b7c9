"""Several runs: the result of each, and the first against every other, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from editeval.reports.site.summary.elements import Child, badge, h, interval, interval_notes, link, section, t, table
from editeval.reports.site.summary.run_view import RunView
from editeval.text import NOTHING, duration, fixed, share

Comparison = Mapping[str, Any]
"""How the first run stands to another, in plain values: those of `stats.compare.Comparison`, and `is_same_judge`."""

_HEAD = ("run", "status", "mean", "interval", "coverage", "edit_s")
_PAIRED_HEAD = ("paired_title", "count", "wins", "difference", "interval", "coverage")


def leaderboard(runs: Sequence[RunView], comparisons: Sequence[Comparison], num_shared: int | None) -> Element:
    """`num_shared`: only the samples that every run has are shown, and they are so many."""
    paired = [_paired(runs[0], other, one) for other, one in zip(runs[1:], comparisons, strict=True)]
    left_out = t("p.warnings", "left_out", num_shared) if num_shared is not None else None
    ranked = table("", _HEAD, [_result(view) for view in runs])
    note = t("p.soft.note", "paired_key")
    wholes = [one for view in runs if (one := view.summary("micro")) is not None]
    below = interval_notes([*wholes, *comparisons]), note
    return section(".runs", "runs_title", left_out, h("div.card.wide", ranked, table("", _PAIRED_HEAD, paired), below))


def _result(view: RunView) -> Sequence[Child]:
    one, run = view.summary("micro"), view.run
    name = link(f"run={view.index}", view.name, keeps_filters=True)
    return [
        [h(f"i.key.c{view.colour}"), name, h("small.soft", f" {run.get('editor') or ''}")],
        badge(str(view.block["badge"])),
        fixed(one["mean"] if one else None),
        interval(one) if one else NOTHING,
        share(view.block["coverage"]["scored"]),
        duration(view.block["timing"].get("edit_s")),
    ]


def _paired(first: RunView, other: RunView, one: Comparison) -> Sequence[Child]:
    names: Child = f"{first.name} \u2013 {other.name}"
    if not one["is_same_judge"]:
        names = [names, " ", t("span.tag.is-low", "other_judge")]
    covered = " \u00b7 ".join(f"{one[side]['num_scored']}/{one[side]['num_samples']}" for side in ("first", "second"))
    if not one["num_shared"]:
        return [names, 0, t("span.soft", "not_comparable"), NOTHING, NOTHING, covered]
    return [
        names,
        one["num_shared"],
        f"{one['wins']} / {one['ties']} / {one['losses']}",
        f"{one['difference']:+.2f}",
        interval(one, "low", "high"),
        covered,
    ]
