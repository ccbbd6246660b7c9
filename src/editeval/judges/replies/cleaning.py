"""What every grammar sees of a reply: decimal digits as 0-9, a closed thought in front and an outer fence taken off.

Raises Unreadable for replies in which no grammar may look for an answer: empty, degenerate, cut off, refused.
"""

from __future__ import annotations

import re
import unicodedata

from editeval.judges.replies.reading import Reply


class Unreadable(Exception):  # noqa: N818 - not an error: it is the result
    """Nothing can be read; `reason` is one word of Reading."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


MAX_CHARACTERS = 50_000
_MAX_UNIT, _MIN_REPEATED = 16, 32
"""A reply of at least so many characters that repeats up to so many of them is degenerate."""
_EDGES = " \t\r\n\u200b\u2060\ufeff"
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"```[ \t]*[A-Za-z]*[ \t]*\n(?P<body>.*?)\n?[ \t]*```", re.DOTALL)
_FULL_WIDTH_POINT = re.compile(r"(?<=[0-9])．(?=[0-9])")
_REFUSAL = re.compile(
    r"(?:no[,.]\s+)?(?:i['’]?m (?:very |so |really )?sorry|(?:i )?apologi[sz]e|sorry\b|unfortunately\b|as an ai\b|"
    r"i (?:can(?:no|['’])t|can not|am (?:not able|unable)|won['’]t|will not|must decline|do not|don['’]t)\b|"
    r"i['’]m (?:not able|unable)\b|很?抱歉|对不起|不好意思|"
    r"我(?:无法|不能|没有办法|不会)|无法|作为一?个?(?:ai|人工智能))",
    re.IGNORECASE,
)


def cleaned(reply: Reply) -> str:
    """The text that grammars read, never empty."""
    text = plain_digits(reply.text).strip(_EDGES)
    _refuse_degenerate(text)
    text = without_thought(text, reply.is_finished).strip(_EDGES)
    if not reply.is_finished:
        raise Unreadable("truncated")
    _refuse_degenerate(text)
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("unparsable")
    fenced = _FENCE.fullmatch(text)
    if fenced and "```" not in fenced["body"]:
        text = fenced["body"].strip(_EDGES)
    if not text:
        raise Unreadable("empty")
    if _REFUSAL.match(text):
        raise Unreadable("refused")
    return text


def plain_digits(text: str) -> str:
    """`text` with every decimal digit as 0-9, and full-width points between digits; superscripts and such stay."""
    if text.isascii():
        return text
    mapped = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)
    return _FULL_WIDTH_POINT.sub(".", mapped)


def without_thought(text: str, is_finished: bool) -> str:
    """`text` without the closed thought that it begins with. A thought anywhere else, or an open one, is unreadable."""
    rest = _THOUGHT.sub("", text, count=1) if _THOUGHT.match(text) else text
    if "<think>" in rest or "</think>" in rest:
        raise Unreadable("unparsable" if is_finished else "truncated")
    return rest


def _refuse_degenerate(text: str) -> None:
    if not text:
        raise Unreadable("empty")
    units = (text[:length] for length in range(1, _MAX_UNIT + 1) if len(text) >= max(_MIN_REPEATED, 16 * length))
    if any(text == (unit * (len(text) // len(unit) + 1))[: len(text)] for unit in units):
        raise Unreadable("degenerate")
