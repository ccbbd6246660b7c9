"""A reply of a judge and what can be read from it: values, or one word that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LABELS = tuple("0123456789")
"""The answers of a question that is answered by one label; each is a single token of the judge."""
ABSTAINED = "X"
"""The label of a judge that cannot judge."""


class UnparsableReply(Exception):  # noqa: N818 - not an error: it is the result
    """Nothing can be read; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reply:
    """What a judge said to one question, as it said it; serialises to JSON, so that it can be read again later."""

    text: str  # with labels: the one token the judge found most likely
    is_finished: bool = True  # False: it was cut off at the token limit
    labels: tuple[float, ...] | None = None  # probability of each of LABELS as the first token, if the judge gave it
    ends: float | None = None  # probability that nothing but the end follows `text`, if it is a label; None: not known
    samples: tuple[Reply, ...] = ()  # what it said each time, where it was asked more than once; `text` is then empty
    problem: str = ""  # one word, where the engine itself says that this is no answer: refused | transport | ...
    message: str = ""  # one line about the problem
    usage: tuple[int, int] | None = None  # tokens of prompts and of replies, where the engine counts them
    rationale: Reply | None = None  # why, in its own words, asked after the score; nothing is ever read from it

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        found: dict[str, Any]
        if self.samples:
            found = {"samples": [sample.to_json() for sample in self.samples]}
        elif self.labels is not None:
            found = {"text": self.text, "labels": list(self.labels), "mass": round(sum(self.labels), 6)}
            if self.ends is not None:
                found["ends"] = self.ends
        else:
            found = {"text": self.text, "finished": self.is_finished}
        if self.problem:
            found |= {"problem": self.problem, "message": self.message}
        if self.usage is not None:
            found["usage"] = {"prompt": self.usage[0], "reply": self.usage[1]}
        if self.rationale is not None:
            found["rationale"] = self.rationale.to_json()
        return found

    @classmethod
    def from_json(cls, data: Any) -> Reply:
        """The reply that `to_json` described; what else stands there is passed over."""
        labels, usage, rationale = data.get("labels"), data.get("usage"), data.get("rationale")
        return cls(
            data.get("text", ""),
            data.get("finished", True),
            tuple(labels) if labels is not None else None,
            data.get("ends"),
            tuple(cls.from_json(sample) for sample in data.get("samples", ())),
            data.get("problem", ""),
            data.get("message", ""),
            (usage["prompt"], usage["reply"]) if usage is not None else None,
            cls.from_json(rationale) if rationale is not None else None,
        )


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply says: `values`, or the reason why nothing can be read. Exactly one of the two is empty."""

    values: tuple[float, ...] = ()
    reason: str = ""  # one of errors.Reason, or the problem of the reply
    num_read: int | None = None  # of the samples, where there are any
    spread: tuple[float, ...] = ()  # standard deviation (n - 1) of each value over the samples, where two were read

    def __post_init__(self) -> None:
        if bool(self.values) == bool(self.reason):
            raise ValueError(f"a parsed reply has values or a reason, got {self.values!r} and {self.reason!r}")

    def notes(self) -> dict[str, Any]:
        """What the samples of a reply come to, as JSON values; nothing for a reply without samples."""
        if self.num_read is None:
            return {}
        return {"num_read": self.num_read, "mean": list(self.values), "spread": list(self.spread)}
