"""What a judge's kept reply says to a reader of one line."""

from __future__ import annotations

import json


def in_words(raw: str) -> str:
    """The message of a judge that could not judge, or every question with its reply; anything else as it is."""
    try:
        kept = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(kept, dict):
        return raw
    if isinstance(kept.get("message"), str):
        return str(kept["message"])
    texts = {name: answer.get("text") for name, answer in kept.items() if isinstance(answer, dict)}
    if not kept or not all(isinstance(texts.get(name), str) for name in kept):
        return raw
    return "; ".join(f"{name}: {text!r}" for name, text in texts.items())
