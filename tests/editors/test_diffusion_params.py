"""Parameters and checkpoints of the diffusers editors, without torch: what is wrong is said before anything loads."""

from __future__ import annotations

import json
import os
import re
import struct
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from contracts.editor_contract import check_params
from editeval import plugins
from editeval.config.schema import Execution, Stage
from editeval.editors._images_api import DIALECTS
from editeval.editors.diffusion import checkpoint, lora
from editeval.editors.diffusion.engine import call_arguments
from editeval.editors.diffusion.families import FAMILIES
from editeval.editors.diffusion.patches import tell_token_types
from editeval.errors import ConfigError, MachineError
from editeval.store.fingerprints import identity_params, inputs_of

TYPES = ("qwen_image_edit", "qwen_image_edit_plus", "diffusers_pipeline")


@pytest.mark.parametrize("kind", TYPES)
def test_every_parameter_is_documented_and_has_a_default(kind: str) -> None:
    cls = plugins.load("editors", kind)
    check_params(cls, cls.Params())


@pytest.mark.parametrize("page", ["editing.md", "editing.zh-CN.md"])
def test_the_page_about_editing_names_every_editor_parameter_and_family(page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / page).read_text("utf-8")
    parameters = {field.name for kind in TYPES for field in fields(plugins.load("editors", kind).Params)}
    names = parameters | set(FAMILIES) | set(plugins.available("editors")) | set(DIALECTS)
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)]


def test_qwen_image_edit_has_the_defaults_of_v2() -> None:
    params = plugins.load("editors", "qwen_image_edit").Params()
    assert (params.model_name, params.dtype, params.num_inference_steps) == ("Qwen/Qwen-Image-Edit", "bfloat16", 50)
    assert (params.true_cfg_scale, params.negative_prompt, params.disable_progress_bar) == (4.0, " ", True)
    assert params.size == "model"


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dtype": "int8"}, "dtype: must be one of bfloat16, float16, float32, got 'int8'"),
        ({"size": "huge"}, "size: must be"),
        ({"num_inference_steps": 0}, "num_inference_steps: must be at least"),
        ({"cpu_offload": "all"}, "cpu_offload: must be one of none, model, sequential"),
        ({"acceleration": "lossy"}, "acceleration: must be one of none, exact"),
        ({"model_name": ""}, "model_name: empty"),
    ],
)
def test_a_value_that_cannot_work_is_one_line(kind: str, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        plugins.load("editors", kind).Params(**wrong)
    assert "\n" not in str(error.value)


def test_remote_code_needs_a_pinned_commit() -> None:
    params = plugins.load("editors", "diffusers_pipeline").Params
    for revision in (None, "main", "v1.0", "0123abc", "G" * 40):
        with pytest.raises(ValueError, match="trust_remote_code: needs `revision` pinned to a commit of 40 hex digits"):
            params(trust_remote_code=True, revision=revision)
    assert params(trust_remote_code=True, revision="0123456789abcdef" * 2 + "01234567").trust_remote_code


def test_an_unknown_family_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"family: must be auto or one of .*flux_kontext.*, got 'flux9'"):
        plugins.load("editors", "diffusers_pipeline").Params(family="flux9")


def test_arguments_that_are_not_given_are_those_of_the_family() -> None:
    arguments = call_arguments(FAMILIES["flux_kontext"], {"guidance_scale": None}, is_distilled=False)
    assert arguments["guidance_scale"] == 2.5
    assert arguments["num_inference_steps"] == 28


def test_guidance_that_would_be_switched_off_silently_is_refused() -> None:
    with pytest.raises(ConfigError, match="image_guidance_scale: below 1 it switches guidance off"):
        call_arguments(FAMILIES["instruct_pix2pix"], {"image_guidance_scale": 0.9}, is_distilled=False)
    with pytest.raises(ConfigError, match="guidance_scale: this checkpoint is distilled and ignores it"):
        call_arguments(FAMILIES["flux2_klein"], {"guidance_scale": 4.0}, is_distilled=True)


