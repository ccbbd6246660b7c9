"""The pictures of a request as a judge is shown them: decoded, upright, not too narrow, not too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from editeval.errors import ImageError
from editeval.images import decode
from editeval.judges.protocols.protocol import Question
from editeval.types import JudgeRequest

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_ASPECT = 100.0
"""Longer side by shorter side; the image processors of the Qwen-VL family refuse more than 200."""


def picture(name: str, data: bytes, max_side: int) -> Image:
    """The picture in `data`, `max_side` pixels at most. Raises ImageError."""
    image = decode(data)
    if max(image.size) > MAX_ASPECT * min(image.size):
        raise ImageError(f"{name}: {image.width}x{image.height} pixels: too narrow for the judge")
    return shrunk(image, max_side)


def pictures(request: JudgeRequest, questions: tuple[Question, ...], max_side: int) -> dict[str, Image]:
    """Every picture that the questions show, once each. Raises ImageError."""
    shown = dict.fromkeys(name for question in questions for name in question.images)
    return {name: picture(name, getattr(request, name), max_side) for name in shown}


def shrunk(image: Image, max_side: int) -> Image:
    """`image`, or a smaller one of the same proportions whose longer side is `max_side` pixels."""
    from PIL import Image

    if max(image.size) <= max_side:
        return image
    scale = max_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)
