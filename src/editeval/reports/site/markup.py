"""Elements that Python writes for the first page: words in two languages, and what the charts are drawn with.

What comes from a run is a text or the value of an attribute, never markup: only `Html` is taken as it is.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from editeval.reports.i18n import Message, chinese_category, clean, english, is_word, vocabulary
from editeval.text import fixed


class Html(str):
    """Markup of ours; Jinja2 knows it by `__html__` and does not escape it."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


Child: TypeAlias = "str | int | Iterable[Child] | None"


def shown(value: object) -> object:
    """A value of a run as a text that hides nothing; numbers as `fixed`, nothing for None."""
    if isinstance(value, float):
        return fixed(value).rstrip("0").rstrip(".")
    if value is None or hasattr(value, "__html__"):
        return "" if value is None else value
    return clean(value)


def h(tag: str, *children: Child, **attributes: object) -> Html:
    """h("p.soft", "text", node, title="t"): an element. None is nothing; `data_t` is the attribute data-t."""
    name, *classes = tag.split(".")
    marks = {"class": " ".join(filter(None, classes)) or None} | attributes
    return Html(f"<{name}{attributes_of(marks)}>{_inner(children)}</{name}>")


def attributes_of(marks: dict[str, object]) -> Html:
    """Attributes as they stand in an element, with a space before each."""
    values = {key.replace("_", "-"): shown(value) for key, value in marks.items() if value is not None}
    return Html("".join(f' {key}="{html.escape(str(value))}"' for key, value in values.items()))


def _inner(children: Iterable[Child]) -> str:
    return "".join(_text(child) if isinstance(child, str | int) else _inner(child or ()) for child in children)


def _text(child: str | int) -> str:
    return child if isinstance(child, Html) else html.escape(clean(child))


def t(tag: str, key: str, *values: object, tail: str = "", **attributes: object) -> Html:
    """An element whose whole text is a word of ours, with {0}, {1} filled in, and `tail` behind it.

    An unknown key (a name from a run) is its own text, in every language.
    """
    if not is_word(key):
        return h(tag, key + tail, **attributes)
    marks = {"data_t": key, "data_args": json.dumps(values) if values else None, "data_tail": tail or None}
    return h(tag, english(key, *values) + tail, **marks, **attributes)


def label(key: str) -> dict[str, object]:
    """Attributes of an element that a reader of the screen calls by a word of ours."""
    return {"data_label": key, "aria_label": english(key)}


def message(tag: str, said: Sequence[str] | str) -> Html:
    """A sentence in English and in Chinese, as `payload` gives it; in reports of before in English alone."""
    if isinstance(said, str):
        return h(tag, said)
    return h(tag, said[0], data_english=said[0], data_chinese=said[1])


def both(said: Message | str) -> Html:
    """A sentence in both languages, of which the style of a page without scripts shows one."""
    if isinstance(said, str) or str(said) == said.chinese:
        return h("span", str(said))
    return Html(h("span.en", str(said), lang="en") + h("span.zh", said.chinese, lang="zh-CN"))


def both_words(key: str) -> Html:
    """As `both`, of a word of the page; what is none is its own text."""
    if not is_word(key):
        return h("span", key)
    said, chinese = vocabulary()["words"][key]
    return Html(h("span.en", said, lang="en") + h("span.zh", chinese, lang="zh-CN"))


def category(name: str) -> Html:
    """What a category is called; "micro" and "macro" are the rows over all of them."""
    if name in ("micro", "macro"):
        return t("span", name)
    chinese = chinese_category(name)
    return message("span", [name, chinese] if chinese else name or "-")
