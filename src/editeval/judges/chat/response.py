"""From the body of a chat completion to a reply: its text, how it ended, the probabilities of its first tokens."""

from __future__ import annotations

from typing import Any

from editeval.http import client
from editeval.http.client import PassingError, Server
from editeval.http.status_codes import parse, snippet
from editeval.judges.chat import messages
from editeval.judges.parsing.reply import Reply

FINISHED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist"})
BROKEN = frozenset({"abort", "aborted", "error"})
"""Words for how a reply ended. Any other, or none, counts as cut off: what it was going to say is not known."""


def read(server: Server, answer: client.HttpReply, is_expected: bool) -> Reply:
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
        return messages.reply_of(_first_tokens(choice), text, usage, ended in FINISHED)
    return Reply(text, ended in FINISHED, usage=usage)


def _first_tokens(choice: dict[str, Any]) -> list[dict[str, Any]]:
    """Log-probabilities of the likeliest tokens at each place, the written one first; as far as they were given."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    found = []
    for place in content[: messages.NUM_TOKENS] if isinstance(content, list) else []:
        top = place.get("top_logprobs") if isinstance(place, dict) else None
        entries = (
            [place, *top] if isinstance(top, list) and top else []
        )  # the written one may not be among the likeliest
        if not entries or not all(isinstance(entry, dict) and isinstance(entry.get("token"), str) for entry in entries):
            break
        found.append({entry["token"]: entry.get("logprob") for entry in entries})
    return found


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
