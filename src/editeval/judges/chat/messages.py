"""A question as the messages of a chat, in the form that OpenAI's API has and vLLM shares, and what comes back.

Here are the pictures as a judge sees them, the forms that an engine can force a reply into, and the reply that the
probabilities of its first tokens make.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from editeval.errors import ImageError
from editeval.images import decode
from editeval.judges.parsing.reply import CANNOT_JUDGE, LABELS, Reply
from editeval.judges.protocols.protocol import Preparation, Question, ShownImage
from editeval.types import JudgeRequest

if TYPE_CHECKING:
    from PIL.Image import Image

Part = Mapping[str, object]
"""A text or a picture of a message."""


class ChatMessage(TypedDict):
    """What one side says."""

    role: str  # system, user or assistant
    content: str | list[Part]


Conversation = list[ChatMessage]
WHY = "In one sentence: what in the picture or the pictures decided your answer?"
_CONTROL = re.compile(r"<(?=\|)|\[(?=/?INST\])|<(?=/?s>|/?think>|/?image>|image_soft_token>)")
"""Where texts that chat models take for control tokens begin; a space there makes plain text of them."""


def messages(question: Question, pictures: Mapping[ShownImage, Part]) -> Conversation:
    """System message, if there is one, and user message; `pictures` are the parts of the images, without labels."""
    content: list[Part] = []
    for part in question.parts:
        text = part if isinstance(part, str) else part.label
        content += [{"type": "text", "text": text}] if text else []
        content += [_detailed(pictures[part.picture], part.detail)] if isinstance(part, ShownImage) else []
    user = ChatMessage(role="user", content=content)
    return [user] if question.system is None else [ChatMessage(role="system", content=question.system), user]


def _detailed(part: Part, detail: str) -> Part:
    """The picture with the detail that is wanted, in the form of a server's part; others know no such thing."""
    url = part.get("image_url")
    return {**part, "image_url": {**url, "detail": detail}} if detail and isinstance(url, Mapping) else part


def follow_up(asked: Conversation, answer: str) -> Conversation:
    """The conversation in which `answer` was given to `asked`, and why is asked."""
    return [*asked, ChatMessage(role="assistant", content=answer), ChatMessage(role="user", content=WHY)]


def harmless(conversation: Conversation) -> Conversation:
    """The same without what a server could take for control tokens in a question: a space is put into each."""
    return [
        message
        if message["role"] == "assistant"
        else ChatMessage(role=message["role"], content=rewritten(message["content"], _plain))
        for message in conversation
    ]


def rewritten(content: str | list[Part], rewrite: Callable[[str], str]) -> str | list[Part]:
    """The same with every text rewritten."""
    if isinstance(content, str):
        return rewrite(content)
    return [{**part, "text": rewrite(str(part["text"]))} if part["type"] == "text" else part for part in content]


def _plain(text: str) -> str:
    return _CONTROL.sub(lambda match: f"{match[0]} ", text)


_GRADE = {"type": "number", "minimum": 0, "maximum": 10}
_ABSTAINED = {"type": "string", "enum": [CANNOT_JUDGE]}
_REASONING = {"type": "string", "maxLength": 400}  # without an end, a reply may run into the token limit


def _object(score: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {"score": dict(score), "reasoning": dict(_REASONING)},
        "required": ["score", "reasoning"],
        "additionalProperties": False,
    }


def _levels(*names: str) -> dict[str, object]:
    """The names in order, reasons first where they are asked for, each of them a level from 0 to 10 as a text."""
    level = {"type": "string", "enum": [*map(str, range(11)), CANNOT_JUDGE]}
    properties = {name: {"type": "string"} if name == "reasoning" else level for name in names}
    return {"type": "object", "properties": properties, "required": list(names), "additionalProperties": False}


JSON_SCHEMAS: Mapping[str, Mapping[str, object]] = {
    "alignment": _levels("reasoning", "instruction_following", "identity_preservation"),
    "perceptual_quality": _levels("perceptual_quality"),
    "pair": _object({"anyOf": [{"type": "array", "items": _GRADE, "minItems": 2, "maxItems": 2}, _ABSTAINED]}),
    "verdict": _object({"type": "string", "enum": ["yes", "no", CANNOT_JUDGE]}),
    "choice": {
        "type": "object",
        "properties": {"winner": {"type": "string", "enum": ["Image A", "Image B", "Tie", CANNOT_JUDGE]}},
        "required": ["winner"],
        "additionalProperties": False,
    },
}
"""By answer format; those that are not here are written freely."""

NUMBER = rf"(10(\.0)?|[0-9](\.[0-9]{{1,2}})?|{CANNOT_JUDGE})"
"""What `number` is, for engines that can force a regular expression."""

MAX_ASPECT = 100.0
"""Longer side by shorter side; the image processors of the Qwen-VL family refuse more than 200."""


