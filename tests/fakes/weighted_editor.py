"""An editor whose pixels follow from the content of a local checkpoint. Loaded by its dotted path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress
from fakes import weighted_shade


@dataclass(frozen=True)
class WeightedParams:
    model_path: str = ""  # folder with model.safetensors
    raises: tuple[str, ...] = ()  # keys of requests that fail
    trains: bool = field(default=False, metadata={"identity": False})  # its checkpoint is overwritten while it loads


class WeightedEditor(Editor):
    Params = WeightedParams
    params: WeightedParams
    default_device = "cpu"

    def load(self, device: str) -> None:
        weights = Path(self.params.model_path, "model.safetensors").read_bytes() if self.params.model_path else b""
        if self.params.trains:
            Path(self.params.model_path, "model.safetensors").write_bytes(weights[::-1] + b"more")
        self._level = hashlib.sha256(weights).digest()[0]

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        if request.key in self.params.raises:
            raise RuntimeError("cannot edit this")
        progress(1, 1)
        size = decode(request.images[0]).size
        return Image.new("RGB", size, (self._level, weighted_shade.LEVEL, len(request.instruction) % 256))
