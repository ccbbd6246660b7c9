"""Where the time went: the phases, every worker over time, and what the other policies would have taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from editeval.reports.site.summary.charts import Bar, Part, bars, gantt, stacked
from editeval.reports.site.summary.elements import Child, h, section, t
from editeval.reports.site.summary.run_view import RunView
from editeval.text import duration, share

_PHASES = ("load_s", "edit_s", "both_s", "swap_s", "judge_s")
_MOST_LANES = 24  # more bars than this would be read by nobody
_SAME = 0.0005
_WORTH_SAYING_S = 0.05


def timing(view: RunView) -> Element | None:
    """None for a run in which no worker did anything."""
    timeline = view.block["timeline"]
    lanes = timeline.get("lanes")
    if not lanes:
        return None
    phases = timeline["phases"]
    parts = [Part(n.removesuffix("_s"), phases[n], duration(phases[n]), n, is_after=True) for n in _PHASES]
    pauses: list[Child] = [[" ", t("span", "pause", duration(pause["seconds"])), "."] for pause in timeline["pauses"]]
    card = h(
        "div.card",
        h("p.big", duration(timeline["seconds"]), " ", t("small", "wall")),
        stacked(parts, "time_title"),
        t("h3", "gantt"),
        h("div.wide", gantt(timeline, [_name(view, lane, "tspan") for lane in lanes]), tabindex=0),
        h("p.soft.note", t("span", "gantt_key"), pauses),
        bars([_lane(view, lane) for lane in lanes]) if len(lanes) <= _MOST_LANES else None,
        *_policies(view),
    )
    return section("", "time_title", card)


def _name(view: RunView, lane: Mapping[str, Any], tag: str = "span") -> Child:
    judgings = view.run.get("judgings") or ()
    named = [one["name"] for one in judgings if one["prefix"] and one["id"] == lane["judging_id"]]
    return [named[0] if named else t(tag, lane["stage"]), f" {lane['worker']} \u00b7 {lane['device']}"]


def _lane(view: RunView, lane: Mapping[str, Any]) -> Bar:
    idle, load = t("span", "idle"), t("span", "load_s")
    told = f" {duration(lane['load_s'])}, {lane['num_requests']} "
    note: list[Child] = [idle, f" {duration(lane['idle_s'])}, ", load, told, t("span", "requests")]
    busy = lane["busy_s"]
    return Bar(_name(view, lane), busy, busy + lane["idle_s"], duration(busy), note)


def _policies(view: RunView) -> Iterator[Element]:
    policies = view.block["policies"]
    used = next((one for one in policies if one["policy"] == view.run.get("policy")), None)
    if policies:
        yield t("h3", "policies")
        num, of = (policies[0].get(name, 0) for name in ("num_edits", "of_edits"))
        if num < of:
            yield t("p", "covers_edits", num, of, policies[0]["policy"] if used is None else used["policy"])
        yield bars([_policy(one, used) for one in policies])


def _policy(one: Mapping[str, Any], used: Mapping[str, Any] | None) -> Bar:
    took, idle = one["makespan_s"], one["idle_fraction"]
    change = took / used["makespan_s"] - 1 if used and used["makespan_s"] else 0.0
    if one is used:
        compared = t("span", "used_here")
    elif abs(change) < _SAME:
        compared = t("span", "same")
    else:
        compared = t("span", "less" if change < 0 else "more", share(abs(change)))
    lost = one.get("failures_s", 0.0)
    failures: list[Child] = [f", {duration(lost)} ", t("span", "for_failures")] if lost >= _WORTH_SAYING_S else []
    note: list[Child] = [compared, *failures, ", ", t("span", "idle"), f" {share(idle)}"]
    return Bar(one["policy"], took * (1 - idle), took, duration(took), note, one is used)
