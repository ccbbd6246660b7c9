"""A judge that does as its parameters say: scores, lies, raises. Loaded by its dotted path."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from editeval.images import decode
from editeval.types import Judge, JudgeRequest, Metric, OfficialMean, Score


@dataclass(frozen=True)
class FakeJudgeParams:
    value: float = 5.0
    mode: str = ""  # of every call; empty: it behaves
    modes: dict[str, str] = field(default_factory=dict)  # request key -> mode of a call that contains it
    reads_source: bool = False  # decode it, so that a broken one raises
    seconds: float = 0.0  # per call
    ends: list[float | None] = field(default_factory=lambda: [0.0, 10.0])  # of the scale of `overall`
    skips: list[str] = field(default_factory=list)  # request keys to which `care` does not apply
    official: list[str] = field(default_factory=list)  # metrics whose scores its authors would pool, to one digit
    values: dict[str, float] = field(default_factory=dict)  # request key -> value, where it is another
    notes: str = ""  # file for one line per request: its key and how many source images it shows


class FakeJudge(Judge):
    Params = FakeJudgeParams
    params: FakeJudgeParams
    metrics = ("overall", "care")
    default_device = "cpu"

    @classmethod
    def scales_of(cls, params: FakeJudgeParams) -> Mapping[str, Metric]:
        scale = Metric("overall", *params.ends)
        return {} if scale == Metric("overall") else {"overall": scale}

    @classmethod
    def official_of(cls, params: FakeJudgeParams) -> tuple[OfficialMean, ...]:
        metrics = tuple(params.official)
        return (OfficialMean("theirs", metrics, "categories", digits=1),) if metrics else ()

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        time.sleep(self.params.seconds)
        if self.params.notes:
            with Path(self.params.notes).open("a") as file:
                file.writelines(f"{request.key} {len(request.sources)}\n" for request in requests)
        if self.params.reads_source:
            for request in requests:
                decode(request.source)
        mode = next((m for r in requests if (m := self.params.modes.get(r.key))), self.params.mode)
        sound = [self._row(r.key, self.params.values.get(r.key, self.params.value)) for r in requests]
        for row in sound:
            if None in self.params.ends:
                row[1] = replace(row[1], value=5.0)  # on 0-10, whatever `value` is
            if row[1].sample_id in self.params.skips:
                row[1] = replace(row[1], value=None, reason="not_applicable")
        return self._spoilt(mode, sound)

    def _spoilt(self, mode: str, sound: list[list[Score]]) -> Any:
        key = sound[0][0].sample_id
        if mode == "raises":
            raise RuntimeError("the judge fell over")
        if mode == "eleven_unnoticed":  # as from a worker that is not sound any more
            self.scales_of = lambda params: {name: Metric(name, None, None) for name in self.metrics}  # type: ignore
            return [self._row(key, 11.0), *sound[1:]]
        if mode in ("nan", "eleven"):
            return [self._row(key, math.nan if mode == "nan" else 11.0), *sound[1:]]
        replies: dict[str, Any] = {
            "": sound,
            "nothing": None,
            "numbers": [5.0 for _ in sound],
            "one_short": sound[:-1],
            "one_more": [*sound, sound[-1]],
            "no_scores": [[] for _ in sound],
            "no_headline": [row[1:] for row in sound],
            "headline_not_applicable": [
                [replace(row[0], value=None, reason="not_applicable"), *row[1:]] for row in sound
            ],
            "twice": [[row[0], *row] for row in sound],
            "headline_last": [row[::-1] for row in sound],
            "other_key": [self._row("somebody else", 5.0), *sound[1:]],
            "float32": [self._row(key, np.float32(5.0)), *sound[1:]],
        }
        return replies[mode]

    def _row(self, key: str, value: Any) -> list[Score]:
        return [self._score(key, metric, value) for metric in self.metrics]

    @staticmethod
    def _score(key: str, metric: str, value: Any) -> Score:
        return Score(key, "fakes.fake_judge", metric, value, f"raw {key}")
