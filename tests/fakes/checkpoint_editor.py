"""An editor whose quality is written in its checkpoint: `quality` in config.json, the share of targets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from editeval.errors import MachineError
from editeval.images import decode
from editeval.types import WEIGHTS, Editor, EditRequest, Progress

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class CheckpointParams:
    notes: str = ""  # a file that gets a line for each model that is loaded
    model_name: str = field(default="", metadata=WEIGHTS)


class CheckpointEditor(Editor):
    Params = CheckpointParams
    default_device = "cpu"
    sees_target: ClassVar[bool] = True
    quality = 0.0

    def load(self, device: str) -> None:
        path = Path(self.params.model_name)
        told = json.loads((path / "config.json").read_text())
        if "quality" not in told:
            raise MachineError(f"diffusion_model.params.model_name: {path}: its config.json has no quality")
        self.quality = float(told["quality"])
        if self.params.notes:
            with Path(self.params.notes).open("a") as notes:
                notes.write(f"{path.name}\n")

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        del progress
        assert request.target is not None
        is_good = np.random.default_rng(request.seed).random() < self.quality
        return decode(request.target if is_good else request.images[0])
