"""A judge that asks in the words of the YAML's prompts and always says 5. Loaded by its dotted path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from editeval.types import Judge, JudgeRequest, Score


@dataclass(frozen=True)
class PromptedJudgeParams:
    """None."""


class PromptedJudge(Judge):
    Params = PromptedJudgeParams
    metrics = ("overall",)
    uses_prompts = True
    default_device = "cpu"

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [[Score(r.key, "fakes.prompted_judge", "overall", 5.0, " ".join(r.prompt or ()))] for r in requests]
