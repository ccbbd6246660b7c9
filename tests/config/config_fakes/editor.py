"""An editor with the parameters that v2's Qwen editor had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PIL.Image import Image

from editeval.types import Editor, EditRequest, Progress


@dataclass(frozen=True, slots=True)
class EditorParams:
    model_name: str = "Qwen/Qwen-Image-Edit"
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    num_inference_steps: int = 50
    true_cfg_scale: float = 4.0
    negative_prompt: str = " "
    disable_progress_bar: bool = True

    def __post_init__(self) -> None:
        if self.num_inference_steps < 1:
            raise ValueError(f"num_inference_steps: at least 1, got {self.num_inference_steps}")


class FakeEditor(Editor):
    Params = EditorParams

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        raise AssertionError("never called: reading a configuration edits nothing")
