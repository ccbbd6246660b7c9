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

import inspect
from typing import Any

FIELD = "mm_token_type_ids"
_IMAGE, _VIDEO = 1, 2


def tell_token_types(text_encoder: Any) -> Any | None:
    """Make every call of `text_encoder` name its image tokens; the hook's handle, None if it does not ask for that."""
    if FIELD not in inspect.signature(type(text_encoder).forward).parameters:
        return None
    image_id, video_id = text_encoder.config.image_token_id, text_encoder.config.video_token_id

    def add_token_types(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids is None or kwargs.get("image_grid_thw") is None or kwargs.get(FIELD) is not None:
            return None
        types = _IMAGE * (ids == image_id).int() + _VIDEO * (ids == video_id).int()
        return args, {**kwargs, FIELD: types}

    return text_encoder.register_forward_pre_hook(add_token_types, with_kwargs=True)
