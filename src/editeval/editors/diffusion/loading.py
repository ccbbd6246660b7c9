"""From a checkpoint to a pipeline on its device: straight there, in the wanted dtype, with no second copy in memory.

Whether the weights fit is looked at before any of them is read, and before torch is imported, which takes longer than a
user wants to wait for bad news: memory of the host as Linux reports it, memory of the GPUs as the driver does.
Activations come on top and are not counted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from editeval.editors.diffusion import checkpoint, lora
from editeval.editors.diffusion.families import parse_size
from editeval.editors.diffusion.patches import rotate_in_real_numbers, tell_token_types, without_torchvision
from editeval.errors import ConfigError, MachineError
from editeval.machine.gpus import most_free_bytes
from editeval.machine.versions import to_install
from editeval.text import brief
from editeval.types import WEIGHTS, WHERE_SET

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from torch import nn

log = logging.getLogger("editeval")

DTYPES = ("bfloat16", "float16", "float32")
ACCELERATIONS = ("none", "exact")
OFFLOADS = ("none", "model", "sequential")
PARAMS = "diffusion_model.params"
ITEM_BYTES: Mapping[str, int] = {"bfloat16": 2, "float16": 2, "float32": 4}
GIB = 2**30
MEMINFO = Path("/proc/meminfo")
LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class PipelineParams:
    """What to load and how. Raises ValueError, one line, for values that cannot work anywhere."""

    model_name: str = field(default="", metadata=WEIGHTS)  # Hub id, or a folder
    revision: str | None = None  # branch, tag or commit on the Hub; None: its main branch
    dtype: str = "bfloat16"  # of the weights and the computation: bfloat16 | float16 | float32
    disable_progress_bar: bool = True  # False: diffusers' own bar in the worker's log
    size: str = "model"  # model (what its authors chose for that aspect) | source (scaled back to it) | WIDTHxHEIGHT
    attention_backend: str | None = None  # a name that diffusers knows, for instance _native_cudnn; None: torch decides
    compile: bool = False  # compile the denoiser's repeated blocks; the first edit takes minutes longer
    acceleration: str = "none"  # none | exact: compiled blocks and real rotations; other rounding, the same mathematics
    cpu_offload: str = "none"  # none | model | sequential: weights stay in host memory and visit the GPU; slow
    vae_tiling: bool = False  # decode in tiles: less memory, faint seams
    lora: tuple[Mapping[str, object], ...] = field(default=(), metadata={**WEIGHTS, **WHERE_SET})
    """Adapters: a list of {path, weight, adapter_name, weight_name, revision}; see diffusion/lora.py."""

    def __post_init__(self) -> None:
        lora.adapters(self.lora)
        if not self.model_name:
            raise ValueError("model_name: empty; give a Hub id or the folder of a checkpoint")
        for name, allowed in (("dtype", DTYPES), ("cpu_offload", OFFLOADS), ("acceleration", ACCELERATIONS)):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name}: must be one of {', '.join(allowed)}, got {value!r}")
        parse_size(self.size)

    def wanted_family(self) -> str:
        """The family that the checkpoint must have; "auto": any."""
        return "auto"

    def runs_remote_code(self) -> bool:
        """Whether Python from the checkpoint runs."""
        return False


def load_pipeline(params: PipelineParams, device: str, allow_pickles: bool = False) -> DiffusionPipeline:
    """The diffusers pipeline of `params` on `device`, rightly conditioned. Raises MachineError or ConfigError.

    Weights are safetensors, which are numbers only, unless the user consents to pickles, which can run code.
    """
    folder = Path(params.model_name).expanduser() if checkpoint.is_path(params.model_name) else None
    # before the libraries take their seconds
    num_bytes = 0 if folder is None else _check_folder(folder, params, device, allow_pickles)
    torch, diffusers = import_libraries()
    if params.disable_progress_bar:
        _silence(diffusers)
    _check_device(torch, device, params)
    if folder is None:
        use_safetensors = None if allow_pickles else True
        how = {"trust_remote_code": params.runs_remote_code(), "use_safetensors": use_safetensors}
        folder = checkpoint.download(diffusers, params.model_name, params.revision, how)
        num_bytes = _check_folder(folder, params, device, allow_pickles)
    if device.startswith("cuda") and params.cpu_offload == "none":
        check_gpu(torch, num_bytes, device)
    pipeline = _from_folder((torch, diffusers), folder, params, device, allow_pickles)
    _place(pipeline, params, device)
    _correct(pipeline)
    lora.load(pipeline, params.lora)
    _accelerate(pipeline, params)
    return pipeline


def _from_folder(
    libraries: tuple[ModuleType, ModuleType], folder: Path, params: PipelineParams, device: str, allow_pickles: bool
) -> DiffusionPipeline:
    torch, diffusers = libraries
    arguments: dict[str, object] = {"low_cpu_mem_usage": True, "trust_remote_code": params.runs_remote_code()}
    arguments["use_safetensors"] = None if allow_pickles else True  # None: safetensors where there are any
    if params.cpu_offload == "none":
        arguments["device_map"] = "cuda" if device.startswith("cuda") else device
    index = checkpoint.read_index(str(folder), None)
    try:
        given, later = without_torchvision(folder, index)
        pipeline = diffusers.DiffusionPipeline.from_pretrained(
            folder, dtype=getattr(torch, params.dtype), **arguments, **given
        )
    except (OSError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise MachineError(f"{checkpoint.KEY}: {folder} cannot be loaded: {brief(error)}") from error
    if later:
        pipeline.register_modules(**later)
    return pipeline


def _check_folder(folder: Path, params: PipelineParams, device: str, allow_pickles: bool) -> int:
    """Bytes of the weights once loaded. Raises MachineError, one line, if something lacks or there is no room."""
    checkpoint.check_complete(folder, checkpoint.read_index(str(folder), None), allow_pickles)
    num_bytes = checkpoint.num_parameters(folder) * ITEM_BYTES[params.dtype]
    check_room(num_bytes, device, params.cpu_offload != "none")
    return num_bytes


def import_libraries() -> tuple[ModuleType, ModuleType]:
    """(torch, diffusers). Raises MachineError naming the install command if a package is missing."""
    try:
        import diffusers
        import torch
        import transformers  # noqa: F401  the pipelines' text encoders
    except ImportError as error:
        raise MachineError(f"diffusion_model: {error.name or error} is missing; {to_install('gpu')}") from error
    return torch, diffusers


def _silence(diffusers: ModuleType) -> None:
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def _check_device(torch: ModuleType, device: str, params: PipelineParams) -> None:
    if not device.startswith("cuda"):
        if params.cpu_offload != "none":
            raise ConfigError(f"{PARAMS}.cpu_offload: {params.cpu_offload!r} needs a GPU, the device is {device}")
        return
    index = int(device.partition(":")[2] or 0)
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        built = "this torch has no CUDA" if torch.version.cuda is None else f"torch sees {torch.cuda.device_count()}"
        raise MachineError(f"diffusion_model: {device} cannot be used: {built}; check the driver, or use [cpu]")
    torch.cuda.set_device(index)  # "cuda" in a device map means the current one


def _place(pipeline: DiffusionPipeline, params: PipelineParams, device: str) -> None:
    if params.cpu_offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif params.cpu_offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)  # all there already, but for what a device map leaves behind
    if params.vae_tiling:
        if not hasattr(pipeline.vae, "enable_tiling"):
            raise ConfigError(f"{PARAMS}.vae_tiling: {type(pipeline.vae).__name__} has no tiling; leave it out")
        pipeline.vae.enable_tiling()


def _correct(pipeline: DiffusionPipeline) -> None:
    encoder = getattr(pipeline, "text_encoder", None)
    if encoder is not None and tell_token_types(encoder) is not None:
        log.info("%s: its text encoder is told which tokens are image", type(pipeline).__name__)


def _accelerate(pipeline: DiffusionPipeline, params: PipelineParams) -> None:
    denoiser = denoiser_of(pipeline)
    if params.acceleration == "exact":
        rotate_in_real_numbers(denoiser)  # the compiler fuses no complex numbers
    name = params.attention_backend
    if name is not None or "DIFFUSERS_ATTN_BACKEND" in os.environ:  # a variable that no run records decides nothing
        _set_attention(denoiser, name or "native")
    if params.compile or params.acceleration == "exact":
        try:
            denoiser.compile_repeated_blocks(fullgraph=True, dynamic=True)
        except ValueError as error:
            raise ConfigError(f"{PARAMS}.compile: {brief(error)}; leave it out") from error


def _set_attention(denoiser: nn.Module, name: str) -> None:
    from diffusers.models.attention_dispatch import attention_backend

    try:
        with attention_backend("native"):  # undoes what the next line does to all other models of this process
            denoiser.set_attention_backend(name)
    except (AttributeError, ImportError, RuntimeError, ValueError) as error:
        raise MachineError(f"{PARAMS}.attention_backend: {name!r} cannot be used here: {brief(error)}") from error
    processors = [module.processor for module in denoiser.modules() if hasattr(module, "processor")]
    if not any(getattr(processor, "_attention_backend", None) for processor in processors) and name != "native":
        raise ConfigError(f"{PARAMS}.attention_backend: {type(denoiser).__name__} has one way only; leave it out")


def denoiser_of(pipeline: DiffusionPipeline) -> nn.Module:
    """The network that runs at every step."""
    return getattr(pipeline, "transformer", None) or pipeline.unet


def check_room(num_bytes: int, device: str, is_offloaded: bool) -> None:
    """Raises MachineError, one line, if weights of `num_bytes` cannot fit; nothing where the system does not tell."""
    if device.startswith("cuda") and not is_offloaded:
        free = most_free_bytes(device, os.environ)
        where, advice = device, "free it, or set diffusion_model.params.cpu_offload: model"
    else:
        free = host_bytes()
        where, advice = "this machine's memory", "stop other programs, or run it on a larger machine or a GPU"
    if free is not None and num_bytes > free:
        raise MachineError(f"{checkpoint.KEY}: {_too_little(num_bytes, where, free)}; {advice}")


def check_gpu(torch: ModuleType, num_bytes: int, device: str) -> None:
    """As `check_room`, with what torch sees of that very GPU."""
    free, total = torch.cuda.mem_get_info(torch.device(device))
    if num_bytes > free:
        text = f"{_too_little(num_bytes, device, free)} (of {total / GIB:.1f})"
        raise MachineError(f"{checkpoint.KEY}: {text}; free it, or set diffusion_model.params.cpu_offload: model")


def _too_little(num_bytes: int, where: str, free: float) -> str:
    return f"the weights take {num_bytes / GIB:.1f} GiB, {where} has {free / GIB:.1f} GiB free"


def host_bytes(meminfo: Path = MEMINFO, limit: Path = LIMIT) -> int | None:
    """What the host can still give without swapping, a container's limit applied; None where Linux does not tell."""
    found = []
    with suppress(OSError, ValueError, StopIteration):
        lines = meminfo.read_text("ascii").splitlines()
        found.append(int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024)
    with suppress(OSError, ValueError):  # no limit: "max", which is no number
        found.append(int(limit.read_text("ascii")))
    return min(found, default=None)
