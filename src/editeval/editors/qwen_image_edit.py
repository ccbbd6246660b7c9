"""Qwen-Image-Edit (v1), the 20 B editor behind `multi_gpu_qwen_image_edit`, run by diffusers.

Model: https://huggingface.co/Qwen/Qwen-Image-Edit. Licence: Apache-2.0. Memory: about 60 GiB in bfloat16: one copy on
an 80 GB GPU. Cost: 50 steps with true CFG at one megapixel are 19.8 PFLOP, 25 s on an H100 at best. Proven on a tiny
model of the same pipeline class. Conditioning is corrected for transformers >= 5.3 (see diffusion/conditioning.py).
The noise of an edit comes from a CPU generator seeded with the request's seed: the same on every device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from editeval.editors.diffusion import checkpoint, download
from editeval.editors.diffusion.engine import DiffusionEngine
from editeval.editors.diffusion.loading import ModelSource
from editeval.editors.diffusion.sizes import parse_size
from editeval.types import WEIGHTS, Editor, EditRequest, Facts, HubModel, Progress

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class QwenImageEditParams:
    """Parameters of Qwen-Image-Edit; names and defaults are those of v2, where v2 had them."""

    model_name: str = field(default="Qwen/Qwen-Image-Edit", metadata=WEIGHTS)  # Hub id, or a folder
    revision: str | None = None  # branch, tag or commit on the Hub; None: its main branch
    dtype: str = "bfloat16"  # of the weights and the computation: bfloat16 | float16 | float32
    num_inference_steps: int = 50  # denoising steps
    true_cfg_scale: float = 4.0  # classifier-free guidance; above 1 every step runs the transformer twice
    negative_prompt: str = " "  # what guidance moves away from; handed over always
    disable_progress_bar: bool = True  # False: diffusers' own bar in the worker's log
    size: str = "model"  # model (about 1 megapixel, the source's aspect) | source (scaled back to it) | WIDTHxHEIGHT
    attention_backend: str | None = None  # a name that diffusers knows, for instance _native_cudnn; None: torch decides
    compile: bool = False  # compile the transformer's repeated blocks; the first edit takes minutes longer
    acceleration: str = "none"  # none | exact: compiled blocks and real rotations; other rounding, the same mathematics
    cpu_offload: str = "none"  # none | model | sequential: weights stay in host memory and visit the GPU; slow
    vae_tiling: bool = False  # decode in tiles: less memory, faint seams

    def __post_init__(self) -> None:
        parse_size(self.size)
        if self.num_inference_steps < 2:  # its schedule stretches to a last step above zero: a single one divides by it
            raise ValueError(f"num_inference_steps: must be at least 2, got {self.num_inference_steps}")
        if self.true_cfg_scale <= 0:
            raise ValueError(f"true_cfg_scale: must be positive, got {self.true_cfg_scale}")
        self.source()

    def source(self) -> ModelSource:
        """What to load."""
        return ModelSource(
            model_name=self.model_name,
            revision=self.revision,
            dtype=self.dtype,
            family="qwen_image_edit",
            cpu_offload=self.cpu_offload,
            vae_tiling=self.vae_tiling,
            attention_backend=self.attention_backend,
            compile=self.compile,
            acceleration=self.acceleration,
            is_quiet=self.disable_progress_bar,
        )


class QwenImageEdit(Editor):
    """Edits one image at a time with the positive and the negative prompt encoded as the model's authors meant."""

    Params = QwenImageEditParams
    packages = ("torch", "diffusers", "transformers")
    _engine: DiffusionEngine | None = None

    @classmethod
    def check(cls, params: Any) -> None:
        """A folder must hold a checkpoint; what is on the Hub is looked up afterwards."""
        if checkpoint.is_path(params.model_name):
            checkpoint.read_index(params.model_name, params.revision)

    @classmethod
    def hub_model(cls, params: Any) -> HubModel | None:
        is_path = checkpoint.is_path(params.model_name)
        return None if is_path else download.wanted(params.model_name, params.revision)

    def load(self, device: str) -> None:
        """Raises MachineError or ConfigError, one line, if the checkpoint, a package or the device is not there."""
        p = self.params
        given = {name: getattr(p, name) for name in ("num_inference_steps", "true_cfg_scale", "negative_prompt")}
        self._engine = DiffusionEngine.load(p.source(), device, p.size, given)

    def facts(self) -> Facts:
        """Pipeline class, commit, attention, dtype, device, whether compiled."""
        return self._engine.facts() if self._engine is not None else {}

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The edited image. Overrides: num_inference_steps, true_cfg_scale, negative_prompt."""
        if self._engine is None:
            raise RuntimeError("qwen_image_edit: edit before load")
        return self._engine.edit(request, progress, not self.params.disable_progress_bar)

    def unload(self) -> None:
        """Frees the device; harmless the second time."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
