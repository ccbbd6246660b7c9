"""Grammar `number`: one number from 0 to 10 in a reply of plain text.

Accepted, with bold and code marks ignored:
    8    8.5    8.5.    8/10    8.5 out of 10    8 分             the whole reply
    Score: 8.5    Final score (0-10): 8/10    评分：8.5           a line of its own, once; prose around it
    {"score": 8.5, "reasoning": "..."}                           JSON
A scale other than 10, a sign, a range, a percentage, a decimal comma or a word is not a number here. Prose before the
line may contain numbers as long as none of them looks like a score; prose after it may contain none. Where the words
around the line make an example of the score, or seem to take it back, there is none.
"""

from __future__ import annotations

import re

from editeval.judges.replies.cleaning import Unreadable
from editeval.judges.replies.doubt import SECOND_THOUGHT, is_imagined
from editeval.judges.replies.structured import interpreted, read_single

_VALUE = r"(?P<value>[-+−]?[0-9]+(?:\.[0-9]+)?)"
_SCALE = r"(?:[ \t]*(?:/|／|out of)[ \t]*10(?:\.0)?)?(?:[ \t]*分)?[ \t]*[.。]?"
_MARK = re.compile(r"(?<![0-9.])(?:\*\*|(?<!`)`(?!`))|(?:\*\*|(?<!`)`(?!`))(?![0-9.])")
"""Bold and code marks; never between two digits, which would make one number of two."""
_WHOLE = re.compile(_VALUE + _SCALE)
_WORD = r"(?:score|rating|grade|评分|分数|得分|打分|总分)"
_LABEL = re.compile(
    rf"(?<![A-Za-z])(?:(?:final|overall|total|the|my|最终|综合|总)[ \t]*)*{_WORD}[ \t]*"
    r"(?:[(（]0[ \t]*[-–~][ \t]*10[)）])?[ \t]*[:：=]",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"[ \t]*(?:[-*•#]+[ \t]*)*")  # no ">": what is quoted is somebody else's
_SCORE_LIKE = re.compile(
    rf"[0-9][ \t]*(?:/|／|out of)[ \t]*[0-9]|[0-9][ \t]*分|[0-9][ \t]*%|(?:{_WORD}|rate|give|deserve)[^\n]*[0-9]",
    re.IGNORECASE,
)
_SAID_AGAIN = re.compile(_WORD, re.IGNORECASE)
_NOT_A_NUMBER = re.compile(r"[-+]?(?:nan|inf(?:inity)?|null|none|n/a|not applicable|undefined)[.]?", re.IGNORECASE)


def read(text: str) -> tuple[float, ...]:
    """The one number in `text`, 0-10. Raises Unreadable."""
    if text.startswith("{"):
        return read_single(text)
    text = _MARK.sub("", text).strip()
    if _NOT_A_NUMBER.fullmatch(text):
        raise Unreadable("not_a_number")
    whole = _WHOLE.fullmatch(text)
    if whole:
        return (interpreted(whole["value"]),)
    labels = list(_LABEL.finditer(text))
    if not labels:
        raise Unreadable("unparsable")
    if len(labels) > 1:
        raise Unreadable("ambiguous")
    return (_labelled(text, labels[0]),)


def _labelled(text: str, label: re.Match[str]) -> float:
    """The number behind the only label, if nothing else in `text` could be meant."""
    start = text.rfind("\n", 0, label.start()) + 1
    end = text.find("\n", label.end())
    end = len(text) if end < 0 else end
    stated = text[label.end() : end].strip()
    if not _LINE_START.fullmatch(text[start : label.start()]):
        raise Unreadable("ambiguous")
    if _NOT_A_NUMBER.fullmatch(stated):
        raise Unreadable("not_a_number")
    number = re.fullmatch(_VALUE + _SCALE, stated)
    if number is None:
        raise Unreadable("unparsable")
    before, behind = text[:start], text[end:]
    if _SCORE_LIKE.search(before) or is_imagined(before):
        raise Unreadable("ambiguous")
    if SECOND_THOUGHT.search(behind) or _SAID_AGAIN.search(behind):
        raise Unreadable("ambiguous")
    return interpreted(number["value"])
