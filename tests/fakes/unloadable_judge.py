"""A judge whose model cannot be loaded."""

from __future__ import annotations

from collections.abc import Sequence

from editeval.types import Judge, JudgeRequest, Score
from fakes.fake_judge import FakeJudgeParams


class UnloadableJudge(Judge):
    Params = FakeJudgeParams
    metrics = ("overall",)
    default_device = "cpu"

    def load(self, devices: Sequence[str]) -> None:
        raise RuntimeError("no such weights")

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        raise AssertionError("never loaded")
