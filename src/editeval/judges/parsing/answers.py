"""From a reply to what it says: one grammar per answer format, nothing is ever guessed.

labels    the expected value of the label probabilities, 0-10; of samples, the digit that each of them is
number    one number 0-10: alone, as JSON, or as the last labelled line behind reasons (see `number`)
pair      {"score": [8, 7.5], "reasoning": "..."}     two numbers 0-10
verdict   {"score": "yes", "reasoning": "..."}        1.0 for yes, 0.0 for no

JSON is one object, bare or in the one fence; nothing may follow, and in front of pair and verdict there is at most an
introduction such as "Here is my evaluation:". Numbers are JSON numbers without exponent; a repeated key, another key or
another arity makes the reply unparsable. The score "cannot judge" is one of every format.

A reply is read only if it has one of the shapes that its grammar lists; everything else is unscored with a reason. Of
several samples every one is read by itself; the values are the means over those that could be read, at least half.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean, stdev

from editeval.errors import Reason
from editeval.judges.parsing import number, prose
from editeval.judges.parsing.reply import (
    ABSTAINED,
    CANNOT_JUDGE,
    EDGES,
    LABELS,
    ParsedReply,
    Reply,
    UnparsableReply,
    normalised,
)

VERSION, _LABELS_VERSION = 5, 4
"""Go up whenever a reply may be read differently than before: one in words, and one by its label alone."""

_KEYS = {"score", "reasoning", "reason"}
_FENCE = re.compile(r"```[ \t]{0,3}(?:json|text|plaintext|markdown)?[ \t]{0,3}\n", re.IGNORECASE)
_QUOTED = re.compile(
    r"(?<=[ (])'[A-Za-z][^'\n]{2,60}'(?=[ .,;)])|\"[^\"\n]{0,200}\"|“[^”\n]{0,200}”|「[^」\n]{0,200}」|«[^»\n]{0,200}»"
)


class _Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def read_number(text: str) -> tuple[float, ...]:
    """One number in any shape. Raises UnparsableReply."""
    before, body = unfenced(text)
    if "{" in body:
        return _read_object(before, body, 1)
    return number.read(before + body)


def read_pair(text: str, highest: float = number.HIGHEST) -> tuple[float, ...]:
    """Two numbers, 0 to `highest`. Raises UnparsableReply."""
    return _read_object(*unfenced(text), 2, highest)


def read_verdict(text: str) -> tuple[float, ...]:
    """1.0 for yes, 0.0 for no. Raises UnparsableReply."""
    before, found = _object_in(*unfenced(text))
    if not number.is_introduction(before):
        raise UnparsableReply(Reason.AMBIGUOUS)
    score = found["score"]
    word = score.strip().lower() if isinstance(score, str) and not isinstance(score, _Number) else ""
    if word not in ("yes", "no"):
        raise UnparsableReply(Reason.UNPARSABLE)
    return (1.0 if word == "yes" else 0.0,)


def unfenced(text: str) -> tuple[str, str]:
    """What comes before the one fence of `text`, and what is in it; without a fence, nothing and all of it."""
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


def _read_object(before: str, body: str, arity: int, highest: float = number.HIGHEST) -> tuple[float, ...]:
    before, found = _object_in(before, body)
    score = found["score"]
    listed = [score] if arity == 1 else score
    if not isinstance(listed, list) or len(listed) != arity:
        raise UnparsableReply(Reason.NOT_A_NUMBER if score is None else Reason.UNPARSABLE)
    values = tuple(_number(entry, highest) for entry in listed)
    if arity == 1:
        number.check_before(before, values)
    elif not number.is_introduction(before):
        raise UnparsableReply(Reason.AMBIGUOUS)
    number.check_prose(_QUOTED.sub("", _reasons(found)), values, highest)
    return values


def _number(value: object, highest: float) -> float:
    if value is None:
        raise UnparsableReply(Reason.NOT_A_NUMBER)
    if not isinstance(value, _Number):
        raise UnparsableReply(Reason.UNPARSABLE)
    return number.value_of(value, highest)


def _object_in(before: str, body: str) -> tuple[str, dict[str, object]]:
    """What comes before the only object of `body`, and that object, which has a `score`."""
    start = body.find("{")
    if start < 0:
        raise UnparsableReply(Reason.UNPARSABLE)
    decoder = json.JSONDecoder(
        object_pairs_hook=unique_keys, parse_int=_Number, parse_float=_Number, parse_constant=_constant, strict=False
    )
    try:
        found, end = decoder.raw_decode(body, start)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnparsableReply(Reason.UNPARSABLE) from error
    if body[end:].strip(EDGES):
        raise UnparsableReply(Reason.AMBIGUOUS)
    if "score" not in found or not set(found) <= _KEYS:
        raise UnparsableReply(Reason.UNPARSABLE)
    prose.check(_reasons(found))
    if isinstance(found["score"], str) and found["score"].strip().lower().replace("_", " ") == CANNOT_JUDGE:
        raise UnparsableReply(Reason.CANNOT_JUDGE)
    return before + body[:start], found


def _reasons(found: dict[str, object]) -> str:
    """The judge's own words in the object."""
    return "\n".join(str(found[key]) for key in ("reasoning", "reason") if key in found)


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object, of which no key may be repeated. Raises UnparsableReply."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise UnparsableReply(Reason.AMBIGUOUS)
    return dict(pairs)


