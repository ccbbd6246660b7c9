"""editeval's editor for Qwen-Image-Edit-2509 and -2511, with the bench listening; see gpu_recording.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from editeval.editors.diffusers_pipeline import QwenImageEditPlus
from editeval.types import EditRequest, Progress
from gpu_recording import LoadWatch, Recording, begin

if TYPE_CHECKING:
    from PIL.Image import Image


class RecordedQwenImageEditPlus(QwenImageEditPlus):
    """The real one; only what it loaded is filled, and what it made is kept."""

    _recording: Recording

    def load(self, device: str) -> None:
        with LoadWatch() as watch:
            super().load(device)
        engine: Any = self._engine
        self._recording = begin(engine.pipeline, self.params.model_name, watch, self.worker)

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        image = super().edit(request, progress)
        self._recording.finish(request.key)
        return image
