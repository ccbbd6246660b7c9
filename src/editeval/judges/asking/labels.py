"""From the likeliest tokens at the beginning of a reply to the probabilities of the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from editeval.judges.parsing.reply import LABELS, Reply

NUM_LOGPROBS = 20
"""Likeliest tokens to ask for: the most that OpenAI and vLLM give. A label that is not among them counts as 0."""
NUM_TOKENS = 2
"""Tokens to ask for: the label, and what follows it. Tokenizers that split digits write 10 as 1 and 0."""


def reply_of(
    tokens: Sequence[Mapping[str, Any]], text: str, usage: tuple[int, int] | None, is_finished: bool = False
) -> Reply:
    """The reply whose first, second, ... token has these log-probabilities, the one that was written first.

    What cannot be true is no score: no_probabilities. `is_finished`: nothing followed the last of `tokens`.
    """
    first = _probabilities(tokens[0]) if tokens else {}
    if not first:
        message = "the engine gave no usable probabilities of the first token"
        return Reply(text, problem="no_probabilities", message=message, usage=usage)
    by_label = dict.fromkeys(LABELS, 0.0)
    for token, share in first.items():
        if token.strip() in by_label:  # " 7" says the same as "7"
            by_label[token.strip()] += share
    labels = tuple(round(by_label[label], 6) for label in LABELS)
    likeliest = max(first, key=first.__getitem__)
    ends = _ends(tokens[1:], is_finished) if likeliest == next(iter(tokens[0])) else float(likeliest.strip() != "1")
    return Reply(likeliest, labels=labels, ends=round(ends, 6), usage=usage)


def _ends(after: Sequence[Mapping[str, Any]], is_finished: bool) -> float:
    """Probability that an answer ends behind its first token, as far as the likeliest second tokens show it."""
    if not after:
        return float(is_finished)
    return min(1.0, sum(share for token, share in _probabilities(after[0]).items() if is_end(token)))


def is_end(token: str) -> bool:
    """Whether an answer is over with `token`: an end such as <|im_end|> or </s>, no text at all, or a new line."""
    text = token.lstrip(" \t")
    return token == "" or (text.startswith("<") and text.endswith(">")) or text.startswith(("\n", "\r"))


def _probabilities(tokens: Mapping[str, Any]) -> dict[str, float]:
    """Probability of each token; nothing where they cannot be true."""
    shares = {token: _probability(logprob) for token, logprob in tokens.items()}
    known = {token: share for token, share in shares.items() if share is not None}
    return known if len(known) == len(shares) and 0.0 < sum(known.values()) <= 1.001 else {}


def _probability(logprob: Any) -> float | None:
    is_number = isinstance(logprob, int | float) and not isinstance(logprob, bool)
    return math.exp(min(logprob, 0.0)) if is_number and logprob <= 0.001 else None
