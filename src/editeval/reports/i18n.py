"""What a report says in English and in Chinese: `words.json` holds both, a `Message` is a key and its values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeAlias, TypedDict

# control, invisible and direction-changing characters, and halves of pairs: a reader's eye must not be steered
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_GAP = re.compile(r"\{(\d)(?:\|([^|}]*)\|([^}]*))?\}")
ENGLISH, CHINESE = 0, 1


class Vocabulary(TypedDict):
    """words.json: [English, Chinese] by key. `words` are those of the page, `messages` what only Python writes."""

    words: dict[str, list[str]]
    messages: dict[str, list[str]]
    categories: dict[str, str]


@cache
def vocabulary() -> Vocabulary:
    text = (resources.files("editeval.reports.site") / "static" / "words.json").read_text(encoding="utf-8")
    found: Vocabulary = json.loads(text)
    return found


def english(key: str, *values: object) -> str:
    """The words of `key` with {0}, {1} filled in; an unknown key is its own text."""
    return _filled(vocabulary()["words"].get(key, (key,))[ENGLISH], [str(value) for value in values])


def is_word(key: str) -> bool:
    return key in vocabulary()["words"]


Value: TypeAlias = "int | str | Message | tuple[Message, ...]"


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence of a report: a key of `messages` in words.json, and the values that stand in its gaps.

    As a text (`str`) it is English; a value may be a message, or several, which are joined.
    """

    key: str
    values: tuple[Value, ...] = ()

    def __str__(self) -> str:
        return self._in(ENGLISH, "; ")

    @property
    def chinese(self) -> str:
        return self._in(CHINESE, "；")

    def _in(self, language: int, between: str) -> str:
        def said(value: Value) -> str:
            if isinstance(value, tuple):
                return between.join(map(said, value))
            return value._in(language, between) if isinstance(value, Message) else str(value)

        return _filled(vocabulary()["messages"][self.key][language], [said(value) for value in self.values])


def _filled(text: str, values: list[str]) -> str:
    """`text` with its gaps filled: {0} is the first value, {0|edit|edits} the first word if that value is 1."""

    def filled(gap: re.Match[str]) -> str:
        value = values[int(gap[1])]
        return value if gap[2] is None else gap[2] if value == "1" else gap[3]

    return _GAP.sub(filled, text)


def chinese_category(name: str) -> str | None:
    """With the name itself behind it; None for a category that is not of the built-in benchmark."""
    known = vocabulary()["categories"].get(name)
    return f"{known} {name}" if known else None


def clean(value: object) -> str:
    """`value` as text in which every character that cannot be seen is written as its escape, `\\u202e`."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))
