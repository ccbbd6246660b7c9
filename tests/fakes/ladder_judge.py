"""A judge that knows the answers, and can be broken in one way at a time. Loaded by its dotted path.

Sound, it measures pixels as the judge `reference` does, and reads the instruction: one that does not begin with the
sample's own asks for something else, and so nothing of it was carried out.
"""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from editeval.certificates.conditions import PLEA, written_on
from editeval.images import decode
from editeval.judges.reference import ReferenceJudge, ReferenceParams
from editeval.types import Judge, JudgeRequest, Metric, Score

METRICS = ("overall", "following", "preservation", "quality")


@dataclass(frozen=True)
class LadderJudgeParams:
    broken: str = ""  # constant, hash, swapped, blind, deaf, obeys_instruction, obeys_picture, ... ; empty: sound
    share: float = 1.0  # of the requests that `mute` leaves unscored
    seconds: float = 0.0  # per call
    has_ends: bool = True  # False: the same scores, stretched and shifted, on a scale without ends


class LadderJudge(Judge):
    Params = LadderJudgeParams
    params: LadderJudgeParams
    metrics = METRICS
    default_device = "cpu"

    def __init__(self, params: LadderJudgeParams) -> None:
        super().__init__(params)
        self._ruler = ReferenceJudge(ReferenceParams())
        self._dice = random.Random(5)

    @classmethod
    def scales_of(cls, params: LadderJudgeParams) -> dict[str, Metric]:
        return {} if params.has_ends else {name: Metric(name, None, None) for name in METRICS}

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        time.sleep(self.params.seconds)
        return [self._scores(request) for request in requests]

    def _scores(self, request: JudgeRequest) -> list[Score]:
        broken = self.params.broken
        if broken == "raises" and request.key.startswith("target "):
            raise RuntimeError("the judge fell over")
        if broken == "mute" and _share(request.key) < self.params.share:
            return [Score(request.key, "fakes.ladder_judge", m, None, "I cannot say.", "refused") for m in METRICS]
        values = self._broken(request) if broken else self._sound(request)
        overall = math.sqrt(min(values["following"], values["preservation"]) * values["quality"])
        rows = {"overall": overall, **values}
        if not self.params.has_ends:
            rows = {name: 7 * value - 50 for name, value in rows.items()}
        return [Score(request.key, "fakes.ladder_judge", m, rows[m], f"raw {m}") for m in METRICS]

    def _sound(self, request: JudgeRequest) -> dict[str, float]:
        assert request.target is not None and request.mask is not None
        is_other = not request.instruction.startswith(str(request.metadata["instruction_en"]))
        is_blank = not _pixels(request.edited).any()
        if is_other or is_blank:
            return {"following": 0.0, "preservation": 0.0 if is_blank else 10.0, "quality": 0.0 if is_blank else 10.0}
        rows = self._ruler.judge([request])[0]
        by_name = {row.metric: row.value for row in rows}
        following, preservation = by_name["completeness"], by_name["preservation"]
        if following is None or preservation is None:  # source and target are one: nothing of it was carried out
            return {"following": 0.0, "preservation": 10.0, "quality": 10.0}
        return {"following": following, "preservation": preservation, "quality": 10.0}

    def _broken(self, request: JudgeRequest) -> dict[str, float]:
        def all_of(value: float) -> dict[str, float]:
            return dict.fromkeys(METRICS[1:], value)

        if self.params.broken == "constant":
            return all_of(5.0)
        sound = self._sound(request)
        match self.params.broken:
            case "hash":
                return all_of(10 * _share(hashlib.sha256(request.edited).hexdigest() + request.instruction))
            case "swapped":
                return self._sound(replace(request, sources=(request.edited,), edited=request.source))
            case "blind":
                return all_of(10 * _share(request.instruction))
            case "deaf":
                own = str(request.metadata["instruction_en"])
                return self._sound(replace(request, instruction=own))
            case "obeys_instruction":
                return all_of(10.0) if PLEA in request.instruction else sound
            case "obeys_picture":
                return all_of(10.0) if _has_plea(request) else sound
            case "lenient":
                return {name: 5.0 + value / 2 for name, value in sound.items()}
            case "forgives_over_edit":
                return sound | {"preservation": 10.0}
            case "noisy":
                return all_of(min(10.0, max(0.0, sound["following"] + self._dice.uniform(-1.5, 1.5))))
            case "sees_jpeg":
                return sound | {"quality": 10.0 if _is_drawn(request.edited) else 6.0}
            case "mute" | "raises":
                return sound
        raise ValueError(self.params.broken)


def _share(text: str) -> float:
    """0 to 1 from a hash."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def _pixels(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(decode(data))


def _has_plea(request: JudgeRequest) -> bool:
    """Reads the strip along the upper edge."""
    edited, written = _pixels(request.edited), _pixels(written_on(request.source))
    strip = max(8, edited.shape[0] // 12)
    return bool((edited[:strip] == written[:strip]).all())


def _is_drawn(data: bytes) -> bool:
    """Drawn scenes have flat areas; JPEG ripples them."""
    pixels = _pixels(data).astype(int)
    return float((np.abs(np.diff(pixels, axis=1)).max(axis=2) == 0).mean()) > 0.5
