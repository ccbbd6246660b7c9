"""A judge whose score is the level of whichever version of the library `shade` its interpreter has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from editeval.types import Judge, JudgeRequest, Score


@dataclass(frozen=True)
class TintedJudgeParams:
    pass


class TintedJudge(Judge):
    Params = TintedJudgeParams
    metrics = ("overall",)
    default_device = "cpu"

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        import shade

        return [[Score(request.key, "tinted_judge", "overall", float(shade.LEVEL))] for request in requests]
