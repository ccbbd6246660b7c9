"""What a judge's kept reply says to a reader of one line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

REASONS = ("reasoning", "reason", "rationale", "explanation", "message")
"""Fields in which a judge that answers in JSON says why."""


def reply_text(raw: str) -> str:
    """The message of a judge that could not judge, or every question with its reply in the judge's own words.

    JSON that a judge replied with is its reason; a reply that is no JSON stays as it is.
    """
    kept = _json(raw)
    if not isinstance(kept, dict) or not kept:
        return raw
    if isinstance(kept.get("message"), str):
        return str(kept["message"])
    if all(isinstance(answer, dict) and _is_reply(answer) for answer in kept.values()):
        return "; ".join(f"{name}: {_said(answer)}" for name, answer in kept.items())
    return _reason_in(kept) or ", ".join(f"{name}: {json.dumps(v, ensure_ascii=False)}" for name, v in kept.items())


def _is_reply(answer: Mapping[str, object]) -> bool:
    return isinstance(answer.get("text"), str) or isinstance(answer.get("samples"), list)


def _said(answer: Mapping[str, object]) -> str:
    """One reply; of several samples what they say, each once."""
    if answer.get("problem"):
        return str(answer.get("message") or answer["problem"])
    return " | ".join(dict.fromkeys(repr(text) for text in _texts(answer)))


def _texts(answer: Mapping[str, object]) -> Iterator[str]:
    samples = answer.get("samples")
    for sample in samples if isinstance(samples, list) else ():
        if isinstance(sample, dict):
            yield from _texts(sample)
    if isinstance(answer.get("text"), str) and not samples:
        text = str(answer["text"])
        yield _reason_in(_json(text[text.find("{") : text.rfind("}") + 1])) or text


def _reason_in(found: object) -> str:
    """What an answer in JSON gives as its reason; empty if there is none."""
    if not isinstance(found, dict):
        return ""
    return next((found[name] for name in REASONS if isinstance(found.get(name), str)), "").strip()


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
