"""A judge that is not sure: what it sees, and noise that depends on its seed and the sample."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from editeval.images import decode
from editeval.types import Judge, JudgeRequest, Score


@dataclass(frozen=True, slots=True)
class UnsureJudgeParams:
    seed: int = 0
    noise: float = 1.0


class UnsureJudge(Judge):
    Params = UnsureJudgeParams
    metrics = ("overall",)
    default_device = "cpu"

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [[Score(one.key, "unsure", "overall", self._value(one))] for one in requests]

    def _value(self, request: JudgeRequest) -> float:
        same = decode(request.edited).tobytes() == decode(request.source).tobytes()
        chance = random.Random(f"{self.params.seed}:{request.key}:{same}")
        return max(0.0, min(10.0, (3.0 if same else 7.0) + self.params.noise * chance.uniform(-1, 1)))
