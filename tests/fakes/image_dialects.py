"""What each kind of image server makes of a request: its own defaults, its own refusals, its own file format.

Facts of vLLM-Omni 0.30.0, SGLang 0.5.23 and OpenAI's reference of "Create image edit" (2026-11), as far as they differ.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from editeval.images import decode

OPENAI_FIELDS = frozenset(
    {"model", "prompt", "n", "size", "output_format", "output_compression", "quality", "background", "moderation"}
    | {"input_fidelity", "user", "stream", "partial_images"}
)
OPENAI_SIZES = ((1024, 1024), (1536, 1024), (1024, 1536))


class RefusalError(Exception):
    """The server answers with this status and JSON."""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Effective:
    """What a server does in the end, its defaults included. `settings` decide the pixels."""

    settings: tuple[object, ...]
    size: tuple[int, int]
    file_format: str  # of Pillow


def effective(dialect: str, fields: Mapping[str, str], image: bytes, models: tuple[str, ...]) -> Effective:
    """What that server does. Raises RefusalError."""
    return {"vllm_omni": _vllm_omni, "sglang": _sglang, "openai": _openai}[dialect](fields, decode(image), models)


def _vllm_omni(fields: Mapping[str, str], source: Image.Image, models: tuple[str, ...]) -> Effective:
    if fields.get("model") not in models:
        raise RefusalError(400, {"error": {"message": f"Model mismatch: {fields.get('model')}", "code": 400}})
    if fields.get("response_format", "b64_json") != "b64_json":
        raise RefusalError(400, {"error": {"message": "only b64_json is supported", "code": 400}})
    size = fields.get("size", "auto")
    return Effective(
        settings=(
            fields.get("seed") or os.urandom(4).hex(),  # none: random
            fields["prompt"],
            fields.get("negative_prompt"),  # none: classifier-free guidance is off
            int(fields.get("num_inference_steps", 50)),
            float(fields.get("true_cfg_scale", 4.0)) if "negative_prompt" in fields else 1.0,
            fields.get("generator_device", "cuda"),
            True,
        ),
        size=source.size if size == "auto" else _sides(size),  # auto: the input's
        file_format={"png": "PNG", "webp": "WEBP"}.get(fields.get("output_format", "png"), "JPEG"),
    )


def _sglang(fields: Mapping[str, str], source: Image.Image, models: tuple[str, ...]) -> Effective:
    del models  # accepted, and not used
    caches = fields.get("enable_teacache") == "true" or fields.get("enable_cache_dit") == "true"
    size = fields.get("size")
    return Effective(
        settings=(
            fields.get("seed", "42"),
            fields["prompt"],
            fields.get("negative_prompt", " "),
            int(fields.get("num_inference_steps", 50)),
            float(fields.get("true_cfg_scale", fields.get("guidance_scale", 4.0))),
            fields.get("generator_device", "cuda"),
            fields.get("quality", "lossless") == "exact" and not caches,  # its own default is not bit-exact
        ),
        size=_megapixel(source) if size is None else _sides(size),  # none: as diffusers, not as the input
        file_format={"png": "PNG", "webp": "WEBP"}.get(fields.get("output_format", "jpg"), "JPEG"),
    )


def _openai(fields: Mapping[str, str], source: Image.Image, models: tuple[str, ...]) -> Effective:
    if fields.get("model") not in models:
        text = f"The model '{fields.get('model')}' does not exist."
        raise RefusalError(404, {"error": {"message": text, "code": "model_not_found"}})
    unknown = sorted(set(fields) - OPENAI_FIELDS)
    if unknown:
        text = f"Unknown parameter: '{unknown[0]}'."
        raise RefusalError(400, {"error": {"message": text, "code": "unknown_parameter", "param": unknown[0]}})
    size = fields.get("size", "auto")
    sides = _closest(source) if size == "auto" else _sides(size)
    if sides not in OPENAI_SIZES:
        raise RefusalError(400, {"error": {"message": f"Invalid value: '{size}'.", "code": "invalid_value"}})
    settings = (fields["prompt"], fields.get("quality", "auto"))
    return Effective(settings, sides, {"png": "PNG", "webp": "WEBP"}.get(fields.get("output_format", "png"), "JPEG"))


def _sides(size: str) -> tuple[int, int]:
    across, _, down = size.partition("x")
    return int(across), int(down)


def _megapixel(source: Image.Image) -> tuple[int, int]:
    width = math.sqrt(1024 * 1024 * source.width / source.height)
    return round(width / 32) * 32, round(width * source.height / source.width / 32) * 32


def _closest(source: Image.Image) -> tuple[int, int]:
    return min(OPENAI_SIZES, key=lambda size: abs(math.log(size[0] / size[1] * source.height / source.width)))
