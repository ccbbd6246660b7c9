"""An editor that takes its time and changes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PIL.Image import Image

from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress


@dataclass(frozen=True)
class SleeperParams:
    seconds: float = 1.0


class Sleeper(Editor):
    Params = SleeperParams
    params: SleeperParams
    default_device = "cpu"

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        time.sleep(self.params.seconds)
        progress(1, 1)
        return decode(request.images[0])
