"""Whatever is wrong with a checkpoint, a package or a device is one line that names the key and what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from model_cases import difference, edited, loaded, request

from conftest import Folder, picture
from editeval.errors import ConfigError, MachineError

pytestmark = pytest.mark.models

KEY = r"diffusion_model\.params\.model_name: "


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_checkpoint_of_another_family_is_refused_before_anything_loads(tiny: Folder) -> None:
    with pytest.raises(
        ConfigError, match=KEY + ".*QwenImageEditPlusPipeline.*qwen_image_edit_plus, not qwen_image_edit"
    ):
        loaded("qwen_image_edit", tiny("qwen_image_edit_plus"))


def test_an_unknown_pipeline_class_is_named_with_those_that_are_known(tiny: Folder, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("flux2_klein"), tmp_path / "copy")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "SomeNewPipeline"}))
    with pytest.raises(ConfigError, match=KEY + "its pipeline is SomeNewPipeline.*known: .*flux_kontext") as error:
        loaded("flux2_klein", folder)
    one_line(error)


@pytest.mark.parametrize("lost", ["transformer/diffusion_pytorch_model.safetensors", "vae", "text_encoder/config.json"])
def test_an_incomplete_checkpoint_is_one_line(lost: str, tiny: Folder, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("flux2_klein"), tmp_path / "copy")
    shutil.rmtree(folder / lost) if (folder / lost).is_dir() else (folder / lost).unlink()
    with pytest.raises(MachineError, match=KEY) as error:
        loaded("flux2_klein", folder)
    one_line(error)


def test_broken_weights_are_one_line(tiny: Folder, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("flux2_klein"), tmp_path / "copy")
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(MachineError, match=KEY) as error:
        loaded("flux2_klein", folder)
    one_line(error)


def test_a_hub_model_that_is_not_cached_says_so_offline() -> None:
    with pytest.raises(MachineError, match=KEY + ".*not in the cache and HF_HUB_OFFLINE is set") as error:
        loaded("qwen_image_edit", Path("nobody/has-this-model"))
    one_line(error)


def test_a_gpu_that_is_not_there_is_one_line(tiny: Folder) -> None:
    import torch
    from model_cases import params

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    cls, chosen = params("flux2_klein", tiny("flux2_klein"))
    with pytest.raises(MachineError, match="diffusion_model: cuda:0 cannot be used"):
        cls(chosen).load("cuda:0")


def test_what_only_a_gpu_can_do_is_refused_on_the_cpu(tiny: Folder) -> None:
    with pytest.raises(ConfigError, match="cpu_offload: 'model' needs a GPU"):
        loaded("flux2_klein", tiny("flux2_klein"), cpu_offload="model")


def test_an_attention_backend_that_does_not_exist_is_one_line(tiny: Folder) -> None:
    with pytest.raises(MachineError, match="attention_backend: 'fast_one' cannot be used here") as error:
        loaded("flux2_klein", tiny("flux2_klein"), attention_backend="fast_one")
    one_line(error)


def test_an_attention_backend_that_exists_is_used(tiny: Folder) -> None:
    plain = edited(loaded("flux2_klein", tiny("flux2_klein")), request())
    chosen = edited(loaded("flux2_klein", tiny("flux2_klein"), attention_backend="_native_math"), request())
    assert difference(plain, chosen) <= 2


def test_an_attention_backend_stays_with_its_own_model(tiny: Folder) -> None:
    before = edited(loaded("flux2_klein", tiny("flux2_klein")), request()).tobytes()
    loaded("flux2_klein", tiny("flux2_klein"), attention_backend="_native_math")
    assert edited(loaded("flux2_klein", tiny("flux2_klein")), request()).tobytes() == before


def test_an_attention_backend_is_refused_where_it_would_do_nothing(tiny: Folder) -> None:
    with pytest.raises(ConfigError, match="attention_backend: UNet2DConditionModel has one way only"):
        loaded("instruct_pix2pix", tiny("instruct_pix2pix"), attention_backend="_native_math")


def test_a_parameter_that_the_family_does_not_have_is_refused(tiny: Folder) -> None:
    with pytest.raises(ConfigError, match=r"params\.true_cfg_scale: flux2_klein has none; it has .*guidance_scale"):
        loaded("flux2_klein", tiny("flux2_klein"), true_cfg_scale=4.0)


def test_a_canvas_off_the_grid_names_the_next_one(tiny: Folder) -> None:
    with pytest.raises(ConfigError, match=r"params\.size: both sides must be multiples of 16, got 100x64; try 96x64"):
        loaded("flux2_klein", tiny("flux2_klein"), size="100x64")


def test_longcat_has_no_canvas_and_refuses_long_prompts(tiny: Folder) -> None:
    from editeval.errors import EditRefusedError

    with pytest.raises(ConfigError, match=r"params\.size: longcat_image_edit has no canvas"):
        loaded("longcat_image_edit", tiny("longcat_image_edit"), size="96x64")
    editor = loaded("longcat_image_edit", tiny("longcat_image_edit"))
    with pytest.raises(EditRefusedError, match="it takes 512"):
        edited(editor, request(instruction="q x " * 600))


def test_a_source_with_an_alpha_channel_is_never_taken_for_latents(tiny: Folder) -> None:
    import dataclasses
    import io

    from PIL import Image

    buffer = io.BytesIO()
    opaque = Image.open(io.BytesIO(picture(1))).convert("RGBA")
    opaque.save(buffer, "PNG")
    editor = loaded("instruct_pix2pix", tiny("instruct_pix2pix"))
    plain = edited(editor, request())
    with_alpha = edited(editor, dataclasses.replace(request(), images=(buffer.getvalue(),)))
    assert with_alpha.tobytes() == plain.tobytes()


def test_weights_are_loaded_once_and_unloading_frees_them(tiny: Folder) -> None:
    import gc
    import weakref

    editor: Any = loaded("flux2_klein", tiny("flux2_klein"))
    transformer = weakref.ref(editor._engine.pipeline.transformer)
    edited(editor, request())
    editor.unload()
    gc.collect()
    assert transformer() is None


def test_the_next_edit_after_a_failed_one_is_the_same(tiny: Folder) -> None:
    editor: Any = loaded("flux2_klein", tiny("flux2_klein"))
    first = edited(editor, request())

    def fail(step: int, num_steps: int) -> None:
        raise MemoryError("out of memory")

    with pytest.raises(MemoryError):
        editor.edit(request(), fail)
    assert edited(editor, request()).tobytes() == first.tobytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of torch's compiler, on its way
def test_compiled_blocks_give_the_same_image_within_rounding(tiny: Folder) -> None:
    if shutil.which("g++") is None:
        pytest.skip("the compiler of torch needs g++")
    name = "qwen_image_edit"
    plain = edited(loaded(name, tiny(name)), request())
    compiled = loaded(name, tiny(name), acceleration="exact")
    assert difference(plain, edited(compiled, request())) <= 3


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_rotation_in_real_numbers_changes_no_bit(dtype: str, tiny: Folder) -> None:
    from editeval.editors.diffusion import patches

    name = "qwen_image_edit"
    editor: Any = loaded(name, tiny(name), dtype=dtype)
    transformer = editor._engine.pipeline.transformer
    before = edited(editor, request()), _predictions(editor)
    assert patches.rotate_in_real_numbers(transformer) == len(transformer.transformer_blocks)
    assert all(_rotation(block) is patches.rotate_real for block in transformer.transformer_blocks)
    after = edited(editor, request()), _predictions(editor)
    assert after[0].tobytes() == before[0].tobytes()
    assert all(a.equal(b) for a, b in zip(after[1], before[1], strict=True))
    untouched: Any = loaded(name, tiny(name))
    assert _rotation(untouched._engine.pipeline.transformer.transformer_blocks[0]) is not patches.rotate_real


def _rotation(block: Any) -> Any:
    return type(block.attn.processor).__call__.__globals__["apply_rotary_emb_qwen"]


def _predictions(editor: Any) -> list[Any]:
    """What the transformer returns in the course of one edit."""
    seen: list[Any] = []
    transformer = editor._engine.pipeline.transformer
    hook = transformer.register_forward_hook(lambda _module, _args, output: seen.append(output[0].clone()))
    edited(editor, request())
    hook.remove()
    return seen


def test_exact_acceleration_rotates_in_real_numbers_and_keeps_the_chosen_backend(tiny: Folder) -> None:
    from editeval.editors.diffusion import patches

    name = "qwen_image_edit"
    editor: Any = loaded(name, tiny(name), acceleration="exact", attention_backend="_native_math")
    block = editor._engine.pipeline.transformer.transformer_blocks[0]
    assert _rotation(block) is patches.rotate_real
    assert block.attn.processor._attention_backend == "_native_math"
    assert patches.rotate_in_real_numbers(editor._engine.pipeline.transformer) == 2
    assert block.attn.processor._attention_backend == "_native_math"


@pytest.mark.filterwarnings("default")  # those of torch's compiler, on its way
def test_the_compiler_sees_no_complex_rotation_and_does_not_compile_it_anew(tiny: Folder) -> None:
    import torch

    from editeval.editors.diffusion import patches

    editor: Any = loaded("qwen_image_edit", tiny("qwen_image_edit"))
    plain = edited(editor, request())
    transformer = editor._engine.pipeline.transformer
    patches.rotate_in_real_numbers(transformer)
    graphs: list[str] = []

    def keep(graph: Any, _inputs: Any) -> Any:
        graphs.append(str(graph.graph))
        return graph.forward

    torch._dynamo.reset()
    transformer.compile_repeated_blocks(fullgraph=True, dynamic=True, backend=keep)
    assert edited(editor, request()).tobytes() == plain.tobytes()
    num_graphs = len(graphs)
    edited(editor, request(instruction="make all of it a good deal redder than it was"))
    torch._dynamo.reset()
    assert len(graphs) == num_graphs > 0
    assert all("view_as_real" in graph and "view_as_complex" not in graph for graph in graphs)


def test_a_network_of_another_family_rotates_as_it_did(tiny: Folder, caplog: pytest.LogCaptureFixture) -> None:
    from editeval.editors.diffusion.patches import rotate_in_real_numbers

    editor: Any = loaded("flux_kontext", tiny("flux_kontext"))
    transformer = editor._engine.pipeline.transformer
    before = [module.processor for module in transformer.modules() if hasattr(module, "processor")]
    assert before
    caplog.clear()  # what diffusers and the compiler said while loading
    assert rotate_in_real_numbers(transformer) == 0
    after = [module.processor for module in transformer.modules() if hasattr(module, "processor")]
    assert all(a is b for a, b in zip(after, before, strict=True))
    assert not caplog.records


def test_a_rotation_that_is_not_the_known_one_stays_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    import torch

    from editeval.editors.diffusion.patches import rotate_in_real_numbers

    other = type("QwenDoubleStreamAttnProcessor2_0", (), {"__call__": lambda self, x: x})()
    attention = torch.nn.Module()
    attention.processor = other
    network = type("QwenImageTransformer2DModel", (torch.nn.Module,), {})()
    network.attn = attention
    assert rotate_in_real_numbers(network) == 0
    assert attention.processor is other
    assert ["stays complex" in record.getMessage() for record in caplog.records] == [True]
