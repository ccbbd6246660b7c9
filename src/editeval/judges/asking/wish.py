"""How one reply is wanted, whatever engine gives it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
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
