"""Text and image processors for machines without torchvision, which transformers wants for what no edit contains."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_VISION_LANGUAGE = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor", "Qwen3VLProcessor")  # torchvision: for videos
_TEXT_ONLY = ("PixtralProcessor",)  # torchvision: for images, of which FLUX.2 shows its text encoder none


def without_torchvision(folder: Path, index: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Components of the checkpoint that would not load without torchvision, by name; empty where it is installed.

    The first go into `from_pretrained`; they read images with Pillow, as these models' first processors did (numbers
    differ in the last places). The second are registered afterwards, since their real class cannot even be named here:
    None takes their place until then.
    """
    if importlib.util.find_spec("torchvision") is not None:
        return {}, {}
    named = {name: entry[-1] for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2}
    given = {
        name: _image_only(cls).from_pretrained(folder / name) for name, cls in named.items() if cls in _VISION_LANGUAGE
    }
    later = {name: _tokenizer(folder / name) for name, cls in named.items() if cls in _TEXT_ONLY and _is_barred(cls)}
    return given | dict.fromkeys(later), later


def _image_only(class_name: str) -> Any:
    """That class of transformers, minus its video processor."""
    import transformers

    cls = getattr(transformers, class_name)
    attributes = classmethod(lambda _: ["image_processor", "tokenizer"])
    return type(class_name, (cls,), {"get_attributes": attributes, "__module__": cls.__module__})


def _is_barred(class_name: str) -> bool:
    """Whether transformers has only a placeholder for that class here; versions before 5.3 have the class itself."""
    import transformers

    return not issubclass(getattr(transformers, class_name), transformers.ProcessorMixin)


def _tokenizer(folder: Path) -> Any:
    """The tokenizer of a processor: for text it renders the same chat template and returns the same numbers."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
