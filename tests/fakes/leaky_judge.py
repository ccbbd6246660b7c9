"""A judge whose replies hold what it was sent, headers included."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from editeval.types import Judge, JudgeRequest, Score


@dataclass(frozen=True)
class LeakyParams:
    pass


class LeakyJudge(Judge):
    Params = LeakyParams
    metrics = ("overall",)
    default_device = "cpu"

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        said = f"Authorization: Bearer {os.environ.get('IMAGES_KEY')}"
        return [[Score(request.key, "fakes.leaky_judge", "overall", 5.0, said)] for request in requests]
