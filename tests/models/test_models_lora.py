"""LoRA adapters of an editor: applied as plain diffusers does it, refused if they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_pipelines
from PIL import Image

from editeval import plugins
from editeval.editors.diffusers_pipeline import DiffusersPipeline, DiffusersPipelineParams
from editeval.editors.diffusion.loading import load_pipeline
from editeval.errors import ConfigError, MachineError
from editeval.images import encode_png
from editeval.store.fingerprints import identity_params
from editeval.types import EditRequest

pytestmark = pytest.mark.models
FAMILIES = ["qwen_image_edit_plus", "flux_kontext", "instruct_pix2pix", "flux2_klein"]


def params(folder: Path, **further: Any) -> DiffusersPipelineParams:
    return DiffusersPipelineParams(model_name=str(folder), dtype="float32", num_inference_steps=2, **further)


def train(folder: Path, out: Path, scale: float = 1.0) -> Path:
    """A LoRA for the tiny checkpoint in `folder`: rank 2, on queries and keys, with large weights."""
    import torch
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipeline = load_pipeline(params(folder), "cpu")
    name = "transformer" if hasattr(pipeline, "transformer") else "unet"
    denoiser = getattr(pipeline, name)
    torch.manual_seed(1)
    denoiser.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_k"]), "x")
    state = {key: scale * value for key, value in get_peft_model_state_dict(denoiser, adapter_name="x").items()}
    pipeline.save_lora_weights(out, **{f"{name}_lora_layers": state})
    return out


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(checkpoint, LoRA for it)."""
    root = tmp_path_factory.mktemp(request.param)
    tiny_pipelines.save(request.param, root / "base")
    return root / "base", train(root / "base", root / "lora", 3.0)


def edited(given: DiffusersPipelineParams) -> tuple[bytes, dict[str, Any]]:
    editor = DiffusersPipeline(given)
    editor.load("cpu")
    try:
        source = Image.radial_gradient("L").convert("RGB").resize((64, 64))
        request = EditRequest("k", (encode_png(source),), "make it blue", 7)
        return editor.edit(request, lambda step, of: None).tobytes(), dict(editor.facts())
    finally:
        editor.unload()


def test_an_adapter_changes_the_edit_as_plain_diffusers_does(family: tuple[Path, Path]) -> None:
    base, lora = family
    without, facts = edited(params(base))
    assert "lora" not in facts
    given = params(base, lora=({"path": str(lora), "weight": 0.5, "adapter_name": "style"},))
    with_lora, facts = edited(given)
    assert with_lora != without and facts["lora"] == "style rank 2, scale 0.5"
    assert edited(params(base, lora=({"path": str(lora), "weight": 0.0},)))[0] == without

    editor = DiffusersPipeline(params(base))  # the same engine; the adapter by plain calls of diffusers
    editor.load("cpu")
    assert editor._engine is not None
    editor._engine.pipeline.load_lora_weights(str(lora), adapter_name="style")
    editor._engine.pipeline.set_adapters(["style"], [0.5])
    source = Image.radial_gradient("L").convert("RGB").resize((64, 64))
    plain = editor.edit(EditRequest("k", (encode_png(source),), "make it blue", 7), lambda step, of: None)
    editor.unload()
    assert plain.tobytes() == with_lora


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    for name in ("qwen_image_edit_plus", "instruct_pix2pix"):
        tiny_pipelines.save(name, tmp_path / name)
    lora = train(tmp_path / "qwen_image_edit_plus", tmp_path / "lora")
    with pytest.raises(MachineError, match=r"0 of its 8 weights fit StableDiffusionInstructPix2PixPipeline"):
        edited(params(tmp_path / "instruct_pix2pix", lora=({"path": str(lora)},)))


def test_an_adapter_that_fits_in_part_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tiny_pipelines.save("flux_kontext", tmp_path / "base")
    lora = train(tmp_path / "base", tmp_path / "lora") / "pytorch_lora_weights.safetensors"
    state = load_file(lora)
    state |= {
        key.replace("transformer_blocks.0", "transformer_blocks.9"): value.clone() for key, value in state.items()
    }
    save_file(state, tmp_path / "deeper.safetensors")
    with pytest.raises(MachineError, match="weights fit FluxKontextPipeline; it was trained for another model"):
        edited(params(tmp_path / "base", lora=({"path": str(tmp_path / "deeper.safetensors")},)))


def test_a_pipeline_that_takes_no_adapters_says_so(tmp_path: Path) -> None:
    tiny_pipelines.save("longcat_image_edit", tmp_path / "base")
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="LongCatImageEditPipeline of diffusers takes no LoRA"):
        edited(params(tmp_path / "base", lora=({"path": str(tmp_path / "x.safetensors")},)))


def test_params_travel_to_a_worker_and_back(tmp_path: Path) -> None:
    given = params(tmp_path, lora=({"path": "./x", "weight": 0.5},))
    values = identity_params(given)
    again = plugins.params_of(DiffusersPipeline, values)
    assert again == given
