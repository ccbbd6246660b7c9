"""A judge whose worker fails as machines do, at chosen requests; its scores follow from the edited bytes."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from editeval.types import Judge, JudgeRequest, Score
from fakes.faulty_editor import FAULTS, FaultyParams


@dataclass(frozen=True)
class FaultyJudgeParams:
    faults: dict[str, str] = field(default_factory=dict)  # request key -> fault, whenever it is in a batch
    once: dict[str, str] = field(default_factory=dict)  # ... the first time only
    notes: str = ""  # folder with one file per first time


class FaultyJudge(Judge):
    Params = FaultyJudgeParams
    params: FaultyJudgeParams
    metrics = ("overall", "care")
    default_device = "cpu"

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        for request in requests:
            fault = self.params.faults.get(request.key, "")
            if request.key in self.params.once and self._is_first(request.key):
                fault = self.params.once[request.key]
            if fault:
                _suffer(fault)
        return [[self._score(request, metric) for metric in self.metrics] for request in requests]

    def _score(self, request: JudgeRequest, metric: str) -> Score:
        digest = hashlib.sha256(f"{metric} {request.key}".encode() + request.edited).digest()
        return Score(request.key, "fakes.faulty_judge", metric, digest[0] % 101 / 10, raw="said")

    def _is_first(self, key: str) -> bool:
        path = Path(self.params.notes) / f"judged-{key.replace('/', '_')}"
        if path.exists():
            return False
        path.touch()
        return True


def _suffer(fault: str) -> None:
    if fault.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, fault))
        time.sleep(0.2)  # a stopped process comes back from here when it is let go on
    else:
        FAULTS[fault](FaultyParams())
