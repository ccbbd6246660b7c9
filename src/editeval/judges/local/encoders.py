"""Networks that compare images: CLIP and DINO of transformers, LPIPS and DISTS of torchmetrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from editeval.errors import MachineError
from editeval.judges.local.pretrained import (
    ModelRequest,
    check_alone,
    load_config,
    load_image_processor,
    problem,
    reading,
    source,
)
from editeval.machine.versions import to_install
from editeval.text import brief

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor
    from torch.nn import Module
    from transformers import BaseImageProcessor, PreTrainedModel

Vector = npt.NDArray[np.float64]
DINO_TYPES = ("vit", "dinov2", "dinov2_with_registers", "dinov3_vit")
"""Values of `model_type` whose first token is the image's embedding."""


@dataclass(frozen=True)
class Encoder:
    """Embeds one image at a time: what shares a call changes nothing. Vectors have length 1."""

    image: Callable[[Image], Vector]
    said: str  # class and commit, for the record


@dataclass(frozen=True)
class TextEncoder(Encoder):
    """One that embeds texts too, where images are."""

    text: Callable[[str], Vector]


def load_clip(wanted: ModelRequest, device: str) -> TextEncoder:
    """A CLIP checkpoint: images as its own processor has them, texts cut at its length. Raises MachineError."""
    import torch
    import transformers

    model, processor = _loaded(wanted, device, ("clip",), transformers.CLIPModel)
    tokenizer = reading(wanted, lambda: transformers.AutoTokenizer.from_pretrained(wanted.place, **source(wanted)))

    def image(picture: Image) -> Vector:
        with torch.inference_mode():
            shown = model.vision_model(**processor(images=picture, return_tensors="pt").to(device))
            return _unit(model.visual_projection(shown.pooler_output)[0])

    def text(caption: str) -> Vector:
        tokens = tokenizer(caption, truncation=True, max_length=77, return_tensors="pt").to(device)
        with torch.inference_mode():
            return _unit(model.text_projection(model.text_model(**tokens).pooler_output)[0])

    return TextEncoder(image, _said(model), text)


def load_dino(wanted: ModelRequest, device: str) -> Encoder:
    """A DINO or DINOv2 checkpoint: the first token behind the last norm. Raises MachineError."""
    import torch
    import transformers

    model, processor = _loaded(wanted, device, DINO_TYPES, transformers.AutoModel)

    def image(picture: Image) -> Vector:
        with torch.inference_mode():
            shown = model(**processor(images=picture, return_tensors="pt").to(device))
            return _unit(shown.last_hidden_state[0, 0])

    return Encoder(image, _said(model))


def _loaded(
    wanted: ModelRequest, device: str, types: tuple[str, ...], cls: type[PreTrainedModel]
) -> tuple[PreTrainedModel, BaseImageProcessor]:
    import torch

    check_alone(wanted)
    config, given = load_config(wanted, types), source(wanted)
    model, report = reading(
        wanted,
        lambda: cls.from_pretrained(
            wanted.place, config=config, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **given
        ),
    )
    check_alone(wanted, model)
    gaps = [name for name in (*report["missing_keys"], *report["mismatched_keys"]) if "pooler" not in str(name)]
    if gaps:
        raise problem(wanted, f"lacks {len(gaps)} of its weights, such as {gaps[0]}", "download it again, completely")
    return model.eval().to(device), reading(wanted, lambda: load_image_processor(wanted))


def _said(model: PreTrainedModel) -> str:
    return f"{type(model).__name__} {getattr(model.config, '_commit_hash', None) or 'local'}"


def _unit(vector: Tensor) -> Vector:
    found = vector.double().cpu().numpy()
    return np.asarray(found / max(float(np.linalg.norm(found)), 1e-12))


def pixels(image: Image, device: str) -> Tensor:
    """1 x 3 x height x width, 0-1."""
    import torch

    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255.0).permute(2, 0, 1)[None].to(device)


def load_distance(name: str, net: str, device: str) -> Callable[[Tensor, Tensor], float]:
    """`lpips` or `dists` of torchmetrics, with torchvision's weights. Raises MachineError where they are not there."""
    import torch

    where = "reward_model.params.metrics"
    try:
        network = (_lpips(net) if name == "lpips" else _dists()).to(device).eval()
    except ModuleNotFoundError as error:
        advice = f"{to_install('metrics')}, with the torchvision that fits your torch"
        raise MachineError(f"{where}: {name}: {brief(error)}; {advice}") from error
    except (OSError, RuntimeError, HTTPException) as error:  # URLError is an OSError
        advice = "download.pytorch.org must be reached once, or its files lie in TORCH_HOME"
        raise MachineError(f"{where}: {name}: no weights: {brief(error)}; {advice}") from error

    def distance(one: Tensor, other: Tensor) -> float:
        with torch.inference_mode():
            found = float(network(one, other))
        return found if math.isnan(found) else max(0.0, found)

    return distance


def _lpips(net: str) -> Module:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    found: Module = LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True)
    return found


def _dists() -> Module:
    """The network itself: torchmetrics' metric would build it anew for each pair."""
    from torchmetrics.functional.image.dists import DISTSNetwork

    found: Module = DISTSNetwork()
    return found
