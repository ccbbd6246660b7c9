"""Parameters that several judges have: what they may be, and the seed of a sample. Each check raises ConfigError."""

from __future__ import annotations

import hashlib
from typing import Any

from editeval.errors import ConfigError
from editeval.judges.parsing import formats
from editeval.judges.protocols import protocol as protocols
from editeval.types import Judge

SCORINGS = ("auto", "expected", "samples")
OUTPUTS = ("auto", "plain", "structured")
MAX_SAMPLES = 64


def check_protocol(name: str) -> None:
    """A protocol that there is."""
    if name not in protocols.PROTOCOLS:
        raise ConfigError(f"protocol: must be one of {', '.join(protocols.PROTOCOLS)}, got {name!r}")


def check_limits(max_new_tokens: int, max_image_side: int, min_label_mass: float) -> None:
    """Sizes and the mass that make sense."""
    if max_new_tokens < 1 or max_image_side < 32:
        raise ConfigError("max_new_tokens must be at least 1 and max_image_side at least 32")
    if not 0.0 <= min_label_mass <= 1.0:
        raise ConfigError(f"min_label_mass: must be between 0 and 1, got {min_label_mass}")


def check_scoring(scoring: str, protocol: str) -> None:
    """Expected values need questions that are answered by labels."""
    if scoring not in SCORINGS:
        raise ConfigError(f"scoring: must be one of {', '.join(SCORINGS)}, got {scoring!r}")
    if scoring == "expected" and not uses_labels(protocol):
        raise ConfigError(f"scoring: expected needs a protocol that is answered by labels (pointwise), not {protocol}")


def check_output(output: str) -> None:
    """A form of replies that there is."""
    if output not in OUTPUTS:
        raise ConfigError(f"output: must be one of {', '.join(OUTPUTS)}, got {output!r}")


def check_sampling(num_samples: int, temperature: float) -> None:
    """Several samples differ only if they are drawn."""
    if not 1 <= num_samples <= MAX_SAMPLES:
        raise ConfigError(f"num_samples: must be between 1 and {MAX_SAMPLES}, got {num_samples}")
    if not 0.0 <= temperature <= 2.0:
        raise ConfigError(f"temperature: must be between 0 and 2, got {temperature}")
    if num_samples > 1 and temperature == 0.0:
        raise ConfigError("temperature: at 0 all samples are the same; set num_samples: 1, or a temperature above 0")


def uses_labels(protocol: str) -> bool:
    """Whether the protocol's questions are answered by one label."""
    return "labels" in {question.answer for question in protocols.example_questions(protocol)}


def writes_text(protocol: str) -> bool:
    """Whether some question of the protocol is answered by a text."""
    return bool({question.answer for question in protocols.example_questions(protocol)} & set(formats.TEXT_FORMATS))


def sample_seed(seed: int, key: str, question: str, number: int) -> int:
    """Seed of a sample, 0 <= seed < 2**31: never decided by its neighbours, the order or the worker."""
    digest = hashlib.sha256(f"{seed}:{key}:{question}:{number}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


class ProtocolJudge(Judge):
    """Metrics, prompts and fingerprint are those of `params.protocol`."""

    metrics = ("overall", "following", "preservation", "quality")  # those of the default protocol

    @classmethod
    def metrics_of(cls, params: Any) -> tuple[str, ...]:
        return protocols.load(params.protocol).metrics

    @classmethod
    def uses_prompts_of(cls, params: Any) -> bool:
        return protocols.load(params.protocol).uses_prompts

    @classmethod
    def fingerprint_of(cls, params: Any) -> str:
        """Hash of everything in the code that decides a score; belongs into the judging's identity."""
        return protocols.fingerprint(params.protocol)
