"""A judge that says how red a picture is, 0-10 or without ends; what people say of it is up to the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editeval.images import decode
from editeval.types import Judge, JudgeRequest, Metric, Score


@dataclass(frozen=True)
class RednessJudgeParams:
    is_unbounded: bool = False
    has_quality: bool = False  # a second metric, `quality`: how blue it is
    blind_from: int = 256  # pictures as green as that are refused
    notes: str = ""  # file for the key of every request


class RednessJudge(Judge):
    Params = RednessJudgeParams
    params: RednessJudgeParams
    metrics = ("overall",)
    default_device = "cpu"
    is_batch_invariant = True

    @classmethod
    def metrics_of(cls, params: RednessJudgeParams) -> tuple[str, ...]:
        return ("overall", "quality") if params.has_quality else ("overall",)

    @classmethod
    def scales_of(cls, params: RednessJudgeParams) -> Mapping[str, Metric]:
        return {"overall": Metric("overall", None, None)} if params.is_unbounded else {}

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        if self.params.notes:
            with Path(self.params.notes).open("a") as file:
                file.writelines(f"{request.key}\n" for request in requests)
        return [self._row(request) for request in requests]

    def _row(self, request: JudgeRequest) -> list[Score]:
        colour = decode(request.edited).getpixel((0, 0))
        assert isinstance(colour, tuple)
        red, green, blue = colour
        values = {"overall": red - 100.0 if self.params.is_unbounded else red / 25.5, "quality": blue / 25.5}
        is_blind = green >= self.params.blind_from
        return [
            Score(request.key, "redness", metric, None if is_blind else values[metric], "", "refused" * is_blind)
            for metric in self.metrics_of(self.params)
        ]
