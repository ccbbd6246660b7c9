"""How a judge asks and what counts as an answer: the parameters that all judges with a protocol have, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from editeval.errors import ConfigError
from editeval.judges.chat.messages import NUM_TOKENS
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import Protocol, Question

SCORINGS = ("auto", "expected", "samples")
OUTPUTS = ("auto", "plain", "structured")
MAX_SAMPLES = 64
AMPLE_TOKENS = 2048
"""Of a reply where a protocol's authors set no limit."""
_BY_INPUTS = {"identity": False}  # what decides is the content of its edits, a part of the identity of its own
_BY_PROTOCOL = {"identity": False}  # it decides through the protocol, whose fingerprint is part of an identity


@dataclass(frozen=True, kw_only=True)
class AskParams:
    """How a judge asks and what counts as an answer. Raises ConfigError for what makes no sense.

    What is None is set to what the protocol's authors asked with, or else to a default of `defaults`.
    """

    protocol: str = "pointwise"  # how to ask: a name of judges/protocols; rubric: the YAML's prompts
    prompts_from: str = field(default="", metadata=_BY_PROTOCOL)  # clone or file of the authors' words; empty: our own
    match_published: tuple[str, ...] = field(default=(), metadata=_BY_PROTOCOL)  # published bugs to repeat, by name
    words: Mapping[str, str] = field(default_factory=dict, metadata=_BY_PROTOCOL)  # read from prompts_from; not to set
    against: str = field(default="", metadata=_BY_INPUTS)  # run with whose edits a pairwise protocol compares these
    num_samples: int | None = None  # replies to each question not scored by probabilities; None: the authors', or 4
    seed: int = 0  # of samples, together with the sample's id, the question and the number
    max_new_tokens: int | None = None  # of a written reply, which is else unscored; None: the authors', or 256
    max_image_side: int | None = None  # longer sides in pixels are shrunk to it; None: as the authors do, or 1024
    min_label_mass: float = 0.9  # a score by probabilities needs at least this much probability on the labels
    reasons: bool = False  # True: another call, after the score, asks for one sentence; it changes no score

    defaults: ClassVar[Mapping[str, int | float]] = {"num_samples": 4, "max_new_tokens": 256, "max_image_side": 1024}

    def __post_init__(self) -> None:
        object.__setattr__(self, "match_published", tuple(self.match_published))  # a worker gets them as a list
        if self.prompts_from and not self.words:
            object.__setattr__(self, "words", protocols.authors_words(self.protocol, self.prompts_from))
        settings = self.asking.default_settings
        theirs = {} if settings is None else {name: getattr(settings, name, None) for name in self.defaults}
        if settings is not None and settings.max_new_tokens is None:
            theirs["max_new_tokens"] = AMPLE_TOKENS
        for name, value in {**self.defaults, **theirs}.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)  # what the authors leave out is not sent, or not done
        self._check()

    def _check(self) -> None:
        if self.against and not self.is_pairwise:
            raise ConfigError(f"against: protocol {self.protocol} looks at one run alone; leave it out")
        if self.scoring not in SCORINGS:
            raise ConfigError(f"scoring: must be one of {', '.join(SCORINGS)}, got {self.scoring!r}")
        if self.scoring == "expected" and "labels" not in self.answer_formats:
            raise ConfigError(
                f"scoring: expected needs a protocol that is answered by labels (pointwise), not {self.protocol}"
            )
        if self.output not in OUTPUTS:
            raise ConfigError(f"output: must be one of {', '.join(OUTPUTS)}, got {self.output!r}")
        if not 1 <= self.num_replies <= MAX_SAMPLES:
            raise ConfigError(f"num_samples: must be between 1 and {MAX_SAMPLES}, got {self.num_samples}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise ConfigError(f"temperature: must be between 0 and 2, got {self.temperature}")
        if self.num_replies > 1 and self.temperature == 0.0:
            raise ConfigError(
                "temperature: at 0 all samples are the same; set num_samples: 1, or a temperature above 0"
            )
        if self.max_tokens < 1:
            raise ConfigError(f"max_new_tokens: must be at least 1, got {self.max_tokens}")
        if self.max_image_side is not None and self.max_image_side < 32:
            raise ConfigError(f"max_image_side: must be at least 32, got {self.max_image_side}")
        if not 0.0 <= self.min_label_mass <= 1.0:
            raise ConfigError(f"min_label_mass: must be between 0 and 1, got {self.min_label_mass}")

    @property
    def asking(self) -> Protocol:
        """The protocol, in the words and with the switches of these parameters."""
        return protocols.load(self.protocol, match_published=self.match_published, words=self.words)

    @property
    def is_pairwise(self) -> bool:
        """Whether a request needs two edits: those of a run come from `against`."""
        return self.asking.is_pairwise

    @property
    def num_replies(self) -> int:
        """`num_samples`, which is set by now."""
        assert self.num_samples is not None
        return self.num_samples

    @property
    def max_tokens(self) -> int:
        """`max_new_tokens`, which is set by now."""
        assert self.max_new_tokens is not None
        return self.max_new_tokens

    @property
    def temperature(self) -> float | None:
        """Of samples; 0: each reply is the likeliest one; None: the engine's own default, nothing is sent."""
        return 0.0

    @property
    def scoring(self) -> str:
        """Whether labels are scored by their probabilities."""
        return "auto"

    @property
    def output(self) -> str:
        """Whether replies are forced into the form that is asked for."""
        return "auto"

    @property
    def answer_formats(self) -> set[str]:
        """Those of the protocol's questions."""
        return protocols.answer_formats(self.asking)

    def sampling(self, question: Question, key: str, number: int, gives_probabilities: bool) -> SamplingParams:
        """How sample `number` of the reply to `question` about the sample `key` is wanted."""
        if self.is_expected(question, gives_probabilities):
            return SamplingParams(question.answer, NUM_TOKENS, is_expected=True)
        is_structured = self.output != "plain"
        seed = sample_seed(self.seed, key, question.name, number)
        drawn, settings = (1.0, -1), self.asking.default_settings
        if settings is not None:
            drawn = (settings.top_p, settings.top_k or -1)
            if settings.seed is not None and self.seed == 0:
                seed = settings.seed + number
        return SamplingParams(question.answer, self.max_tokens, False, self.temperature, seed, is_structured, *drawn)

    def is_expected(self, question: Question, gives_probabilities: bool) -> bool:
        """Whether the question is scored by probabilities (under `expected` it is, even where none will come)."""
        has_any = self.scoring == "expected" or gives_probabilities
        return question.answer == "labels" and self.scoring != "samples" and has_any


@dataclass(frozen=True, kw_only=True)
class DrawnParams(AskParams):
    """The same for an engine that draws its written replies and can force their form."""

    scoring: str = "auto"  # expected: by token probabilities | samples: mean of num_samples | auto: the first if it can
    temperature: float | None = None  # of samples; None: as the protocol's authors, who may send none, or 0.7
    output: str = "auto"  # structured: force the answer format | plain: never | auto: where the engine can

    defaults: ClassVar[Mapping[str, int | float]] = {**AskParams.defaults, "temperature": 0.7}


def sample_seed(seed: int, key: str, question: str, number: int) -> int:
    """Seed of a sample, 0 <= seed < 2**31: never decided by its neighbours, the order or the worker."""
    digest = hashlib.sha256(f"{seed}:{key}:{question}:{number}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How a reply is wanted."""

    answer: str  # an answer format, or "rationale"
    max_tokens: int
    is_expected: bool = False  # True: probabilities of the first token
    temperature: float | None = 0.0  # None: none is sent, the engine's default holds
    seed: int = 0
    is_structured: bool = False  # True: the answer format's JSON is forced, where it has one
    top_p: float = 1.0  # as the protocol's authors draw
    top_k: int = -1  # likewise; -1: of all tokens

    @property
    def needed(self) -> frozenset[str]:
        """Fields without which the reply would not be the one that is wanted."""
        if self.is_expected or self.temperature is None:
            return frozenset()
        return frozenset({"temperature", "top_p", "top_k"} if self.is_cut and self.temperature else {"temperature"})

    @property
    def is_cut(self) -> bool:
        """Whether the unlikely tokens are never drawn, as the authors have it of models that they loaded themselves."""
        return self.top_k > 0
