"""One diffusers pipeline that edits: the same few statements for every family; what differs is its row in families.py.

Noise comes from a generator on the CPU that `request.seed` alone seeds, so that the same seed gives the same noise on
every device (a CUDA generator would give other noise). Classifier-free guidance that is asked for is on: the negative
prompt is always handed over, because the pipelines switch guidance off without one and only log it.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from editeval.editors.diffusion import checkpoint, families, lora
from editeval.editors.diffusion.families import FAMILIES, Family
from editeval.editors.diffusion.loading import PARAMS, PipelineParams, denoiser_of, load_pipeline
from editeval.errors import BadOutputError, ConfigError, EditRefusedError
from editeval.images import decode, normalised
from editeval.types import EditRequest, Facts, Progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from diffusers import DiffusionPipeline
    from PIL.Image import Image
    from torch import nn

log = logging.getLogger("editeval")
Arguments = dict[str, Any]  # of the call of a pipeline

CALL_ARGUMENTS = ("num_inference_steps", "guidance_scale", "true_cfg_scale", "image_guidance_scale", "negative_prompt")


class DiffusionEngine:
    """A loaded pipeline. `edit` returns the edited image; `close` gives the device back."""

    def __init__(self, pipeline: DiffusionPipeline, family: Family, size: str, arguments: Arguments) -> None:
        self.family = family
        self._pipeline = pipeline
        self._size = size
        self._canvas = families.parse_size(size)
        self._arguments = dict(arguments)
        self._has_failed = False
        self._has_warned = False

    @property
    def pipeline(self) -> DiffusionPipeline:
        """The pipeline of diffusers itself; None once closed."""
        return self._pipeline

    def facts(self) -> Facts:
        """What the pipeline says of itself."""
        return facts_of(self._pipeline)

    @classmethod
    def load(cls, params: PipelineParams, device: str, allow_code: bool = False) -> Self:
        """The engine for `params`; an argument of the call that is None or absent is the family's own default.

        Raises ConfigError for an argument or a size that the family does not have, MachineError if it cannot load.
        """
        index = checkpoint.read_index(params.model_name, params.revision)
        known = {family.name: family.pipelines for family in FAMILIES.values()}
        family = FAMILIES[checkpoint.check_family(index, params.wanted_family(), known)]
        given = {name: getattr(params, name, None) for name in CALL_ARGUMENTS}
        arguments = call_arguments(family, given, bool(index.get("is_distilled")))
        canvas = families.parse_size(params.size)
        if canvas is not None and family.canvas == "fixed":
            raise ConfigError(f"{PARAMS}.size: {family.name} has no canvas of its own; use model or source")
        pipeline = load_pipeline(params, device, allow_code)
        check_steps(pipeline, arguments["num_inference_steps"])
        families.check_canvas(canvas, grid_of(pipeline), f"{PARAMS}.size")
        return cls(pipeline, family, params.size, arguments)

    def edit(self, request: EditRequest, progress: Progress, is_bar_shown: bool = False) -> Image:
        """The edited image, RGB. Raises ImageError for a broken source, ConfigError for unknown overrides."""
        if self._has_failed:  # what an out-of-memory error left behind is only free once its traceback is gone
            self._has_failed = False
            release_memory()
        most = self.family.max_images
        if most is not None and len(request.images) > most:
            what = f"takes {most} source image, got {len(request.images)}"
            raise EditRefusedError(f"{self.family.name}: {what}; set diffusion_model.params.images: first")
        sources = [decode(image) for image in request.images]
        source = sources[0]
        arguments = {**self._arguments, **checked_overrides(self.family, request)}
        check_steps(self._pipeline, arguments["num_inference_steps"])
        try:
            result = self._run(sources, request, arguments, (progress, is_bar_shown))
        except BaseException:
            self._has_failed = True
            raise
        result = normalised(result)  # Qwen-Image-2.1 answers with an alpha channel
        return families.scaled(result, source.size) if self._size == "source" else result

    def _run(
        self, sources: list[Image], request: EditRequest, arguments: Arguments, bar: tuple[Progress, bool]
    ) -> Image:
        """The canvas is that of the first source: what an edit is compared with."""
        import torch

        self._check_prompt(request, arguments)
        if arguments.get("true_cfg_scale", 2.0) <= 1:  # guidance is off: the pipelines would warn at every edit
            arguments = {name: value for name, value in arguments.items() if name != "negative_prompt"}
        pipeline = self._pipeline
        target = self._target(sources[0].size)
        prepared = [self._prepared(source, target) for source in sources]
        pipeline.progress_bar = lambda total: StepBar(type(pipeline).progress_bar(pipeline, total=total), total, bar[0])
        pipeline.set_progress_bar_config(disable=not bar[1])
        arrays = pipeline(
            prompt=request.instruction,
            image=prepared if len(prepared) > 1 else prepared[0],  # a list of one is another thing to some
            generator=torch.Generator("cpu").manual_seed(request.seed),
            output_type="np",  # floats: in 8 bits NaN would be a black picture like any other
            **arguments,
            **self.family.canvas_arguments(target),
        ).images
        return picture_of(arrays[0])

    def _target(self, source: families.Size) -> families.Size:
        if self._canvas is None:
            target = self.family.model_size(source)
            self._warn_of_stretch(source, target)
            return target
        if self.family.canvas == "source" and families.is_stretch(source, self._canvas):
            raise EditRefusedError(
                f"{self.family.name}: size {self._size} would stretch a source of {source[0]}x{source[1]}; "
                "use size: source or model"
            )
        return self._canvas

    def _warn_of_stretch(self, source: families.Size, target: families.Size) -> None:
        """Say once if the family's own table of sizes changes the aspect; "source" takes that back."""
        if self._has_warned or self._size == "source" or not families.is_stretch(source, target):
            return
        self._has_warned = True
        log.warning(
            "%s: works at %dx%d for a source of %dx%d, as its authors do: the edit has another aspect; "
            "size: source scales it back",
            self.family.name,
            *target,
            *source,
        )

    def _prepared(self, source: Image, target: families.Size) -> Image:
        """The source as the pipeline takes it without cropping it, or stretching it beyond its grid."""
        if self.family.scales_source:
            return source
        return families.scaled(
            source, target if self.family.canvas == "source" else self.family.model_size(source.size)
        )

    def _check_prompt(self, request: EditRequest, arguments: Arguments) -> None:
        limit = self.family.max_prompt_tokens
        if limit is None:
            return
        texts = [request.instruction, str(arguments.get("negative_prompt", ""))]
        longest = max(len(self._pipeline.tokenizer(text).input_ids) for text in texts)
        if longest > limit:
            raise EditRefusedError(f"{self.family.name}: a prompt of {longest} tokens; it takes {limit}")

    def close(self) -> None:
        """Give the device back; harmless if it was done already."""
        if self._pipeline is not None:
            self._pipeline.remove_all_hooks()
            self._pipeline = None
            release_memory()


