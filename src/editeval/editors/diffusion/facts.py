"""What a loaded diffusers pipeline says of itself, read off the pipeline and not off its parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from editeval.editors.diffusion.loading import denoiser_of
from editeval.types import Facts

_COMMIT = re.compile(r"[0-9a-f]{40}")


def facts_of(pipeline: Any) -> Facts:
    """Class, commit, attention, dtype, device, and whether the denoiser's blocks are compiled."""
    denoiser = denoiser_of(pipeline)
    return {
        "pipeline": type(pipeline).__name__,
        "commit": commit_in(str(pipeline.config.get("_name_or_path", ""))),
        "attention": _attention(denoiser),
        "dtype": str(denoiser.dtype).removeprefix("torch."),
        "device": _name_of(str(pipeline._execution_device)),  # where it computes, also if weights wait elsewhere
        "compiled": any(getattr(part, "_compiled_call_impl", None) is not None for part in denoiser.modules()),
    }


def commit_in(folder: str) -> str | None:
    """The commit in the path of a download from the Hub (`snapshots/<commit>`); None for any other folder."""
    path = Path(folder)
    is_download = path.parent.name == "snapshots" and _COMMIT.fullmatch(path.name)
    return path.name if is_download else None


def _attention(denoiser: Any) -> str | None:
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
