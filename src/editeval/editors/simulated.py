"""A stand-in for a model, of known quality: it answers each sample with a rung that is drawn by given chances.

Model: none, and every report says so. Licence: that of editeval. Cost: some 30 ms for 512 x 512 pixels on one core, and
`latency_s`. Needs samples with a target: it and the source are all that an answer is made of. What an answer
is (a perfect edit, half of one, one with unasked changes, one in the wrong place, none at all, a failure, a refusal)
depends on the sample's id and the base seed alone, so that the same run gives the same bytes on every device. As the
chances are known, so is the mean that a run should measure: reports say both.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from editeval.errors import BenchmarkError, ConfigError, EditRefusedError, ImageError
from editeval.images import decode
from editeval.types import WHERE_SET, Editor, EditRequest, Facts, Progress

if TYPE_CHECKING:
    from PIL.Image import Image

RUNGS = ("target", "target_reencoded", "partial", "over_edit", "wrong_object", "identity")  # of editeval.rungs
FAILURES = ("failed", "refused", "unreadable")
WRONG = frozenset(RUNGS) - {"target", "target_reencoded"}
OTHERS = "default"  # the category of samples whose own is not listed
NUM_STEPS = 4  # that are reported, as denoising steps would be

Chances = Mapping[str, float]


class SimulatedError(Exception):
    """What a planted failure raises."""


def _usual() -> dict[str, dict[str, float]]:
    """A model that does what is physical well, and is lost where an instruction refers to something."""
    return {
        "physical": {"partial": 0.15, "over_edit": 0.1, "identity": 0.05},
        "environmental": {"partial": 0.2, "over_edit": 0.2, "wrong_object": 0.05, "identity": 0.05},
        "cultural": {"partial": 0.2, "over_edit": 0.15, "wrong_object": 0.15, "identity": 0.05, "refused": 0.1},
        "causal": {"partial": 0.3, "over_edit": 0.1, "wrong_object": 0.1, "identity": 0.1, "failed": 0.1},
        "referential": {"partial": 0.15, "wrong_object": 0.4, "identity": 0.1, "unreadable": 0.1},
        OTHERS: {"partial": 0.2, "over_edit": 0.1, "wrong_object": 0.1, "identity": 0.1},
    }


@dataclass(frozen=True, slots=True)
class SimulatedParams:
    """How good the model is. A category is what stands before the first "/" of a sample's id."""

    chances: dict[str, dict[str, float]] = field(default_factory=_usual)
    """By category, or `default` for those not listed: the probability of each rung (target, target_reencoded, partial,
    over_edit, wrong_object, identity) and of `failed` (an exception), `refused` and `unreadable` (its source).
    What is not listed is 0; `target` gets what is left of 1, and all of it in a category without any entry."""

    skill: float = field(default=0.0, metadata=WHERE_SET)
    """0: as `chances` says; 1: every edit that is made is right. Between them that share of the wrong rungs becomes
    the target. Failures stay as they are."""

    latency_s: float = 0.02
    """Seconds that an edit takes besides its computation."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.skill <= 1.0:
            raise ConfigError(f"skill: must be from 0 to 1, got {self.skill!r}")
        if not 0.0 <= self.latency_s <= 3600.0:
            raise ConfigError(f"latency_s: must be from 0 to 3600, got {self.latency_s!r}")
        wrong = [f"{category}: {said}" for category, given in self.chances.items() if (said := _mistake(given))]
        if wrong:
            raise ConfigError(f"chances: {'; '.join(wrong)}")


def _mistake(given: Chances) -> str:
    """What is wrong with the chances of one category; empty for nothing."""
    unknown = sorted(set(given) - {*RUNGS, *FAILURES})
    if unknown:
        return f"no rung {', '.join(map(repr, unknown))}; use {', '.join((*RUNGS, *FAILURES))}"
    if not all(0.0 <= chance <= 1.0 for chance in given.values()):
        return f"a probability is from 0 to 1, got {dict(given)}"
    total = math.fsum(given.values())
    if total > 1.0 + 1e-9 or ("target" in given and total < 1.0 - 1e-9):
        advice = "leave target out to give it the rest" if "target" in given else "they may not exceed 1"
        return f"probabilities add up to {total:g}; {advice}"
    return ""


def chances_of(params: SimulatedParams, sample_id: str) -> dict[str, float]:
    """The probability of every answer to this sample, those that are possible only; they add up to 1."""
    category, slash, _ = sample_id.partition("/")
    given = dict(params.chances.get(category if slash else OTHERS, params.chances.get(OTHERS, {})))
    for rung in WRONG & given.keys():
        given[rung] *= 1 - params.skill
    if params.skill:
        given.pop("target", None)  # it gets the rest
    rest = max(0.0, 1.0 - math.fsum(given.values()))
    found = {name: given.get(name, 0.0) for name in (*RUNGS, *FAILURES)}
    found["target"] += rest
    return {name: chance for name, chance in found.items() if chance > 1e-12}


def drawn(params: SimulatedParams, sample_id: str, seed: int) -> str:
    """The answer to this sample: a rung or a failure. `seed` is the sample's own."""
    digest = hashlib.sha256(f"simulated {seed} {sample_id}".encode("utf-8", "surrogatepass")).digest()
    left = int.from_bytes(digest[:7], "big") / 2**56
    found = chances_of(params, sample_id)
    for name, chance in found.items():
        left -= chance
        if left < 0:
            return name
    return next(reversed(found))


