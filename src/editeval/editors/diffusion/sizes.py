"""Which size an edit has: the rule behind the parameter `size` of every diffusers editor.

    model   what the model's authors chose for a source of that aspect (Qwen: about 1024 x 1024 pixels, sides of 32)
    source  as `model`, then scaled back to exactly the source's size. The way in and the way back are the same scaling,
            so every pixel lies where it lay: the aspect is off by rounding inside the model only, and not in the result
    WxH     a canvas of exactly that size. The source keeps its own aspect; the model composes the canvas. A family that
            paints over its source (InstructPix2Pix) takes only sources of that aspect and refuses others

Nothing is cropped, and nothing is scaled with another aspect than its own, beyond the rounding of the model's grid (of
16 or 32 pixels; FLUX.1 Kontext has a table of 17 sizes, which `model` may miss by a tenth of the aspect).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from editeval.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]  # (width, height) in pixels

MAX_ASPECT_CHANGE = 0.03
"""What rounding to a model's grid may do to an aspect; more than that is a stretch that somebody has to ask for."""

_WXH = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")


def parse_size(text: str) -> Size | None:
    """The canvas that `text` names, None for "model" and "source". Raises ValueError for anything else."""
    if text in ("model", "source"):
        return None
    match = _WXH.fullmatch(str(text))
    if match is None:
        raise ValueError(f'size: must be "model", "source" or WIDTHxHEIGHT such as "1024x768", got {text!r}')
    return int(match[1]), int(match[2])


def area_size(source: Size, area_px: int, multiple: int, is_up: bool = False) -> Size:
    """Of about `area_px`, with the aspect of `source`, each side rounded to the nearest `multiple`, or up to one."""
    ratio = source[0] / source[1]
    width = math.sqrt(area_px * ratio)
    if is_up:
        return math.ceil(width / multiple) * multiple, math.ceil(width / ratio / multiple) * multiple
    return _nearest(width, multiple), _nearest(width / ratio, multiple)


def longest_side_size(source: Size, side_px: int, multiple: int) -> Size:
    """With the aspect of `source`, the longer side `side_px`, each side rounded to the nearest `multiple`."""
    scale = side_px / max(source)
    return _nearest(source[0] * scale, multiple), _nearest(source[1] * scale, multiple)


def closest_aspect(source: Size, choices: tuple[Size, ...]) -> Size:
    """The one of `choices` whose aspect is closest to that of `source`; the first of equals."""
    ratio = source[0] / source[1]
    return min(choices, key=lambda size: abs(math.log(size[0] / size[1] / ratio)))


def shrunk_size(source: Size, area_px: int, multiple: int, shortest_px: int) -> Size:
    """`source` on a grid of `multiple`, made smaller if it has more than `area_px`, larger if a side is too short."""
    scale = min(1.0, math.sqrt(area_px / (source[0] * source[1])))
    scale = max(scale, shortest_px / min(source))
    width, height = _nearest(source[0] * scale, multiple), _nearest(source[1] * scale, multiple)
    if width * height > area_px >= source[0] * source[1] * scale**2 * 0.999:  # rounding up must not exceed the area
        width, height = _below(source[0] * scale, multiple), _below(source[1] * scale, multiple)
    return width, height


def _nearest(length: float, multiple: int) -> int:
    return max(multiple, round(length / multiple) * multiple)


def _below(length: float, multiple: int) -> int:
    return max(multiple, int(length // multiple) * multiple)


def check_canvas(canvas: Size | None, multiple: int, where: str) -> None:
    """Raises ConfigError unless both sides of `canvas` are multiples of `multiple`: the pipelines would cut it."""
    if canvas is None or not (canvas[0] % multiple or canvas[1] % multiple):
        return
    near = "x".join(str(_nearest(side, multiple)) for side in canvas)
    raise ConfigError(f"{where}: both sides must be multiples of {multiple}, got {canvas[0]}x{canvas[1]}; try {near}")


def is_stretch(source: Size, target: Size) -> bool:
    """True if scaling `source` to `target` changes its aspect by more than the rounding of a model's grid."""
    return abs(math.log(target[0] * source[1] / (target[1] * source[0]))) > math.log1p(MAX_ASPECT_CHANGE)


def scaled(image: Image, size: Size) -> Image:
    """`image` at `size`, Lanczos; the same object if it has that size."""
    from PIL.Image import Resampling

    return image if image.size == size else image.resize(size, Resampling.LANCZOS)
