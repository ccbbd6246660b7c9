"""What each pipeline is given is what its authors meant it to get: the whole picture, unstretched, and the instruction.

The expectation is computed here, from the picture and the rule of the family; what arrives is caught at the door of the
network that gets it. Each test is about a trap that its pipeline has (named in its docstring or its name).
"""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from model_cases import FAMILIES, difference, edited, loaded, request
from PIL import Image

from conftest import Folder, picture
from editeval.editors.diffusion.families import FAMILIES as ROWS
from editeval.errors import EditRefusedError
from editeval.images import decode
from editeval.types import EditRequest

pytestmark = pytest.mark.models

ODD = (100, 70)  # on nobody's grid
MODEL_SIZE = {  # what each family works at for a source of 100 x 70, written down by hand
    "qwen_image_edit": (1216, 864),
    "qwen_image_edit_plus": (1216, 864),
    "qwen_image_2_1": (1216, 864),
    "flux_kontext": (1248, 832),
    "flux2": (96, 64),
    "flux2_klein": (96, 64),
    "instruct_pix2pix": (512, 360),
    "longcat_image_edit": (1232, 864),
}


def odd(seed: int = 1, **overrides: Any) -> EditRequest:
    """An edit of a picture whose sides no model has."""
    return dataclasses.replace(request(**overrides), images=(picture(seed, ODD),))


