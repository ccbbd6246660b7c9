"""The words of the interface as Python writes them: in English, marked so that `text.js` can say them in Chinese."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

# control, invisible and direction-changing characters, and halves of pairs: a reader's eye must not be steered
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


@cache
def vocabulary() -> dict[str, Any]:
    """words.json: `words` by key, `categories`, `warnings`."""
    text = (resources.files("editeval.reports.site") / "static" / "words.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def english(key: str, *values: object) -> str:
    """The words of `key` with {0}, {1} filled in; a key that is no word of ours stands for itself."""
    text = vocabulary()["words"].get(key, (key,))[0]
    return re.sub(r"\{(\d)\}", lambda match: str(values[int(match[1])]), text)


def is_word(key: str) -> bool:
    return key in vocabulary()["words"]


def chinese_category(name: str) -> str | None:
    """With the name itself behind it; None for a category that is not of the built-in benchmark."""
    known = vocabulary()["categories"].get(name)
    return f"{known} {name}" if known else None


def chinese_warning(sentence: str) -> str | None:
    """A warning of the badge; None for a sentence that is none of them."""
    for pattern, chinese in vocabulary()["warnings"]:
        match = re.fullmatch(pattern, sentence)
        if match:
            return match.expand(re.sub(r"\$(\d)", r"\\\1", chinese))
    return None


def clean(value: object) -> str:
    """`value` as text in which every character that cannot be seen stands as its escape, `\\u202e`."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))
