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
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import ClassVar

from editeval.errors import FAMILIES, ConfigError, Reason
from editeval.judges.parsing.prompt_files import PromptSource as PromptSource
from editeval.judges.parsing.prompt_files import text_digest as text_digest
from editeval.judges.parsing.reply import ParsedReply, Reply
from editeval.judges.protocols._question import AS_IS as AS_IS
from editeval.judges.protocols._question import MAX_SOURCES as MAX_SOURCES
from editeval.judges.protocols._question import SHOWN_AS as SHOWN_AS
from editeval.judges.protocols._question import Preparation as Preparation
from editeval.judges.protocols._question import Question as Question
from editeval.judges.protocols._question import ShownImage as ShownImage
from editeval.judges.protocols._question import described as described
from editeval.judges.protocols._question import every_source as every_source
from editeval.judges.protocols._question import images_first as images_first
from editeval.prompts import CATEGORIES
from editeval.types import JudgeRequest, Metric, OfficialMean, Score

_MODULES = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
PROTOCOLS = tuple(sorted(name for name in _MODULES if name != "protocol" and not name.startswith("_")))
"""Modules of this package with one subclass of Protocol each: a file beside this one is a protocol."""


@dataclass(frozen=True, slots=True)
class OfficialSettings:
    """With which settings the authors asked."""

    judges: tuple[str, ...]  # names of models that count as official; the first one is that of the published tables
    temperature: float | None  # None: their script sends none, the server's default holds
    max_new_tokens: int | None = None  # None: their script sends none
    num_samples: int = 1
    top_p: float = 1.0  # asked of servers
    top_k: int | None = None  # set: every engine draws so, of that many tokens; one reply alone is drawn too
    seed: int | None = None  # of the first reply to each question; the next one has the next number. None: our own
    is_form_forced: bool = False  # True: their script has the engine force the form of replies


class Protocol(ABC):
    """Questions, the images that go with them, and the rule that makes scores of the readings."""

    benchmark: ClassVar[str] = ""  # name of the benchmark whose protocol it is
    own_words: ClassVar[Mapping[str, str]] = {}  # our wording, under the authors' names of constants; same placeholders
    prompt_source: ClassVar[PromptSource | None] = None
    settings: ClassVar[OfficialSettings | None] = None
    switches: ClassVar[Mapping[str, str]] = {}  # name for `match_published` -> the published bug that it repeats

    metrics: ClassVar[tuple[str, ...]]  # the first is the headline
    scales: Mapping[str, Metric] = {}  # of the metrics that are not 0-10
    labels: ClassVar[Mapping[str, Mapping[str, str]]] = {}  # category -> metric -> what the authors call it there
    is_pairwise: ClassVar[bool] = False  # True: it compares an edit with that of another run, `edited_b`
    version: ClassVar[int] = 1  # goes up whenever `combine` or one of `grammars` changes
    uses_prompts: ClassVar[bool] = False
    grammars: ClassVar[Mapping[str, Callable[[str], tuple[float, ...]]]] = {}
    """Answer formats of its own: what a reply's text says; raises UnparsableReply where it says nothing."""
    official: ClassVar[tuple[OfficialMean, ...]] = ()  # the numbers that the authors print, the main one first

    def __init__(self, words: Mapping[str, str] | None = None, match_published: frozenset[str] = frozenset()) -> None:
        """`words`: the authors' texts, in place of ours of the same names. Raises ConfigError for an unknown switch."""
        for switch in sorted(match_published - self.switches.keys()):
            known = f"must be of {', '.join(self.switches)}" if self.switches else f"{self.name} has no switch"
            raise ConfigError(f"match_published: {known}, got {switch!r}")
        self.words: Mapping[str, str] = {**self.own_words, **(words or {})}
        self.match_published = match_published

    @property
    def default_settings(self) -> OfficialSettings | None:
        """What holds where a judge's parameters say nothing; None: the defaults of the judge."""
        return self.settings

    @property
    def departs(self) -> tuple[str, ...]:
        """In what it differs from the authors' way whatever the settings, one short phrase each."""
        return ()

    @property
    def name(self) -> str:
        """That of its module: what `protocol:` says."""
        return type(self).__module__.rpartition(".")[2]

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


def class_of(name: str) -> type[Protocol]:
    """The protocol called `name`. Raises ConfigError for an unknown one."""
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol: must be one of {', '.join(PROTOCOLS)}, got {name!r}")
    found: type[Protocol] = importlib.import_module(f"editeval.judges.protocols.{name}").PROTOCOL
    return found