def encoded(editor: Any, wanted: EditRequest) -> tuple[list[Any], Image.Image]:
    """The pictures that the autoencoder encodes in the course of an edit (channels, height, width), and the edit."""
    pipeline = editor._engine.pipeline
    seen: list[Any] = []
    plain = pipeline.vae.encode

    def encode(x: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(x.float().numpy().squeeze())
        return plain(x, *args, **kwargs)

    pipeline.vae.encode = encode
    made = edited(editor, wanted)
    del pipeline.vae.encode
    return seen, made


@pytest.mark.parametrize("name", FAMILIES)
def test_the_autoencoder_sees_the_whole_source_once_at_the_familys_size_and_the_edit_has_it(
    name: str, tiny: Folder
) -> None:
    """Traps: FLUX.2 crops what is off its grid, Kontext picks a size, LongCat and Qwen resize by themselves."""
    editor = loaded(name, tiny(name), size="model", num_inference_steps=2)
    (seen,), made = encoded(editor, odd())
    width, height = MODEL_SIZE[name]
    assert made.size == (width, height)
    whole = decode(picture(1, ODD)).resize((width, height), Image.Resampling.LANCZOS)
    assert seen.shape[1:] == (height, width)
    assert np.abs(seen[:3] - np.asarray(whole).transpose(2, 0, 1) / 127.5 + 1).max() < 1e-5
    assert ROWS[name].model_size(ODD) == (width, height)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_edit_at_the_size_of_its_source_has_it_however_odd(name: str, tiny: Folder) -> None:
    assert edited(loaded(name, tiny(name), size="source", num_inference_steps=2), odd()).size == ODD


@pytest.mark.parametrize("name", FAMILIES)
def test_an_alpha_channel_is_laid_on_white_and_never_reaches_a_network(name: str, tiny: Folder) -> None:
    """Trap: InstructPix2Pix takes four channels for latents, and answers with eight times the size."""
    buffer = io.BytesIO()
    transparent = decode(picture(1)).convert("RGBA")
    transparent.putalpha(0)
    transparent.save(buffer, "PNG")
    editor = loaded(name, tiny(name))
    wanted = dataclasses.replace(request(), images=(buffer.getvalue(),))
    (seen,), _ = encoded(editor, wanted)
    assert len(seen) == (4 if name == "qwen_image_2_1" else 3)  # its autoencoder has an alpha channel: opaque
    assert seen.min() == seen.max() == 1.0


@pytest.mark.parametrize("name", ["flux_kontext", "flux2", "flux2_klein", "instruct_pix2pix"])
def test_the_text_encoder_reads_the_whole_instruction(name: str, tiny: Folder) -> None:
    editor: Any = loaded(name, tiny(name))
    pipeline = editor._engine.pipeline
    encoder = "text_encoder_2" if name == "flux_kontext" else "text_encoder"
    tokenizer = getattr(pipeline, encoder.replace("text_encoder", "tokenizer"))
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # of a processor
    seen: list[str] = []

    def read(_module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        seen.append(tokenizer.decode(ids[0], skip_special_tokens=True))

    getattr(pipeline, encoder).register_forward_pre_hook(read, with_kwargs=True)
    edited(editor, request(instruction="make it red"))
    assert "makeitred" in seen[0].replace(" ", "")


def test_a_list_of_one_picture_is_not_that_picture_to_the_stock_pipeline_and_ours_gets_the_picture(
    tiny: Folder,
) -> None:
    """Trap: QwenImageEditPipeline(image=[x]) shows its text encoder x as it came instead of a megapixel of it."""
    import torch

    editor: Any = loaded("qwen_image_edit", tiny("qwen_image_edit"))
    pipeline = editor._engine.pipeline
    ours = edited(editor, request())
    source = decode(picture(1))
    given = {"prompt": "make it red", "negative_prompt": " ", "true_cfg_scale": 4.0, "num_inference_steps": 2}
    given |= {"width": 96, "height": 64}

    def stock(image: Any) -> Image.Image:
        result: Image.Image = pipeline(image=image, generator=torch.Generator("cpu").manual_seed(3), **given).images[0]
        return result

    assert difference(ours, stock(source)) == 0
    assert difference(ours, stock([source])) > 0, "the trap is gone: this test proves nothing any more"


def test_kontext_left_alone_makes_another_canvas(tiny: Folder) -> None:
    """Trap: without sizes FluxKontextPipeline makes a square canvas whatever the source is."""
    import torch

    editor: Any = loaded("flux_kontext", tiny("flux_kontext"), size="model", num_inference_steps=1)
    generator = torch.Generator("cpu").manual_seed(3)
    stock = editor._engine.pipeline(
        image=decode(picture(1, ODD)), prompt="make it red", num_inference_steps=1, generator=generator
    )
    assert stock.images[0].size == (1024, 1024)
    assert edited(editor, odd()).size == (1248, 832)


def test_a_table_of_sizes_that_changes_the_aspect_is_told_once_and_taken_back_on_demand(
    tiny: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = dataclasses.replace(request(), images=(picture(1, (100, 70)),))  # 1.43, the table has 1.5
    editor = loaded("flux_kontext", tiny("flux_kontext"), size="model", num_inference_steps=1)
    caplog.clear()
    edited(editor, wanted)
    edited(editor, wanted)
    told = [record.getMessage() for record in caplog.records if "another aspect" in record.getMessage()]
    assert len(told) == 1 and "1248x832 for a source of 100x70" in told[0]
    caplog.clear()
    editor = loaded("flux_kontext", tiny("flux_kontext"), size="source", num_inference_steps=1)
    assert edited(editor, wanted).size == (100, 70)
    assert "another aspect" not in caplog.text


def test_klein_runs_without_guidance_only_where_the_checkpoint_is_distilled(tiny: Folder) -> None:
    calls: dict[str, int] = {}
    for name in ("flux2_klein", "flux2_klein_distilled"):
        editor: Any = loaded("flux2_klein", tiny(name), num_inference_steps=2)
        seen: list[int] = []
        editor._engine.pipeline.transformer.register_forward_pre_hook(lambda _m, _a, seen=seen: seen.append(1))
        edited(editor, request())
        calls[name] = len(seen)
    assert calls == {"flux2_klein": 4, "flux2_klein_distilled": 2}


def test_flux2_is_told_its_guidance_and_follows_it(tiny: Folder) -> None:
    editor = loaded("flux2", tiny("flux2"))
    assert difference(edited(editor, request()), edited(editor, request(guidance_scale=1.0))) > 0


def test_longcat_takes_512_tokens_of_instruction_and_says_so_beyond(tiny: Folder) -> None:
    """Trap: its pipeline ends in a TypeError beyond 512 tokens."""
    from editeval.errors import EditRefusedError

    editor: Any = loaded("longcat_image_edit", tiny("longcat_image_edit"), num_inference_steps=1)
    tokenizer = editor._engine.pipeline.tokenizer
    words = "q x " * 600
    ids = tokenizer(words).input_ids
    fits = tokenizer.decode(ids[:500])
    assert edited(editor, request(instruction=fits)).size == (96, 64)
    for overrides in ({"instruction": words}, {"negative_prompt": words}):
        with pytest.raises(EditRefusedError, match="it takes 512"):
            edited(editor, request(**overrides))


@pytest.mark.parametrize("name", ["qwen_image_edit_plus", "flux2", "flux2_klein"])
def test_several_source_images_all_reach_the_autoencoder_in_order_and_decide_the_edit(name: str, tiny: Folder) -> None:
    editor = loaded(name, tiny(name))
    both = dataclasses.replace(request(), images=(picture(1), picture(2, (64, 96))))
    first, second = (array.shape[1:] for array in encoded(editor, both)[0])
    assert first[0] < first[1] and second[0] > second[1]
    assert edited(editor, both).size == edited(editor, request()).size == (96, 64)
    assert difference(edited(editor, both), edited(editor, request())) > 0


@pytest.mark.parametrize("name", ["qwen_image_edit", "flux_kontext", "instruct_pix2pix"])
def test_a_pipeline_for_one_source_image_refuses_two_before_and_during_the_run(name: str, tiny: Folder) -> None:
    editor = loaded(name, tiny(name))
    with pytest.raises(EditRefusedError, match=r"takes 1 source image, got 2; set .*images: first"):
        edited(editor, dataclasses.replace(request(), images=(picture(1), picture(2))))
    assert type(editor).max_images_of(editor.params) == 1
