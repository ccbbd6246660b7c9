"""What went wrong and why: how many of which kind, the causes with an example, and the lowest scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from editeval.reports.site.summary.elements import Child, copyable, h, link, section, t, table
from editeval.reports.site.summary.run_view import RunView
from editeval.text import fixed

_LOW = ("missing", "spoilt", "damaged", "low")
_MESSAGE = 300  # characters of an example


def faults(view: RunView, of_several: bool) -> Element:
    """`of_several`: links name the run."""
    block, model = view.block, f"&model={view.index}" if of_several else ""
    found, low = block["complaints"], block["low"]
    lead = t("p.soft", "why_lead", block["num_samples"]) if found else t("p.soft", "all_well", low)
    chips = [
        link(
            f"page=grid&sort=worst&show={why}{model}",
            h("b", count),
            t("span", why),
            t("small.soft", "below", low) if why in _LOW else h("small.soft"),
            tag=f"a.card.chip.is-{why}",
        )
        for why, count in found
    ]
    return section("", "why_title", lead, h("div.chips", chips), *_causes(view), *_worst(view, model))


def _causes(view: RunView) -> Iterator[Element]:
    causes = view.block["causes"]
    if causes:
        head = ("stage", "reason", "count", "example")
        rows = [(t("span", one["stage"]), one["reason"], one["count"], _example(one)) for one in causes]
        command = view.block["commands"]["retry"]
        retry = (t("p.soft", "retry_with"), copyable(command)) if command else ()
        yield h("div.card.wide", table("causes", head, rows), *retry)


def _example(cause: Mapping[str, Any]) -> Child:
    place = _compared(cause["example_id"])
    return [link(place, cause["example_id"]), " ", cause["example_message"][:_MESSAGE]]


def _worst(view: RunView, model: str) -> Iterator[Element]:
    rows = [dict(zip(view.block["row"], row, strict=True)) for _, row in view.block["worst"]]
    if rows:
        everything = link(f"page=grid&sort=worst{model}", t("span", "see_all"), " \u2192")
        yield h("div.heading", t("h3", "worst"), everything)
        yield h("div.cards", [_card(view, row) for row in rows])


def _card(view: RunView, row: Mapping[str, Any]) -> Element:
    roles = ("source", "edited", *(("target",) if row["target"] else ()))
    return link(
        _compared(row["id"]),
        h("div.pictures", [h("figure", _picture(view, row, role), t("figcaption", role)) for role in roles]),
        h("p.instruction", row["instruction"], dir="auto"),
        h("p.verdict", h("b.value", fixed(row["values"][0])), [_tag(why) for why in row["complaints"]]),
        tag="a.card.sample",
    )


def _picture(view: RunView, row: Mapping[str, Any], role: str) -> Element:
    address = view.address(row[role])
    if address is None:
        return t("div.nothing", "no_picture")
    return h("img", src=address, alt=row["instruction"], loading="lazy", decoding="async", draggable="false")


def _tag(why: str) -> Element:
    return t(f"span.tag.is-{why}", why)


def _compared(sample_id: str) -> str:
    return f"page=compare&id={quote(sample_id, safe='', errors='replace')}"
