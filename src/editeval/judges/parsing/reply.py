"""A reply of a judge, the text of it that grammars read, and what can be read from it: values, or why there are none.

Grammars read the answer without the thinking in front of it, decimal digits as 0-9. Not NFKC: that would make 82 of 8²
and 1 of ①. Only decimal digits of other scripts and a few full-width signs become ASCII.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from editeval.errors import Reason

LABELS = tuple("0123456789")
"""The answers of a question that is answered by one label; each is a single token of the judge."""
ABSTAINED = "X"
"""The label of a judge that cannot judge."""
CANNOT_JUDGE = "cannot judge"
"""The same in words."""


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
    answered_by: str = ""  # the model that the server names, where it is not the one that was asked for
    rationale: Reply | None = None  # why, in its own words, asked after the score; nothing is ever read from it
    sent_without: tuple[str, ...] = ()  # what the server refuses of the wanted way of asking: it was asked without

    def to_json(self) -> dict[str, object]:
        """JSON values."""
        found: dict[str, object]
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
        if self.answered_by:
            found["answered_by"] = self.answered_by
        if self.sent_without:
            found["sent_without"] = list(self.sent_without)
        if self.rationale is not None:
            found["rationale"] = self.rationale.to_json()
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Reply:
        """The reply that `to_json` described; other keys are ignored."""
        labels, ends, usage = data.get("labels"), data.get("ends"), data.get("usage")
        samples, rationale, lacking = data.get("samples"), data.get("rationale"), data.get("sent_without")
        return cls(
            str(data.get("text", "")),
            bool(data.get("finished", True)),
            tuple(labels) if isinstance(labels, list) else None,
            ends if isinstance(ends, int | float) else None,
            tuple(cls.from_json(sample) for sample in samples) if isinstance(samples, list) else (),
            str(data.get("problem", "")),
            str(data.get("message", "")),
            (usage["prompt"], usage["reply"]) if isinstance(usage, dict) else None,
            str(data.get("answered_by", "")),
            cls.from_json(rationale) if isinstance(rationale, dict) else None,
            tuple(map(str, lacking)) if isinstance(lacking, list) else (),
        )


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply says: `values`, or the reason why nothing can be read. Exactly one of the two is empty."""

    values: tuple[float, ...] = ()
    reason: str = ""  # one of errors.Reason, or the problem of the reply
    num_read: int | None = None  # of the samples, where there are any
    spread: tuple[float, ...] = ()  # standard deviation (n - 1) of each value over the samples, where two were read
    samples: tuple[ParsedReply, ...] = field(default=(), repr=False, compare=False)  # what each of them says

    def __post_init__(self) -> None:
        if bool(self.values) == bool(self.reason):
            raise ValueError(f"a parsed reply has values or a reason, got {self.values!r} and {self.reason!r}")

    def notes(self) -> dict[str, object]:
        """What the samples of a reply come to, as JSON values; nothing for a reply without samples."""
        if self.num_read is None:
            return {}
        return {"num_read": self.num_read, "mean": list(self.values), "spread": list(self.spread)}


MAX_CHARACTERS = 50_000
EDGES = " \t\r\n\u200b\u2060\ufeff"
_MAX_UNIT, _MIN_REPEATED = 16, 32
"""A reply of at least so many characters that repeats up to so many of them is degenerate."""
_TAG = re.compile(r"[<\[◁](/?)(think|thinking|thought|reasoning|reflection|analysis|scratchpad)[>\]▷]", re.IGNORECASE)
_FULL_WIDTH = str.maketrans("：／（）％＝", ":/()%=")
_FULL_WIDTH_POINT = re.compile(r"(?<=[0-9])．(?=[0-9])")


def normalised(reply: Reply) -> str:
    """The text that grammars read, never empty.

    Raises UnparsableReply where no grammar may look: empty, degenerate, cut off, only thinking.
    """
    text = plain_digits(reply.text).replace("\r\n", "\n").strip(EDGES)
    _refuse_degenerate(text)
    if not reply.is_finished:
        raise UnparsableReply(Reason.TRUNCATED)
    if len(text) > MAX_CHARACTERS:
        raise UnparsableReply(Reason.UNPARSABLE)
    text = without_thinking(text).strip(EDGES)
    _refuse_degenerate(text)
    return text


def plain_digits(text: str) -> str:
    """`text` with every decimal digit as 0-9 and full-width signs as ASCII; superscripts and such stay."""
    if text.isascii():
        return text
    mapped = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)
    return _FULL_WIDTH_POINT.sub(".", mapped.translate(_FULL_WIDTH))


def without_thinking(text: str) -> str:
    """What follows the thinking blocks that `text` begins with. A block or a tag elsewhere makes it unparsable."""
    rest, name = 0, ""
    for tag in _TAG.finditer(text):
        is_closing, word = bool(tag[1]), tag[2].lower()
        if name:
            if is_closing and word == name:
                rest, name = tag.end(), ""
        elif is_closing or text[rest : tag.start()].strip(EDGES):
            raise UnparsableReply(Reason.UNPARSABLE)
        else:
            name = word
    if name:  # never closed: all of the rest is thinking
        raise UnparsableReply(Reason.UNPARSABLE)
    return text[rest:]


def _refuse_degenerate(text: str) -> None:
    if not text:
        raise UnparsableReply(Reason.EMPTY)
    units = (text[:length] for length in range(1, _MAX_UNIT + 1) if len(text) >= max(_MIN_REPEATED, 16 * length))
    if any(text == (unit * (len(text) // len(unit) + 1))[: len(text)] for unit in units):
        raise UnparsableReply(Reason.DEGENERATE)
