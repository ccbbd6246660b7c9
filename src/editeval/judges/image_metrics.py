"""Judge `image_metrics`: an edit beside its target, or its source, in the metrics of MagicBrush, Emu Edit and others.

l1 l2     mean absolute and mean squared difference of the pixels; 0-1, less is better
psnr      -10 log10 of l2, in dB, at most 100; more is better
ssim      structural similarity (Wang 2004: Gaussian window, sigma 1.5, of each colour; their mean); more is better
lpips     learned perceptual distance (torchmetrics, with torchvision's weights of `lpips_net`); less is better
dists     structure and texture distance (likewise, VGG16); less is better
clip_i    cosine of the CLIP embeddings of the two images; more is better
dino      cosine of the DINO embeddings of the two images; more is better
clip_t    cosine of the CLIP embeddings of the edit and the caption of the wanted result; more is better
clip_dir  cosine of the change from source to edit and the change from caption to caption, in CLIP; 0 where nothing
          changes; more is better

Each has its native scale; none is averaged with another. They are diagnostics: pixel metrics and SSIM punish a good
edit that was re-encoded more than none at all (docs/configuration.md), so do not rank models by them.

An edit of another size is resized to the image beside it (bicubic) where the aspects differ by at most 2 %. `region`
looks at a part: pixel metrics and SSIM count its pixels alone, the others see the rest as it is in the image beside it.
What a sample does not have (target, mask, caption) leaves the metric unscored: no_reference. So does a network whose
output is not a number: degenerate.

lpips and dists need torch, torchmetrics and torchvision, clip_* and dino torch and transformers. Weights: safetensors
of the named checkpoints; of lpips and dists torchvision's own, with its hash check. Licences: CLIP ViT-B/32 MIT, DINO
and torchmetrics Apache-2.0.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from editeval.errors import ConfigError, ImageError, Reason
from editeval.images import decode
from editeval.judges._pixels import ssim
from editeval.judges.local import encoders
from editeval.judges.local.pretrained import ModelRequest, check_alone, check_folder
from editeval.text import brief
from editeval.types import WEIGHTS, Facts, HubModel, Judge, JudgeRequest, Metric, Score

if TYPE_CHECKING:
    from torch import Tensor

NAME = "image_metrics"
VERSION = 1
"""Raise it whenever a score changes for the same pictures and parameters."""
Pixels = npt.NDArray[np.float64]
Part = npt.NDArray[np.bool_]

SCALES: Mapping[str, Metric] = {
    one.name: one
    for one in (
        Metric("l1", 0.0, 1.0, is_higher_better=False),
        Metric("l2", 0.0, 1.0, is_higher_better=False),
        Metric("psnr", 0.0, 100.0),
        Metric("ssim", -1.0, 1.0),
        Metric("lpips", 0.0, None, is_higher_better=False),
        Metric("dists", 0.0, None, is_higher_better=False),
        Metric("clip_i", -1.0, 1.0),
        Metric("dino", -1.0, 1.0),
        Metric("clip_t", -1.0, 1.0),
        Metric("clip_dir", -1.0, 1.0),
    )
}
PIXELS, PERCEPTUAL = ("l1", "l2", "psnr", "ssim"), ("lpips", "dists")
OF_TEXT = ("clip_t", "clip_dir")
COMPARED = ("target", "source")
REGIONS = ("whole", "outside_mask", "inside_mask")
LPIPS_NETS = ("alex", "vgg", "squeeze")
MAX_PSNR = 100.0
MAX_ASPECT_ERROR = 0.02
_COMMIT_LENGTH = 40


@dataclass(frozen=True)
class ImageMetricsParams:
    """Which metrics, beside which image, and the checkpoints of those that have one."""

    metrics: tuple[str, ...] = PIXELS  # the first is the headline
    compared_with: str = "target"  # target | source: the image beside the edit
    region: str = "whole"  # whole | outside_mask | inside_mask, by the mask of the sample
    lpips_net: str = "alex"  # alex | vgg | squeeze
    clip_model: str = field(default="openai/clip-vit-base-patch32", metadata=WEIGHTS)  # on the hub, or a local path
    clip_revision: str | None = None  # its commit, if it is on the hub
    dino_model: str = field(default="facebook/dino-vits16", metadata=WEIGHTS)  # likewise; DINOv2 too
    dino_revision: str | None = None
    source_caption: str = (
        "input_caption"  # the field of a sample's metadata with the caption of the source, for clip_dir
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(self.metrics))  # a worker gets them as a list
        unknown = [name for name in self.metrics if name not in SCALES]
        if unknown or not self.metrics or len(set(self.metrics)) < len(self.metrics):
            raise ConfigError(f"metrics: must be different ones of {', '.join(SCALES)}, got {list(self.metrics)}")
        for name, values in (("compared_with", COMPARED), ("region", REGIONS), ("lpips_net", LPIPS_NETS)):
            if getattr(self, name) not in values:
                raise ConfigError(f"{name}: must be one of {', '.join(values)}, got {getattr(self, name)!r}")
        of_text = [name for name in self.metrics if name in OF_TEXT]
        if of_text and self.region != "whole":
            raise ConfigError(
                f"region: {of_text[0]} looks at the whole edit; leave it out, or use another judge for it"
            )
        for kind, wanted in self.checkpoints.items():
            if wanted.hub_model is not None and len(wanted.revision or "") != _COMMIT_LENGTH:
                where = f"{kind}_revision: {wanted.model_name} is on the Hub"
                raise ConfigError(f"{where}: give its commit of 40 hex digits, got {wanted.revision!r}")

    @property
    def checkpoints(self) -> dict[str, ModelRequest]:
        """By kind (clip, dino), those that the metrics need."""
        found = {}
        if any(name.startswith("clip") for name in self.metrics):
            found["clip"] = ModelRequest(self.clip_model, self.clip_revision, "float32", False, "clip_model")
        if "dino" in self.metrics:
            found["dino"] = ModelRequest(self.dino_model, self.dino_revision, "float32", False, "dino_model")
        return found

    @property
    def hub_models(self) -> tuple[HubModel, ...]:
        """Those of the checkpoints that are on the Hub."""
        return tuple(model for one in self.checkpoints.values() if (model := one.hub_model) is not None)


class _Unscored(Exception):  # noqa: N818 - not an error: it is the result
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Pair:
    """An edit and the image beside it, of one size."""

    edited: Image.Image
    beside: Image.Image
    part: Part | None  # pixels that count; None: all
    masked: Image.Image  # the edit with what does not count as it is in the image beside it


class _Shown:
    """Pictures and captions of one request; each is decoded once, and once embedded by each network."""

    def __init__(self, request: JudgeRequest) -> None:
        self.request = request
        self._images: dict[str, Image.Image] = {}
        self._vectors: dict[tuple[object, object], encoders.Vector] = {}

    def image(self, name: str) -> Image.Image:
        """Picture `name` (edited, source, target). Raises _Unscored."""
        if name not in self._images:
            self._images[name] = _image(getattr(self.request, name), name)
        return self._images[name]

    def vector(self, embed: Callable[..., encoders.Vector], given: Image.Image | str) -> encoders.Vector:
        """`embed(given)`. A picture is known by its object, which lives as long as this one. Raises _Unscored."""
        key = embed, given if isinstance(given, str) else id(given)
        found = self._vectors[key] if key in self._vectors else self._vectors.setdefault(key, embed(given))
        if not np.isfinite(found).all():
            raise _Unscored(Reason.DEGENERATE, "the network gave no number")
        return found


class ImageMetricsJudge(Judge):
    """Measures how far an edit is from its target or its source; asks nothing and reads no instruction."""

    Params = ImageMetricsParams
    metrics = PIXELS
    reads_instruction = False
    default_device = "cpu"
    params: ImageMetricsParams
    variants: ClassVar[tuple[str, ...]] = (
        "l1, l2, psnr, ssim: numpy and scipy; CLIP, DINO: tested with real library code on tiny models",
        "LPIPS, DISTS: torchmetrics' own code, tested on a stand-in of torchvision with random weights",
    )

    def __init__(self, params: ImageMetricsParams) -> None:
        super().__init__(params)
        self._device = "cpu"
        self._clip: encoders.TextEncoder | None = None
        self._dino: encoders.Encoder | None = None
        self._distances: dict[str, Callable[[Tensor, Tensor], float]] = {}

    @classmethod
    def packages_of(cls, params: ImageMetricsParams) -> tuple[str, ...]:
        learned = ("torch", "torchmetrics", "torchvision") if set(params.metrics) & set(PERCEPTUAL) else ()
        return tuple(dict.fromkeys((*learned, *(("torch", "transformers") if params.checkpoints else ()))))

    @classmethod
    def metrics_of(cls, params: ImageMetricsParams) -> tuple[str, ...]:
        return params.metrics

    @classmethod
    def scales_of(cls, params: ImageMetricsParams) -> Mapping[str, Metric]:
        return {name: SCALES[name] for name in params.metrics}

    @classmethod
    def fingerprint_of(cls, params: ImageMetricsParams) -> str:
        """Scores of another version of this file are never mixed with these."""
        return f"{NAME} {VERSION}"

    @classmethod
    def check(cls, params: ImageMetricsParams) -> None:
        for wanted in params.checkpoints.values():
            check_folder(wanted)
            check_alone(wanted)

    @classmethod
    def hub_model(cls, params: ImageMetricsParams) -> HubModel | None:
        return next(iter(params.hub_models), None)

    @classmethod
    def hub_others(cls, params: ImageMetricsParams) -> tuple[HubModel, ...]:
        return params.hub_models[1:]

    def load(self, devices: Sequence[str]) -> None:
        """Raises MachineError, one line, for a package or weights that are not there."""
        self._device = devices[0]
        checkpoints = self.params.checkpoints
        self._clip = encoders.load_clip(checkpoints["clip"], devices[0]) if "clip" in checkpoints else None
        self._dino = encoders.load_dino(checkpoints["dino"], devices[0]) if "dino" in checkpoints else None
        wanted = [name for name in self.params.metrics if name in PERCEPTUAL]
        self._distances = {name: encoders.load_distance(name, self.params.lpips_net, devices[0]) for name in wanted}

    def facts(self) -> Facts:
        said = {kind: one.said for kind, one in (("clip", self._clip), ("dino", self._dino)) if one}
        return {**said, "device": self._device}

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [self._scores(request) for request in requests]

    def _scores(self, request: JudgeRequest) -> list[Score]:
        started = time.perf_counter()
        found: dict[str, float | _Unscored] = {}
        shown = _Shown(request)
        try:
            pair = self._pair(shown)
        except _Unscored as unscored:
            found = dict.fromkeys((name for name in self.params.metrics if name not in OF_TEXT), unscored)
            pair = None
        for name in self.params.metrics:
            if name not in found:
                try:
                    found[name] = self._measured(name, shown, pair)
                except _Unscored as unscored:
                    found[name] = unscored
        seconds = (time.perf_counter() - started) / len(found)
        return [_score(request.key, name, found[name], seconds) for name in self.params.metrics]

    def _pair(self, shown: _Shown) -> _Pair:
        beside = shown.image(self.params.compared_with)
        edited = _fitted(shown.image("edited"), beside)
        if self.params.region != "whole":
            mask = _image(shown.request.mask, "mask", "L")
            if mask.size != beside.size:
                mask = mask.resize(beside.size, Image.Resampling.NEAREST)
            inside = np.asarray(mask) >= 128
            part = inside if self.params.region == "inside_mask" else ~inside
            if not part.any():
                raise _Unscored(Reason.NO_REFERENCE, f"region: {self.params.region}: the mask leaves no pixel of it")
            counts = Image.fromarray(part.astype(np.uint8) * 255, "L")
            return _Pair(edited, beside, part, Image.composite(edited, beside, counts))
        return _Pair(edited, beside, None, edited)

    def _measured(self, name: str, shown: _Shown, pair: _Pair | None) -> float:
        if name in OF_TEXT:
            return self._by_text(name, shown)
        assert pair is not None, "what needs a pair is unscored without one"
        if name in ("clip_i", "dino"):
            encoder = self._dino if name == "dino" else self._clip
            assert encoder is not None
            return _cosine(*(shown.vector(encoder.image, one) for one in (pair.masked, pair.beside)))
        if name in PERCEPTUAL:
            return self._distances[name](*(encoders.pixels(one, self._device) for one in (pair.masked, pair.beside)))
        edited, beside = (np.asarray(one, dtype=np.float64) / 255.0 for one in (pair.edited, pair.beside))
        return of_pixels(name, edited, beside, pair.part)

    def _by_text(self, name: str, shown: _Shown) -> float:
        clip, wanted = self._clip, shown.request.reference_text
        assert clip is not None
        if not wanted:
            raise _Unscored(Reason.NO_REFERENCE, "the sample has no caption of the wanted result")
        after, edited = shown.vector(clip.text, wanted), shown.vector(clip.image, shown.image("edited"))
        if name == "clip_t":
            return _cosine(edited, after)
        caption = shown.request.metadata.get(self.params.source_caption)
        if not isinstance(caption, str) or not caption:
            where = f"source_caption: the sample's metadata has no text {self.params.source_caption!r}"
            raise _Unscored(Reason.NO_REFERENCE, where)
        source = shown.vector(clip.image, shown.image("source"))
        return _cosine(edited - source, after - shown.vector(clip.text, caption))


def _score(key: str, name: str, found: float | _Unscored, seconds: float) -> Score:
    if not isinstance(found, _Unscored) and not math.isfinite(found):
        found = _Unscored(Reason.DEGENERATE, f"{name} is {found}: the network gave no number")
    if isinstance(found, _Unscored):
        return Score(key, NAME, name, None, json.dumps({"message": str(found)}), found.reason, seconds)
    return Score(key, NAME, name, found, seconds=seconds)


def _image(data: bytes | None, name: str, mode: str = "RGB") -> Image.Image:
    if data is None:
        raise _Unscored(Reason.NO_REFERENCE, f"the sample has no {name}")
    try:
        return decode(data, mode)
    except ImageError as error:
        raise _Unscored(Reason.BAD_IMAGE, f"{name}: {brief(error)}") from error


def _fitted(edited: Image.Image, beside: Image.Image) -> Image.Image:
    """The edit at the size of the image beside it."""
    if edited.size == beside.size:
        return edited
    (width, height), (w, h) = edited.size, beside.size
    if abs(width * h - height * w) / (height * w) > MAX_ASPECT_ERROR:
        raise _Unscored(Reason.SIZE_MISMATCH, f"edited is {width}x{height}, the image beside it {w}x{h}")
    return edited.resize(beside.size, Image.Resampling.BICUBIC)


def of_pixels(name: str, edited: Pixels, beside: Pixels, part: Part | None) -> float:
    """Of values 0-1, height x width x 3."""
    if name == "ssim":
        each = ssim(edited, beside)
        return float((each if part is None else each[part]).mean())
    difference = (edited - beside) if part is None else (edited - beside)[part]
    if name == "l1":
        return float(np.abs(difference).mean())
    squared = float((difference**2).mean())
    if name == "l2":
        return squared
    return MAX_PSNR if squared == 0.0 else max(0.0, min(MAX_PSNR, -10.0 * math.log10(squared)))


def _cosine(one: Pixels, other: Pixels) -> float:
    """0 for a vector without a length: where nothing changes there is no direction."""
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return max(-1.0, min(1.0, float(one @ other) / lengths)) if lengths > 1e-12 else 0.0
