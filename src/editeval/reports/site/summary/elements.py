"""Elements of the first page. What comes from a run is a text or the value of an attribute, never markup."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from editeval.reports.i18n import chinese_category, clean, english, is_word
from editeval.text import span

Child: TypeAlias = "Element | str | int | Sequence[Child] | None"


def h(tag: str, *children: Child, **attributes: object) -> Element:
    """h("p.soft", "text", node, title="t"): an element. None is nothing; `data_t` is the attribute data-t."""
    name, *classes = tag.split(".")
    element = Element(name)
    if any(classes):
        element.set("class", " ".join(filter(None, classes)))
    for key, value in attributes.items():
        if value is not None and value is not False:
            element.set(key.replace("_", "-"), _text(value))
    _append(element, children)
    return element


def t(tag: str, key: str, *values: object, tail: str = "", **attributes: object) -> Element:
    """An element whose whole text is a word of ours, with {0}, {1} filled in, and `tail` behind it.

    A key that is no word of ours (a name from a run) stands for itself, in every language.
    """
    if not is_word(key):
        return h(tag, key + tail, **attributes)
    marks = {"data_t": key, "data_args": json.dumps(values) if values else None, "data_tail": tail or None}
    return h(tag, english(key, *values) + tail, **marks, **attributes)


def label(key: str) -> dict[str, object]:
    """Attributes of an element that a reader of the screen calls by a word of ours."""
    return {"data_label": key, "aria_label": english(key)}


def category(name: str) -> Element:
    """What a category is called; "micro" and "macro" are the rows over all of them."""
    return t("span", name) if name in ("micro", "macro") else _both("span", name or "-", chinese_category(name))


def interval(one: Mapping[str, Any], low: str = "ci_low", high: str = "ci_high") -> Child:
    """The 95 % interval of a summary or a comparison; a word if it would be too narrow."""
    if one.get("interval_note"):  # reports of before have none
        return t("span.soft", "unreliable")
    return span(one[low], one[high])


def interval_notes(ones: Iterable[Mapping[str, Any]]) -> Element | None:
    """Why there is no interval: a sentence for every reason; None if all have one."""
    notes = dict.fromkeys(str(one["interval_note"]) for one in ones if one.get("interval_note"))
    return h("p.soft.note", [[t("span", f"why_{note}"), " "] for note in notes]) if notes else None


def message(tag: str, said: Sequence[str] | str) -> Element:
    """A sentence in English and in Chinese, as `payload` gives it; in reports of before in English alone."""
    return h(tag, said) if isinstance(said, str) else _both(tag, said[0], said[1])


def _both(tag: str, english_text: str, chinese: str | None) -> Element:
    """A text that is no word of words.json in both languages; in English alone if there is no Chinese."""
    said = {"data_english": english_text, "data_chinese": chinese} if chinese else {}
    return h(tag, english_text, **said)


def link(place: str, *children: Child, tag: str = "a", keeps_filters: bool = False, **attributes: object) -> Element:
    """A way to another page, that the script makes; `place` is said as in the address: "page=grid&show=failed"."""
    return h(tag, *children, **{"data_go" if keeps_filters else "data_find": place}, **attributes)


def section(kind: str, title: str, *content: Child, **attributes: object) -> Element:
    """`kind` is a class, ".runs", or nothing; `title` is a word."""
    return h(f"section{kind}", t("h2", title), *content, **attributes)


def table(kind: str, names: Sequence[str | Element], rows: Iterable[Element | Sequence[Child]]) -> Element:
    """`names` are words of its head; a row is what `line` makes, or its cells."""
    heads = [t("th", name, scope="col") if isinstance(name, str) else h("th", name, scope="col") for name in names]
    return h(f"table.plain.{kind}", h("thead", h("tr", *heads)), h("tbody", [_row(row) for row in rows]))


def _row(row: Element | Sequence[Child]) -> Element:
    return row if isinstance(row, Element) else line(*row)


def line(first: Child, *cells: Child, tag: str = "tr") -> Element:
    """A row of a table, headed by its first cell."""
    return h(tag, h("th", first, scope="row"), *(h("td", cell) for cell in cells))


def pairs(entries: Iterable[tuple[str, Child]]) -> Element:
    return h("dl.pairs", *(h("div", t("dt", name), h("dd", value)) for name, value in entries))


def copyable(text: str, kind: str = "code") -> Element:
    """A command or a configuration; the script puts a button beside it."""
    return h("div.copyable", h(kind, text, tabindex=0))


def badge(word: str) -> Element:
    """A badge says what a number is worth by colour, sign and word."""
    base = word.removesuffix(" (subset)")
    signs = {"valid": "\u2713", "certified": "\u2713", "invalid": "\u2715", "not certified": "\u2715"}
    kind = {"\u2713": "valid", "\u2715": "invalid"}.get(signs.get(base, ""), "warned")
    return h(f"span.badge.{kind}", h("b", signs.get(base, "!"), aria_hidden="true"), " ", t("span", word))


def markup(element: Element) -> str:
    """The element as HTML, in which nothing but `element` and what is in it is an element."""
    return ElementTree.tostring(element, encoding="unicode", method="html")


def _append(element: Element, children: Iterable[Child]) -> None:
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif isinstance(child, str | int):
            _append_text(element, clean(child))
        elif child is not None:
            _append(element, child)


def _append_text(element: Element, text: str) -> None:
    last = element[-1] if len(element) else None
    if last is None:
        element.text = (element.text or "") + text
    else:
        last.tail = (last.tail or "") + text


def _text(value: object) -> str:
    """Of an attribute: numbers to a hundredth, everything else as it is."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return clean(value)
