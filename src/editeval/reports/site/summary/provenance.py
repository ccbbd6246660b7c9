"""Where the numbers come from: how far the judge can be trusted, and everything that the run was made with."""

from __future__ import annotations

import json
from xml.etree.ElementTree import Element

from editeval.reports.i18n import Message
from editeval.reports.site.summary.elements import Child, badge, copyable, h, message, pairs, section, t, table
from editeval.reports.site.summary.run_view import RunView
from editeval.text import NOTHING, moment

_CHECK = ("name", "metric", "value", "num_compared", "required")
_STATUSES = ("passed", "warned", "failed", "not measured")
_CHECK_HEAD = ("check", "metric", "value", "n", "required", "status")


def certificate(view: RunView) -> Element | None:
    """What is known of the judge, and of every further one; None if none was asked."""
    if not view.block["headline"]:
        return None
    judgings: list[dict[str, object]] = view.run.get("judgings") or []
    lines = view.block.get("trust") or [None] * len(judgings)
    said = [_trust(judging, line) for judging, line in zip(judgings, lines, strict=True)]
    others = said[1:]
    one = view.block["certificate"]
    if not one:
        first = said[0] if others else t("p.soft", "no_certificate")
        return section("", "certificate_title", h("div.card", first, others))
    checks = [check for check in one.get("checks") or () if check["status"] != "not applicable"]
    passed = sum(check["status"] in ("passed", "warned") for check in checks)
    rows: list[list[Child]] = [[*(_cell(one[name]) for name in _CHECK), _status(one["status"])] for one in checks]
    is_open = "" if one["verdict"] != "certified" else None
    listed = h("details", t("summary", "checks"), h("div.wide", table("", _CHECK_HEAD, rows)), open=is_open)
    verdict = h("p", badge(one["verdict"]), " ", t("span", "passed_of", passed, len(checks)))
    return section("", "certificate_title", h("div.card", verdict, others, listed))


def _trust(judging: dict[str, object], line: list[str] | None) -> Element:
    """`line` is None in reports of before, which have it in English alone."""
    trust = judging.get("certificate")
    if isinstance(trust, dict) and trust.get("verdict"):
        return h("p.soft", f"{judging['name']}: ", message("span", line or str(trust["line"])))
    return h("p.soft", f"{judging['name']}: ", t("span", "no_certificate"))


def _status(status: str) -> Element:
    found = Message(f"status_{status.replace(' ', '_')}")
    return message("span", [str(found), found.chinese] if status in _STATUSES else status)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{round(value, 3):g}"
    return NOTHING if value is None else str(value)


def provenance(view: RunView) -> Element:
    block = view.block
    again = block["commands"]["again"]
    facts: list[tuple[str, Child]] = [("run", str(view.run.get("id", ""))), ("written", moment(block["written_at"]))]
    for name, value in block["provenance"].items():
        if value is not None and name != "argv":
            said = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
            facts.append((name, h("pre", said)))
    return section(
        "",
        "provenance",
        h(
            "div.card",
            [t("p.soft", "made_by"), copyable(again)] if again else None,
            h("details", t("summary", "config"), copyable(block["config"], "pre")),
            h("details", t("summary", "facts"), pairs(facts)),
        ),
    )
