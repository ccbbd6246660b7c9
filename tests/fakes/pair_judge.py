"""A judge of pairs that follows no protocol: the larger file wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from editeval.types import Judge, JudgeRequest, Metric, Score


@dataclass(frozen=True)
class PairJudgeParams:
    is_pairwise: bool = True
    against: str = ""


class PairJudge(Judge):
    Params = PairJudgeParams
    metrics = ("better",)
    default_device = "cpu"

    @classmethod
    def scales_of(cls, params: PairJudgeParams) -> Mapping[str, Metric]:
        return {"better": Metric("better", 0.0, 1.0)}

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [
            [Score(one.key, "pair_judge", "better", float(len(one.edited) > len(one.edited_b or b"")))]
            for one in requests
        ]