def _constant(name: str) -> None:
    raise UnparsableReply(Reason.NOT_A_NUMBER)


_MARKS = re.compile(r"\*\*|`")
_LABEL = re.compile(r"(?P<label>[0-9])[ \t]{0,3}[.。]?")
_NUMBER = re.compile(r"[-+−]?[0-9]{1,60}[.。]?")
_AWAY_FROM_ONE = 4
"""Beside a likeliest label this high, the token 1 is taken for the beginning of a 10, which is no label."""


def _read_label(text: str) -> tuple[float, ...]:
    """The label that `text` is, scaled to 0-10. Raises UnparsableReply."""
    plain = _MARKS.sub("", text).strip()
    match = _LABEL.fullmatch(plain)
    if plain.rstrip(".").upper() == ABSTAINED:
        raise UnparsableReply(Reason.CANNOT_JUDGE)
    if match is None:
        raise UnparsableReply(Reason.OUT_OF_RANGE if _NUMBER.fullmatch(plain) else Reason.UNPARSABLE)
    return (10.0 * int(match["label"]) / (len(LABELS) - 1),)


Grammar = Callable[[str], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class AsPublished:
    """How the authors of a benchmark read: what they take for a number counts, whatever is said beside it."""

    grammar: Grammar

    def __call__(self, text: str) -> tuple[float, ...]:
        return self.grammar(text)


TEXT_FORMATS: Mapping[str, Grammar] = {
    "number": read_number,
    "pair": read_pair,
    "verdict": read_verdict,
}
FORMATS = ("labels", *TEXT_FORMATS)


def version_of(formats: Collection[str]) -> int:
    """That of the parser, as far as it may read a reply in one of `formats` differently."""
    return VERSION if set(formats) - {"labels"} else _LABELS_VERSION


def read(
    answer: str, reply: Reply, min_label_mass: float, grammars: Mapping[str, Grammar] | None = None
) -> ParsedReply:
    """What `reply` says, given the answer format that was asked for: one of FORMATS, or of `grammars`."""
    if reply.problem:
        return ParsedReply(reason=reply.problem)
    if reply.samples:
        grammar = (grammars or {}).get(answer) or TEXT_FORMATS.get(answer, _read_label)
        return averaged([_written(grammar, sample) for sample in reply.samples])
    if answer == "labels":
        return _expected(reply, min_label_mass)
    return _written((grammars or {}).get(answer) or TEXT_FORMATS[answer], reply)


def _written(grammar: Callable[[str], tuple[float, ...]], reply: Reply) -> ParsedReply:
    if reply.problem:
        return ParsedReply(reason=reply.problem)
    try:
        text = normalised(reply)
        if not isinstance(grammar, AsPublished):
            prose.check(spoken(text))
        return ParsedReply(grammar(text))
    except UnparsableReply as unparsable:
        return ParsedReply(reason=unparsable.reason)


def spoken(text: str) -> str:
    """`text`, and further the texts in its JSON object, each on a line of its own and without escapes."""
    start, end = text.find("{"), text.rfind("}") + 1
    found: object = None
    if 0 <= start < end:
        with suppress(ValueError, RecursionError):
            found = json.loads(text[start:end], strict=False)
    texts = [value for value in found.values() if isinstance(value, str)] if isinstance(found, dict) else []
    return "\n".join([text, *texts])


def averaged(readings: Sequence[ParsedReply]) -> ParsedReply:
    """Means and spread over the samples that could be read; the commonest reason if they are fewer than half."""
    rows = [reading.values for reading in readings if reading.values]
    if 2 * len(rows) < len(readings):
        reasons = Counter(reading.reason for reading in readings if reading.reason)
        return ParsedReply(reason=reasons.most_common(1)[0][0], num_read=len(rows), samples=tuple(readings))
    columns = list(zip(*rows, strict=True))
    spread = tuple(stdev(column) for column in columns) if len(rows) > 1 else ()
    means = tuple(fmean(column) for column in columns)
    return ParsedReply(means, num_read=len(rows), spread=spread, samples=tuple(readings))


def _expected(reply: Reply, min_label_mass: float) -> ParsedReply:
    """The probability-weighted mean of the labels, scaled to 0-10, if together they are likely enough."""
    if reply.labels is None or len(reply.labels) != len(LABELS):
        return ParsedReply(reason=Reason.UNPARSABLE)
    shares = _shares(reply.text.strip(), list(reply.labels), reply.ends)
    mass = sum(shares)
    if not mass > 0.0 or mass < min_label_mass:
        return ParsedReply(reason=Reason.CANNOT_JUDGE if reply.text.strip() == ABSTAINED else Reason.LOW_MASS)
    mean = sum(label * share for label, share in enumerate(shares)) / mass
    return ParsedReply((min(10.0 * mean / (len(LABELS) - 1), 10.0),))


def _shares(likeliest: str, shares: list[float], ends: float | None) -> list[float]:
    """What of each label's probability means that label: a first token may go on, and "10" is not "1"."""
    label = LABELS.index(likeliest) if likeliest in LABELS else shares.index(max(shares))
    if ends is not None and likeliest in LABELS:
        shares[label] *= ends
    if label >= _AWAY_FROM_ONE:
        shares[1] = 0.0
    return shares
