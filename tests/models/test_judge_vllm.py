"""vllm_vlm on the real vLLM with the tiny trained Qwen3-VL, where vLLM runs.

vLLM's own wheel needs CUDA. The tests run in whatever environment has vllm and pytest; without a GPU they need a build
of vLLM for the CPU, and VLLM_CPU_KVCACHE_SPACE=1. One engine, loaded once (a minute on two cores). vLLM leaves a socket
open at the end, so: pytest -W default tests/models/test_judge_vllm.py
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from judge_fixtures import PROMPT, loaded, trained

from editeval.execution.worker_messages import are_facts
from editeval.judges.vllm_vlm import VllmVlmJudge, VllmVlmParams
from editeval.types import JudgeRequest

HUES = (3, 0, 7, 9)


def lacking() -> str:
    """Why vLLM cannot run here; nothing if it can."""
    if importlib.util.find_spec("vllm") is None:
        return "vLLM is not installed; its wheel needs CUDA"
    from vllm.platforms import current_platform

    return f"this vLLM finds no device: {current_platform}" if current_platform.is_unspecified() else ""


LACKING = lacking()
pytestmark = [
    pytest.mark.models,
    pytest.mark.vllm,
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "vLLM runs here"),
    pytest.mark.filterwarnings("default"),  # what vLLM warns of is not ours to fix
]


@pytest.fixture(scope="module")
def vllm() -> Iterator[Any]:
    """The package, less that every judge gets the one engine that was loaded."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    import vllm as package

    engines: list[Any] = []

    def load(**options: Any) -> Any:
        engines.append(engines[0] if engines else package.LLM(**options))
        return engines[-1]

    yield SimpleNamespace(LLM=load, SamplingParams=package.SamplingParams, sampling_params=package.sampling_params)
    if engines:
        engines[0].llm_engine.engine_core.shutdown()


def judge(vllm: Any = None, **params: Any) -> VllmVlmJudge:
    engine = {"enforce_eager": True, "max_num_seqs": 8}
    given = {"max_model_len": 2048, "max_new_tokens": 8, **params}
    made = VllmVlmJudge(VllmVlmParams(model_name=str(trained()), dtype="float32", engine=engine, **given), vllm)
    made.load(["cpu"])
    return made


@pytest.fixture(scope="module")
def requests() -> list[JudgeRequest]:
    import tiny_judges

    rng = np.random.default_rng(11)
    return [tiny_judges.request(f"s{hue}", hue, rng, PROMPT) for hue in HUES]


def test_the_trained_judge_gives_real_scores(vllm: Any, requests: list[JudgeRequest]) -> None:
    rows = judge(vllm, protocol="rubric", num_samples=1, temperature=0.0).judge(requests)
    assert [row[0].value for row in rows] == [float(hue) for hue in HUES]
    (said,) = json.loads(rows[0][0].raw)["overall"]["samples"]
    assert said["usage"]["prompt"] > 50 and said["finished"]


def test_probabilities_are_those_of_transformers(vllm: Any, requests: list[JudgeRequest]) -> None:
    here = loaded(trained(), protocol="pointwise", min_label_mass=0.0)
    expected = here.judge(requests)
    here.unload()
    rows = judge(vllm, min_label_mass=0.0).judge(requests)
    for ours, theirs in zip(rows, expected, strict=True):
        for one, other in zip(ours[1:], theirs[1:], strict=True):
            found, wanted = (json.loads(score.raw)[score.metric]["labels"] for score in (one, other))
            assert found == pytest.approx(wanted, abs=0.005)


def test_samples_repeat_and_differ(vllm: Any, requests: list[JudgeRequest]) -> None:
    asked = judge(vllm, scoring="samples", output="plain", num_samples=4, temperature=1.5)
    first, again = ([[score.raw for score in row] for row in asked.judge(requests[:2])] for _ in range(2))
    assert first == again
    texts = {sample["text"] for raw in first[0] for reply in json.loads(raw).values() for sample in reply["samples"]}
    assert len(texts) > 1


def test_json_is_forced_and_an_invalid_request_fails_alone(vllm: Any, requests: list[JudgeRequest]) -> None:
    long = JudgeRequest(
        "long", (requests[0].source,), requests[0].edited, "word " * 3000, metadata={"category": "causal"}
    )
    rows = judge(vllm, protocol="viescore", num_samples=1, max_new_tokens=256).judge([requests[0], long])
    said = json.loads(rows[0][1].raw)["semantic_consistency"]["samples"][0]["text"]
    assert said.lstrip().startswith("{"), said
    assert (rows[1][1].value, rows[1][1].reason) == (None, "declined")
    assert rows[1][2].reason != "declined", "its question without the instruction was asked"


def test_reasons_continue_the_conversation(vllm: Any, requests: list[JudgeRequest]) -> None:
    (row,) = judge(vllm, protocol="rubric", num_samples=1, temperature=0.0, reasons=True).judge(requests[:1])
    kept = json.loads(row[0].raw)["overall"]
    assert row[0].value == 3.0
    assert kept["rationale"]["usage"]["prompt"] > kept["samples"][0]["usage"]["prompt"]


def test_the_engine_says_what_it_loaded(vllm: Any) -> None:
    facts = judge(vllm).facts()
    assert (facts["model"], facts["commit"]) == ("Qwen3VLForConditionalGeneration", None), "a folder has no commit"
    assert (facts["dtype"], facts["num_devices"]) == ("float32", 1)
    assert are_facts(facts), facts


def test_an_adapter_scores_as_merged_by_transformers(requests: list[JudgeRequest], tmp_path: Path) -> None:
    """In the language model and in the vision tower. It takes an engine of its own."""
    import peft
    import torch
    import transformers

    torch.manual_seed(3)
    model = transformers.AutoModelForImageTextToText.from_pretrained(trained(), dtype="float32")
    names = ["q_proj", "v_proj", "down_proj", "qkv", "linear_fc1"]
    config = peft.LoraConfig(r=4, lora_alpha=4, target_modules=names, init_lora_weights=False)
    peft.get_peft_model(model, config).save_pretrained(tmp_path / "lora")
    lora = str(tmp_path / "lora")

    def labels(rows: list[list[Any]]) -> list[list[float]]:
        return [json.loads(score.raw)[score.metric]["labels"] for row in rows for score in row[1:]]

    without = loaded(trained(), protocol="pointwise", min_label_mass=0.0)
    plain = labels(without.judge(requests))
    without.unload()
    here = loaded(trained(), protocol="pointwise", min_label_mass=0.0, adapter=lora)
    expected = labels(here.judge(requests))
    here.unload()
    there = judge(min_label_mass=0.0, adapter=lora)
    found = labels(there.judge(requests))
    assert there.facts()["adapter_rank"] == 4
    there.unload()
    assert np.abs(np.array(expected) - np.array(plain)).max() > 0.05, "the adapter changes what is thought"
    assert np.abs(np.array(found) - np.array(expected)).max() < 0.005
