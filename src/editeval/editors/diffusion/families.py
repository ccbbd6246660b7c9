"""What differs per family of diffusers editing pipelines, one row each, and the sizes that an edit can have.

A row is `proven` when the contract tests pass on a tiny model of that very pipeline class (tests/models).

The parameter `size` of every diffusers editor:

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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
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


# ------------------------------------------------------------------------------------------------ families

ONE_MEGAPIXEL = 1024 * 1024

_UPRIGHT: tuple[Size, ...] = (
    (672, 1568),
    (688, 1504),
    (720, 1456),
    (752, 1392),
    (800, 1328),
    (832, 1248),
    (880, 1184),
    (944, 1104),
)
KONTEXT_SIZES: tuple[Size, ...] = (*_UPRIGHT, (1024, 1024), *((h, w) for w, h in _UPRIGHT))
"""The sizes that FLUX.1 Kontext was trained on (PREFERRED_KONTEXT_RESOLUTIONS of diffusers 0.42)."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of pipeline. `model_size(source)` is the size its authors work at for a source of that size."""

    name: str
    pipelines: tuple[str, ...]  # class names in model_index.json
    model_size: Callable[[Size], Size]
    scales_source: bool  # the pipeline brings the source to that size itself; False: we do, or it would crop
    canvas: str  # "free": any canvas; "source": it paints over the source; "fixed": always model_size
    canvas_arguments: Callable[[Size], Mapping[str, object]]  # how a canvas is asked for
    num_inference_steps: int
    guidance: Mapping[str, float | str]  # argument of the pipeline's call -> default; other guidance is refused
    max_prompt_tokens: int | None = None  # a longer one crashes the pipeline; None: it reads on, or cuts by design
    distilled_steps: int | None = None  # steps of a checkpoint that says `is_distilled`; its guidance is fixed
    max_images: int | None = 1  # source images that the pipeline takes in one call; None: any number
    proven: bool = True


def _nothing(_: Size) -> Mapping[str, object]:
    return {}


def _sides(size: Size) -> Mapping[str, object]:
    return {"width": size[0], "height": size[1]}


def _kontext_canvas(size: Size) -> Mapping[str, object]:
    """Left alone, the pipeline makes a square canvas, scales it to a megapixel and picks a size for the source."""
    return {**_sides(size), "max_area": size[0] * size[1], "_auto_resize": False}


def _kontext_size(source: Size) -> Size:
    """A size of its table, which may be a tenth off the source's aspect (its authors' code does that too)."""
    size = closest_aspect(source, KONTEXT_SIZES)
    change = (size[0] * source[1]) / (size[1] * source[0])
    return size if 0.9 < change < 1 / 0.9 else area_size(source, ONE_MEGAPIXEL, 16)  # beyond the table: own aspect


_FLUX2_SIZE = partial(shrunk_size, area_px=ONE_MEGAPIXEL, multiple=16, shortest_px=64)
_QWEN_SIZE = partial(area_size, area_px=ONE_MEGAPIXEL, multiple=32)
_QWEN_GUIDANCE: dict[str, float | str] = {"true_cfg_scale": 4.0, "negative_prompt": " "}

_ROWS = (
    Family("qwen_image_edit", ("QwenImageEditPipeline",), _QWEN_SIZE, True, "free", _sides, 50, _QWEN_GUIDANCE),
    Family(
        "qwen_image_edit_plus",
        ("QwenImageEditPlusPipeline",),
        _QWEN_SIZE,
        True,
        "free",
        _sides,
        40,
        _QWEN_GUIDANCE,
        max_images=None,  # its authors trained it with up to three
    ),
    Family(
        "flux_kontext",
        ("FluxKontextPipeline",),
        _kontext_size,
        False,
        "free",
        _kontext_canvas,
        28,
        {"guidance_scale": 2.5, "true_cfg_scale": 1.0, "negative_prompt": ""},
    ),
    Family(
        "flux2",
        ("Flux2Pipeline",),
        _FLUX2_SIZE,
        False,
        "free",
        _sides,
        50,
        {"guidance_scale": 4.0},
        max_images=None,
    ),
    Family(
        "flux2_klein",
        ("Flux2KleinPipeline",),
        _FLUX2_SIZE,
        False,
        "free",
        _sides,
        50,
        {"guidance_scale": 4.0},
        distilled_steps=4,
        max_images=None,
    ),
    Family(
        "instruct_pix2pix",
        ("StableDiffusionInstructPix2PixPipeline",),
        partial(longest_side_size, side_px=512, multiple=8),
        False,
        "source",
        _nothing,
        100,
        {"guidance_scale": 7.5, "image_guidance_scale": 1.5, "negative_prompt": ""},
    ),
    Family(
        "longcat_image_edit",
        ("LongCatImageEditPipeline",),
        partial(area_size, area_px=ONE_MEGAPIXEL, multiple=16, is_up=True),
        True,
        "fixed",
        _nothing,
        50,
        {"guidance_scale": 4.5, "negative_prompt": ""},
        max_prompt_tokens=512,
    ),
    Family(
        "qwen_image_2_1",
        ("QwenImage21Pipeline",),
        _QWEN_SIZE,
        True,
        "free",
        _sides,
        40,
        {"true_cfg_scale": 1.0, "negative_prompt": " "},
    ),
)

FAMILIES: Mapping[str, Family] = MappingProxyType({row.name: row for row in _ROWS})
