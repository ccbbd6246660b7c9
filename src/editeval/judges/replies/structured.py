"""Grammars in JSON: exactly one object in the reply, `score` as asked for, nothing else but a reason.

    pair      {"score": [8, 7.5], "reasoning": "..."}     two numbers 0-10
    verdict   {"score": "yes", "reasoning": "..."}        1.0 for yes, 0.0 for no
    single    {"score": 8.5, "reasoning": "..."}          one number 0-10; part of the grammar `number`
The text around the object may not contain digits, braces or second thoughts. Numbers must be JSON numbers without
exponent; a repeated key, another key or another arity makes the reply unreadable.
"""

from __future__ import annotations

import json
import re
from typing import Any

from editeval.judges.replies.cleaning import Unreadable
from editeval.judges.replies.doubt import SECOND_THOUGHT, is_imagined

_KEYS = {"score", "reasoning", "reason"}
_SECOND_THOUGHT = re.compile(
    r"[0-9{}\[\]]|\b(?:actually|correction|instead|wait|yes|no|score)\b|更正|改为|应为|是|否", re.I
)
_SURROUNDING_MARKS = re.compile(r"```[ \t]*[A-Za-z]*")
_NUMBER = re.compile(r"(?P<sign>[-+−]?)(?P<whole>0|[1-9][0-9]*)(?:\.(?P<decimals>[0-9]+))?")


class _Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def read_pair(text: str) -> tuple[float, ...]:
    """Two numbers 0-10. Raises Unreadable."""
    score = _score(text)
    if not isinstance(score, list) or len(score) != 2:
        raise Unreadable("not_a_number" if score is None else "unparsable")
    return tuple(_number(entry) for entry in score)


def read_single(text: str) -> tuple[float, ...]:
    """One number 0-10. Raises Unreadable."""
    return (_number(_score(text)),)


def read_verdict(text: str) -> tuple[float, ...]:
    """1.0 for yes, 0.0 for no. Raises Unreadable."""
    score = _score(text)
    word = score.strip().lower() if isinstance(score, str) and not isinstance(score, _Number) else ""
    if word not in ("yes", "no"):
        raise Unreadable("unparsable")
    return (1.0 if word == "yes" else 0.0,)


def interpreted(written: str) -> float:
    """The number 0-10 that `written` is. Raises Unreadable: out_of_range, or unparsable for odd spellings."""
    match = _NUMBER.fullmatch(written)
    if match is None or match["sign"] == "+":
        raise Unreadable("unparsable")
    if match["sign"] or len(match["whole"]) > 2:
        raise Unreadable("out_of_range")
    value = float(written[:40])
    if value > 10.0:
        raise Unreadable("out_of_range")
    return value


def _number(value: Any) -> float:
    if value is None:
        raise Unreadable("not_a_number")
    if not isinstance(value, _Number):
        raise Unreadable("unparsable")
    return interpreted(value)


def _score(text: str) -> Any:
    """What the only object of `text` has under `score`."""
    start = text.find("{")
    if start < 0:
        raise Unreadable("unparsable")
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_constant, strict=False
    )
    try:
        found, end = decoder.raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable("unparsable") from error
    if is_imagined(text[:start]) or SECOND_THOUGHT.search(text[end:]):
        raise Unreadable("ambiguous")
    around = _SURROUNDING_MARKS.sub("", text[:start]) + "\n" + text[end:].replace("```", "")
    if _SECOND_THOUGHT.search(around):
        raise Unreadable("ambiguous")
    if "score" not in found or not set(found) <= _KEYS:
        raise Unreadable("unparsable")
    return found["score"]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise Unreadable("ambiguous")
    return dict(pairs)


def _constant(name: str) -> Any:
    raise Unreadable("not_a_number")
