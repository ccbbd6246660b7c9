"""An editor that says which GPUs its process sees, or asks for more memory than there is. Loaded by its dotted path."""

from __future__ import annotations

import os
from dataclasses import dataclass

from PIL import Image

from editeval.errors import EditRefusedError
from editeval.types import Editor, EditRequest, Progress

TOO_MUCH = "take everything"
HALF = "take half"


@dataclass(frozen=True)
class WitnessParams:
    """None."""


class Witness(Editor):
    """Does what the instruction says; anything but the two constants above makes it refuse, and say what it sees."""

    Params = WitnessParams
    _device = ""

    def load(self, device: str) -> None:
        self._device = device

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        import torch

        if request.instruction in (TOO_MUCH, HALF):
            total = torch.cuda.get_device_properties(self._device).total_memory
            share = 0.5 if request.instruction == HALF else 1.5
            taken = torch.empty(int(share * total), dtype=torch.uint8, device=self._device)
            return Image.new("RGB", (8, 8), (taken.ndim, 0, 0))
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise EditRefusedError(f"visible {visible!r}, {torch.cuda.device_count()} seen, mine is {self._device}")
