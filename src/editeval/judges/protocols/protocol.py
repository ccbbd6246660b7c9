"""How a judge is asked, and how its answers become scores: one module per protocol, all of it in code.

A protocol is independent of the engine that answers. It says, for a sample, which questions apply; for a question, its
texts and images in order, how each image is prepared, and the grammar of its answer; how the answers combine into
metrics on their own scales, of which some may not apply to the sample; and how the authors make one number of them.
Scores follow from replies by `scores`, so kept replies can be read again later. `fingerprint` changes whenever a
question, the images shown, their preparation or the combination does.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

from editeval.errors import ConfigError, Reason
from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import ParsedReply, Reply
from editeval.prompts import CATEGORIES
from editeval.types import JudgeRequest, Metric, OfficialMean, Score

_MODULES = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
PROTOCOLS = tuple(sorted(name for name in _MODULES if name != "protocol"))
"""Modules of this package with one subclass of Protocol each: a file beside this one is a protocol."""

SHOWN_AS = {"source": "Original picture:", "edited": "Edited picture:"}
"""The line in front of each image, whatever engine shows it."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to an image before a judge sees it, in this order; nothing, if nothing is said."""

    is_stretched: bool = False  # to the size of the first source image, whatever its own aspect
    max_side: int | None = None  # of the longer side, in pixels, as Pillow's `thumbnail`; a smaller image stays
    max_area: int | None = None  # in pixels; likewise
    multiple: int = 1  # both sides are cut down to multiples of it, by scaling
    jpeg_quality: int | None = None  # through JPEG and back: the judge sees what that leaves
    is_limited: bool = True  # by the judge's own `max_image_side`


AS_IS = Preparation()


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image of a question."""

    role: str  # source, edited, edited_b, target, mask or reference
    number: int = 0  # of several sources or references
    label: str = ""  # a text in front of it; empty: none
    preparation: Preparation = AS_IS
    detail: str = ""  # "high" or "low": how closely a server is told to look, where it knows that; empty: not told

    @property
    def picture(self) -> ShownImage:
        """The same image under any label, looked at in any detail."""
        return replace(self, label="", detail="")


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one edit: texts and images in the order in which a judge gets them, in one message."""

    name: str  # unique within its protocol; a metric of the same name is decided by this question alone
    system: str | None  # None: no message of that kind
    parts: tuple[str | ShownImage, ...]
    answer: str  # one of answers.FORMATS, or of the protocol's `grammars`

    @property
    def shown(self) -> tuple[ShownImage, ...]:
        return tuple(part for part in self.parts if isinstance(part, ShownImage))

    @property
    def text(self) -> str:
        """What is asked, without images and their labels."""
        return "\n".join(part for part in self.parts if isinstance(part, str))


def images_first(name: str, system: str, text: str, roles: tuple[str, ...], answer: str) -> Question:
    """A question with its images in front, as they are, each under a label of our own."""
    return Question(name, system, (*(ShownImage(role, label=SHOWN_AS[role]) for role in roles), text), answer)


def described(question: Question) -> dict[str, object]:
    """Everything that a question is, as JSON values; one of `images_first` as versions before `parts` wrote it."""
    roles, text = tuple(shown.role for shown in question.shown), question.text
    is_plain = set(roles) <= set(SHOWN_AS) and question.system is not None
    if is_plain and question == images_first(question.name, question.system or "", text, roles, question.answer):
        known = {"name": question.name, "system": question.system, "user": text}
        return {**known, "images": roles, "answer": question.answer}
    return asdict(question)


class Protocol(ABC):
    """Questions, the images that go with them, and the rule that makes scores of the readings."""

    metrics: ClassVar[tuple[str, ...]]  # the first is the headline
    scales: ClassVar[Mapping[str, Metric]] = {}  # of the metrics that are not 0-10
    version: ClassVar[int] = 1  # goes up whenever `combine` or one of `grammars` changes
    uses_prompts: ClassVar[bool] = False
    grammars: ClassVar[Mapping[str, Callable[[str], tuple[float, ...]]]] = {}
    """Answer formats of its own: what a reply's text says; raises UnparsableReply where it says nothing."""
    official: ClassVar[tuple[OfficialMean, ...]] = ()  # the numbers that the authors print, the main one first

    @abstractmethod
    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        """What to ask about `request`: those that apply to its sample. Nothing: it cannot be asked."""

    @abstractmethod
    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        """One reading of one value, on its scale, for each metric, from the readings of the questions by name.

        NOT_APPLICABLE for a metric, never the headline, that is none of this sample's.
        """

    def examples(self) -> Iterator[JudgeRequest]:
        """One request of every kind that gets questions of its own: what `fingerprint` looks at."""
        for category in CATEGORIES:
            metadata = {"category": category, "rationale": "RATIONALE"}
            yield JudgeRequest("KEY", (b"",), b"", "INSTRUCTION", prompt=("SYSTEM", "USER"), metadata=metadata)


