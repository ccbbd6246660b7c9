"""Any editing pipeline of diffusers that has a row in editors/diffusion/families.py: one adapter, one table.

Families, all proven on tiny models of their very pipeline classes: flux_kontext, flux2, flux2_klein, instruct_pix2pix,
longcat_image_edit, qwen_image_2_1, qwen_image_edit, qwen_image_edit_plus; everything else is untested and refused.
Licences, memory and cost are those of the checkpoint; FLUX.1 Kontext [dev] is 12 B and non-commercial, InstructPix2Pix
1 B and MIT. The family follows from the checkpoint; a parameter that it does not have is refused, and None means its
authors' default. Text is read as their code reads it: InstructPix2Pix the first 77 tokens, FLUX 512, LongCat up to 512
(more is refused). LongCat's text encoder is corrected for transformers >= 5.3 (diffusion/conditioning.py). Noise: a CPU
generator seeded with the request's seed, the same on every device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from editeval.editors.diffusion import checkpoint, download
from editeval.editors.diffusion.engine import DiffusionEngine
from editeval.editors.diffusion.families import FAMILIES
from editeval.editors.diffusion.loading import ModelSource
from editeval.editors.diffusion.sizes import parse_size
from editeval.types import WEIGHTS, Editor, EditRequest, Facts, HubModel, Progress

if TYPE_CHECKING:
    from PIL.Image import Image

_CALL = ("num_inference_steps", "guidance_scale", "true_cfg_scale", "image_guidance_scale", "negative_prompt")


@dataclass(frozen=True, slots=True)
class DiffusersPipelineParams:
    """Parameters of a diffusers pipeline. None: what the authors of the family chose."""

    model_name: str = field(default="black-forest-labs/FLUX.1-Kontext-dev", metadata=WEIGHTS)  # Hub id, or a folder
    family: str = "auto"  # auto: from the checkpoint's pipeline class; or the name of a family
    revision: str | None = None  # branch, tag or commit on the Hub; None: its main branch
    trust_remote_code: bool = False  # run Python from the checkpoint; needs revision = a commit of 40 hex digits
    dtype: str = "bfloat16"  # of the weights and the computation: bfloat16 | float16 | float32
    num_inference_steps: int | None = None  # denoising steps
    guidance_scale: float | None = None  # guidance of the model itself (FLUX: distilled; pix2pix, LongCat: CFG)
    true_cfg_scale: float | None = None  # classifier-free guidance of Qwen and Kontext; above 1 every step costs twice
    image_guidance_scale: float | None = None  # InstructPix2Pix: how closely to follow the source
    negative_prompt: str | None = None  # what classifier-free guidance moves away from
    disable_progress_bar: bool = True  # False: diffusers' own bar in the worker's log
    size: str = "model"  # model (what its authors chose for that aspect) | source (scaled back to it) | WIDTHxHEIGHT
    attention_backend: str | None = None  # a name that diffusers knows, for instance _native_cudnn; None: torch decides
    compile: bool = False  # compile the denoiser's repeated blocks; the first edit takes minutes longer
    acceleration: str = "none"  # none | exact: compiled blocks and real rotations; other rounding, the same mathematics
    cpu_offload: str = "none"  # none | model | sequential: weights stay in host memory and visit the GPU; slow
    vae_tiling: bool = False  # decode in tiles: less memory, faint seams

    def __post_init__(self) -> None:
        parse_size(self.size)
        if self.family not in ("auto", *FAMILIES):
            raise ValueError(f"family: must be auto or one of {', '.join(FAMILIES)}, got {self.family!r}")
        if self.num_inference_steps is not None and self.num_inference_steps < 1:
            raise ValueError(f"num_inference_steps: must be at least 1, got {self.num_inference_steps}")
        self.source()

    def source(self) -> ModelSource:
        """What to load."""
        return ModelSource(
            model_name=self.model_name,
            revision=self.revision,
            dtype=self.dtype,
            family=self.family,
            trust_remote_code=self.trust_remote_code,
            cpu_offload=self.cpu_offload,
            vae_tiling=self.vae_tiling,
            attention_backend=self.attention_backend,
            compile=self.compile,
            acceleration=self.acceleration,
            is_quiet=self.disable_progress_bar,
        )


class DiffusersPipeline(Editor):
    """Edits with whichever family's pipeline the checkpoint holds."""

    Params = DiffusersPipelineParams
    packages = ("torch", "diffusers", "transformers")
    variants = tuple(
        f"family {row.name} ({', '.join(row.pipelines)}): tested on tiny models of that class, not with real weights"
        for row in FAMILIES.values()
    )
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
        given = {name: getattr(self.params, name) for name in _CALL}
        self._engine = DiffusionEngine.load(self.params.source(), device, self.params.size, given)

    def facts(self) -> Facts:
        """Pipeline class, commit, attention, dtype, device, whether compiled."""
        return self._engine.facts() if self._engine is not None else {}

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The edited image. Overrides: num_inference_steps and the guidance that the family has."""
        if self._engine is None:
            raise RuntimeError("diffusers_pipeline: edit before load")
        return self._engine.edit(request, progress, not self.params.disable_progress_bar)

    def unload(self) -> None:
        """Frees the device; harmless the second time."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
