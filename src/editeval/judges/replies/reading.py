"""A reply of a judge and what can be read from it: values, or one word that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LABELS = tuple("0123456789")
"""The answers of a question that is answered by one label; each is a single token of the judge."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a judge said to one question, as it said it; serialises to JSON, so that it can be read again later."""

    text: str  # with labels: the one token the judge found most likely
    is_finished: bool = True  # False: it was cut off at the token limit
    labels: tuple[float, ...] | None = None  # probability of each of LABELS as the first token, if the judge gave it

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        if self.labels is None:
            return {"text": self.text, "finished": self.is_finished}
        return {"text": self.text, "labels": list(self.labels), "mass": round(sum(self.labels), 6)}

    @classmethod
    def from_json(cls, data: Any) -> Reply:
        """The reply that `to_json` described."""
        labels = data.get("labels")
        return cls(data["text"], data.get("finished", True), tuple(labels) if labels is not None else None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says: `values`, or the reason why nothing can be read. Exactly one of the two is empty.

    Reasons: empty | degenerate | truncated | refused | unparsable | ambiguous | out_of_range | not_a_number | low_mass
    """

    values: tuple[float, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        if bool(self.values) == bool(self.reason):
            raise ValueError(f"a reading has values or a reason, got {self.values!r} and {self.reason!r}")
