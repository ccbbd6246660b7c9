"""An editor with a stand-in for torch: the instruction says how many GiB a request allocates on its two GPUs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from PIL import Image

from editeval.types import Editor, EditRequest, Progress

WEIGHTS = 1 << 30


class Cuda:
    """As torch.cuda counts: the peak is a running maximum until it is reset."""

    def __init__(self) -> None:
        self.peaks = [WEIGHTS, WEIGHTS]

    def is_initialized(self) -> bool:
        return True

    def device_count(self) -> int:
        return len(self.peaks)

    def reset_peak_memory_stats(self, device: int) -> None:
        self.peaks[device] = WEIGHTS

    def max_memory_allocated(self, device: int = 0) -> int:
        return self.peaks[device]

    def allocate(self, device: int, num_bytes: int) -> None:
        self.peaks[device] = max(self.peaks[device], WEIGHTS + num_bytes)


@dataclass(frozen=True, slots=True)
class AllocatingParams:
    """No parameters."""


class AllocatingEditor(Editor):
    """Load it in a process of its own: it puts its torch where the real one would be."""

    Params = AllocatingParams
    default_device = "cpu"

    def load(self, device: str) -> None:
        module: Any = ModuleType("torch")
        module.cuda = Cuda()
        sys.modules["torch"] = module

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        torch: Any = sys.modules["torch"]
        first, second = (float(word) for word in request.instruction.split())
        torch.cuda.allocate(0, int(first * 2**30))
        torch.cuda.allocate(1, int(second * 2**30))
        return Image.new("RGB", (8, 8), "red")