class StepBar:
    """diffusers' own progress bar, which also tells `progress` about every denoising step."""

    def __init__(self, bar: Any, total: int, progress: Progress) -> None:
        self._bar = bar
        self._total = total
        self._progress = progress
        self._step = 0

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(*error)

    def update(self, num_steps: int = 1) -> None:
        """One more step is through."""
        self._bar.update(num_steps)
        self._step = min(self._total, self._step + num_steps)
        self._progress(self._step, self._total)


def call_arguments(family: Family, given: Mapping[str, object], is_distilled: bool) -> Arguments:
    """Arguments of the pipeline's call. Raises ConfigError for one that is given and that the family does not have."""
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen:
        if name not in _known(family):
            has = ", ".join(_known(family))
            raise ConfigError(f"{PARAMS}.{name}: {family.name} has none; it has {has}")
    arguments: Arguments = {"num_inference_steps": family.num_inference_steps, **family.guidance}
    if is_distilled and family.distilled_steps:
        if chosen.get("guidance_scale", 1.0) != 1.0:
            raise ConfigError(f"{PARAMS}.guidance_scale: this checkpoint is distilled and ignores it; leave it out")
        arguments |= {"num_inference_steps": family.distilled_steps, "guidance_scale": 1.0}
    arguments |= chosen
    if arguments.get("guidance_scale", 0) > 1 and arguments.get("image_guidance_scale", 1) < 1:
        raise ConfigError(f"{PARAMS}.image_guidance_scale: below 1 it switches guidance off; use 1 or more")
    return arguments


