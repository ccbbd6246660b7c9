"""A judge whose parameter `protocol` says what it asks: what follows from the protocol alone, whoever answers."""

from __future__ import annotations

from typing import Any

from editeval.judges.protocols import protocol as protocols
from editeval.types import Judge


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
