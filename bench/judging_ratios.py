"""What batches and common beginnings save on a tiny judge, in CPU time of one run, so that a busy machine matters less.

Two forward passes: what a reward model with two questions computes for an edit, in a batch and one by one. Common
beginnings: whole prompts against `share_prefix`, with pictures of 512 pixels as the published processors prepare them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import judging_models
from editeval.judges.chat.messages import NUM_TOKENS
from editeval.judges.chat.params import SamplingParams
from editeval.judges.chat.runner import Call, ProtocolRunner
from editeval.judges.local.generate import EncodedPrompt, LocalModel, collate
from editeval.judges.local.pretrained import PretrainedModel
from editeval.judges.transformers_vlm import TransformersVlmParams
from editeval.types import JudgeRequest

NUM_EDITS = 16
BATCHED = 2.0
"""Two forward passes of a batch against one by one: at least so many times as fast."""
REPEATS = 3
Ratio = dict[str, Any]  # what, the times of both ways in s, their ratio, and what it is to reach (None: nothing)


def ratios(checkpoint: PretrainedModel) -> list[Ratio]:
    """Every ratio of this file."""
    larger = replace(checkpoint, image_processor=judging_models.image_processor())
    found = [_ratio("two forward passes, batch 16 : one by one", BATCHED, *_passes(checkpoint))]
    for protocol in ("pointwise", "pairwise"):
        what = f"{protocol}, expected value, whole prompts : share_prefix"
        found.append(_ratio(what, None, *(_asking(larger, protocol, is_shared) for is_shared in (False, True))))
    return found


def _ratio(what: str, to_reach: float | None, slow: Callable[[], object], fast: Callable[[], object]) -> Ratio:
    slow_s, fast_s = _cpu_s(slow), _cpu_s(fast)
    return {"what": what, "slow_s": slow_s, "fast_s": fast_s, "ratio": slow_s / fast_s, "to_reach": to_reach}


def _cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of `work`: the least of REPEATS after one that is not counted."""
    work()
    spent = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def _passes(checkpoint: PretrainedModel) -> tuple[Callable[[], None], Callable[[], None]]:
    """Two forward passes about each edit: one by one, and all edits at once."""
    prompts = _prompts(LocalModel(checkpoint), "pointwise", judging_models.requests(NUM_EDITS, 64))

    def passes(size: int) -> None:
        import torch

        for i in range(0, NUM_EDITS, size):
            for k in (0, 1):
                with torch.inference_mode():
                    inputs = collate([asked[k] for asked in prompts[i : i + size]], checkpoint)
                    checkpoint.model(**inputs, logits_to_keep=1)

    return lambda: passes(1), lambda: passes(NUM_EDITS)


def _asking(checkpoint: PretrainedModel, protocol: str, is_shared: bool) -> Callable[[], object]:
    """All questions of `protocol` about four edits in one batch, by their first tokens."""
    model = LocalModel(checkpoint, is_shared)
    requests = judging_models.requests(4, 512)
    pairs = [replace(one, edited_b=other.edited) for one, other in zip(requests, requests[1:] + requests, strict=False)]
    sampling = SamplingParams("labels", NUM_TOKENS, is_expected=True)
    calls = [
        Call((i, str(k), 0), f"s{i}", prompt, sampling)
        for i, asked in enumerate(_prompts(model, protocol, pairs if protocol == "pairwise" else requests))
        for k, prompt in enumerate(asked)
    ]
    return lambda: model.complete(calls)


def _prompts(model: LocalModel, protocol: str, requests: Sequence[JudgeRequest]) -> list[list[EncodedPrompt]]:
    runner = ProtocolRunner("transformers", TransformersVlmParams(protocol=protocol), model)
    return [[prompt for _, _, prompt in runner.plan(request).asked] for request in requests]


def lines(found: Sequence[Ratio]) -> list[str]:
    """The table."""
    made = ["", "| ratio, CPU time | first, s | second, s | times as fast | to reach |", "|---|---:|---:|---:|---:|"]
    for one in found:
        goal = "" if one["to_reach"] is None else f"{one['to_reach']:g}"
        made.append(f"| {one['what']} | {one['slow_s']:.2f} | {one['fast_s']:.2f} | {one['ratio']:.2f} | {goal} |")
    return made
