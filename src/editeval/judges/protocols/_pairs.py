"""Protocols that compare two edits of one sample: every question is asked in both orders, since judges prefer a place.

This run's edit is `edited`, the other one `edited_b`. A verdict is 1.0 where this run's edit wins, 0.0 where the other
one does, and 0.5 for a tie. Two orders that do not agree on a winner are a tie. Where one of them cannot be read, there
is no verdict.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from editeval.errors import Reason
from editeval.judges.parsing import number, prose
from editeval.judges.parsing.answers import spoken, unfenced, unique_keys
from editeval.judges.parsing.reply import CANNOT_JUDGE, EDGES, ParsedReply, UnparsableReply
from editeval.judges.protocols.protocol import Protocol, Question, first_reason, kept_replies, read
from editeval.types import JudgeRequest, Metric

AS_A, AS_B = "as_a", "as_b"
"""The order of a question, and the end of its name: as which image this run's edit is shown."""
_NAMED = re.compile(r"\b(image|picture|photo) (?:[AB12]|one|two)\b", re.IGNORECASE)
_WINNERS = {
    **dict.fromkeys(("image a", "image_a", "a"), 1.0),
    **dict.fromkeys(("image b", "image_b", "b"), 0.0),
    **dict.fromkeys(("tie", "equal", "both", "none"), 0.5),
}


class PairwiseProtocol(Protocol):
    """One verdict for each dimension. A headline that is no dimension is the mean of their verdicts."""

    is_pairwise = True
    dimensions: ClassVar[tuple[str, ...]]  # metrics, each of which has a question of its own

    @abstractmethod
    def question(self, dimension: str, order: str, request: JudgeRequest) -> Question:
        """Which edit is better in `dimension`; named `dimension.order`. Its reading is 1.0 for image A, 0.0 for B."""

    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        return tuple(self.question(name, order, request) for name in self.dimensions for order in (AS_A, AS_B))

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        verdicts = {dimension: self._verdict(dimension, readings) for dimension in self.dimensions}
        headline = self.metrics[0]
        if headline in verdicts:
            return verdicts
        missing = first_reason(*verdicts.values())
        return {headline: missing or _mean(one.values[0] for one in verdicts.values()), **verdicts}

    def _verdict(self, dimension: str, readings: Mapping[str, ParsedReply]) -> ParsedReply:
        asked = {order: readings[name] for order in (AS_A, AS_B) if (name := f"{dimension}.{order}") in readings}
        missing = first_reason(*asked.values())
        if missing is not None:
            return missing
        return ParsedReply((self.agreed([won(order, one.values[0]) for order, one in asked.items()]),))

    def agreed(self, orders: Sequence[float]) -> float:
        """The verdict, of how far this run's edit won in each order."""
        said = {(one > 0.5) - (one < 0.5) for one in orders}
        return (said.pop() + 1) / 2 if len(said) == 1 else 0.5

    def examples(self) -> Iterator[JudgeRequest]:
        yield JudgeRequest("KEY", (b"",), b"", "INSTRUCTION", edited_b=b"")


def scales_of(metrics: Iterable[str]) -> dict[str, Metric]:
    """Those of verdicts and their means: 0-1."""
    return {name: Metric(name, 0.0, 1.0) for name in metrics}


def shown_edits(order: str) -> tuple[str, str]:
    """The roles of image A and image B."""
    return ("edited", "edited_b") if order == AS_A else ("edited_b", "edited")


def won(order: str, image_a: float) -> float:
    """How far this run's edit won, of how far image A did."""
    return image_a if order == AS_A else 1.0 - image_a


def orders_read(protocol: PairwiseProtocol, raw: str, min_label_mass: float) -> dict[str, tuple[float, float]]:
    """By dimension, how far image A won with this run's edit as A and as B, where both can be read in `raw`."""
    formats = {one.name: one.answer for request in protocol.examples() for one in protocol.questions(request)}
    said = {name: read(protocol, formats[name], reply, min_label_mass) for name, reply in kept_replies(raw).items()}
    both = {one: [said.get(f"{one}.{order}") for order in (AS_A, AS_B)] for one in protocol.dimensions}
    return {one: (a.values[0], b.values[0]) for one, (a, b) in both.items() if a and b and a.values and b.values}


def winner_in(text: str) -> tuple[float, ...]:
    """1.0 for image A, 0.0 for image B, 0.5 for a tie, from the one JSON object of `text`. Raises UnparsableReply."""
    start, end = text.find("{"), text.rfind("}") + 1
    try:
        found = json.loads(text[start:end], strict=False, object_pairs_hook=unique_keys) if 0 <= start < end else None
    except (ValueError, RecursionError):
        found = None
    said = found.get("winner") if isinstance(found, dict) else None
    word = said.strip().lower() if isinstance(said, str) else ""
    if CANNOT_JUDGE in (word, text.strip(" .").lower()):
        raise UnparsableReply(Reason.CANNOT_JUDGE)
    if word not in _WINNERS:
        raise UnparsableReply(Reason.UNPARSABLE)
    return (_WINNERS[word],)


def check_seen(text: str) -> None:
    """Raises UnparsableReply where `text` says that one of the images, by its name, was not shown."""
    prose.check(_NAMED.sub(r"the \1", spoken(text)))


def seen_winner_in(text: str) -> tuple[float, ...]:
    """`winner_in` of a judge that misses neither image. Raises UnparsableReply."""
    check_seen(text)
    return winner_in(text)


def only_winner_in(text: str) -> tuple[float, ...]:
    """The same where nothing is said around the object but an introduction. Raises UnparsableReply."""
    check_seen(text)
    before, body = unfenced(text)
    found = winner_in(body)
    start, end = body.find("{"), body.rfind("}") + 1
    if body[end:].strip(EDGES) or not number.is_introduction(before + body[:start]):
        raise UnparsableReply(Reason.AMBIGUOUS)
    return found


def _mean(values: Iterable[float]) -> ParsedReply:
    listed = list(values)
    return ParsedReply((sum(listed) / len(listed),))