def test_a_checkpoint_that_is_none_says_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model_index.json").write_text("{")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_index.json").write_text("{}")
    for name, message in (
        ("absent", "nothing there; give a checkpoint folder"),
        ("file", "a file; give a checkpoint folder"),
        ("empty", "no model_index.json in it"),
        ("broken", "cannot be read"),
        ("other", "names no pipeline class"),
    ):
        with pytest.raises(MachineError, match=rf"diffusion_model\.params\.model_name: .*{message}") as error:
            checkpoint.read_index(str(tmp_path / name), None)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model_name", "expected"),
    [("Qwen/Qwen-Image-Edit", False), ("/models/qwen", True), ("./qwen", True), ("a/b/c", True), ("~/qwen", True)],
)
def test_a_path_is_told_from_a_hub_id(model_name: str, expected: bool) -> None:
    assert checkpoint.is_path(model_name) is expected


def test_a_hub_id_that_is_also_a_folder_is_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "qwen").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert checkpoint.is_path("models/qwen")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("GatedRepoError", "is gated; accept its licence"),
        ("RevisionNotFoundError", "has no revision 'v9'; fix revision"),
        ("RepositoryNotFoundError", "the Hub knows no a/b"),
        ("EntryNotFoundError", "a/b has no model_index.json; it is no checkpoint of this kind"),
        ("SomethingElse", "cannot be downloaded from the Hub: two lines; try again"),
    ],
)
def test_every_refusal_of_the_hub_says_what_to_do(name: str, advice: str) -> None:
    error = type(name, (Exception,), {})("two\nlines")
    message = checkpoint.problem("a/b", "v9", error, "")
    assert advice in message
    assert "\n" not in message


def test_a_model_that_is_not_in_the_cache_is_told_with_the_reason_why_only_that_was_tried() -> None:
    missing = type("LocalEntryNotFoundError", (FileNotFoundError,), {})("nothing here")
    message = checkpoint.problem("a/b", None, missing, "HF_HUB_OFFLINE is set")
    assert message == "a/b is not in the cache and HF_HUB_OFFLINE is set; download it first, or give a folder"


def test_an_incomplete_checkpoint_names_the_file_that_is_missing(tmp_path: Path) -> None:
    index = {
        "_class_name": "X",
        "transformer": ["diffusers", "T"],
        "scheduler": ["diffusers", "S"],
        "none": [None, None],
    }
    transformer = tmp_path / "transformer"

    def problem() -> str:
        with pytest.raises(MachineError) as error:
            checkpoint.check_complete(tmp_path, index)
        return str(error.value)

    assert "folder transformer is missing" in problem()
    transformer.mkdir()
    (tmp_path / "scheduler").mkdir()
    assert "transformer/config.json is missing" in problem()
    (transformer / "config.json").write_text("{}")
    assert "transformer: every weight file is missing" in problem()
    (transformer / "a.bin").write_bytes(b"")
    assert "the weights of transformer are pickles; pickles can run code: convert them to safetensors" in problem()
    checkpoint.check_complete(tmp_path, index, allow_pickles=True)
    (transformer / "a.safetensors").write_bytes(b"")
    checkpoint.check_complete(tmp_path, index)
    listing = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (transformer / "m.safetensors.index.json").write_text(json.dumps(listing))
    assert "transformer/b.safetensors (1 of 2 weight files) is missing" in problem()


@pytest.mark.parametrize(
    "config",
    [
        {"attn_implementation": "somebody/kernel"},
        {"_attn_implementation": {"": "sdpa", "vision_config": "somebody/kernel@main"}},
        {"text_config": [{"_attn_implementation_internal": "paged|somebody/kernel:attend"}]},
        {"vision_config": {"experts_implementation": "somebody/kernel"}},
    ],
)
def test_a_kernel_that_a_checkpoint_names_needs_consent(tmp_path: Path, config: dict[str, object]) -> None:
    encoder = tmp_path / "text_encoder"
    encoder.mkdir()
    (encoder / "model.safetensors").write_bytes(b"")
    (encoder / "config.json").write_text(json.dumps(config))
    index = {"_class_name": "X", "text_encoder": ["transformers", "T"]}
    with pytest.raises(MachineError, match=r"config\.json: asks to run code of .*somebody/kernel.*--allow-code"):
        checkpoint.check_complete(tmp_path, index)
    checkpoint.check_complete(tmp_path, index, allow_pickles=True)
    (encoder / "config.json").write_text(json.dumps({"attn_implementation": "sdpa", "_name_or_path": "owner/name"}))
    checkpoint.check_complete(tmp_path, index)


