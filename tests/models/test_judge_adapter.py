"""A judge with a LoRA: merged as peft does it, part of the identity, and refused unless every weight has its place."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge_fixtures import PROMPT, build, loaded, local_model

from editeval.errors import MachineError
from editeval.execution.worker_messages import are_facts
from editeval.judges.chat.params import SamplingParams
from editeval.judges.chat.runner import Call
from editeval.judges.local import adapter as adapters
from editeval.judges.local.generate import EncodedPrompt, LocalModel, collate
from editeval.judges.local.pretrained import ModelRequest, PretrainedModel, empty_model
from editeval.judges.transformers_vlm import TransformersVlmJudge, TransformersVlmParams
from editeval.judges.vllm_vlm import VllmVlmJudge, VllmVlmParams
from editeval.types import JudgeRequest
from fakes.fake_vllm import FakeVllm

pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning"),  # of plain peft in these tests
]
FAMILIES = ("qwen3_vl", "qwen2_5_vl")
LANGUAGE = ["q_proj", "v_proj", "down_proj"]
NAMED = r"^reward_model\.params\.adapter: "
CONFIG, WEIGHTS = adapters.CONFIG, adapters.WEIGHTS_FILE


def plain_model(folder: Path) -> Any:
    import transformers

    return transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype="float32").eval()


def train(base: Path, out: Path, **config: Any) -> Path:
    """An adapter with large weights for the checkpoint `base`, saved by peft."""
    import peft
    import torch

    torch.manual_seed(3)
    given = {"r": 4, "lora_alpha": 16, "target_modules": LANGUAGE, "init_lora_weights": False} | config
    model = peft.get_peft_model(plain_model(base), peft.LoraConfig(**given))
    model.save_pretrained(out)
    return out


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(checkpoint, adapter for it)."""
    root = tmp_path_factory.mktemp(request.param)
    base = build(request.param, root / "base")
    return base, train(base, root / "lora")


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same of one family, for what does not depend on it."""
    root = tmp_path_factory.mktemp("adapter")
    base = build("qwen3_vl", root / "base")
    return base, train(base, root / "lora")


@pytest.fixture
def copy(qwen3: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of that adapter, to be spoilt."""
    shutil.copytree(qwen3[1], tmp_path / "lora")
    return tmp_path / "lora"


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Its weights are what `change` makes of them."""
    from safetensors.torch import load_file, save_file

    state = {name: tensor.clone() for name, tensor in change(load_file(folder / WEIGHTS)).items()}
    save_file(state, folder / WEIGHTS, {"format": "pt"})


def configure(folder: Path, **values: Any) -> None:
    content = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(content | values))


def edit(key: str = "s", hue: int = 3) -> JudgeRequest:
    import tiny_judges

    return tiny_judges.request(key, hue, np.random.default_rng(hue), PROMPT)


def judged(base: Path, lora: Path | str = "", **params: Any) -> tuple[list[tuple[float | None, str]], dict[str, Any]]:
    given = {"protocol": "pointwise", "min_label_mass": 0.0, "adapter": str(lora)} | params
    judge = loaded(base, **given)
    try:
        rows = judge.judge([edit("a", 3), edit("b", 7)])
        return [(score.value, score.raw) for row in rows for score in row], dict(judge.facts())
    finally:
        judge.unload()


def refusal(base: Path, lora: Path | str, **params: Any) -> str:
    """The one line that loading ends with."""
    with pytest.raises(MachineError, match=NAMED) as caught:
        loaded(base, adapter=str(lora), **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_adapter_changes_the_scores_and_is_on_record(family: tuple[Path, Path]) -> None:
    import hashlib

    base, lora = family
    without, facts = judged(base)
    assert not [name for name in facts if name.startswith("adapter")]
    with_it, facts = judged(base, lora)
    assert with_it != without and judged(base, lora)[0] == with_it
    sha256 = hashlib.sha256((lora / WEIGHTS).read_bytes()).hexdigest()
    assert (facts["adapter"], facts["adapter_rank"], facts["adapter_alpha"]) == (str(lora), 4, 16)
    assert (facts["adapter_base"], facts["adapter_sha256"]) == (str(base), sha256)
    assert are_facts(facts)


def test_every_token_is_as_with_plain_peft(family: tuple[Path, Path]) -> None:
    import peft
    import torch

    base, lora = family
    judge = loaded(base, adapter=str(lora), protocol="pointwise")
    ours = local_model(judge).checkpoint
    theirs = peft.PeftModel.from_pretrained(plain_model(base), lora).merge_and_unload()
    expected, found = theirs.state_dict(), ours.model.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    attached = peft.PeftModel.from_pretrained(plain_model(base), lora)
    assert judge.runner is not None
    prompts = [prompt for _, _, prompt in judge.runner.plan(edit()).asked]
    with torch.no_grad():
        logits, at_side = (model(**collate(prompts, ours)).logits for model in (ours.model, attached))
    assert torch.allclose(logits, at_side, atol=1e-4)
    theirs.generation_config = ours.model.generation_config
    replies = [_replies(replace(ours, model=model), prompts) for model in (ours.model, theirs)]
    assert replies[0] == replies[1] and any(replies[0])
    judge.unload()


def _replies(held: PretrainedModel, prompts: Sequence[EncodedPrompt]) -> list[str]:
    written = SamplingParams("number", 12)
    calls = [Call((i, "", 0), "k", prompt, written) for i, prompt in enumerate(prompts)]
    return [reply.text for reply in LocalModel(held).complete(calls)]


@pytest.mark.parametrize(
    "config",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"r": 2, "rank_pattern": {"layers.1.self_attn.q_proj": 3}, "alpha_pattern": {"v_proj": 5}},
        {"target_modules": r".*(language_model.*(gate|up)_proj|visual.*(qkv|linear_fc1))"},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["k_proj"], "bias": "lora_only"},
        {"layers_to_transform": [1], "layers_pattern": "layers"},
        {"target_modules": "all-linear"},
    ],
    ids=lambda config: ",".join(config),
)
def test_every_form_that_peft_saves_is_merged_as_peft_does(
    qwen3: tuple[Path, Path], tmp_path: Path, config: dict[str, Any]
) -> None:
    import peft
    import torch

    lora = train(qwen3[0], tmp_path / "lora", **config)
    theirs = peft.PeftModel.from_pretrained(plain_model(qwen3[0]), lora).merge_and_unload().state_dict()
    model = plain_model(qwen3[0])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ours = adapters.merged(adapters.read(str(lora), None), model, "base").state_dict()
    assert theirs.keys() == ours.keys() == before.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    assert any(not torch.equal(before[name], ours[name]) for name in ours)


OLD_NAMES = {"model.language_model.": "model.", "model.visual.": "visual."}
OTHER_NAMES = {"model.language_model.": "language_model.model.", "model.visual.": "visual."}


@pytest.mark.parametrize("names", [OLD_NAMES, OTHER_NAMES], ids=["before 4.52", "other"])
def test_names_of_another_transformers_give_the_same_weights(
    qwen3: tuple[Path, Path], tmp_path: Path, names: dict[str, str]
) -> None:
    """Where plain peft takes none of the weights, and says so in a warning at most."""
    import torch

    config = {"r": 2, "rank_pattern": {"layers.1.self_attn.q_proj": 3}, "alpha_pattern": {"v_proj": 5}}
    lora = train(qwen3[0], tmp_path / "lora", target_modules=["q_proj", "v_proj", "qkv"], **config)
    expected = adapters.merged(adapters.read(str(lora), None), plain_model(qwen3[0]), "base").state_dict()

    def renamed(name: str) -> str:
        for now, then in names.items():
            name = name.replace(f"base_model.model.{now}", f"base_model.model.{then}")
        return name

    rewrite(lora, lambda state: {renamed(name): tensor for name, tensor in state.items()})
    old = names["model.language_model."].replace(".", r"\.")
    configure(
        lora,
        target_modules=rf"({old}layers.*\.(q_proj|v_proj)|visual\..*qkv)",
        rank_pattern={f"{names['model.language_model.']}layers.1.self_attn.q_proj": 3},
    )
    found = adapters.merged(adapters.read(str(lora), None), plain_model(qwen3[0]), "base").state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


# what is refused ------------------------------------------------------------------------------------------------------


def test_an_adapter_of_another_size_or_family_is_refused(qwen3: tuple[Path, Path], tmp_path: Path) -> None:
    import tiny_judges

    model, processor = tiny_judges.qwen3_vl(tiny_judges.tokenizer(PROMPT), hidden=64)
    larger = tiny_judges.save(tmp_path / "larger", model, processor)
    message = refusal(larger, qwen3[1])
    assert "4 of its 12 weights fit Qwen3VLForConditionalGeneration" in message
    assert "which is 4 x 64 and not 4 x 128; it was trained for another model" in message
    other = train(build("qwen2_5_vl", tmp_path / "other"), tmp_path / "lora", target_modules=["qkv", "gate_proj"])
    assert "it was trained for another model" in refusal(qwen3[0], other)


def test_an_adapter_whose_names_mean_nothing_here_is_refused(qwen3: tuple[Path, Path], copy: Path) -> None:
    rewrite(copy, lambda state: {name.replace("language_model", "decoder"): t for name, t in state.items()})
    assert "0 of its 12 weights fit Qwen3VLForConditionalGeneration" in refusal(qwen3[0], copy)


def test_half_an_adapter_is_refused(qwen3: tuple[Path, Path], copy: Path) -> None:
    rewrite(copy, lambda state: {name: tensor for name, tensor in state.items() if "layers.1" in name})
    assert "lacks 6 of the 12 weights that its adapter_config.json speaks of" in refusal(qwen3[0], copy)


def test_an_adapter_with_more_than_its_configuration_is_refused(qwen3: tuple[Path, Path], copy: Path) -> None:
    configure(copy, target_modules=["q_proj", "v_proj"])
    assert "8 of its 12 weights fit" in refusal(qwen3[0], copy)


def test_a_file_that_was_cut_off_is_refused(qwen3: tuple[Path, Path], copy: Path) -> None:
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:-100])
    assert "cannot be read" in refusal(qwen3[0], copy)


def test_weights_that_are_not_finite_are_refused(qwen3: tuple[Path, Path], copy: Path) -> None:
    rewrite(copy, lambda state: {name: tensor * float("inf") for name, tensor in state.items()})
    assert "has weights that are not finite, such as model.language_model" in refusal(qwen3[0], copy)


def test_what_is_no_lora_is_refused_before_anything_is_loaded(copy: Path, tmp_path: Path) -> None:
    def said(**values: Any) -> str:
        configure(copy, **{"peft_type": "LORA", "init_lora_weights": True, "r": 4, "megatron_config": None, **values})
        with pytest.raises(MachineError, match=NAMED) as caught:
            TransformersVlmJudge.check(TransformersVlmParams(model_name="owner/name", adapter=str(copy)))
        return str(caught.value)

    assert "is an adapter of the kind 'IA3'; only LORA can be used" in said(peft_type="IA3")
    assert "uses init_lora_weights pissa" in said(init_lora_weights="pissa")
    assert "uses megatron_config" in said(megatron_config={"x": 1}), "its megatron_core names a module to import"
    assert "has the rank 0" in said(r=0)
    (copy / CONFIG).write_text("{")
    with pytest.raises(MachineError, match=r"adapter_config\.json cannot be read"):
        adapters.check_folder(str(copy))
    (copy / WEIGHTS).rename(copy / "adapter_model.bin")
    with pytest.raises(MachineError, match=r"has no adapter_model\.safetensors in it"):
        adapters.check_folder(str(copy))
    with pytest.raises(MachineError, match="is not a folder; check the path"):
        adapters.check_folder(str(tmp_path / "absent"))


def test_a_hub_that_cannot_be_reached_is_one_line(qwen3: tuple[Path, Path]) -> None:
    message = refusal(qwen3[0], "somebody/judge-lora", adapter_revision="a" * 40)
    assert f"({'a' * 40}): adapter_config.json cannot be had" in message


def test_another_base_by_name_is_a_warning(qwen3: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "editeval")
    loaded(qwen3[0], adapter=str(qwen3[1])).unload()
    assert not caplog.messages
    read = adapters.read(str(qwen3[1]), None)
    adapters.warn_of_base(read, "Qwen/Qwen3-VL-8B-Instruct")
    (said,) = caplog.messages
    assert "says that it was trained on" in said and "not on Qwen/Qwen3-VL-8B-Instruct" in said


# vLLM, at its seam ----------------------------------------------------------------------------------------------------


def attached(base: Path, lora: Path, vllm: FakeVllm, **params: Any) -> VllmVlmJudge:
    judge = VllmVlmJudge(VllmVlmParams(model_name=str(base), adapter=str(lora), **params), vllm)
    judge.load(["cpu"])
    return judge


def test_vllm_gets_the_adapter_with_every_request(qwen3: tuple[Path, Path]) -> None:
    vllm = FakeVllm()
    judge = attached(*qwen3, vllm)
    judge.judge([edit()])
    (options,) = vllm.loaded
    assert (options["enable_lora"], options["max_loras"], options["max_lora_rank"]) == (True, 1, 8)
    assert "enable_tower_connector_lora" not in options, "no weight is of the vision tower"
    assert vllm.lora_requests == [("adapter", 1)]
    facts = judge.facts()
    assert (facts["adapter"], facts["adapter_rank"]) == (str(qwen3[1]), 4) and are_facts(facts)
    judge.unload()


def test_vllm_gets_names_of_now_and_is_told_of_the_vision_tower(qwen3: tuple[Path, Path], tmp_path: Path) -> None:
    lora = train(qwen3[0], tmp_path / "lora", target_modules=["q_proj", "qkv"], r=9)
    names = set(adapters.read(str(lora), None).state)
    rewrite(
        lora,
        lambda state: {n.replace("language_model.", "").replace("model.visual", "visual"): t for n, t in state.items()},
    )
    vllm = FakeVllm()
    attached(qwen3[0], lora, vllm).unload()
    assert vllm.loaded[0]["max_lora_rank"] == 16 and vllm.loaded[0]["enable_tower_connector_lora"] is True
    (files,) = vllm.adapters
    assert set(files) == {f"base_model.model.{name}" for name in names}


def test_vllm_is_not_asked_for_what_it_cannot_attach(qwen3: tuple[Path, Path], copy: Path, tmp_path: Path) -> None:
    configure(copy, use_dora=True)
    with pytest.raises(MachineError, match="has use_dora, which vLLM cannot attach; use transformers_vlm"):
        VllmVlmJudge.check(VllmVlmParams(model_name="owner/name", adapter=str(copy)))
    configure(copy, use_dora=False)
    rewrite(copy, lambda state: {name: tensor for name, tensor in state.items() if "layers.1" in name})
    vllm = FakeVllm()
    with pytest.raises(MachineError, match="lacks 6 of the 12 weights"):
        attached(qwen3[0], copy, vllm)
    assert not vllm.loaded, "it would have passed over them"
    vllm = FakeVllm(refuses_adapters="rank 4 is odd")
    with pytest.raises(MachineError, match="not accepted by vllm: rank 4 is odd"):
        attached(*qwen3, vllm)


def test_an_empty_model_has_the_names_and_shapes_of_the_real_one(family: tuple[Path, Path]) -> None:
    empty = empty_model(ModelRequest(str(family[0]), None, "float32", use_flash_attention=False)).state_dict()
    real = plain_model(family[0]).state_dict()
    assert {name: tensor.shape for name, tensor in empty.items()} == {name: t.shape for name, t in real.items()}
