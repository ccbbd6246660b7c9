"""What a judge is shown: every sample under every arm, as one request each.

rungs     the graded answers of the built-in benchmark, best first
controls  the same pictures with something wrong about the question: another instruction, swapped, blank, re-encoded,
          asked twice, changed as nobody sees it, painted over, or with a plea for the best score in it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from editeval.certificates.pictures import PLEA, blank, flat_paint, through_jpeg, unseen_change, written_on
from editeval.prompts import Prompt
from editeval.types import JudgeRequest, Sample

TARGET, REENCODED, PARTIAL = "target", "target_reencoded", "partial"
OVER_EDIT, WRONG, IDENTITY = "over_edit", "wrong_object", "identity"
RUNGS = (TARGET, REENCODED, PARTIAL, OVER_EDIT, WRONG, IDENTITY)
SHUFFLED, SWAPPED, BLANK = "shuffled_instruction", "swapped_pictures", "blank_picture"
SHAM, AGAIN = "sham_jpeg", "asked_again"
UNSEEN, FLAT = "unseen_change", "flat_paint"
IN_PICTURE, IN_INSTRUCTION = "plea_in_picture", "plea_in_instruction"


@dataclass(frozen=True, slots=True)
class Specimen:
    """A sample with its graded answers, drawn. `other` is the instruction of another sample of its category."""

    sample: Sample
    source: bytes
    reference: bytes
    mask: bytes
    ladder: Mapping[str, bytes]  # RUNGS
    other: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What an arm puts before the judge."""

    source: bytes
    edited: bytes
    instruction: str


Show = Callable[[Specimen], Shown]


def _rung(name: str) -> Show:
    return lambda s: Shown(s.source, s.ladder[name], s.sample.instruction)


ARMS: Mapping[str, Show] = {
    **{name: _rung(name) for name in RUNGS},
    SHUFFLED: lambda s: Shown(s.source, s.ladder[TARGET], s.other),
    SWAPPED: lambda s: Shown(s.ladder[TARGET], s.source, s.sample.instruction),
    BLANK: lambda s: Shown(s.source, blank(s.source), s.sample.instruction),
    SHAM: lambda s: Shown(s.source, through_jpeg(s.ladder[PARTIAL]), s.sample.instruction),
    UNSEEN: lambda s: Shown(s.source, unseen_change(s.reference), s.sample.instruction),
    FLAT: lambda s: Shown(s.source, flat_paint(s.reference, s.mask), s.sample.instruction),
    IN_PICTURE: lambda s: Shown(s.source, written_on(s.source), s.sample.instruction),
    IN_INSTRUCTION: lambda s: Shown(s.source, s.source, f"{s.sample.instruction}\n{PLEA}"),
    AGAIN: _rung(PARTIAL),
}
FOR_READERS = (SHUFFLED, SWAPPED, IN_INSTRUCTION)
"""Arms that mean nothing to a judge that is never told the instruction."""


def plan(samples: Sequence[Sample], others: Mapping[str, str], reads_instruction: bool) -> list[tuple[str, str]]:
    """(arm, sample id) of every request, in the order in which they are put.

    All arms of a sample stand together, except for what is asked again: that comes last and backwards, so that it
    meets other neighbours in its batch.
    """
    skipped = set() if reads_instruction else set(FOR_READERS)
    once = [
        (arm, sample.id)
        for sample in samples
        for arm in ARMS
        if arm not in skipped and arm != AGAIN and (arm != SHUFFLED or sample.id in others)
    ]
    return [*once, *((AGAIN, sample.id) for sample in reversed(samples))]


def others(samples: Sequence[Sample]) -> dict[str, str]:
    """sample id -> the instruction of another sample of its category: a derangement within each category.

    Of all rotations the one with most neighbours from other kinds of scenes, so that no instruction is met by chance;
    samples whose neighbour has the very same words are left out.
    """
    categories: dict[str, list[Sample]] = {}
    for sample in samples:
        categories.setdefault(sample.category, []).append(sample)
    found = {}
    for members in categories.values():
        rotated = max(_rotations(members), key=lambda turned: _num_foreign(members, turned))
        for sample, other in zip(members, rotated, strict=True):
            if sample.instruction != other.instruction:
                found[sample.id] = other.instruction
    return found


def _rotations(members: Sequence[Sample]) -> list[list[Sample]]:
    return [[*members[by:], *members[:by]] for by in range(len(members))]


def _num_foreign(members: Sequence[Sample], rotated: Sequence[Sample]) -> tuple[int, int]:
    both = list(zip(members, rotated, strict=True))
    kinds = sum(a.metadata.get("scene") != b.metadata.get("scene") for a, b in both)
    return kinds, sum(a.instruction != b.instruction for a, b in both)


def key_of(arm: str, sample_id: str) -> str:
    """The key of a request."""
    return f"{arm} {sample_id}"


def request(arm: str, specimen: Specimen, prompt: Prompt | None) -> JudgeRequest:
    """The request for one sample under one arm; `prompt` is that of its category, for judges that want one."""
    shown, sample = ARMS[arm](specimen), specimen.sample
    return JudgeRequest(
        key=key_of(arm, sample.id),
        source=shown.source,
        edited=shown.edited,
        instruction=shown.instruction,
        reference=specimen.reference,
        mask=specimen.mask,
        prompt=prompt.render(replace(sample, instruction=shown.instruction)) if prompt else None,
        metadata={**sample.metadata, "category": sample.category},
    )
