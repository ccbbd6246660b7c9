"""Any editing pipeline of diffusers that has a row in editors/diffusion/families.py: one adapter, one table.

Families, all proven on tiny models of their very pipeline classes: flux_kontext, flux2, flux2_klein, instruct_pix2pix,
longcat_image_edit, qwen_image_2_1, qwen_image_edit, qwen_image_edit_plus; everything else is untested and refused.
Licences, memory and cost are those of the checkpoint; FLUX.1 Kontext [dev] is 12 B and non-commercial, InstructPix2Pix
1 B and MIT. The family follows from the checkpoint; a parameter that it does not have is refused, and None means its
authors' default. Text is read as their code reads it: InstructPix2Pix the first 77 tokens, FLUX 512, LongCat up to 512
(more is refused). LongCat's text encoder is corrected for transformers >= 5.3 (diffusion/patches.py). Noise: a CPU
generator seeded with the request's seed, the same on every device.

The types `qwen_image_edit` and `qwen_image_edit_plus` are two of these families with parameters and defaults of their
own, those of v2. About 60 GiB in bfloat16, one copy on an 80 GB GPU; Apache-2.0. At one megapixel with true CFG, 50
steps of v1 are 19.8 PFLOP (25 s on an H100 at best), 40 steps of Plus 13.4 PFLOP (17 s). Plus takes several source
images (trained with up to three; the edit has the shape of the first); its text encoder sees a copy of 384 x 384
pixels (in area), its transformer one of a megapixel, both scaled from the source itself. The conditioning of both is
corrected for transformers >= 5.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from editeval.editors.diffusion import checkpoint, lora
from editeval.editors.diffusion.engine import DiffusionEngine
from editeval.editors.diffusion.families import FAMILIES
from editeval.editors.diffusion.loading import PipelineParams
from editeval.types import WEIGHTS, Editor, EditRequest, Facts, HubModel, Progress

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class DiffusersPipelineParams(PipelineParams):
    """Parameters of a diffusers pipeline. None: what the authors of the family chose."""

    model_name: str = field(default="black-forest-labs/FLUX.1-Kontext-dev", metadata=WEIGHTS)  # Hub id, or a folder
    family: str = "auto"  # auto: from the checkpoint's pipeline class; or the name of a family
    trust_remote_code: bool = False  # run Python from the checkpoint; needs revision = a commit of 40 hex digits
    num_inference_steps: int | None = None  # denoising steps
    guidance_scale: float | None = None  # guidance of the model itself (FLUX: distilled; pix2pix, LongCat: CFG)
    true_cfg_scale: float | None = None  # classifier-free guidance of Qwen and Kontext; above 1 every step costs twice
    image_guidance_scale: float | None = None  # InstructPix2Pix: how closely to follow the source
    negative_prompt: str | None = None  # what classifier-free guidance moves away from

    def __post_init__(self) -> None:
        PipelineParams.__post_init__(self)
        if self.family not in ("auto", *FAMILIES):
            raise ValueError(f"family: must be auto or one of {', '.join(FAMILIES)}, got {self.family!r}")
        if self.num_inference_steps is not None and self.num_inference_steps < 1:
            raise ValueError(f"num_inference_steps: must be at least 1, got {self.num_inference_steps}")
        if self.trust_remote_code and not checkpoint.COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"trust_remote_code: needs `revision` pinned to a commit of 40 hex digits, got {self.revision!r}"
            )

    def wanted_family(self) -> str:
        return self.family

    def runs_remote_code(self) -> bool:
        return self.trust_remote_code


@dataclass(frozen=True, slots=True)
class QwenImageEditParams(PipelineParams):
    """Parameters of Qwen-Image-Edit; names and defaults are those of v2, where v2 had them."""

    model_name: str = field(default="Qwen/Qwen-Image-Edit", metadata=WEIGHTS)  # Hub id, or a folder
    num_inference_steps: int = 50  # denoising steps
    true_cfg_scale: float = 4.0  # classifier-free guidance; above 1 every step runs the transformer twice
    negative_prompt: str = " "  # what guidance moves away from; handed over always

    def __post_init__(self) -> None:
        PipelineParams.__post_init__(self)
        if self.num_inference_steps < 2:  # its schedule stretches to a last step above zero: a single one divides by it
            raise ValueError(f"num_inference_steps: must be at least 2, got {self.num_inference_steps}")
        if self.true_cfg_scale <= 0:
            raise ValueError(f"true_cfg_scale: must be positive, got {self.true_cfg_scale}")

    def wanted_family(self) -> str:
        return "qwen_image_edit"


@dataclass(frozen=True, slots=True)
class QwenImageEditPlusParams(QwenImageEditParams):
    """Parameters of Qwen-Image-Edit-2509 and -2511; defaults are those of its authors."""

    model_name: str = field(default="Qwen/Qwen-Image-Edit-2511", metadata=WEIGHTS)  # Hub id, or a folder
    num_inference_steps: int = 40  # denoising steps

    def wanted_family(self) -> str:
        return "qwen_image_edit_plus"


class DiffusersPipeline(Editor):
    """Edits with whichever family's pipeline the checkpoint holds."""

    Params: ClassVar[type[PipelineParams]] = DiffusersPipelineParams
    packages = ("torch", "diffusers", "transformers")
    variants = tuple(
        f"family {row.name} ({', '.join(row.pipelines)}): tested on tiny models of that class, not with real weights"
        for row in FAMILIES.values()
    )
    params: PipelineParams
    _engine: DiffusionEngine | None = None

    @classmethod
    def max_images_of(cls, params: PipelineParams) -> int | None:
        """That of its family; None where only the checkpoint tells and lies elsewhere: then each edit is checked."""
        wanted, known = params.wanted_family(), {family.name: family.pipelines for family in FAMILIES.values()}
        if wanted == "auto" and not checkpoint.is_path(params.model_name):
            return None
        if wanted == "auto":
            wanted = checkpoint.check_family(checkpoint.read_index(params.model_name, params.revision), wanted, known)
        return FAMILIES[wanted].max_images

    @classmethod
    def check(cls, params: PipelineParams) -> None:
        """A folder must hold a checkpoint; what is on the Hub is looked up afterwards."""
        if checkpoint.is_path(params.model_name):
            checkpoint.read_index(params.model_name, params.revision)
        lora.check(params.lora)

    @classmethod
    def hub_model(cls, params: PipelineParams) -> HubModel | None:
        is_path = checkpoint.is_path(params.model_name)
        return None if is_path else checkpoint.wanted(params.model_name, params.revision)

    def load(self, device: str) -> None:
        """Raises MachineError or ConfigError, one line, if the checkpoint, a package or the device is not there."""
        self._engine = DiffusionEngine.load(self.params, device, self.allow_code)

    def facts(self) -> Facts:
        """Pipeline class, commit, attention, dtype, device, whether compiled."""
        return self._engine.facts() if self._engine is not None else {}

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The edited image. Overrides: num_inference_steps and the guidance that the family has."""
        if self._engine is None:
            raise RuntimeError(f"{type(self).__name__}: edit before load")
        return self._engine.edit(request, progress, not self.params.disable_progress_bar)

    def unload(self) -> None:
        """Frees the device; harmless the second time."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


class QwenImageEdit(DiffusersPipeline):
    """Qwen-Image-Edit (v1), the 20 B editor behind `multi_gpu_qwen_image_edit`, run by diffusers."""

    Params = QwenImageEditParams
    variants = ()


class QwenImageEditPlus(DiffusersPipeline):
    """Qwen-Image-Edit-2509 and -2511 ("Plus"), run by diffusers."""

    Params = QwenImageEditPlusParams
    variants = ()
