"""A checkpoint that cannot judge is one line that names the parameter; its code is never run, its gaps never filled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from judge_fixtures import build, loaded, local_model

from editeval.errors import MachineError

pytestmark = pytest.mark.models

NAMED = r"^reward_model\.params\.model_name: "


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with nothing wrong."""
    return build("qwen3_vl", tmp_path_factory.mktemp("sound") / "judge")


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    shutil.copytree(sound, tmp_path / "judge")
    return tmp_path / "judge"


def change(path: Path, change_it: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change_it(content)
    path.write_text(json.dumps(content))


def refusal(folder: Path | str, **params: Any) -> str:
    """The one line that loading it ends with."""
    with pytest.raises(MachineError, match=NAMED) as caught:
        loaded(folder, **params)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "is not a folder; check the path" in refusal(tmp_path / "absent")
    assert "has no config.json in it; give the folder of a complete snapshot" in refusal(tmp_path)


def test_a_snapshot_without_its_tokenizer(copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    assert "download the snapshot again" in refusal(copy)


def test_a_hub_that_cannot_be_reached_is_not_asked_twice() -> None:
    message = refusal("Qwen/Qwen3-VL-8B-Instruct")
    assert "local snapshot" in message and "Qwen/Qwen3-VL-8B-Instruct" in message


def test_another_kind_of_model_is_named(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}))
    assert "is a model of type 'qwen2'; name one of type qwen2_vl" in refusal(copy)


def test_weights_that_are_missing_are_not_made_up(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    gone = next(name for name in weights if "visual" in name and "qkv.weight" in name)
    del weights[gone]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    assert f"lacks 1 of its weights, such as {gone}" in refusal(copy)


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    change(copy / "config.json", lambda config: config["text_config"].update(intermediate_size=48))
    assert "reward_model.params.model_name" in refusal(copy)


def test_a_file_that_was_cut_off_is_refused(copy: Path) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    assert "cannot be loaded" in refusal(copy)


def test_pickled_weights_are_not_read(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    assert "cannot be loaded" in refusal(copy)


def test_no_chat_template(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    for name in ("tokenizer_config.json", "processor_config.json"):
        if (copy / name).exists():
            change(copy / name, lambda config: config.pop("chat_template", None))
    assert "has no chat template for images; use an instruction-tuned" in refusal(copy)


def test_a_chat_template_where_older_checkpoints_keep_it(copy: Path) -> None:
    template = (copy / "chat_template.jinja").read_text()
    (copy / "chat_template.jinja").unlink()
    (copy / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    loaded(copy).unload()


def test_code_of_a_checkpoint_is_never_run(copy: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (copy / "modeling_own.py").write_text(
        f"open({str(trace)!r}, 'w').close()\nclass OwnConfig: pass\nclass Own: pass\n"
    )
    auto_map = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForImageTextToText": "modeling_own.Own"}
    (copy / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto_map}))
    assert "trust" not in refusal(copy)
    assert not trace.exists()


def test_a_kernel_that_a_checkpoint_names_is_not_loaded(copy: Path) -> None:
    change(copy / "config.json", lambda config: config["vision_config"].update(attn_implementation="somebody/kernel"))
    assert "asks to run code of somebody/kernel" in refusal(copy)


def test_flash_attention_that_is_not_installed(sound: Path) -> None:
    assert "use_flash_attention: false" in refusal(sound, use_flash_attention=True)


@pytest.mark.parametrize("dtype", ["auto", "bfloat16", "float16", "float32"])
def test_every_dtype_loads_as_asked(sound: Path, dtype: str) -> None:
    import torch

    judge = loaded(sound, dtype=dtype)
    expected = torch.float32 if dtype == "auto" else getattr(torch, dtype)
    assert local_model(judge).checkpoint.model.dtype == expected
    judge.unload()
    judge.unload()
