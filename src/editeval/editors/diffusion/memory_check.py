"""Whether the weights of a checkpoint fit where they are to go, before any of them is read.

The first look needs no torch, whose import takes longer than a user wants to wait for bad news: memory of the host as
Linux tells it, memory of the GPUs as the driver tells it. Activations come on top and are not counted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from editeval.errors import MachineError
from editeval.machine.gpus import most_free_bytes

KEY = "diffusion_model.params.model_name"
ITEM_BYTES: Mapping[str, int] = {"bfloat16": 2, "float16": 2, "float32": 4}
GIB = 2**30
MEMINFO = Path("/proc/meminfo")
LIMIT = Path("/sys/fs/cgroup/memory.max")


def check(num_bytes: int, device: str, is_offloaded: bool) -> None:
    """Raises MachineError, one line, if weights of `num_bytes` cannot fit; nothing where the system does not tell."""
    if device.startswith("cuda") and not is_offloaded:
        free = most_free_bytes(device, os.environ)
        where, advice = device, "free it, or set diffusion_model.params.cpu_offload: model"
    else:
        free = host_bytes()
        where, advice = "this machine's memory", "stop other programs, or run it on a larger machine or a GPU"
    if free is not None and num_bytes > free:
        raise MachineError(f"{KEY}: {_too_little(num_bytes, where, free)}; {advice}")


def check_gpu(torch: Any, num_bytes: int, device: str) -> None:
    """As `check`, with what torch sees of that very GPU."""
    free, total = torch.cuda.mem_get_info(torch.device(device))
    if num_bytes > free:
        text = f"{_too_little(num_bytes, device, free)} (of {total / GIB:.1f})"
        raise MachineError(f"{KEY}: {text}; free it, or set diffusion_model.params.cpu_offload: model")


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
