"""Any server of the OpenAI-compatible `POST /v1/images/edits`: vLLM-Omni, SGLang-diffusion, OpenAI.

Model and licence: the server's. Memory: none here. Cost: the server's time, and its price. Needs no further package.
Several `base_urls` are several devices: worker i talks to address i mod n. Every field is sent with every request,
because the servers' defaults differ. Keys come from the environment variable named in `api_key_env`, and from nowhere
else. OpenAI's own models take no seed: with `dialect: openai` the same run twice gives other images. vLLM-Omni 0.30
conditions Qwen-Image-Edit wrongly (it drops the 3-D positions of the image tokens); SGLang 0.5.23 does not.
A proxy that the environment names is used, but for this machine, unless `use_proxy: false`. Proven against a local
server that imitates the three; with the real ones: untested.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from editeval.editors import _images_api
from editeval.editors._images_api import DIALECTS, OWNED, TUNABLE, Value, form, size_of, text_of
from editeval.editors.diffusion.families import Size, is_stretch, parse_size, scaled
from editeval.errors import ConfigError, ImageError, MachineError
from editeval.http.calls import NOT_IDENTITY, SECRET, ServerParams, UsageMeter, ask
from editeval.http.client import (
    BadReplyError,
    HttpReply,
    HttpRequest,
    PassingError,
    Server,
    TransportError,
    idempotency,
    parse_url,
)
from editeval.http.status_codes import models_of
from editeval.images import decode, encode_png
from editeval.types import Editor, EditRequest, Progress

if TYPE_CHECKING:
    from PIL.Image import Image

PROBE_S = 30.0  # one call of the check before the first edit
OVERRIDABLE = ("size", *TUNABLE, "extra")

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class OpenaiImagesParams(ServerParams):
    """Where the server is and what it is asked for. What a dialect has no field for is refused, not dropped."""

    model: str = field(default="Qwen/Qwen-Image-Edit", kw_only=True)  # checked against the server's list first
    dialect: str = "vllm_omni"  # vllm_omni | sglang | openai: which fields the server has
    size: str = "model"  # model: ~1 megapixel in the source's shape (openai: auto) | source (scaled back to it) | WxH
    num_inference_steps: int | None = None  # None: 50, and with openai not sent, like the next three
    true_cfg_scale: float | None = None  # None: 4.0
    guidance_scale: float | None = None  # None: not sent; only guidance-distilled models such as FLUX use it
    negative_prompt: str | None = None  # None: " ", which keeps classifier-free guidance on
    extra: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # further form fields, sent as they are
    timeout_s: float = field(default=600.0, kw_only=True, metadata=NOT_IDENTITY)  # one call, to the last byte
    deadline_s: float = field(default=1500.0, kw_only=True, metadata=NOT_IDENTITY)  # one edit, with retries and pauses
    max_reply_mib: int = field(default=64, metadata=NOT_IDENTITY)  # a bigger reply is not read
    allow_url_results: bool = field(default=False, metadata=NOT_IDENTITY)  # fetch images the server has at its own host

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ConfigError(f"dialect: must be one of {', '.join(DIALECTS)}, got {self.dialect!r}")
        super().__post_init__()
        try:
            parse_size(self.size)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self._check_numbers()
        self._check_extra()
        if self.max_usd is not None and self.dialect != "openai":
            raise ConfigError(f"max_usd: servers of the dialect {self.dialect} tell no tokens; set max_calls instead")
        for name in TUNABLE:
            self._settle(name)

    def _settle(self, name: str) -> None:
        """A parameter that was left out becomes what is sent for it, so that every record of the run shows it."""
        dialect = DIALECTS[self.dialect]
        if getattr(self, name) is None:
            object.__setattr__(self, name, dialect.defaults.get(name))
        elif name not in dialect.accepts:
            raise ConfigError(f"{name}: the dialect {self.dialect} has no such field; leave it out")

    def _check_numbers(self) -> None:
        limits = {"num_inference_steps": (1, 1000, int), "true_cfg_scale": (0, 100, float)}
        limits |= {"guidance_scale": (0, 100, float), "max_reply_mib": (1, 1024, int)}
        for name, (least, most, kind) in limits.items():
            if getattr(self, name) is not None:
                self.check_number(name, least, most, kind)
        if self.negative_prompt is not None and not isinstance(self.negative_prompt, str):
            raise ConfigError(f"negative_prompt: must be text, got {self.negative_prompt!r}")

    def _check_extra(self) -> None:
        for name, value in self.extra.items():
            if not _FIELD.fullmatch(name):
                raise ConfigError(f"extra: a field name must match {_FIELD.pattern}, got {name[:40]!r}")
            if name in OWNED or name in TUNABLE:
                raise ConfigError(f"extra.{name}: is decided by the editor; use its own parameter, if it has one")
            if SECRET.search(name):
                raise ConfigError(f"extra.{name}: secrets do not belong in a configuration; use api_key_env")
            if not isinstance(value, str | int | float | bool):
                raise ConfigError(f"extra.{name}: must be text, a number or a boolean, got {type(value).__name__}")


class OpenaiImages(Editor):
    """Sends the source and the instruction to one server, and takes the image from its reply."""

    Params = OpenaiImagesParams
    default_device = "cpu"
    is_remote = True
    variants = tuple(f"dialect {name}: tested with a scripted server, untested with a real one" for name in DIALECTS)
    params: OpenaiImagesParams

    def __init__(self, params: OpenaiImagesParams) -> None:
        super().__init__(params)
        self._server: Server | None = None
        self._bounds = params.bounds(params.max_reply_mib << 20)
        self._is_over = ""  # why no further call is made

    @classmethod
    def max_images_of(cls, params: OpenaiImagesParams) -> int | None:
        """OpenAI's own models take 16; of another server's model nothing is known but that it takes one."""
        return DIALECTS[params.dialect].max_images

    @classmethod
    def check(cls, params: OpenaiImagesParams) -> None:
        """The key's variable is set, and every address answers."""
        params.check_servers("openai_images")

    def load(self, device: str) -> None:
        """Choose this worker's server and ask which models it has. Raises MachineError if it cannot be used."""
        server = self.params.server_of("openai_images", self.worker)
        quick = dataclasses.replace(self._bounds, timeout_s=min(PROBE_S, self.params.timeout_s))

        def read(reply: HttpReply) -> tuple[str, ...]:
            if reply.status in (404, 405, 501):
                return ()  # a server without this list may still edit
            _images_api.check(server, reply)
            return models_of(reply)

        try:
            models = ask(server, HttpRequest("GET", "/models"), quick, read, random.Random(device))
        except TransportError as error:
            raise MachineError(f"openai_images: {error}; start the server, or fix base_url") from None
        if models and self.params.model not in models:
            has = ", ".join(repr(server.quote(m)[:80]) for m in models[:5]) + (", ..." if len(models) > 5 else "")
            raise MachineError(f"openai_images.model: {server.url} has no {self.params.model!r}; it serves {has}")
        self._server = server
        self._spending = UsageMeter("openai_images", self.params, self.request_budget)

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The server's image, at the size that was asked for.

        Raises EditRefusedError if the server declines, BudgetError if no call may be paid for any more, BadReplyError
        if it sends no such image, TransportError if it gives no answer in the time allowed, MachineError if no request
        can succeed (then no further call is made), ConfigError for overrides.
        """
        if self._server is None:
            raise RuntimeError("openai_images: edit before load")
        if self._is_over:
            raise MachineError(self._is_over)
        params = self._with(request.overrides)
        sources = [decode(image) for image in request.images]
        source = sources[0]
        size = None if _is_auto(params) else size_of(params.size, source.size)
        kind, body = form(fields_of(params, request, size), [encode_png(one) for one in sources])
        progress(0, 1)
        try:
            once = idempotency(request.key, str(request.seed), kind)  # the boundary is a hash of all that is sent
            data = self._call(self._server, HttpRequest("POST", "/images/edits", body, kind, once), request)
        except MachineError as error:
            self._is_over = str(error)
            raise
        image = _decoded(self._server, data)
        if size is not None and image.size != size:
            raise BadReplyError(
                f"{self._server.url}: asked for {size[0]}x{size[1]}, got {image.width}x{image.height}; "
                "choose a size that the model can make"
            )
        progress(1, 1)
        return _at_source_size(self._server, image, source.size) if params.size == "source" else image

    def unload(self) -> None:
        self._server = None

    def _call(self, server: Server, message: HttpRequest, request: EditRequest) -> bytes:
        jitter = random.Random(f"{request.seed}:{request.key}")

        def read(reply: HttpReply) -> tuple[bytes | str, tuple[int, int] | None]:
            _images_api.check(server, reply)
            return _images_api.image_of(server, reply), _images_api.usage_of(reply)

        found, usage = ask(server, message, self._bounds, read, jitter, self._spending.begin)
        self._spending.answered(usage, server.url)
        if isinstance(found, bytes):
            return found
        path = _path_at(server, found, self.params.allow_url_results)
        place = dataclasses.replace(server, prefix="")

        return ask(place, HttpRequest("GET", path, is_anonymous=True), self._bounds, _body, jitter)

    def _with(self, overrides: Mapping[str, Any]) -> OpenaiImagesParams:
        unknown = sorted(set(overrides) - set(OVERRIDABLE))
        if unknown:
            raise ConfigError(f"openai_images: cannot override {unknown[0]!r}; use one of {', '.join(OVERRIDABLE)}")
        return dataclasses.replace(self.params, **overrides)


def fields_of(params: OpenaiImagesParams, request: EditRequest, size: tuple[int, int] | None) -> dict[str, str]:
    """Every form field of a request but the image, in a fixed order. Size None is "auto"."""
    dialect = DIALECTS[params.dialect]
    fields: dict[str, Value] = {
        "model": params.model,
        "prompt": request.instruction,
        "n": 1,
        "size": "auto" if size is None else f"{size[0]}x{size[1]}",
        "output_format": "png",
        **dialect.constants,
    }
    if dialect.has_seed:
        fields["seed"] = request.seed
    for name in dialect.accepts:
        value = getattr(params, name)
        if value is not None:
            fields[name] = value
    return {name: text_of(value) for name, value in {**fields, **params.extra}.items()}


def _is_auto(params: OpenaiImagesParams) -> bool:
    return params.size in ("model", "source") and DIALECTS[params.dialect].is_sized_by_model


def _at_source_size(server: Server, image: Image, size: Size) -> Image:
    """The edit scaled back to the source's size. Raises BadReplyError where that would stretch it."""
    if is_stretch(image.size, size):
        shapes = f"the source is {size[0]}x{size[1]}, the edit {image.width}x{image.height}"
        raise BadReplyError(f"{server.url}: size source would stretch: {shapes}; use size: model")
    return scaled(image, size)