def test_nonsense_in_the_files_of_a_checkpoint_is_one_line_and_a_pipe_is_no_weights_file(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"_class_name": []}', '{"_class_name": ""}'):
        (tmp_path / "model_index.json").write_text(text)
        with pytest.raises(MachineError, match=r"cannot be read|names no pipeline class"):
            checkpoint.read_index(str(tmp_path), None)
    part, index = tmp_path / "unet", {"_class_name": "X", "unet": ["diffusers", "U"]}
    part.mkdir()
    (part / "config.json").write_text("{}")
    os.mkfifo(part / "a.safetensors")  # opening it would wait for somebody who writes
    with pytest.raises(MachineError, match="every weight file is missing"):
        checkpoint.check_complete(tmp_path, index)
    header = b'{"w": {"shape": "x"}}'
    (part / "b.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert checkpoint.num_parameters(tmp_path) == 0
    (part / "m.safetensors.index.json").write_text("[" * 100_000)
    with pytest.raises(MachineError, match="cannot be read"):
        checkpoint.check_complete(tmp_path, index)


def test_parameters_are_counted_from_the_headers(tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {}, "w": {"shape": [3, 4]}, "b": {"shape": []}}).encode()
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (tmp_path / "transformer" / "m.fp16.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert checkpoint.num_parameters(tmp_path) == 13


def test_an_encoder_that_does_not_ask_for_token_types_is_left_alone() -> None:
    class Encoder:
        def forward(self, input_ids: Any) -> None:
            return

    assert tell_token_types(Encoder()) is None


LORA = {"path": "./style.safetensors", "weight": 0.8}


@pytest.mark.parametrize(
    ("lora", "words"),
    [
        ([{"weight": 1}], "lora: needs path and may have weight, adapter_name"),
        ([{"path": "./a", "scale": 1}], "lora: needs path and may have weight, adapter_name"),
        (["./a"], "lora: must be a list of {path: ..., weight: ...}"),
        ([{"path": "./a", "weight": True}], "lora.weight: must be a number"),
        ([{"path": "./a", "adapter_name": "a.b"}], "lora.adapter_name: letters, digits"),
        ([LORA | {"weight_name": "../x.safetensors"}], "lora.weight_name: must be the name of a .safetensors file"),
        ([LORA | {"weight_name": "/x.safetensors"}], "lora.weight_name: must be the name of a .safetensors file"),
        ([LORA | {"weight_name": "*.safetensors"}], "lora.weight_name: must be the name of a .safetensors file"),
        ([LORA | {"adapter_name": "x"}] * 2, "lora.adapter_name: must differ"),
        ([{"path": "owner/name"}], "lora.revision: owner/name is on the Hub: give its commit"),
        ([{"path": "./a", "revision": "main"}], "lora.revision: ./a is a file or folder"),
    ],
)
def test_a_mistake_in_an_adapter_is_one_line(lora: list[Any], words: str) -> None:
    cls = plugins.load("editors", "qwen_image_edit")
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        cls.Params(lora=lora)
    assert "\n" not in str(caught.value)


def test_adapters_that_are_not_there_several_and_pickles_are_named_before_anything_loads(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    for name in ("a.safetensors", "b.safetensors", "c.bin"):
        (tmp_path / "two" / name).write_bytes(b"")
    cases = {"none": "no safetensors file there", "two": "2 files (a.safetensors, b.safetensors)"}
    cases |= {"two/c.bin": "a pickle, which can run code"}
    for path, words in cases.items():
        with pytest.raises(MachineError, match=re.escape(words)):
            lora.check([{"path": str(tmp_path / path)}])
    lora.check([{"path": str(tmp_path / "two"), "weight_name": "a.safetensors"}])


def test_the_content_of_an_adapter_is_part_of_the_identity_and_none_changes_no_identity(tmp_path: Path) -> None:
    adapter = tmp_path / "a.safetensors"
    cls = plugins.load("editors", "diffusers_pipeline")
    assert "lora" not in identity_params(cls.Params())
    kind, given = "diffusers_pipeline", cls.Params(lora=({"path": str(adapter)},))
    stage = Stage("diffusion_model", kind, kind, "", given, 0, Execution())
    digests = []
    for content in (b"1", b"2"):
        adapter.write_bytes(content)
        digests.append(inputs_of(stage, cls).weights["lora.0.path"])
    assert len(set(digests)) == 2
