"""How a judge asks and what counts as an answer: the parameters that all judges with a protocol have, checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from editeval.errors import ConfigError
from editeval.judges.chat.messages import NUM_TOKENS
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import Question

SCORINGS = ("auto", "expected", "samples")
OUTPUTS = ("auto", "plain", "structured")
MAX_SAMPLES = 64


@dataclass(frozen=True, kw_only=True)
class AskParams:
    """How a judge asks and what counts as an answer. Raises ConfigError for what makes no sense."""

    protocol: str = "pointwise"  # how to ask: pointwise, pointwise_mean, rubric (the YAML's prompts), viescore, re_edit
    num_samples: int = 4  # replies to each question that is not scored by probabilities
    seed: int = 0  # of samples, together with the sample's id, the question and the number
    max_new_tokens: int = 256  # of a written reply; one that reaches it is unscored as truncated
    max_image_side: int = 1024  # pictures with a longer side than this many pixels are shrunk to it
    min_label_mass: float = 0.9  # a score by probabilities needs at least this much probability on the labels
    reasons: bool = False  # True: another call, after the score, asks for one sentence; it changes no score

    def __post_init__(self) -> None:
        if self.protocol not in protocols.PROTOCOLS:
            raise ConfigError(f"protocol: must be one of {', '.join(protocols.PROTOCOLS)}, got {self.protocol!r}")
        if self.scoring not in SCORINGS:
            raise ConfigError(f"scoring: must be one of {', '.join(SCORINGS)}, got {self.scoring!r}")
        if self.scoring == "expected" and "labels" not in self.answer_formats:
            raise ConfigError(
                f"scoring: expected needs a protocol that is answered by labels (pointwise), not {self.protocol}"
            )
        if self.output not in OUTPUTS:
            raise ConfigError(f"output: must be one of {', '.join(OUTPUTS)}, got {self.output!r}")
        if not 1 <= self.num_samples <= MAX_SAMPLES:
            raise ConfigError(f"num_samples: must be between 1 and {MAX_SAMPLES}, got {self.num_samples}")
        if not 0.0 <= self.temperature <= 2.0:
            raise ConfigError(f"temperature: must be between 0 and 2, got {self.temperature}")
        if self.num_samples > 1 and self.temperature == 0.0:
            raise ConfigError(
                "temperature: at 0 all samples are the same; set num_samples: 1, or a temperature above 0"
            )
        if self.max_new_tokens < 1 or self.max_image_side < 32:
            raise ConfigError("max_new_tokens must be at least 1 and max_image_side at least 32")
        if not 0.0 <= self.min_label_mass <= 1.0:
            raise ConfigError(f"min_label_mass: must be between 0 and 1, got {self.min_label_mass}")

    @property
    def temperature(self) -> float:
        """Of samples; 0: each reply is the likeliest one."""
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
        return protocols.answer_formats(self.protocol)

    def sampling(self, question: Question, key: str, number: int, gives_probabilities: bool) -> SamplingParams:
        """How sample `number` of the reply to `question` about the sample `key` is wanted."""
        if self.is_expected(question, gives_probabilities):
            return SamplingParams(question.answer, NUM_TOKENS, is_expected=True)
        is_structured = self.output != "plain"
        seed = sample_seed(self.seed, key, question.name, number)
        return SamplingParams(question.answer, self.max_new_tokens, False, self.temperature, seed, is_structured)

    def is_expected(self, question: Question, gives_probabilities: bool) -> bool:
        """Whether the question is scored by probabilities (under `expected` it is, even where none will come)."""
        has_any = self.scoring == "expected" or gives_probabilities
        return question.answer == "labels" and self.scoring != "samples" and has_any


@dataclass(frozen=True, kw_only=True)
class DrawnParams(AskParams):
    """The same for an engine that draws its written replies and can force their form."""

    scoring: str = "auto"  # expected: by token probabilities | samples: mean of num_samples | auto: the first if it can
    temperature: float = 0.7  # of samples
    output: str = "auto"  # structured: force the answer format | plain: never | auto: where the engine can


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
    temperature: float = 0.0
    seed: int = 0
    is_structured: bool = False  # True: the answer format's JSON is forced, where it has one

    @property
    def needed(self) -> frozenset[str]:
        """Fields without which the reply would not be the one that is wanted."""
        return frozenset() if self.is_expected else frozenset({"temperature"})
