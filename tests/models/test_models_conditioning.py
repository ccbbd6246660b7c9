"""What reaches the transformer is what the model's authors meant: a reference that counts positions itself says so.

The reference calls the language model with explicit positions, which every version of transformers honours; how an
image token's position is counted is written out below from the description of M-RoPE in the Qwen2-VL paper (3.1).
Run it under transformers 5.2 (`make test-versions`) and under the newest (`make test-models`).
"""

from __future__ import annotations

from typing import Any

import pytest
from model_cases import edited, loaded, request

from conftest import Folder, picture
from editeval.editors.diffusion.families import area_size, scaled
from editeval.editors.diffusion.patches import FIELD, tell_token_types
from editeval.images import decode

pytestmark = pytest.mark.models

PROMPT = "put a big blue hat on the cat"
NAMES = ("qwen_image_edit", "qwen_image_edit_plus", "longcat_image_edit")
TOLERANCE = 2e-5  # relative, float32


def received(editor: Any, **overrides: Any) -> list[Any]:
    """The conditioning of every call of the transformer during one edit, positive and negative by turns."""
    seen: list[Any] = []

    def keep(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        assert kwargs.get("encoder_hidden_states_mask") is None, "a mask of ones costs the fast attention backends"
        seen.append(kwargs["encoder_hidden_states"].clone())

    hook = editor._engine.pipeline.transformer.register_forward_pre_hook(keep, with_kwargs=True)
    edited(editor, request(instruction=PROMPT, num_inference_steps=2, **overrides))
    hook.remove()
    return seen[: len(seen) // 2]  # of the first step


def positions(
    ids: list[int], mask: list[int], grid: tuple[int, int, int], image_token: int
) -> list[tuple[int, int, int]]:
    """(time, row, column) of every token: text counts on; an image is a block that starts where the text stopped.

    Padding stands at the origin and is not counted.
    """
    _, rows, columns = (grid[0], grid[1] // 2, grid[2] // 2)  # 2 x 2 patches are merged into one token
    counted: list[tuple[int, int, int]] = []
    following, index = 0, 0
    while index < len(ids):
        if not mask[index]:
            counted.append((0, 0, 0))
            index += 1
        elif ids[index] == image_token:
            block = [(following, following + r, following + c) for r in range(rows) for c in range(columns)]
            counted += block
            index += len(block)
            following += max(rows, columns)
        else:
            counted.append((following,) * 3)
            following, index = following + 1, index + 1
    return counted


def reference(pipeline: Any, inputs: Any) -> Any:
    """The last hidden states of the language model, with positions of our own counting."""
    import torch

    encoder = pipeline.text_encoder
    (ids,), (mask,), (grid,) = (inputs[k].tolist() for k in ("input_ids", "attention_mask", "image_grid_thw"))
    counted = positions(ids, mask, tuple(grid), encoder.config.image_token_id)
    names = ("input_ids", "attention_mask", "pixel_values", "image_grid_thw")
    with torch.no_grad():
        output = encoder.model(
            **{name: inputs[name] for name in names}, position_ids=torch.tensor(counted).T[:, None, :]
        )
    return output.last_hidden_state


def _inputs(pipeline: Any, name: str, prompt: str) -> Any:
    """What the text encoder is meant to see, built here and not taken from the pipeline."""
    source = decode(picture(1))
    mark = "<|vision_start|><|image_pad|><|vision_end|>"
    if name == "qwen_image_edit":
        image, text = scaled(source, area_size(source.size, 1024**2, 32)), pipeline.prompt_template_encode
        text = text.format(prompt)
    else:
        image = scaled(source, area_size(source.size, 384**2, 32))
        text = pipeline.prompt_template_encode.format(f"Picture 1: {mark}" + prompt)
    return pipeline.processor(text=[text], images=image, padding=True, return_tensors="pt")


def relative(a: Any, b: Any) -> float:
    assert a.shape == b.shape
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("name", ["qwen_image_edit", "qwen_image_edit_plus"])
def test_positive_and_negative_conditioning_equal_an_independent_reference(name: str, tiny: Folder) -> None:
    editor: Any = loaded(name, tiny(name))
    positive, negative = received(editor)
    for got, prompt in ((positive, PROMPT), (negative, " ")):
        pipeline = editor._engine.pipeline
        want = reference(pipeline, _inputs(pipeline, name, prompt))[:, 64:]  # the head of the template is dropped
        assert relative(got, want) < TOLERANCE, prompt


def test_the_conditioning_of_longcat_equals_the_reference_on_what_its_encoder_saw(tiny: Folder) -> None:
    editor: Any = loaded("longcat_image_edit", tiny("longcat_image_edit"))
    pipeline = editor._engine.pipeline
    seen: list[dict[str, Any]] = []
    hook = pipeline.text_encoder.register_forward_pre_hook(lambda _m, _a, k: seen.append(dict(k)), with_kwargs=True)
    conditioning = received(editor)
    hook.remove()
    assert len(conditioning) == len(seen) == 2
    for got, inputs in zip(conditioning, seen, strict=True):
        before = inputs["input_ids"][0].tolist().index(pipeline.text_encoder.config.vision_start_token_id)
        want = reference(pipeline, inputs)[:, before : before + got.shape[1]]
        assert relative(got, want) < TOLERANCE


def test_the_conditioning_of_qwen_image_2_1_equals_the_reference_before_the_last_norm(tiny: Folder) -> None:
    """Its pipeline passes the token types by itself, and wants the last layer's output without the final norm."""
    editor: Any = loaded("qwen_image_2_1", tiny("qwen_image_2_1"))
    pipeline = editor._engine.pipeline
    seen: list[dict[str, Any]] = []
    arrived: list[Any] = []
    hooks = [
        pipeline.text_encoder.register_forward_pre_hook(lambda _m, _a, k: seen.append(dict(k)), with_kwargs=True),
        pipeline.transformer.register_forward_pre_hook(
            lambda _m, _a, k: arrived.append(k["encoder_hidden_states"].clone()), with_kwargs=True
        ),
    ]
    edited(editor, request(instruction=PROMPT, true_cfg_scale=4.0))
    for hook in hooks:
        hook.remove()
    assert len(seen) == 2
    for got, inputs in zip(arrived, seen, strict=False):  # the first step: positive, then negative
        before_norm: list[Any] = []
        norm = pipeline.text_encoder.model.language_model.norm
        hook = norm.register_forward_pre_hook(lambda _m, args, into=before_norm: into.append(args[0]))
        reference(pipeline, inputs)
        hook.remove()
        (output,) = before_norm
        want = output[:, -got.shape[1] :]  # the head of the template is dropped, and nothing is padded
        assert got.shape[1] < output.shape[1]
        assert relative(got, want) < TOLERANCE


@pytest.mark.parametrize("name", ["qwen_image_edit", "qwen_image_edit_plus"])
def test_the_reference_tells_right_positions_from_wrong_ones(name: str, tiny: Folder) -> None:
    editor: Any = loaded(name, tiny(name))
    pipeline = editor._engine.pipeline
    want = reference(pipeline, _inputs(pipeline, name, PROMPT))[:, 64:]
    if not pipeline.text_encoder._forward_pre_hooks:
        pytest.skip("this transformers finds the image tokens by itself: there is nothing to switch off")
    pipeline.text_encoder._forward_pre_hooks.clear()  # the correction, off
    got = received(editor)[0]
    assert relative(got, want) > 0.05


@pytest.mark.parametrize("name", NAMES)
def test_every_call_of_a_vision_language_encoder_names_its_image_tokens(name: str, tiny: Folder) -> None:
    editor: Any = loaded(name, tiny(name))
    encoder = editor._engine.pipeline.text_encoder
    if tell_token_types(encoder) is None:
        pytest.skip("this transformers finds the image tokens by itself")
    seen: list[bool] = []

    def look(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        marked = kwargs[FIELD] == 1
        seen.append(bool((marked == (kwargs["input_ids"] == encoder.config.image_token_id)).all() and marked.any()))

    encoder.register_forward_pre_hook(look, with_kwargs=True)
    edited(editor, request(instruction=PROMPT))
    assert seen == [True, True]  # the positive and the negative prompt


def test_guidance_is_off_at_scale_one_and_on_above_it(tiny: Folder) -> None:
    editor = loaded("qwen_image_edit", tiny("qwen_image_edit"))
    assert len(received(editor, true_cfg_scale=1.0)) == 1
    assert len(received(editor, true_cfg_scale=1.5)) == 2