def checked_overrides(family: Family, request: EditRequest) -> Arguments:
    """The overrides of one request. Raises ConfigError for a name that the family does not have."""
    unknown = sorted(set(request.overrides) - set(_known(family)))
    if unknown:
        has = ", ".join(_known(family))
        raise ConfigError(f"request {request.key}: no parameter {unknown[0]!r} to override; {family.name} has {has}")
    return dict(request.overrides)


def _known(family: Family) -> list[str]:
    return ["num_inference_steps", *family.guidance]


def check_steps(pipeline: DiffusionPipeline, num_steps: int) -> None:
    """Raises ConfigError for a number of steps that the scheduler turns into NaN, which would be a black image."""
    least = 2 if pipeline.scheduler.config.get("shift_terminal") else 1
    if num_steps < least:
        raise ConfigError(f"{PARAMS}.num_inference_steps: this scheduler needs at least {least}, got {num_steps}")


def picture_of(pixels: npt.NDArray[np.float32]) -> Image:
    """The picture whose pixels are (height, width, 3) floats 0-1, rounded as diffusers does it.

    Raises BadOutputError if any is not a number.
    """
    import numpy as np
    from PIL import Image

    num_bad = int(np.size(pixels) - np.isfinite(pixels).sum())
    if num_bad:
        raise BadOutputError(
            f"the model computed NaN ({num_bad} of {np.size(pixels)} values); float16 is often too narrow: try bfloat16"
        )
    return Image.fromarray((pixels * 255).round().astype("uint8"))


def grid_of(pipeline: DiffusionPipeline) -> int:
    """Every side of an output of `pipeline` is a multiple of this."""
    factor = int(pipeline.vae_scale_factor)
    return factor if type(pipeline).__name__.startswith("StableDiffusion") else 2 * factor


def release_memory() -> None:
    """Give the device back the memory that is no longer in use."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def facts_of(pipeline: DiffusionPipeline) -> Facts:
    """Class, commit, attention, dtype, device, and whether the denoiser's blocks are compiled."""
    denoiser = denoiser_of(pipeline)
    return {
        "pipeline": type(pipeline).__name__,
        "commit": commit_in(str(pipeline.config.get("_name_or_path", ""))),
        "attention": _attention(denoiser),
        "dtype": str(denoiser.dtype).removeprefix("torch."),
        "device": _name_of(str(pipeline._execution_device)),  # where it computes, also if weights wait elsewhere
        "compiled": any(getattr(part, "_compiled_call_impl", None) is not None for part in denoiser.modules()),
        **({"lora": said} if (said := lora.facts(pipeline)) else {}),
    }


def commit_in(folder: str) -> str | None:
    """The commit in the path of a download from the Hub (`snapshots/<commit>`); None for any other folder."""
    path = Path(folder)
    is_download = path.parent.name == "snapshots" and checkpoint.COMMIT.fullmatch(path.name)
    return path.name if is_download else None


def _attention(denoiser: nn.Module) -> str | None:
    """Diffusers' name of the backend; the processor's class where the model has one way only."""
    for module in denoiser.modules():
        processor = getattr(module, "processor", None)
        if processor is None:
            continue
        if not hasattr(processor, "_attention_backend"):
            return type(processor).__name__
        backend = processor._attention_backend or "native"  # loading lets no variable choose another default
        return str(getattr(backend, "value", backend))
    return None


def _name_of(device: str) -> str:
    """What a CUDA device is, since its number says nothing later."""
    if not device.startswith("cuda"):
        return device
    import torch

    return str(torch.cuda.get_device_name(device))
