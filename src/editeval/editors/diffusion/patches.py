"""The correction that Qwen2.5-VL text encoders of diffusers pipelines need, and why.

Qwen2.5-VL gives every token a position in three dimensions: text counts on, the tokens of an image share one time and
carry their row and column. Until transformers 5.2 the model found the image tokens by itself. Since 5.3 it wants to be
told (`mm_token_type_ids`: 0 text, 1 image, 2 video) and silently counts straight on if it is not. The pipelines
QwenImageEdit, QwenImageEditPlus and LongCatImageEdit of diffusers 0.42 do not tell it, so the transformer receives
conditioning that the model was never trained on (relative change 0.4 on a tiny model).

`tell_token_types` supplies what is missing at the door of the text encoder: for the positive and the negative prompt,
for every pipeline that owns such an encoder, and with nothing to do where the model does not ask. A pipeline that
passes the field itself keeps its own. tests/models/test_models_conditioning.py holds this against a reference that
computes the positions on its own.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import types
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

Args = tuple[object, ...]
Kwargs = dict[str, object]
Components = dict[str, object]
FIELD = "mm_token_type_ids"
_IMAGE, _VIDEO = 1, 2


def tell_token_types(text_encoder: nn.Module) -> RemovableHandle | None:
    """Make every call of `text_encoder` name its image tokens; the hook's handle, None if it does not ask for that."""
    if FIELD not in inspect.signature(type(text_encoder).forward).parameters:
        return None
    image_id, video_id = text_encoder.config.image_token_id, text_encoder.config.video_token_id

    def add_token_types(_module: nn.Module, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs] | None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids is None or kwargs.get("image_grid_thw") is None or kwargs.get(FIELD) is not None:
            return None
        types = _IMAGE * (ids == image_id).int() + _VIDEO * (ids == video_id).int()
        return args, {**kwargs, FIELD: types}

    return text_encoder.register_forward_pre_hook(add_token_types, with_kwargs=True)


log = logging.getLogger("editeval")

TRANSFORMER = "QwenImageTransformer2DModel"
PROCESSOR = "QwenDoubleStreamAttnProcessor2_0"
ROTATE = "apply_rotary_emb_qwen"


def rotate_in_real_numbers(denoiser: nn.Module) -> int:
    """How many attention processors of `denoiser` now turn queries and keys with `rotate_real`.

    0 for every other network, which is left alone. 0 and a warning for Qwen's network if its processors are not those
    that this module knows: it stays as it is. Settings of the processors, such as their attention backend, are kept.
    """
    if type(denoiser).__name__ != TRANSFORMER:
        return 0
    modules = [
        module for module in denoiser.modules() if type(getattr(module, "processor", None)).__name__ == PROCESSOR
    ]
    known = {type(module.processor) for module in modules}
    if len(known) != 1 or not _is_known(*known):
        log.warning(
            "acceleration: %s of this diffusers rotates in a way of its own; its rotary embedding stays complex",
            TRANSFORMER,
        )
        return 0
    real = _rotating_in_real_numbers(*known)
    for module in modules:
        processor = real()
        vars(processor).update(vars(module.processor))
        module.processor = processor
    return len(modules)


def _is_known(cls: type) -> bool:
    call = cls.__call__
    if not isinstance(call, types.FunctionType) or call.__closure__:
        return False
    return ROTATE in call.__code__.co_names and callable(call.__globals__.get(ROTATE))


def _rotating_in_real_numbers(cls: type) -> type:
    """A subclass of `cls` with the very code of its `__call__`, for which alone ROTATE means `rotate_real`.

    diffusers looks ROTATE up in its module: replaced there, it would be another one for every pipeline of the process.
    So the code gets a copy of that module's names, as they are now. The copy has no `__name__`: by that name torch's
    compiler would take the names to be those of the module itself, and guard the complex function instead of this one.
    """
    call = cls.__call__
    names = {name: value for name, value in call.__globals__.items() if name != "__name__"} | {ROTATE: rotate_real}
    turned = types.FunctionType(call.__code__, names, call.__name__, call.__defaults__)
    turned.__kwdefaults__ = call.__kwdefaults__
    return type(cls.__name__, (cls,), {"__call__": turned, "__module__": __name__})


def rotate_real(x: Tensor, turns: Tensor, use_real: bool = False) -> Tensor:
    """`x` (batch, tokens, heads, channels), neighbouring channels turned by the complex `turns` (tokens, channels / 2).

    `use_real` is the caller's: cosines and sines instead of complex numbers. Raises ValueError for it.
    """
    import torch

    if use_real:
        raise ValueError(f"acceleration: {ROTATE} is called with use_real; set acceleration: none")
    cos, sin = (part[:, None, :] for part in torch.view_as_real(turns).unbind(-1))
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2).type_as(x)


_VISION_LANGUAGE = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor", "Qwen3VLProcessor")  # torchvision: for videos
_TEXT_ONLY = ("PixtralProcessor",)  # torchvision: for images, of which FLUX.2 shows its text encoder none


def without_torchvision(folder: Path, index: Mapping[str, object]) -> tuple[Components, Components]:
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


def _image_only(class_name: str) -> type[ProcessorMixin]:
    """That class of transformers, minus its video processor."""
    import transformers

    cls = getattr(transformers, class_name)
    attributes = classmethod(lambda _: ["image_processor", "tokenizer"])
    return type(class_name, (cls,), {"get_attributes": attributes, "__module__": cls.__module__})


def _is_barred(class_name: str) -> bool:
    """Whether transformers has only a placeholder for that class here; versions before 5.3 have the class itself."""
    import transformers

    return not issubclass(getattr(transformers, class_name), transformers.ProcessorMixin)


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a processor: for text it renders the same chat template and returns the same numbers."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
