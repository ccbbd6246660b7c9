"""Image processors for machines without torchvision, which transformers wants for videos that no edit contains."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_VISION_LANGUAGE = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor", "Qwen3VLProcessor")


def without_torchvision(folder: Path, index: dict[str, Any]) -> dict[str, Any]:
    """Components of the checkpoint that would not load without torchvision, by name; empty where it is installed.

    They read images with Pillow instead, as these models' first processors did; numbers differ in the last places.
    """
    if importlib.util.find_spec("torchvision") is not None:
        return {}
    named = {name: entry[-1] for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2}
    wanted = {name: cls for name, cls in named.items() if cls in _VISION_LANGUAGE}
    return {name: _image_only(cls).from_pretrained(folder / name) for name, cls in wanted.items()}


def _image_only(class_name: str) -> Any:
    """That class of transformers, minus its video processor."""
    import transformers

    cls = getattr(transformers, class_name)
    attributes = classmethod(lambda _: ["image_processor", "tokenizer"])
    return type(class_name, (cls,), {"get_attributes": attributes, "__module__": cls.__module__})
