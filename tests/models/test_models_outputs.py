"""What a diffusion model computes becomes the very picture that diffusers would make of it, or no picture at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from model_cases import FAMILIES, edited, loaded, request

from conftest import Folder
from editeval.editors.diffusion.engine import picture_of
from editeval.errors import BadOutputError

pytestmark = pytest.mark.models


@pytest.mark.parametrize("name", FAMILIES)
def test_a_picture_has_the_bits_that_diffusers_gives_it(
    name: str, tiny: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call with the pipeline's own conversion."""
    editor: Any = loaded(name, tiny(name))
    ours = edited(editor, request())
    pipeline = editor._engine.pipeline
    call = type(pipeline).__call__

    def with_their_pictures(self: Any, **arguments: Any) -> Any:
        found = call(self, **{**arguments, "output_type": "pil"})
        found.images = [np.asarray(image, np.float64) / 255 for image in found.images]
        return found

    monkeypatch.setattr(type(pipeline), "__call__", with_their_pictures)
    assert edited(editor, request()).tobytes() == ours.tobytes()


@pytest.mark.parametrize("part", ["vae", "transformer"])
def test_a_model_that_computes_nan_fails_with_the_reason_and_gives_no_black_picture(part: str, tiny: Folder) -> None:
    import torch

    editor: Any = loaded("qwen_image_edit", tiny("qwen_image_edit"))
    with torch.no_grad():
        next(parameter for parameter in getattr(editor._engine.pipeline, part).parameters()).fill_(float("nan"))
    with pytest.raises(BadOutputError, match=r"the model computed NaN \(\d+ of \d+ values\)"):
        edited(editor, request())


def test_every_level_of_a_channel_is_kept() -> None:
    levels = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1).repeat(3, 2)
    assert np.asarray(picture_of(levels))[..., 0].ravel().tolist() == list(range(256))
