"""Qwen's rotary embedding in real numbers: what the complex one computes, in a form that the compiler can fuse.

Products and sums are the same, in float32. A complex kernel may contract a product and a sum into one rounding, or not:
on a CPU the two are bit-identical for heads of 16 channels and more (the published models have 128) and differ in the
last place of float32 below that.
"""

from __future__ import annotations

import logging
import types
from typing import Any

log = logging.getLogger("editeval")

TRANSFORMER = "QwenImageTransformer2DModel"
PROCESSOR = "QwenDoubleStreamAttnProcessor2_0"
ROTATE = "apply_rotary_emb_qwen"


def rotate_in_real_numbers(denoiser: Any) -> int:
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


def _rotating_in_real_numbers(cls: Any) -> type:
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


def rotate_real(x: Any, turns: Any, use_real: bool = False) -> Any:
    """`x` (batch, tokens, heads, channels), neighbouring channels turned by the complex `turns` (tokens, channels / 2).

    `use_real` is the caller's: cosines and sines instead of complex numbers. Raises ValueError for it.
    """
    import torch

    if use_real:
        raise ValueError(f"acceleration: {ROTATE} is called with use_real; set acceleration: none")
    cos, sin = (part[:, None, :] for part in torch.view_as_real(turns).unbind(-1))
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2).type_as(x)
