"""Grammars in JSON: the one object of the reply, bare or in the one fence, with `score` as asked for and a reason.

    pair      {"score": [8, 7.5], "reasoning": "..."}     two numbers
    verdict   {"score": "yes", "reasoning": "..."}        1.0 for yes, 0.0 for no
    single    {"score": 8.5, "reasoning": "..."}          one number; a shape of the grammar `number`
Nothing may follow. In front of pair and verdict stands at most an introduction such as "Here is my evaluation:".
Numbers are JSON numbers without exponent; a repeated key, another key or another arity makes the reply unparsable. The
score "cannot judge" is one of every format.
"""

from __future__ import annotations

import json
import re
from typing import Any

from editeval.errors import Reason
from editeval.judges.parsing import number, statements
from editeval.judges.parsing.normalise import EDGES
from editeval.judges.parsing.number import TEN, Scale
from editeval.judges.parsing.reply import UnparsableReply

CANNOT_JUDGE = "cannot judge"
_KEYS = {"score", "reasoning", "reason"}
_FENCE = re.compile(r"```[ \t]{0,3}(?:json|text|plaintext|markdown)?[ \t]{0,3}\n", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"\n]{0,200}\"|“[^”\n]{0,200}”|「[^」\n]{0,200}」|«[^»\n]{0,200}»")


class _Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def read_number(text: str, scale: Scale = TEN) -> tuple[float, ...]:
    """One number in any shape. Raises UnparsableReply."""
    before, body = _unfenced(text)
    if "{" in body:
        return _read_object(before, body, 1, scale)
    return number.read(before + body, scale)


def read_pair(text: str, scale: Scale = TEN) -> tuple[float, ...]:
    """Two numbers. Raises UnparsableReply."""
    return _read_object(*_unfenced(text), 2, scale)


def read_verdict(text: str) -> tuple[float, ...]:
    """1.0 for yes, 0.0 for no. Raises UnparsableReply."""
    before, found = _object_in(*_unfenced(text))
    if not number.is_introduction(before):
        raise UnparsableReply(Reason.AMBIGUOUS)
    score = found["score"]
    word = score.strip().lower() if isinstance(score, str) and not isinstance(score, _Number) else ""
    if word not in ("yes", "no"):
        raise UnparsableReply(Reason.UNPARSABLE)
    return (1.0 if word == "yes" else 0.0,)


def _unfenced(text: str) -> tuple[str, str]:
    """What stands before the one fence of `text`, and what is in it; without a fence, nothing and all of it."""
    if "```" not in text or text.startswith("{"):
        return "", text
    parts = text.split("```")
    opening = _FENCE.match("```" + parts[1])
    if len(parts) != 3 or opening is None:
        raise UnparsableReply(Reason.UNPARSABLE)
    if parts[2].strip(EDGES):
        raise UnparsableReply(Reason.AMBIGUOUS)
    body = parts[1][opening.end() - 3 :].strip(EDGES)
    if not body:
        raise UnparsableReply(Reason.EMPTY)
    return parts[0], body


def _read_object(before: str, body: str, arity: int, scale: Scale) -> tuple[float, ...]:
    before, found = _object_in(before, body)
    score = found["score"]
    listed = [score] if arity == 1 else score
    if not isinstance(listed, list) or len(listed) != arity:
        raise UnparsableReply(Reason.NOT_A_NUMBER if score is None else Reason.UNPARSABLE)
    values = tuple(_number(entry, scale) for entry in listed)
    if arity == 1:
        number.check_before(before, values, scale)
    elif not number.is_introduction(before):
        raise UnparsableReply(Reason.AMBIGUOUS)
    number.check_prose(_QUOTED.sub("", _reasons(found)), values, scale)
    return values


def _number(value: Any, scale: Scale) -> float:
    if value is None:
        raise UnparsableReply(Reason.NOT_A_NUMBER)
    if not isinstance(value, _Number):
        raise UnparsableReply(Reason.UNPARSABLE)
    return scale.value(value)


def _object_in(before: str, body: str) -> tuple[str, dict[str, Any]]:
    """What stands in front of the only object of `body`, and that object, which has a `score`."""
    start = body.find("{")
    if start < 0:
        raise UnparsableReply(Reason.UNPARSABLE)
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_constant, strict=False
    )
    try:
        found, end = decoder.raw_decode(body, start)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnparsableReply(Reason.UNPARSABLE) from error
    if body[end:].strip(EDGES):
        raise UnparsableReply(Reason.AMBIGUOUS)
    if "score" not in found or not set(found) <= _KEYS:
        raise UnparsableReply(Reason.UNPARSABLE)
    statements.check(_reasons(found))
    if isinstance(found["score"], str) and found["score"].strip().lower().replace("_", " ") == CANNOT_JUDGE:
        raise UnparsableReply(Reason.CANNOT_JUDGE)
    return before + body[:start], found


def _reasons(found: dict[str, Any]) -> str:
    """The judge's own words in the object."""
    return "\n".join(str(found[key]) for key in ("reasoning", "reason") if key in found)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise UnparsableReply(Reason.AMBIGUOUS)
    return dict(pairs)


def _constant(name: str) -> Any:
    raise UnparsableReply(Reason.NOT_A_NUMBER)
