"""What a local model gets of the protocols of reward models: tokens in order, and images of the right size."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from editeval.images import encode_png
from editeval.judges.chat.runner import ProtocolRunner
from editeval.judges.local.generate import EncodedPrompt, GumbelSampler, LocalModel, _drawing
from editeval.judges.transformers_vlm import TransformersVlmParams
from editeval.types import JudgeRequest

pytestmark = pytest.mark.models

SYSTEM = "The system message of the checkpoint."
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
SIZES = {"qwen2_5_vl": (3136, 12845056), "qwen3_vl": (65536, 16777216)}
"""Pixels of the published checkpoints, at least and at most."""


def noise(width: int, height: int) -> bytes:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return encode_png(Image.fromarray(pixels))


def prompts(family: str, protocol: str, request: JudgeRequest, **params: Any) -> dict[str, tuple[EncodedPrompt, str]]:
    """By question: the prompt, and its text with each image as one token. Templates as the published ones are."""
    import tiny_judges

    tok = tiny_judges.tokenizer([SYSTEM])
    opening = f"{{%- if messages[0].role != 'system' -%}}<|im_start|>system\n{SYSTEM}<|im_end|>\n{{% endif -%}}"
    tok.chat_template = (opening if family == "qwen2_5_vl" else "") + tiny_judges.TEMPLATE
    model, processor = {"qwen3_vl": tiny_judges.qwen3_vl, "qwen2_5_vl": tiny_judges.qwen25_vl}[family](tok)
    processor.tokenizer = tok
    least, most = SIZES[family]
    processor.image_processor.size = {"shortest_edge": least, "longest_edge": most}
    backend = LocalModel(tiny_judges.checkpoint(model, processor))
    runner = ProtocolRunner("tiny", TransformersVlmParams(protocol=protocol, **params), backend)
    plan = runner.plan(request)
    runner.close()
    assert not plan.reason, plan.message
    found = {question.name: prompt for question, _, prompt in plan.asked}
    return {name: (one, re.sub(r"(<\|image_pad\|>)+", r"\1", tok.decode(one.token_ids))) for name, one in found.items()}


@pytest.mark.parametrize(
    ("protocol", "family", "system", "labels"),
    [
        ("editscore", "qwen3_vl", "", ("", "")),
        ("editscore_qwen25", "qwen2_5_vl", f"<|im_start|>system\n{SYSTEM}<|im_end|>\n", ("<img1>: ", "<img2>: ")),
    ],
)
def test_editscore_puts_the_images_first_as_each_family_was_trained(
    protocol: str, family: str, system: str, labels: tuple[str, str]
) -> None:
    request = JudgeRequest("s", (noise(301, 200),), noise(180, 260), "make it red")
    asked = prompts(family, protocol, request)
    questions = TransformersVlmParams(protocol=protocol).asking.questions(request)
    for question, num in zip(questions, (2, 1), strict=True):
        prompt, text = asked[question.name]
        images = "".join(f"{label}{IMAGE}" for label in labels[:num])
        said = question.parts[-1]
        assert text == f"{system}<|im_start|>user\n{images}{said}<|im_end|>\n<|im_start|>assistant\n"
        assert len(prompt.pictures) == num
    per_patch = {"qwen3_vl": 16, "qwen2_5_vl": 14}[family]
    height, width = (int(side) * per_patch for side in asked["perceptual_quality"][0].pictures[0].grid[0, 1:])
    assert height * width >= SIZES[family][0] and abs(height / width - 260 / 180) < 0.15


def test_pvc_judge_gets_each_image_fitted_in_patches_of_28_and_then_by_its_checkpoint() -> None:
    request = JudgeRequest("s", (noise(1500, 1100),), noise(100, 100), "add a hat", edited_b=noise(1030, 617))
    asked = prompts("qwen3_vl", "pvc_judge", request, against="other")
    sizes = [[[16 * int(side) for side in one.grid[0, 1:]] for one in prompt.pictures] for prompt, _ in asked.values()]
    source, mine, other = [992, 1312], [544, 544], [608, 1024]
    assert sizes == [[source, mine, other], [source, other, mine]]
    for _, text in asked.values():
        assert text.startswith("<|im_start|>system\n") and text.count(IMAGE) == 3
        assert re.search(rf"Image A:{re.escape(IMAGE)}\nImage B:{re.escape(IMAGE)}<\|im_end\|>", text)


def test_draws_are_cut_as_transformers_cuts_them() -> None:
    import torch
    import transformers

    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0, 1.9, 0.5]])
    question = TransformersVlmParams(protocol="editscore").asking.questions(JudgeRequest("s", (b"",), b"", "x"))[0]
    one = TransformersVlmParams(protocol="editscore").sampling(question, "s", 0, True)
    cases = [(20, 0.9, 0.7), (3, 1.0, 0.7), (3, 0.6, 1.2)]
    for top_k, top_p, temperature in cases:
        wanted = replace(one, top_k=top_k, top_p=top_p, temperature=temperature)
        *cuts, sampler = _drawing([replace(wanted, seed=seed) for seed in range(8000)])
        assert isinstance(sampler, GumbelSampler)
        scores = logits.repeat(8000, 1)
        for cut in (*cuts, sampler):
            scores = cut(None, scores)
        found = torch.bincount(scores.argmax(dim=-1), minlength=6) / 8000
        warped = transformers.TopKLogitsWarper(top_k)(None, logits / temperature)
        shares = torch.softmax(transformers.TopPLogitsWarper(top_p)(None, warped), dim=-1)[0]
        assert ((found > 0) == (shares > 0)).all()
        torch.testing.assert_close(found, shares, atol=0.02, rtol=0.0)


def test_one_reply_is_drawn_and_repeats_with_its_seed(tmp_path: Path) -> None:
    from judge_fixtures import build, loaded

    model = build("qwen3_vl", tmp_path / "judge")
    request = JudgeRequest("s", (noise(64, 64),), noise(60, 60), "make it red")
    said = []
    for params in ({}, {}, {"seed": 5}, {"sampling_temperature": 0.0}):
        judge = loaded(model, protocol="editscore", max_new_tokens=6, **params)
        said.append([score.raw for score in judge.judge([request])[0]])
        judge.unload()
    drawn, again, other, greedy = said
    assert drawn == again and drawn != other and drawn != greedy
