"""From a checkpoint to a pipeline on its device: straight there, in the wanted dtype, with no second copy in memory."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editeval.editors.diffusion import checkpoint, download, memory_check
from editeval.editors.diffusion.patches import rotate_in_real_numbers, tell_token_types, without_torchvision
from editeval.errors import ConfigError, MachineError

log = logging.getLogger("editeval")

DTYPES = ("bfloat16", "float16", "float32")
ACCELERATIONS = ("none", "exact")
OFFLOADS = ("none", "model", "sequential")
PARAMS = "diffusion_model.params"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """What to load and how. Raises ValueError, one line, for values that cannot work anywhere."""

    model_name: str
    revision: str | None
    dtype: str
    family: str = "auto"
    trust_remote_code: bool = False
    cpu_offload: str = "none"
    vae_tiling: bool = False
    attention_backend: str | None = None
    compile: bool = False
    acceleration: str = "none"
    is_quiet: bool = True  # no bars of the libraries while loading

    def __post_init__(self) -> None:
        if not self.model_name:
            raise ValueError("model_name: empty; give a Hub id or the folder of a checkpoint")
        for name, allowed in (("dtype", DTYPES), ("cpu_offload", OFFLOADS), ("acceleration", ACCELERATIONS)):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name}: must be one of {', '.join(allowed)}, got {value!r}")
        if self.trust_remote_code and not _COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"trust_remote_code: needs `revision` pinned to a commit of 40 hex digits, got {self.revision!r}"
            )

    @property
    def is_compiled(self) -> bool:
        """Whether the repeated blocks of the denoiser are compiled."""
        return self.compile or self.acceleration == "exact"


def load_pipeline(source: ModelSource, device: str) -> Any:
    """The diffusers pipeline of `source` on `device`, rightly conditioned. Raises MachineError or ConfigError."""
    folder = Path(source.model_name).expanduser() if checkpoint.is_path(source.model_name) else None
    num_bytes = (
        0 if folder is None else _check_folder(folder, source, device)
    )  # before the libraries take their seconds
    torch, diffusers = import_libraries()
    if source.is_quiet:
        _silence(diffusers)
    _check_device(torch, device, source)
    if folder is None:
        folder = download.download(diffusers, source.model_name, source.revision, source.trust_remote_code)
        num_bytes = _check_folder(folder, source, device)
    if device.startswith("cuda") and source.cpu_offload == "none":
        memory_check.check_gpu(torch, num_bytes, device)
    pipeline = _from_folder(torch, diffusers, folder, source, device)
    _place(pipeline, source, device)
    _correct(pipeline)
    _accelerate(pipeline, source)
    return pipeline


def _from_folder(torch: Any, diffusers: Any, folder: Path, source: ModelSource, device: str) -> Any:
    arguments: dict[str, Any] = {"low_cpu_mem_usage": True, "trust_remote_code": source.trust_remote_code}
    if source.cpu_offload == "none":
        arguments["device_map"] = "cuda" if device.startswith("cuda") else device
    index = checkpoint.read_index(str(folder), None)
    try:
        given, later = without_torchvision(folder, index)
        pipeline = diffusers.DiffusionPipeline.from_pretrained(
            folder, dtype=getattr(torch, source.dtype), **arguments, **given
        )
    except (OSError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise MachineError(f"{download.KEY}: {folder} cannot be loaded: {_line(error)}") from error
    if later:
        pipeline.register_modules(**later)
    return pipeline


def _check_folder(folder: Path, source: ModelSource, device: str) -> int:
    """Bytes of the weights once loaded. Raises MachineError, one line, if something lacks or there is no room."""
    checkpoint.check_complete(folder, checkpoint.read_index(str(folder), None))
    num_bytes = checkpoint.num_parameters(folder) * memory_check.ITEM_BYTES[source.dtype]
    memory_check.check(num_bytes, device, source.cpu_offload != "none")
    return num_bytes


def import_libraries() -> tuple[Any, Any]:
    """(torch, diffusers). Raises MachineError naming the install command if a package is missing."""
    try:
        import diffusers
        import torch
        import transformers  # noqa: F401  the pipelines' text encoders
    except ImportError as error:
        raise MachineError(f"diffusion_model: {error.name or error} is missing; {download.INSTALL}") from error
    return torch, diffusers


def _silence(diffusers: Any) -> None:
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def _check_device(torch: Any, device: str, source: ModelSource) -> None:
    if not device.startswith("cuda"):
        if source.cpu_offload != "none":
            raise ConfigError(f"{PARAMS}.cpu_offload: {source.cpu_offload!r} needs a GPU, the device is {device}")
        return
    index = int(device.partition(":")[2] or 0)
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        built = "this torch has no CUDA" if torch.version.cuda is None else f"torch sees {torch.cuda.device_count()}"
        raise MachineError(f"diffusion_model: {device} cannot be used: {built}; check the driver, or use [cpu]")
    torch.cuda.set_device(index)  # "cuda" in a device map means the current one


def _place(pipeline: Any, source: ModelSource, device: str) -> None:
    if source.cpu_offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif source.cpu_offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)  # all there already, but for what a device map leaves behind
    if source.vae_tiling:
        if not hasattr(pipeline.vae, "enable_tiling"):
            raise ConfigError(f"{PARAMS}.vae_tiling: {type(pipeline.vae).__name__} has no tiling; leave it out")
        pipeline.vae.enable_tiling()


def _correct(pipeline: Any) -> None:
    encoder = getattr(pipeline, "text_encoder", None)
    if encoder is not None and tell_token_types(encoder) is not None:
        log.info("%s: its text encoder is told which tokens are image", type(pipeline).__name__)


def _accelerate(pipeline: Any, source: ModelSource) -> None:
    denoiser = denoiser_of(pipeline)
    if source.acceleration == "exact":
        rotate_in_real_numbers(denoiser)  # the compiler fuses no complex numbers
    name = source.attention_backend
    if name is not None or "DIFFUSERS_ATTN_BACKEND" in os.environ:  # a variable that no run records decides nothing
        _set_attention(denoiser, name or "native")
    if source.is_compiled:
        try:
            denoiser.compile_repeated_blocks(fullgraph=True, dynamic=True)
        except ValueError as error:
            raise ConfigError(f"{PARAMS}.compile: {_line(error)}; leave it out") from error


def _set_attention(denoiser: Any, name: str) -> None:
    from diffusers.models.attention_dispatch import attention_backend

    try:
        with attention_backend("native"):  # undoes what the next line does to all other models of this process
            denoiser.set_attention_backend(name)
    except (AttributeError, ImportError, RuntimeError, ValueError) as error:
        raise MachineError(f"{PARAMS}.attention_backend: {name!r} cannot be used here: {_line(error)}") from error
    processors = [module.processor for module in denoiser.modules() if hasattr(module, "processor")]
    if not any(getattr(processor, "_attention_backend", None) for processor in processors) and name != "native":
        raise ConfigError(f"{PARAMS}.attention_backend: {type(denoiser).__name__} has one way only; leave it out")


def denoiser_of(pipeline: Any) -> Any:
    """The network that runs at every step."""
    return getattr(pipeline, "transformer", None) or pipeline.unet


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
