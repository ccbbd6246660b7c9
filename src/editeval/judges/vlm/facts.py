"""What a loaded checkpoint of transformers says of itself."""

from __future__ import annotations

from typing import Any

from editeval.types import Facts


def facts_of(model: Any) -> Facts:
    """Class, commit (None unless it came from the hub), attention, dtype, and the devices that hold its weights."""
    places = sorted({str(parameter.device) for parameter in model.parameters()})
    return {
        "model": type(model).__name__,
        "commit": getattr(model.config, "_commit_hash", None),
        "attention": getattr(model.config, "_attn_implementation", None),
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": ", ".join(dict.fromkeys(_name_of(place) for place in places)),
        "num_devices": len(places),
    }


def _name_of(device: str) -> str:
    """What a CUDA device is, since its number says nothing later."""
    if not device.startswith("cuda"):
        return device
    import torch

    return str(torch.cuda.get_device_name(device))
