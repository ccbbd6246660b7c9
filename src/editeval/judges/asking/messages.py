"""A question as the messages of a chat, in the form that OpenAI's API has and vLLM shares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from editeval.judges.asking.rationale import WHY
from editeval.judges.protocols.protocol import SHOWN_AS, Question

Message = dict[str, Any]
_CONTROL = re.compile(r"<(?=\|)|\[(?=/?INST\])|<(?=/?s>|/?think>|/?image>|image_soft_token>)")
"""Where texts that chat models take for control tokens begin; a space there makes plain text of them."""


def messages(question: Question, parts: Mapping[str, Message]) -> list[Message]:
    """System and user message; `parts` are the pictures by name, as parts of a message."""
    content: list[Message] = []
    for name in question.images:
        content += [{"type": "text", "text": SHOWN_AS[name]}, parts[name]]
    content.append({"type": "text", "text": harmless(question.user)})
    return [{"role": "system", "content": harmless(question.system)}, {"role": "user", "content": content}]


def follow_up(asked: list[Message], answer: str) -> list[Message]:
    """The conversation in which `answer` was given to `asked`, and why is asked."""
    return [*asked, {"role": "assistant", "content": answer}, {"role": "user", "content": WHY}]


def harmless(text: str) -> str:
    """`text` without what a server could take for control tokens: a space is put into each."""
    return _CONTROL.sub(lambda match: f"{match[0]} ", text)
