"""From a reply to a reading: one grammar per answer format, nothing is ever guessed.

labels    the expected value of the label probabilities, 0-10; of samples, the digit that each of them is
number    one number 0-10 as text
pair      two numbers 0-10 as JSON
verdict   yes or no as JSON

Of several samples every one is read by itself; the values are the means over those that could be read, at least half.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev

from editeval.judges.replies import label, number, structured
from editeval.judges.replies.cleaning import Unreadable, cleaned
from editeval.judges.replies.reading import LABELS, Reading, Reply

VERSION = 2
"""Goes up whenever a reply may be read differently than before."""

TEXT_FORMATS: Mapping[str, Callable[[str], tuple[float, ...]]] = {
    "number": number.read,
    "pair": structured.read_pair,
    "verdict": structured.read_verdict,
}
FORMATS = ("labels", *TEXT_FORMATS)


def read(answer: str, reply: Reply, min_label_mass: float) -> Reading:
    """What `reply` says, given the answer format that was asked for."""
    if reply.problem:
        return Reading(reason=reply.problem)
    if reply.samples:
        grammar = TEXT_FORMATS.get(answer, label.read)
        return _averaged([_written(grammar, sample) for sample in reply.samples])
    if answer == "labels":
        return _expected(reply, min_label_mass)
    return _written(TEXT_FORMATS[answer], reply)


def _written(grammar: Callable[[str], tuple[float, ...]], reply: Reply) -> Reading:
    if reply.problem:
        return Reading(reason=reply.problem)
    try:
        return Reading(grammar(cleaned(reply)))
    except Unreadable as unreadable:
        return Reading(reason=unreadable.reason)


def _averaged(readings: Sequence[Reading]) -> Reading:
    """Means and spread over the samples that could be read; the commonest reason if they are fewer than half."""
    rows = [reading.values for reading in readings if reading.values]
    if 2 * len(rows) < len(readings):
        reasons = Counter(reading.reason for reading in readings if reading.reason)
        return Reading(reason=reasons.most_common(1)[0][0], num_read=len(rows))
    columns = list(zip(*rows, strict=True))
    spread = tuple(stdev(column) for column in columns) if len(rows) > 1 else ()
    return Reading(tuple(fmean(column) for column in columns), num_read=len(rows), spread=spread)


def _expected(reply: Reply, min_label_mass: float) -> Reading:
    """The probability-weighted mean of the labels, scaled to 0-10, if together they are likely enough."""
    if reply.labels is None or len(reply.labels) != len(LABELS):
        return Reading(reason="unparsable")
    mass = sum(reply.labels)
    if not mass > 0.0 or mass < min_label_mass:
        return Reading(reason="low_mass")
    mean = sum(label * share for label, share in enumerate(reply.labels)) / mass
    return Reading((min(10.0 * mean / (len(LABELS) - 1), 10.0),))
