"""From the likeliest first tokens of a reply to the probabilities of the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from editeval.judges.replies.reading import LABELS, Reply

NUM_LOGPROBS = 20
"""Likeliest tokens to ask for: the most that OpenAI and vLLM give. A label that is not among them counts as 0."""


def reply_of(tokens: Mapping[str, Any], text: str, usage: tuple[int, int] | None) -> Reply:
    """The reply whose first token has these log-probabilities. What cannot be true is no score: no_probabilities."""
    shares = {token: _probability(logprob) for token, logprob in tokens.items()}
    known = {token: share for token, share in shares.items() if share is not None}
    if len(known) < len(shares) or not 0.0 < sum(known.values()) <= 1.001:
        message = "the engine gave no usable probabilities of the first token"
        return Reply(text, problem="no_probabilities", message=message, usage=usage)
    by_label = dict.fromkeys(LABELS, 0.0)
    for token, share in known.items():
        if token.strip() in by_label:  # " 7" says the same as "7"
            by_label[token.strip()] += share
    labels = tuple(round(by_label[label], 6) for label in LABELS)
    return Reply(max(known, key=known.__getitem__), labels=labels, usage=usage)


def _probability(logprob: Any) -> float | None:
    is_number = isinstance(logprob, int | float) and not isinstance(logprob, bool)
    return math.exp(min(logprob, 0.0)) if is_number and logprob <= 0.001 else None
