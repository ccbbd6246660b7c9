"""Every proven family keeps the contract of an editor, and reacts to everything that it is given."""

from __future__ import annotations

from typing import Any

import pytest
from model_cases import FAMILIES, SMALL, difference, edited, loaded, params, request

from conftest import Folder
from contracts.editor_contract import check_editor
from editeval.editors.diffusion.families import FAMILIES as ROWS
from editeval.errors import ConfigError

pytestmark = pytest.mark.models

OFF_BY_DEFAULT = ("flux_kontext", "qwen_image_2_1")  # their authors sample without classifier-free guidance


def test_every_proven_family_is_tested_here() -> None:
    assert set(FAMILIES) == {row.name for row in ROWS.values() if row.proven}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_keeps_the_editor_contract(name: str, tiny: Folder) -> None:
    cls, chosen = params(name, tiny(name))
    check_editor(cls, chosen, [request("a"), request("b", "a blue hat", 7, 2)])


@pytest.mark.parametrize("name", FAMILIES)
def test_every_input_of_an_edit_matters(name: str, tiny: Folder) -> None:
    editor = loaded(name, tiny(name))
    first = edited(editor, request())
    changes: dict[str, Any] = {
        "instruction": request(instruction="remove the dog, please"),
        "seed": request(seed=4),
        "image": request(image=2),
        "steps": request(num_inference_steps=3),
    }
    if "negative_prompt" in ROWS[name].guidance:
        guidance = {"true_cfg_scale": 4.0} if name in OFF_BY_DEFAULT else {}
        first_guided = edited(editor, request(**guidance))
        negative = edited(editor, request(negative_prompt="ugly and blurry", **guidance))
        assert difference(first_guided, negative) > 0, "the negative prompt changes nothing"
    unchanged = [what for what, other in changes.items() if difference(first, edited(editor, other)) == 0]
    assert not unchanged
    editor.unload()


@pytest.mark.parametrize("name", FAMILIES)
def test_guidance_that_is_asked_for_runs_the_denoiser_twice(name: str, tiny: Folder) -> None:
    editor = loaded(name, tiny(name))
    calls = _count_images_denoised(editor)
    overrides = {"true_cfg_scale": 4.0} if name in OFF_BY_DEFAULT else {}
    edited(editor, request(**overrides))
    per_step = sum(calls) / 2
    expected = {"flux2": 1, "instruct_pix2pix": 3}.get(name, 2)  # FLUX.2: distilled; pix2pix: text, image, neither
    assert per_step == expected


def _count_images_denoised(editor: Any) -> list[int]:
    pipeline = editor._engine.pipeline
    calls: list[int] = []
    denoiser = getattr(pipeline, "transformer", None) or pipeline.unet

    def count(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls.append(len(args[0] if args else kwargs["hidden_states"]))

    denoiser.register_forward_pre_hook(count, with_kwargs=True)
    return calls


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in SMALL])
def test_size_source_gives_exactly_the_size_of_the_source(name: str, tiny: Folder) -> None:
    editor = loaded(name, tiny(name), size="source")
    assert edited(editor, request()).size == (96, 64)


def test_size_model_is_what_the_table_says(tiny: Folder) -> None:
    for name in ("flux2_klein", "flux_kontext", "instruct_pix2pix", "longcat_image_edit"):
        editor = loaded(name, tiny(name), size="model")
        assert edited(editor, request()).size == ROWS[name].model_size((96, 64)), name
        editor.unload()


def test_a_step_is_reported_as_soon_as_it_is_through(tiny: Folder) -> None:
    editor = loaded("flux2_klein", tiny("flux2_klein"), num_inference_steps=3)
    steps: list[tuple[int, int]] = []
    editor.edit(request(), lambda step, num_steps: steps.append((step, num_steps)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_distilled_checkpoint_takes_its_own_steps_and_refuses_guidance(tiny: Folder) -> None:
    folder = tiny("flux2_klein_distilled")
    editor = loaded("flux2_klein", folder, num_inference_steps=None)
    steps: list[int] = []
    editor.edit(request(), lambda step, num_steps: steps.append(num_steps))
    assert steps == [4] * 4
    with pytest.raises(ConfigError, match="distilled"):
        loaded("flux2_klein", folder, guidance_scale=4.0)


def test_a_canvas_of_another_aspect_is_composed_and_pix2pix_refuses_it(tiny: Folder) -> None:
    from editeval.errors import EditRefusedError

    klein = loaded("flux2_klein", tiny("flux2_klein"), size="64x128")
    assert edited(klein, request()).size == (64, 128)
    pix2pix = loaded("instruct_pix2pix", tiny("instruct_pix2pix"), size="64x128")
    with pytest.raises(EditRefusedError, match="stretch"):
        edited(pix2pix, request())


def test_one_step_is_refused_where_the_schedule_would_divide_by_zero(tiny: Folder) -> None:
    with pytest.raises(ConfigError, match="at least 2, got 1"):
        edited(loaded("qwen_image_edit", tiny("qwen_image_edit")), request(num_inference_steps=1))


def test_an_unknown_override_is_refused_by_name(tiny: Folder) -> None:
    editor = loaded("flux2_klein", tiny("flux2_klein"))
    with pytest.raises(ConfigError, match="no parameter 'strength' to override; flux2_klein has"):
        edited(editor, request(strength=0.5))


def test_bfloat16_is_the_dtype_of_every_weight(tiny: Folder) -> None:
    import torch

    editor: Any = loaded("qwen_image_edit", tiny("qwen_image_edit"), dtype="bfloat16")
    pipeline = editor._engine.pipeline
    dtypes = {
        p.dtype for part in (pipeline.transformer, pipeline.text_encoder, pipeline.vae) for p in part.parameters()
    }
    assert dtypes == {torch.bfloat16}
    assert edited(editor, request()).size == (96, 64)