def load(name: str) -> Protocol:
    """The protocol called `name`. Raises ConfigError for an unknown one."""
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol: must be one of {', '.join(PROTOCOLS)}, got {name!r}")
    module = importlib.import_module(f"editeval.judges.protocols.{name}")
    protocol: Protocol = module.PROTOCOL
    return protocol


def example_questions(name: str) -> tuple[Question, ...]:
    """What the protocol called `name` asks about a sample that has everything."""
    protocol = load(name)
    return protocol.questions(next(iter(protocol.examples())))


def answer_formats(name: str) -> set[str]:
    """Those of all questions of the protocol called `name`."""
    protocol = load(name)
    return {question.answer for request in protocol.examples() for question in protocol.questions(request)}


def fingerprint(name: str) -> str:
    """Hash of everything that a protocol decides, as 16 hex digits."""
    protocol = load(name)
    asked = [[described(question) for question in protocol.questions(request)] for request in protocol.examples()]
    further = [{n: asdict(scale) for n, scale in protocol.scales.items()}] if protocol.scales else []
    parts = [name, protocol.metrics, protocol.version, answers.VERSION, SHOWN_AS, asked, *further]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def scores(
    protocol: Protocol,
    judge: str,
    request: JudgeRequest,
    replies: Mapping[str, Reply],
    min_label_mass: float,
) -> list[Score]:
    """One score per metric. The raw text of each holds the replies that decided it, as JSON by question."""
    formats = {question.name: question.answer for question in protocol.questions(request)}
    readings = {name: read(protocol, formats[name], reply, min_label_mass) for name, reply in replies.items()}
    said = {name: reply.to_json() | readings[name].notes() for name, reply in replies.items()}
    combined = protocol.combine(readings, request)
    rows = []
    for metric in protocol.metrics:
        deciding = {metric: said[metric]} if metric in said else said
        reading = combined[metric]
        value = reading.values[0] if reading.values else None
        rows.append(Score(request.key, judge, metric, value, json.dumps(deciding, ensure_ascii=False), reading.reason))
    return rows


def read(protocol: Protocol, answer: str, reply: Reply, min_label_mass: float) -> ParsedReply:
    """What `reply` says, given the answer format that was asked for."""
    return answers.read(answer, reply, min_label_mass, protocol.grammars)


def unscored(protocol: Protocol, judge: str, key: str, reason: str, message: str) -> list[Score]:
    """One score without value per metric."""
    raw = json.dumps({"message": message}, ensure_ascii=False)
    return [Score(key, judge, metric, None, raw, reason) for metric in protocol.metrics]


def kept_replies(raw: str) -> dict[str, Reply]:
    """The replies that the raw text of a score holds, by question; none if it was never asked."""
    found = json.loads(raw)
    return {name: Reply.from_json(reply) for name, reply in found.items() if isinstance(reply, dict)}


def field(name: str, text: str) -> str:
    """`text` as a named field of a question that it cannot leave: a JSON string without angle brackets, between tags.

    What a benchmark says must not be able to end the field, to start a line of its own or to spell a control token.
    """
    escaped = json.dumps(text, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    escaped = escaped.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")
    return f"<{name}>{escaped}</{name}>"


NOT_APPLICABLE = ParsedReply(reason=Reason.NOT_APPLICABLE)
"""The reading of a metric that is none of this sample's."""


def first_reason(*readings: ParsedReply) -> ParsedReply | None:
    """The first reading that has no value, to be handed on; None if all have one."""
    return next((reading for reading in readings if reading.reason), None)