def pictures(request: JudgeRequest, questions: Sequence[Question], max_side: int | None) -> dict[ShownImage, Image]:
    """Every picture that the questions show, once each, as it is to be prepared; `max_side` as `judge.max_image_side`.

    Raises ImageError, also for an image that the sample does not have.
    """
    shown = dict.fromkeys(one.picture for question in questions for one in question.shown)
    return {one: _picture(request, one, max_side) for one in shown}


def _picture(request: JudgeRequest, shown: ShownImage, max_side: int | None) -> Image:
    several = {"source": request.sources, "reference": request.references}.get(shown.role)
    if several is not None and shown.number >= len(several):
        raise ImageError(f"{shown.role} {shown.number + 1}: the sample has {len(several)} of them")
    data = getattr(request, shown.role) if several is None else several[shown.number]
    if data is None:
        raise ImageError(f"{shown.role}: the sample has none")
    image, wanted = decode(data), shown.preparation
    if max(image.size) > MAX_ASPECT * min(image.size):
        raise ImageError(f"{shown.role}: {image.width}x{image.height} pixels: too narrow for the judge")
    image = _prepared(image, wanted, decode(request.source).size if wanted.is_stretched else image.size)
    return shrunk(image, max_side) if wanted.is_limited and max_side is not None else image


def _prepared(image: Image, wanted: Preparation, size: tuple[int, int]) -> Image:
    """`image` at `size`, then as `wanted` says. Bicubic, as the authors' scripts scale."""
    from PIL import Image

    if wanted.max_side:
        image = image.copy() if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
        image.thumbnail((wanted.max_side, wanted.max_side))
        size = image.size
    if wanted.min_pixels and wanted.max_pixels:
        size = fitted(size, wanted.multiple, wanted.min_pixels, wanted.max_pixels)
    else:
        size = _cut_down(size, wanted)
    image = image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
    if wanted.jpeg_quality is not None:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=wanted.jpeg_quality)
        image = decode(buffer.getvalue())
    return image


def _cut_down(size: tuple[int, int], wanted: Preparation) -> tuple[int, int]:
    scale = min(1.0, math.sqrt(wanted.max_area / (size[0] * size[1])) if wanted.max_area else 1.0)
    if scale < 1.0:
        size = (max(1, int(size[0] * scale)), max(1, int(size[1] * scale)))
    multiple = wanted.multiple
    return max(multiple, size[0] // multiple * multiple), max(multiple, size[1] // multiple * multiple)


def fitted(size: tuple[int, int], multiple: int, least: int, most: int) -> tuple[int, int]:
    """Each side to the nearest multiple; where the area is out of bounds, scaled, then rounded towards the bounds."""
    area = size[0] * size[1]
    width, height = (max(multiple, round(side / multiple) * multiple) for side in size)
    if width * height > most:
        scale = math.sqrt(area / most)
        width, height = (max(multiple, math.floor(side / scale / multiple) * multiple) for side in size)
    elif width * height < least:
        scale = math.sqrt(least / area)
        width, height = (math.ceil(side * scale / multiple) * multiple for side in size)
    return width, height


def shrunk(image: Image, max_side: int) -> Image:
    """`image`, or a smaller one of the same proportions whose longer side is `max_side` pixels."""
    from PIL import Image

    if max(image.size) <= max_side:
        return image
    scale = max_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


NUM_LOGPROBS = 20
"""Likeliest tokens to ask for: the most that OpenAI and vLLM give. A label that is not among them counts as 0."""
NUM_TOKENS = 2
"""Tokens to ask for: the label, and what follows it. Tokenizers that split digits write 10 as 1 and 0."""


def reply_of(
    tokens: Sequence[Mapping[str, object]], text: str, usage: tuple[int, int] | None, is_finished: bool = False
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


def _ends(after: Sequence[Mapping[str, object]], is_finished: bool) -> float:
    """Probability that an answer ends behind its first token, as far as the likeliest second tokens show it."""
    if not after:
        return float(is_finished)
    return min(1.0, sum(share for token, share in _probabilities(after[0]).items() if is_end(token)))


def is_end(token: str) -> bool:
    """Whether an answer is over with `token`: an end such as <|im_end|> or </s>, no text at all, or a new line."""
    text = token.lstrip(" \t")
    return token == "" or (text.startswith("<") and text.endswith(">")) or text.startswith(("\n", "\r"))


def _probabilities(tokens: Mapping[str, object]) -> dict[str, float]:
    """Probability of each token; nothing where they cannot be true."""
    shares: dict[str, float] = {}
    for token, logprob in tokens.items():
        if isinstance(logprob, bool) or not isinstance(logprob, int | float) or not logprob <= 0.001:
            return {}
        shares[token] = math.exp(min(logprob, 0.0))
    return shares if 0.0 < sum(shares.values()) <= 1.001 else {}
