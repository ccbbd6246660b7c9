"""How a judge is asked, and how its answers become scores: one module per protocol, all of it in code.

A protocol is independent of the engine that answers. Scores follow from replies by `scores`, so kept replies can be
read again later. `fingerprint` changes whenever a question, the images shown, a grammar or the combination does.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from editeval.errors import ConfigError
from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import ParsedReply, Reply
from editeval.prompts import CATEGORIES
from editeval.types import JudgeRequest, Metric, Score

_MODULES = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
PROTOCOLS = tuple(sorted(name for name in _MODULES if name != "protocol"))
"""Modules of this package with one subclass of Protocol each: a file beside this one is a protocol."""

SHOWN_AS = {"source": "Original picture:", "edited": "Edited picture:"}
"""The line in front of each image, whatever engine shows it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one edit. The images are shown before the text, each under a label."""

    name: str  # unique within its protocol; a metric of the same name is decided by this question alone
    system: str
    user: str
    images: tuple[str, ...]  # of "source" and "edited", in the order shown
    answer: str  # one of answers.FORMATS


class Protocol(ABC):
    """Questions, the images that go with them, and the rule that makes scores of the readings."""

    metrics: ClassVar[tuple[str, ...]]  # the first is the headline
    scales: ClassVar[Mapping[str, Metric]] = {}  # of the metrics that are not 0-10
    version: ClassVar[int] = 1  # goes up whenever `combine` changes
    uses_prompts: ClassVar[bool] = False

    @abstractmethod
    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        """What to ask about `request`; as many, in the same formats, for every request. Nothing: it cannot be asked."""

    @abstractmethod
    def combine(self, readings: Mapping[str, ParsedReply]) -> dict[str, ParsedReply]:
        """One reading of one value 0-10 for each metric, from the readings of all questions by name."""


def load(name: str) -> Protocol:
    """The protocol called `name`. Raises ConfigError for an unknown one."""
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol: must be one of {', '.join(PROTOCOLS)}, got {name!r}")
    module = importlib.import_module(f"editeval.judges.protocols.{name}")
    protocol: Protocol = module.PROTOCOL
    return protocol


def example_questions(name: str, category: str = "physical") -> tuple[Question, ...]:
    """What the protocol called `name` asks about a sample that has everything."""
    metadata = {"category": category, "rationale": "RATIONALE"}
    request = JudgeRequest("KEY", (b"",), b"", "INSTRUCTION", prompt=("SYSTEM", "USER"), metadata=metadata)
    return load(name).questions(request)


def fingerprint(name: str) -> str:
    """Hash of everything that a protocol decides, as 16 hex digits."""
    protocol = load(name)
    asked = [[asdict(question) for question in example_questions(name, category)] for category in CATEGORIES]
    parts = [name, protocol.metrics, protocol.version, answers.VERSION, SHOWN_AS, asked]
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
    readings = {name: answers.read(formats[name], reply, min_label_mass) for name, reply in replies.items()}
    said = {name: reply.to_json() | readings[name].notes() for name, reply in replies.items()}
    combined = protocol.combine(readings)
    rows = []
    for metric in protocol.metrics:
        deciding = {metric: said[metric]} if metric in said else said
        reading = combined[metric]
        value = reading.values[0] if reading.values else None
        rows.append(Score(request.key, judge, metric, value, json.dumps(deciding, ensure_ascii=False), reading.reason))
    return rows


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


def first_reason(*readings: ParsedReply) -> ParsedReply | None:
    """The first reading that has no value, to be handed on; None if all have one."""
    return next((reading for reading in readings if reading.reason), None)
