"""An editor that looks for room on its GPU as the diffusion editors do, and says what it found. Computes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass

from PIL import Image

from editeval.images import decode
from editeval.machine.gpus import most_free_bytes
from editeval.types import Editor, EditRequest, Facts, Progress


@dataclass(frozen=True, slots=True)
class RoomyParams:
    """No parameters."""


class RoomyEditor(Editor):
    """`facts()` has the free memory of its GPU."""

    Params = RoomyParams

    def load(self, device: str) -> None:
        self._free_mib = (most_free_bytes("cuda:0", os.environ) or 0) // 2**20

    def facts(self) -> Facts:
        return {"free_mib": self._free_mib}

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        return decode(request.images[0])
