"""An editor that gets its model from the Hub, and says which commit it has loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from editeval.images import decode
from editeval.types import Editor, EditRequest, Facts, HubModel, Progress


@dataclass(frozen=True)
class HubParams:
    model_path: str = ""
    commit: str = field(default="", metadata={"identity": False})
    cache: str = field(default="", metadata={"identity": False})  # of the Hub; empty: nobody asks where it came from


class HubEditor(Editor):
    Params = HubParams
    params: HubParams
    default_device = "cpu"

    @classmethod
    def hub_model(cls, params: Any) -> HubModel | None:
        return HubModel("owner/name", None, "config.json", cache_dir=params.cache) if params.cache else None

    def facts(self) -> Facts:
        return {"commit": self.params.commit}

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        progress(1, 1)
        return Image.new("RGB", decode(request.images[0]).size, "red")
