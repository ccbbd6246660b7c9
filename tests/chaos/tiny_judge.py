"""A judge whose scores follow from the edited bytes and from the company they are judged in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from editeval.types import Judge, JudgeRequest, Score


@dataclass(frozen=True)
class TinyJudgeParams:
    is_moody: bool = True  # a score depends on the whole batch: two different batchings are two different results


class TinyJudge(Judge):
    Params = TinyJudgeParams
    params: TinyJudgeParams
    metrics = ("overall", "care")
    default_device = "cpu"

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        company = [request.key for request in requests] if self.params.is_moody else []
        return [
            [
                Score(request.key, "chaos.tiny_judge", metric, value_of(request.edited, metric, company), raw="said")
                for metric in self.metrics
            ]
            for request in requests
        ]


def value_of(edited: bytes, metric: str, company: Sequence[str]) -> float:
    """0.0 to 10.0 in steps of 0.1."""
    text = f"{hashlib.sha256(edited).hexdigest()} {metric} {' '.join(company)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 101 / 10
