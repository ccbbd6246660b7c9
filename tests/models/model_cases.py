"""What the model tests share: requests, and how each tiny family is called so that an edit takes little time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from conftest import picture
from editeval import plugins
from editeval.types import Editor, EditRequest

FAMILIES = (
    "qwen_image_edit",
    "qwen_image_edit_plus",
    "flux_kontext",
    "flux2",
    "flux2_klein",
    "instruct_pix2pix",
    "longcat_image_edit",
    "qwen_image_2_1",
)
SMALL = {"longcat_image_edit": "source"}  # it always works at a megapixel; the others take a small canvas
CANVAS = "96x64"


def params(name: str, folder: Path, **more: Any) -> tuple[type[Editor], Any]:
    """(editor class, params) for the tiny checkpoint `name` in `folder`."""
    kind = name if name.startswith("qwen_image_edit") else "diffusers_pipeline"
    cls = plugins.load("editors", kind)
    chosen = {"dtype": "float32", "num_inference_steps": 2, "size": SMALL.get(name, CANVAS)} | more
    return cls, cls.Params(model_name=str(folder), **chosen)


def loaded(name: str, folder: Path, **more: Any) -> Editor:
    """That editor, on the CPU."""
    cls, chosen = params(name, folder, **more)
    editor: Editor = cls(chosen)
    editor.load("cpu")
    return editor


def request(
    key: str = "a", instruction: str = "make it red", seed: int = 3, image: int = 1, **more: Any
) -> EditRequest:
    """An edit of a 96 x 64 picture; `more` are its overrides."""
    return EditRequest(key, (picture(image),), instruction, seed, more)


def edited(editor: Editor, wanted: EditRequest) -> Image.Image:
    """The edit, without caring for steps."""
    return editor.edit(wanted, lambda step, num_steps: None)


def difference(a: Image.Image, b: Image.Image) -> int:
    """The largest difference of two equally large images, 0-255."""
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())