def load(
    name: str,
    prompts_from: str = "",
    match_published: Iterable[str] = (),
    words: Mapping[str, str] | None = None,
) -> Protocol:
    """The protocol called `name`, with the authors' words in `prompts_from`, a clone or a file of theirs.

    words            those that were read before, in place of `prompts_from`
    match_published  published bugs to repeat: names of its `switches`

    Raises ConfigError for an unknown name or switch, and for a place without the authors' words.
    """
    if prompts_from and not words:
        words = authors_words(name, prompts_from)
    return class_of(name)(words, frozenset(match_published))


def as_recorded(params: Mapping[str, object], name: str = "") -> Protocol:
    """The protocol of a judge whose parameters a run has, in the words in use; or that called `name`."""
    asked = str(params.get("protocol"))
    if name and name != asked:
        return load(name)
    words, switches = params.get("words"), params.get("match_published")
    own = {str(key): str(text) for key, text in words.items()} if isinstance(words, Mapping) else None
    return load(asked, match_published=map(str, switches if isinstance(switches, list | tuple) else ()), words=own)


def authors_words(name: str, prompts_from: str) -> dict[str, str]:
    """The constants of the protocol called `name` that are in a clone, or a file, of its authors. ConfigError: none."""
    source = class_of(name).prompt_source
    if source is None:
        raise ConfigError(f"prompts_from: protocol {name} asks in words of its own, got {prompts_from}; leave it out")
    return source.read(Path(prompts_from).expanduser())


def example_questions(protocol: Protocol) -> tuple[Question, ...]:
    """What it asks about a sample that has everything."""
    return protocol.questions(next(iter(protocol.examples())))


def answer_formats(protocol: Protocol) -> set[str]:
    """Those of all its questions."""
    return {question.answer for request in protocol.examples() for question in protocol.questions(request)}


def max_images(protocol: Protocol) -> int:
    """The most that one question shows, of all its examples."""
    examples = list(protocol.examples())
    if not protocol.benchmark:  # of our own: it shows every source
        examples = [replace(request, sources=request.sources * MAX_SOURCES) for request in examples]
    asked = [question for request in examples for question in protocol.questions(request)]
    return max([2, *(len(question.shown) for question in asked)])


def reader(protocol: Protocol) -> int:
    """The version of the parser that reads its answers."""
    from editeval.judges.parsing import answers  # its expressions take 60 ms, which most runs do not need

    return answers.version_of(answer_formats(protocol))


def fingerprint(protocol: Protocol) -> str:
    """Hash of everything that a protocol decides, as 16 hex digits: its words and switches as well."""
    return _fingerprint(protocol, protocol.version, reader(protocol))


def earlier_fingerprints(protocol: Protocol) -> frozenset[str]:
    """Those of versions of editeval that asked the very same and read the replies in another way."""
    now = protocol.version, reader(protocol)
    before = product(range(1, now[0] + 1), range(1, now[1] + 1))
    return frozenset(_fingerprint(protocol, *versions) for versions in before if versions != now)


def _fingerprint(protocol: Protocol, version: int, read_by: int) -> str:
    asked = [[described(question) for question in protocol.questions(request)] for request in protocol.examples()]
    further: list[object] = []  # what a protocol without it does not have: fingerprints of before stay
    if protocol.scales:
        further.append({n: asdict(scale) for n, scale in protocol.scales.items()})
    if protocol.words:
        further.append({"words": dict(protocol.words)})
    if protocol.match_published:
        further.append({"match_published": sorted(protocol.match_published)})
    parts = [protocol.name, protocol.metrics, version, read_by, SHOWN_AS, asked, *further]
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
    from editeval.judges.parsing import answers

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


def formatted(template: str, **values: str) -> str:
    """`template` as `str.format` fills plain names in braces; what stands in other braces stays as it is."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]) if found[1] else found[0][0], template)


_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w+)\}")

NOT_APPLICABLE = ParsedReply(reason=Reason.NOT_APPLICABLE)
"""The reading of a metric that is none of this sample's."""

UNREADABLE = FAMILIES["parse"] | FAMILIES["unseen"] | FAMILIES["refusal"]
"""Reasons of a reply that is there and gives no value."""


def first_reason(*readings: ParsedReply) -> ParsedReply | None:
    """The first reading that has no value, to be handed on; None if all have one."""
    return next((reading for reading in readings if reading.reason), None)
