"""From the body of a chat completion to a reply: its text, how it ended, the probabilities of its first token."""

from __future__ import annotations

import math
from typing import Any

from editeval.http import exchange
from editeval.http.answers import parse, snippet
from editeval.http.exchange import PassingError, Server
from editeval.judges.replies.reading import LABELS, Reply

FINISHED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist"})
BROKEN = frozenset({"abort", "aborted", "error"})
"""Words for how a reply ended. Any other, or none, counts as cut off: what it was going to say is not known."""


def read(server: Server, answer: exchange.Reply, is_expected: bool) -> Reply:
    """The reply in a sound answer. Raises PassingError for one that holds none."""
    try:
        data = parse(answer.body)
    except PassingError:
        raise PassingError(f"{answer.status} without JSON: {server.quote(snippet(answer))}") from None
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise PassingError(f"the answer has no choice with a message: {server.quote(snippet(answer))}")
    ended = str(choice.get("finish_reason")).lower()
    text, usage = _text(message), _usage(data)
    if ended in BROKEN:
        raise PassingError(f"the server broke off the reply ({ended})")
    if ended in FILTERED:
        return Reply(text, problem="content_filter", message="the server's filter stopped the reply", usage=usage)
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        said = server.quote(message["refusal"])
        return Reply(text, problem="refused", message=f"the model declined: {said}", usage=usage)
    if is_expected:
        return _with_probabilities(choice, text, usage)
    return Reply(text, ended in FINISHED, usage=usage)


def _with_probabilities(choice: dict[str, Any], text: str, usage: tuple[int, int] | None) -> Reply:
    tokens = _first_tokens(choice)
    if tokens is None:
        message = "the server gave no usable probabilities of the first token"
        return Reply(text, problem="no_probabilities", message=message, usage=usage)
    likeliest = max(tokens, key=tokens.__getitem__)
    shares = dict.fromkeys(LABELS, 0.0)
    for token, probability in tokens.items():
        if token.strip() in shares:  # " 7" says the same as "7"
            shares[token.strip()] += probability
    return Reply(likeliest, labels=tuple(round(shares[label], 6) for label in LABELS), usage=usage)


def _first_tokens(choice: dict[str, Any]) -> dict[str, float] | None:
    """Probability of each of the likeliest first tokens; None if there is none or they cannot be true."""
    content = (choice.get("logprobs") or {}).get("content") if isinstance(choice.get("logprobs"), dict) else None
    first = content[0] if isinstance(content, list) and content else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(top, list) or not top:
        return None
    tokens: dict[str, float] = {}
    for entry in [*top, first]:  # the token that was drawn may not be among the likeliest
        token, logprob = (entry.get("token"), entry.get("logprob")) if isinstance(entry, dict) else (None, None)
        is_number = isinstance(logprob, int | float) and not isinstance(logprob, bool) and logprob <= 0.001
        if not isinstance(token, str) or not is_number:
            return None
        tokens[token] = math.exp(min(float(logprob or 0.0), 0.0))
    return tokens if 0.0 < sum(tokens.values()) <= 1.001 else None


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):  # of parts
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(data: dict[str, Any]) -> tuple[int, int] | None:
    usage = data.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, reply = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return (prompt, reply) if isinstance(prompt, int) and isinstance(reply, int) and min(prompt, reply) >= 0 else None
