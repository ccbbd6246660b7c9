"""What one chat server takes and gives: it is found out before the first judgement, and stays so for the whole run.

Every field is sent with every call, because servers fill in what is missing by rules of their own (vLLM, for one, by
the checkpoint's generation_config.json). A server that refuses a field by name is asked again without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from editeval.judges.asking.labels import NUM_LOGPROBS
from editeval.judges.asking.messages import Message
from editeval.judges.asking.schemas import JSON_SCHEMAS
from editeval.judges.asking.wish import Wish

NEUTRAL: Mapping[str, float] = {"top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0}
"""Samplers that would bend the distribution, switched off. Not every server has the last two."""

MOST_LOGPROBS = (NUM_LOGPROBS, 5, 0)
"""Likeliest tokens to ask for, next time one less: some servers give five."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """Which fields the server takes, and how many token probabilities it gives."""

    limit_field: str = "max_tokens"
    neutral: tuple[str, ...] = tuple(NEUTRAL)
    has_seed: bool = True
    has_temperature: bool = True
    has_schema: bool = True
    top_logprobs: int = MOST_LOGPROBS[0]  # 0: it gives no probabilities

    @property
    def refusable(self) -> tuple[str, ...]:
        """Fields that `without` can do something about, and the temperature."""
        return (*self.neutral, "seed", "temperature", "response_format", "logprobs", "top_logprobs", self.limit_field)

    def without(self, name: str) -> Abilities:
        """The same less the field `name`."""
        if name in self.neutral:
            return replace(self, neutral=tuple(field for field in self.neutral if field != name))
        if name in ("logprobs", "top_logprobs") and self.top_logprobs:
            less = 0 if name == "logprobs" else MOST_LOGPROBS[MOST_LOGPROBS.index(self.top_logprobs) + 1]
            return replace(self, top_logprobs=less)
        if name == self.limit_field == "max_tokens":
            return replace(self, limit_field="max_completion_tokens")
        return replace(
            self,
            has_seed=self.has_seed and name != "seed",
            has_temperature=self.has_temperature and name != "temperature",
            has_schema=self.has_schema and name != "response_format",
        )


def body(model: str, messages: list[Message], wish: Wish, abilities: Abilities) -> dict[str, Any]:
    """The JSON of one call."""
    fields: dict[str, Any] = {"model": model, "messages": messages, abilities.limit_field: wish.max_tokens}
    if abilities.has_temperature:
        fields["temperature"] = wish.temperature
    if abilities.has_seed:
        fields["seed"] = wish.seed
    fields |= {name: NEUTRAL[name] for name in abilities.neutral}
    if wish.is_expected and abilities.top_logprobs:
        fields |= {"logprobs": True, "top_logprobs": abilities.top_logprobs}
    if wish.is_structured and abilities.has_schema and wish.answer in JSON_SCHEMAS:
        schema = {"name": wish.answer, "schema": JSON_SCHEMAS[wish.answer], "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    return fields


def named(fields: Collection[str], complaint: str) -> list[str]:
    """Those of `fields` that a server's complaint names."""
    return [name for name in fields if re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", complaint)]
