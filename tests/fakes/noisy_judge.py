"""A judge whose process degenerates, as after an error of its device: from some sample on it says nothing but noise."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import Reply
from editeval.types import Judge, JudgeRequest, Score

NOISE = "!" * 80


@dataclass(frozen=True)
class NoisyJudgeParams:
    notes: str  # folder: one file per process that has loaded
    num_sane: int = 3  # samples that a process answers before it degenerates
    num_degenerate: int = 1  # processes that degenerate; later ones stay sane
    text: str = NOISE  # what such a one says


class NoisyJudge(Judge):
    Params = NoisyJudgeParams
    params: NoisyJudgeParams
    metrics = ("score",)
    default_device = "cpu"

    def load(self, devices: Sequence[str]) -> None:
        folder = Path(self.params.notes)
        self._number = len(list(folder.glob("process-*")))
        (folder / f"process-{self._number}-{os.getpid()}").touch()
        self._num_judged = 0

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [self._scores(request) for request in requests]

    def _scores(self, request: JudgeRequest) -> list[Score]:
        is_degenerate = self._number < self.params.num_degenerate and self._num_judged >= self.params.num_sane
        self._num_judged += 1
        time.sleep(0.3)  # as any model takes its time: noise is noticed before the rest is judged
        text = self.params.text if is_degenerate else "7"
        found = answers.read("number", Reply(text), 0.9)
        return [
            Score(
                request.key,
                "fakes.noisy_judge",
                "score",
                sum(found.values) if found.values else None,
                text,
                found.reason,
            )
        ]