def _body(reply: HttpReply) -> bytes:
    """The body of a file that was fetched."""
    if reply.status >= 500:
        raise PassingError(f"{reply.status} for the image that it named")
    if reply.status != 200:
        raise BadReplyError(f"the server named an image and answers {reply.status} for it")
    return reply.body


def _decoded(server: Server, data: bytes) -> Image:
    try:
        return decode(data)
    except ImageError as error:
        raise BadReplyError(f"{server.url}: the edited image is no image: {server.quote(error)}") from None


def _path_at(server: Server, url: str, is_allowed: bool) -> str:
    """Path of an image that the server has at its own address. Raises BadReplyError for any other, and unless allowed.

    A string that names an image is no permission to fetch it from wherever it says.
    """
    if not is_allowed:
        raise BadReplyError(
            f"{server.url}: answered with an address instead of the image; make it answer with b64_json, "
            "or set allow_url_results: true"
        )
    try:
        target = parse_url("url", urlsplit(url)._replace(query="", fragment="").geturl())
    except (ConfigError, ValueError):
        raise BadReplyError(f"{server.url}: answered with an address that cannot be used") from None
    if (target.scheme, target.host, target.port) != (server.scheme, server.host, server.port):
        raise BadReplyError(f"{server.url}: answered with an address at another host ({server.quote(target.host)})")
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
