"""From a reply to what it says: one grammar per answer format, nothing is ever guessed.

labels    the expected value of the label probabilities, 0-10; of samples, the digit that each of them is
number    one number 0-10: alone, as JSON, or as the last labelled line behind reasons
pair      two numbers 0-10 as JSON
verdict   yes or no as JSON

A reply is read only if it has one of the shapes that its grammar lists; everything else is unscored with a reason. Of
several samples every one is read by itself; the values are the means over those that could be read, at least half.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev

from editeval.errors import Reason
from editeval.judges.parsing import json_answer, statements
from editeval.judges.parsing.normalise import normalised
from editeval.judges.parsing.reply import ABSTAINED, LABELS, ParsedReply, Reply, UnparsableReply

VERSION = 4
"""Goes up whenever a reply may be read differently than before."""

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


TEXT_FORMATS: Mapping[str, Callable[[str], tuple[float, ...]]] = {
    "number": json_answer.read_number,
    "pair": json_answer.read_pair,
    "verdict": json_answer.read_verdict,
}
FORMATS = ("labels", *TEXT_FORMATS)


def read(answer: str, reply: Reply, min_label_mass: float) -> ParsedReply:
    """What `reply` says, given the answer format that was asked for."""
    if reply.problem:
        return ParsedReply(reason=reply.problem)
    if reply.samples:
        grammar = TEXT_FORMATS.get(answer, _read_label)
        return _averaged([_written(grammar, sample) for sample in reply.samples])
    if answer == "labels":
        return _expected(reply, min_label_mass)
    return _written(TEXT_FORMATS[answer], reply)


def _written(grammar: Callable[[str], tuple[float, ...]], reply: Reply) -> ParsedReply:
    if reply.problem:
        return ParsedReply(reason=reply.problem)
    try:
        text = normalised(reply)
        statements.check(text)
        return ParsedReply(grammar(text))
    except UnparsableReply as unparsable:
        return ParsedReply(reason=unparsable.reason)


def _averaged(readings: Sequence[ParsedReply]) -> ParsedReply:
    """Means and spread over the samples that could be read; the commonest reason if they are fewer than half."""
    rows = [reading.values for reading in readings if reading.values]
    if 2 * len(rows) < len(readings):
        reasons = Counter(reading.reason for reading in readings if reading.reason)
        return ParsedReply(reason=reasons.most_common(1)[0][0], num_read=len(rows))
    columns = list(zip(*rows, strict=True))
    spread = tuple(stdev(column) for column in columns) if len(rows) > 1 else ()
    return ParsedReply(tuple(fmean(column) for column in columns), num_read=len(rows), spread=spread)


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
