"""The judge behind v2's qwen3_vl: its parameters, and what it says without a model."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from editeval import plugins
from editeval.errors import ConfigError, MachineError
from editeval.judges.chat.messages import shrunk
from editeval.judges.chat.official_use import official_use
from editeval.judges.openai_chat import OpenaiChatJudge
from editeval.judges.transformers_vlm import TransformersVlmJudge, TransformersVlmParams
from editeval.judges.vllm_vlm import VllmVlmJudge, VllmVlmParams
from editeval.types import Judge


def test_a_model_that_is_made_coarser_is_not_the_authors_judge() -> None:
    plain = VllmVlmParams(protocol="rise", model_name="gpt-4.1-2025-04-14", engine={"enforce_eager": True})
    coarse = replace(plain, engine={"quantization": "fp8"})
    told = [use.differs for params in (plain, coarse) if (use := official_use(params)) is not None]
    assert told == [("words (own wording)",), ("words (own wording)", "engine (quantization)")]


def test_it_is_a_plug_in_and_its_parts_are_not() -> None:
    names = plugins.available("judges")
    assert "transformers_vlm" in names
    assert not {"vlm", "protocols", "replies"} & set(names)
    assert plugins.load("judges", "transformers_vlm") is TransformersVlmJudge


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model_name": " "}, "model_name: must name a checkpoint"),
        ({"dtype": "int4"}, "dtype: must be one of auto, bfloat16, float16, float32, got 'int4'"),
        (
            {"protocol": "pairs"},
            "protocol: must be one of .*pointwise, pointwise_mean.*re_edit.*rubric.*viescore, got 'pairs'",
        ),
        ({"max_new_tokens": 0}, "max_new_tokens: must be at least 1"),
        ({"max_image_side": 8}, "max_image_side: must be at least 32, got 8"),
        ({"min_label_mass": 1.5}, "min_label_mass: must be between 0 and 1, got 1.5"),
    ],
)
def test_wrong_parameter_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TransformersVlmParams(**wrong)


@pytest.mark.parametrize("judge", [TransformersVlmJudge, VllmVlmJudge, OpenaiChatJudge])
def test_metrics_and_prompts_follow_the_protocol(judge: type[Judge]) -> None:
    rubric, pointwise = judge.Params(protocol="rubric"), judge.Params()
    assert judge.metrics_of(rubric) == ("overall",)
    assert judge.uses_prompts_of(rubric) is True
    parts = ("overall", "following", "preservation", "quality")
    assert judge.metrics_of(pointwise) == judge.metrics == parts
    assert judge.uses_prompts_of(pointwise) is judge.uses_prompts is False
    assert judge.fingerprint_of(rubric) != judge.fingerprint_of(pointwise)


@pytest.mark.parametrize(
    ("size", "shown"), [((800, 600), (800, 600)), ((2048, 1024), (1024, 512)), ((1000, 3000), (341, 1024))]
)
def test_pictures_are_shrunk_and_keep_their_proportions(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert shrunk(Image.new("RGB", size), 1024).size == shown


def test_a_picture_is_never_enlarged_or_lost() -> None:
    assert shrunk(Image.new("RGB", (8, 8)), 1024).size == (8, 8)
    assert shrunk(Image.new("RGB", (5000, 1)), 1024).size == (1024, 1)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
def test_without_torch_it_says_what_to_install() -> None:
    judge = TransformersVlmJudge(TransformersVlmParams())
    with pytest.raises(MachineError, match=r"needs the package torch; .*pip install .*transformers"):
        judge.load(["cpu"])
    judge.unload()
