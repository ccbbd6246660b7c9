"""A judge that replies in a protocol's form without any model, and keeps its replies. Loaded by its dotted path."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from editeval.judges.parsing.reply import LABELS, Reply
from editeval.judges.protocols import protocol as protocols
from editeval.types import Judge, JudgeRequest, Score


@dataclass(frozen=True)
class ReplyingJudgeParams:
    protocol: str = "pointwise"
    min_label_mass: float = 0.9
    text: str = "7"  # of written replies
    falls_over: str = ""  # at requests whose key contains this


class ReplyingJudge(Judge):
    """Labels carry a mass of 0.80 to 1.00, by the hash of key and question."""

    Params = ReplyingJudgeParams
    params: ReplyingJudgeParams
    metrics = ("overall",)
    default_device = "cpu"

    @classmethod
    def metrics_of(cls, params: ReplyingJudgeParams) -> tuple[str, ...]:
        return protocols.load(params.protocol).metrics

    @classmethod
    def uses_prompts_of(cls, params: ReplyingJudgeParams) -> bool:
        return protocols.load(params.protocol).uses_prompts

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [self._scores(request) for request in requests]

    def _scores(self, request: JudgeRequest) -> list[Score]:
        if self.params.falls_over and self.params.falls_over in request.key:
            raise RuntimeError("the judge fell over")
        protocol = protocols.load(self.params.protocol)
        replies = {
            q.name: self._labels(f"{request.key} {q.name}") if q.answer == "labels" else Reply(self.params.text)
            for q in protocol.questions(request)
        }
        return protocols.scores(protocol, "fakes.replying_judge", request, replies, self.params.min_label_mass)

    def _labels(self, text: str) -> Reply:
        number = int(hashlib.sha256(text.encode()).hexdigest()[:6], 16)
        mass, label = 0.80 + number % 21 / 100, number % 10
        return Reply(str(label), labels=tuple(mass if str(label) == name else 0.0 for name in LABELS))
