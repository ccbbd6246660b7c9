"""An editor that paints everything in the shade of whichever version of the library `shade` its interpreter has."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress


@dataclass(frozen=True)
class TintedParams:
    pass


class TintedEditor(Editor):
    Params = TintedParams
    default_device = "cpu"

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        import shade

        return Image.new("RGB", decode(request.images[0]).size, (shade.LEVEL, 0, 0))
