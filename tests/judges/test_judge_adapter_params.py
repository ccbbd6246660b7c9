"""A judge's adapter without a model: values that cannot work, the identity of scores, what is asked of the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from editeval.config.load import load_mapping
from editeval.errors import ConfigError, MachineError
from editeval.judges.image_metrics import ImageMetricsJudge, ImageMetricsParams
from editeval.judges.transformers_vlm import TransformersVlmJudge, TransformersVlmParams
from editeval.judges.vllm_vlm import VllmVlmJudge, VllmVlmParams
from editeval.store.fingerprints import identity_params
from editeval.store.score_sets import score_set_id
from editeval.types import Judge

JUDGES: list[tuple[type[Judge], type[Any]]] = [
    (TransformersVlmJudge, TransformersVlmParams),
    (VllmVlmJudge, VllmVlmParams),
]
COMMIT = "a" * 40


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """A folder that looks like an adapter."""
    folder = tmp_path / "lora"
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


def id_of(kind: str, **params: Any) -> str:
    tree = {
        "benchmark": {"type": "procedural"},
        "diffusion_model": {"type": "identity"},
        "reward_model": {"type": kind, "params": {"model_name": "owner/base", "protocol": "pointwise", **params}},
    }
    config = load_mapping(tree, "small", environ={})
    (stage,) = config.judges.values()
    return score_set_id(stage, {"transformers_vlm": TransformersVlmJudge, "vllm_vlm": VllmVlmJudge}[kind], {}).id


@pytest.mark.parametrize(("judge", "params"), JUDGES)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"adapter": "somebody/lora"},
            "adapter_revision: somebody/lora is on the Hub: give its commit of 40 hex digits",
        ),
        ({"adapter": "somebody/lora", "adapter_revision": "main"}, "got 'main' .a folder is written ./somebody/lora"),
        ({"adapter": "./lora", "adapter_revision": COMMIT}, "adapter_revision: ./lora is a folder, which has none"),
        ({"adapter_revision": COMMIT}, "adapter_revision: there is no adapter; leave it out"),
    ],
)
def test_a_value_that_cannot_work_is_one_line(
    judge: type[Judge], params: type[Any], wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        params(**wrong)


@pytest.mark.parametrize(("judge", "params"), JUDGES)
def test_without_an_adapter_the_identity_is_what_it_was(judge: type[Judge], params: type[Any]) -> None:
    assert not [name for name in identity_params(params()) if name.startswith("adapter")]


@pytest.mark.parametrize("kind", ["transformers_vlm", "vllm_vlm"])
def test_another_content_in_the_same_folder_is_another_score_set(kind: str, lora: Path) -> None:
    base, first = id_of(kind), id_of(kind, adapter=str(lora))
    (lora / "adapter_model.safetensors").write_bytes(b"retried")
    second = id_of(kind, adapter=str(lora))
    config = json.loads((lora / "adapter_config.json").read_text())
    (lora / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 16}))
    third = id_of(kind, adapter=str(lora))
    assert len({base, first, second, third}) == 4
    moved = lora.rename(lora.parent / "moved")
    assert id_of(kind, adapter=str(moved)) == third, "where it lies does not count"


def test_another_commit_of_an_adapter_is_another_score_set() -> None:
    ids = {id_of("vllm_vlm", adapter="somebody/lora", adapter_revision=commit * 40) for commit in "ab"}
    assert len(ids) == 2


@pytest.mark.parametrize(("judge", "params"), JUDGES)
def test_the_hub_is_asked_for_the_adapter_beside_the_model(judge: type[Judge], params: type[Any], lora: Path) -> None:
    both = params(model_name="owner/base", adapter="somebody/lora", adapter_revision=COMMIT)
    base, [found] = judge.hub_model(both), judge.hub_others(both)
    assert base is not None and (base.name, base.parameter) == ("owner/base", "model_name")
    assert (found.name, found.revision) == ("somebody/lora", COMMIT)
    assert (found.file, found.parameter) == ("adapter_config.json", "adapter")
    assert judge.hub_others(params(model_name="owner/base")) == ()
    assert judge.hub_others(params(model_name="owner/base", adapter=str(lora))) == ()


def test_a_configuration_that_cannot_be_read_is_one_line(lora: Path) -> None:
    (lora / "adapter_config.json").write_text("[" * 100_000)
    with pytest.raises(MachineError, match=r"adapter_config\.json cannot be read: .*recursion") as caught:
        TransformersVlmJudge.check(TransformersVlmParams(model_name="owner/base", adapter=str(lora)))
    assert "\n" not in str(caught.value)


def test_a_checkpoint_with_an_adapter_beside_its_weights_is_refused_as_transformers_would_attach_it(lora: Path) -> None:
    (lora / "config.json").write_text("{}")
    given = {"clip_model": str(lora), "metrics": ("clip_i",)}
    for check in (
        lambda: TransformersVlmJudge.check(TransformersVlmParams(model_name=str(lora))),
        lambda: ImageMetricsJudge.check(ImageMetricsParams(**given)),
    ):
        with pytest.raises(
            MachineError, match=r"has an adapter beside its weights .adapter_config\.json.; keep"
        ) as caught:
            check()
        assert "\n" not in str(caught.value)
    (lora / "adapter_config.json").unlink()
    TransformersVlmJudge.check(TransformersVlmParams(model_name=str(lora)))
