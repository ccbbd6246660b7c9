"""What differs per family of diffusers editing pipelines: one row each, and nothing about it anywhere else.

A row is `proven` when the contract tests pass on a tiny model of that very pipeline class (tests/models).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from editeval.editors.diffusion.sizes import Size, area_size, closest_aspect, longest_side_size, shrunk_size

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
    canvas_arguments: Callable[[Size], Mapping[str, Any]]  # how a canvas is asked for
    num_inference_steps: int
    guidance: Mapping[str, float | str]  # argument of the pipeline's call -> default; other guidance is refused
    max_prompt_tokens: int | None = None  # a longer one crashes the pipeline; None: it reads on, or cuts by design
    distilled_steps: int | None = None  # steps of a checkpoint that says `is_distilled`; its guidance is fixed
    proven: bool = True


def _nothing(_: Size) -> Mapping[str, Any]:
    return {}


def _sides(size: Size) -> Mapping[str, Any]:
    return {"width": size[0], "height": size[1]}


def _kontext_canvas(size: Size) -> Mapping[str, Any]:
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
        "qwen_image_edit_plus", ("QwenImageEditPlusPipeline",), _QWEN_SIZE, True, "free", _sides, 40, _QWEN_GUIDANCE
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
    Family("flux2", ("Flux2Pipeline",), _FLUX2_SIZE, False, "free", _sides, 50, {"guidance_scale": 4.0}),
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