def answer(rung: str, images: tuple[bytes, ...], seed: int) -> Image:
    """The picture of `rung` for a sample's encoded (source, target). Raises ImageError if one is broken."""
    import numpy as np
    from PIL import Image

    from editeval import rungs

    source, target = (np.asarray(decode(image)) for image in images)
    if source.shape != target.shape:
        raise ImageError(f"source and target must have one size, got {source.shape} and {target.shape}")
    return Image.fromarray(rungs.RUNGS[rung](source, target, seed))


@dataclass(frozen=True, slots=True)
class SimulatedAnswers:
    """What `Simulated` answers under these parameters; see `run.plan.KnownAnswers`."""

    params: SimulatedParams

    def problem(self, sample_ids: Sequence[str]) -> str:
        """Names the categories that no sample has: their chances would never be used."""
        if self.params.chances == _usual():
            return ""
        known = {sample_id.partition("/")[0] for sample_id in sample_ids} | {OTHERS}
        absent = " or ".join(repr(f"{category}/") for category in self.params.chances if category not in known)
        return f"chances: no sample's id begins with {absent}; use {', '.join(sorted(known))}" if absent else ""

    def chances(self, sample_id: str) -> dict[str, float]:
        return {name: chance for name, chance in chances_of(self.params, sample_id).items() if name in RUNGS}

    def drawn(self, sample_id: str, seed: int) -> str:
        return drawn(self.params, sample_id, seed)

    def image(self, name: str, images: tuple[bytes, ...], seed: int) -> Image:
        return answer(name, images, seed)


class Simulated(Editor):
    """Draws a rung, makes its picture, and takes its time."""

    Params = SimulatedParams
    default_device = "cpu"
    max_images: ClassVar[int | None] = None
    sees_target: ClassVar[bool] = True

    @classmethod
    def known_answers(cls, params: SimulatedParams) -> SimulatedAnswers:
        """By the chances of `params`."""
        return SimulatedAnswers(params)

    def facts(self) -> Facts:
        """That this is no model."""
        return {"model": "simulated: answers are drawn by the chances given, no model is loaded"}

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The drawn answer. Raises SimulatedError, EditRefusedError or ImageError where that is what was drawn."""
        if request.overrides:
            got = ", ".join(sorted(request.overrides))
            raise ConfigError(f"simulated: request {request.key}: nothing can be overridden, got {got}; leave it out")
        if request.target is None:
            raise BenchmarkError(f"simulated: request {request.key}: has no target; use it on samples that have one")
        for step in range(NUM_STEPS):
            time.sleep(self.params.latency_s / NUM_STEPS)
            progress(step + 1, NUM_STEPS)
        rung = drawn(self.params, request.key, request.seed)
        if rung == "refused":
            raise EditRefusedError("simulated: I would rather not edit this picture")
        if rung == "unreadable":
            raise ImageError("simulated: the source cannot be read")
        if rung == "failed":
            raise SimulatedError("the stand-in fails here, as its chances say")
        return answer(rung, (request.images[0], request.target), request.seed)
