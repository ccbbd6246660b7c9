"""What differs between the servers of POST /v1/images/edits: one row per server and nothing else per server.

Their defaults differ (size, seed, negative prompt, steps, file format), so every field is sent with every request.
Sources: vLLM-Omni 0.30.0 `entrypoints/openai/api_server.py`; SGLang 0.5.23 `multimodal_gen/.../openai/image_api.py`;
OpenAI's reference of "Create image edit", 2026-11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from editeval.editors.diffusion.families import Size, area_size, parse_size
from editeval.errors import EditRefusedError, ImageError
from editeval.http import status_codes
from editeval.http.client import BadReplyError, DeclinedError, HttpReply, PassingError, Server
from editeval.http.status_codes import parse, snippet
from editeval.images import from_base64

Value = str | int | float | bool

TUNABLE = ("num_inference_steps", "true_cfg_scale", "guidance_scale", "negative_prompt")
"""Parameters that only some servers have."""

OWNED = frozenset(
    {"image", "prompt", "model", "n", "size", "seed", "response_format", "output_format", "mask", "stream"}
)
"""Fields that the editor decides; `extra` cannot contradict them."""

QWEN: Mapping[str, Value] = {"num_inference_steps": 50, "true_cfg_scale": 4.0, "negative_prompt": " "}
"""What v2 ran with; a negative prompt of one space keeps classifier-free guidance on."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server is spoken to."""

    defaults: Mapping[str, Value] = field(default_factory=dict)  # of the TUNABLE parameters that are always sent
    accepts: tuple[str, ...] = ()  # the TUNABLE parameters it knows
    constants: Mapping[str, Value] = field(default_factory=dict)  # sent with every request; `extra` may change them
    has_seed: bool = True
    max_images: int | None = 1  # that it takes in one request
    is_sized_by_model: bool = False  # True: the rules "model" and "source" are sent as "auto"


DIALECTS: Mapping[str, Dialect] = {
    "vllm_omni": Dialect(
        defaults=QWEN,
        accepts=TUNABLE,
        # compression 100 is PNG level 0: the fastest, and lossless like every other level
        constants={"response_format": "b64_json", "output_compression": 100, "generator_device": "cpu"},
    ),
    "sglang": Dialect(
        defaults=QWEN,
        accepts=TUNABLE,
        # "exact" because its own default, "lossless", is not bit-exact; caches change the model under test
        constants={
            "response_format": "b64_json",
            "generator_device": "cpu",
            "quality": "exact",
            "enable_teacache": False,
            "enable_cache_dit": False,
        },
    ),
    "openai": Dialect(
        constants={"quality": "auto", "background": "auto", "moderation": "auto"},
        has_seed=False,
        max_images=16,
        is_sized_by_model=True,
    ),
}

MODEL_AREA = 1024 * 1024


def size_of(rule: str, source: Size) -> Size:
    """Width and height to ask for, given the source's.

    "model" and "source": about one megapixel in the source's shape, sides in multiples of 32, as diffusers'
    Qwen-Image-Edit pipeline computes it. "WxH": exactly that.
    """
    canvas = parse_size(rule)
    return area_size(source, MODEL_AREA, 32) if canvas is None else canvas


def text_of(value: Value) -> str:
    """The value as a form field."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def form(fields: Mapping[str, str], images: Sequence[bytes]) -> tuple[str, bytes]:
    """(content type, body) of multipart/form-data with the PNG `images`. The same input gives the same bytes."""
    digest = hashlib.sha256(b"".join(images))
    for name, text in fields.items():
        digest.update(f"\0{name}\0{text}".encode())
    boundary = f"editeval-{digest.hexdigest()[:40]}"  # no text can contain a hash of itself
    parts = []
    for name, text in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts.append(head.encode() + text.encode() + b"\r\n")
    name = "image" if len(images) == 1 else "image[]"
    for image in images:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="image.png"\r\n'
        parts.append(f"{head}Content-Type: image/png\r\n\r\n".encode() + image + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + f"--{boundary}--\r\n".encode()


def check(server: Server, reply: HttpReply) -> None:
    """As `answers.check`; a request that is declined is an EditRefusedError."""
    try:
        status_codes.check(server, reply)
    except DeclinedError as error:
        raise EditRefusedError(str(error)) from None


def image_of(server: Server, reply: HttpReply) -> bytes | str:
    """The first image of a checked reply: its encoded bytes, or the address where it is.

    Raises PassingError if the reply is garbage, BadReplyError if it is sound but holds no image.
    """
    try:
        data = parse(reply.body)
    except PassingError:
        raise PassingError(f"{reply.status} without JSON: {server.quote(snippet(reply))}") from None
    entries = data.get("data")
    first = entries[0] if isinstance(entries, list) and entries else None
    if not isinstance(first, dict):
        raise PassingError(f"the reply has no image: {server.quote(snippet(reply))}")
    if isinstance(first.get("b64_json"), str):
        return _decoded(first["b64_json"])
    url = first.get("url")
    if isinstance(url, str) and url.startswith("data:"):
        return _decoded(url)
    if isinstance(url, str) and url:
        return url
    raise BadReplyError(f"{server.url}: the reply has neither b64_json nor url")


def usage_of(reply: HttpReply) -> tuple[int, int] | None:
    """Tokens in and out of a checked reply; None if the server does not report them."""
    usage = parse(reply.body).get("usage")
    found = (usage.get("input_tokens"), usage.get("output_tokens")) if isinstance(usage, dict) else ()
    counts = [count for count in found if isinstance(count, int) and count >= 0]
    return (counts[0], counts[1]) if len(counts) == 2 else None


def _decoded(text: str) -> bytes:
    try:
        return from_base64(text)
    except ImageError as error:
        raise PassingError(f"the image in the reply is {error}") from None
