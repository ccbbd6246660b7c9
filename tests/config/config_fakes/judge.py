"""A judge with the parameters that v2's Qwen judge had, and a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from editeval.types import Judge, JudgeRequest, Score


@dataclass(frozen=True, slots=True)
class JudgeParams:
    model_name: str = "Qwen/Qwen3-VL-30B-A3B-Instruct"
    dtype: str = "bfloat16"
    max_new_tokens: int = 128
    use_flash_attention: bool = False
    seed: int = 7


class FakeJudge(Judge):
    Params = JudgeParams
    metrics = ("overall",)

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        raise AssertionError("never called: reading a configuration judges nothing")
