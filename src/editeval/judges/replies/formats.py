"""From a reply to a reading: one grammar per answer format, nothing is ever guessed.

labels    the expected value of the label probabilities, 0-10
number    one number 0-10 as text
pair      two numbers 0-10 as JSON
verdict   yes or no as JSON
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from editeval.judges.replies import number, structured
from editeval.judges.replies.cleaning import Unreadable, cleaned
from editeval.judges.replies.reading import LABELS, Reading, Reply

VERSION = 1
"""Goes up whenever a reply may be read differently than before."""

TEXT_FORMATS: Mapping[str, Callable[[str], tuple[float, ...]]] = {
    "number": number.read,
    "pair": structured.read_pair,
    "verdict": structured.read_verdict,
}
FORMATS = ("labels", *TEXT_FORMATS)


def read(answer: str, reply: Reply, min_label_mass: float) -> Reading:
    """What `reply` says, given the answer format that was asked for."""
    if answer == "labels":
        return _expected(reply, min_label_mass)
    try:
        return Reading(TEXT_FORMATS[answer](cleaned(reply)))
    except Unreadable as unreadable:
        return Reading(reason=unreadable.reason)


def _expected(reply: Reply, min_label_mass: float) -> Reading:
    """The probability-weighted mean of the labels, scaled to 0-10, if together they are likely enough."""
    if reply.labels is None or len(reply.labels) != len(LABELS):
        return Reading(reason="unparsable")
    mass = sum(reply.labels)
    if not mass > 0.0 or mass < min_label_mass:
        return Reading(reason="low_mass")
    mean = sum(label * share for label, share in enumerate(reply.labels)) / mass
    return Reading((min(10.0 * mean / (len(LABELS) - 1), 10.0),))
