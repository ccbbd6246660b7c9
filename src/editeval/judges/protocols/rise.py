"""Protocol `rise`: RISEBench as its authors ask it.

accuracy      1 if every score that applies is 5, else 0: the headline
score         1-5: .3 consistency + .5 reasoning + .2 plausibility; .8 reasoning + .2 plausibility where consistency is
              free; .3 consistency + .7 reasoning of a logical sample. If reasoning is 1, half of it, but at least 1
reasoning     1-5: does the edit show what the sample's reference says?
consistency   1-5, unless metadata `consistency_free`: is everything else as it was?
plausibility  1-5, not of a logical sample: the edit alone, is it sound?

Of a logical sample, reasoning and consistency are asked as 1 or 0, which count as 5 and 1. Text first, then the images,
each shrunk to 768 pixels and through JPEG 75. The edit is compared with the source, or, in a spatial or logical sample
that has one, with its reference image; with `reasoning_img` in the metadata, reasoning shows the source too.
A logical sample needs `reference_txt` in its metadata, or a reference image.

Deviations from the published script, unless `switches` say otherwise: one whole number on the scale that was asked for
must stand behind "Final Score"; a sample with an unreadable reply has neither accuracy nor score.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import ClassVar

from editeval.errors import Reason
from editeval.judges.parsing.answers import AsPublished
from editeval.judges.parsing.reply import ParsedReply, UnparsableReply
from editeval.judges.protocols._rise_words import WORDS
from editeval.judges.protocols.protocol import (
    NOT_APPLICABLE,
    OfficialSettings,
    Preparation,
    PromptSource,
    Protocol,
    Question,
    ShownImage,
    field,
    first_reason,
    formatted,
)
from editeval.types import JudgeRequest, Metric, OfficialMean

_TEMPORAL, _CAUSAL, _SPATIAL, _LOGICAL = (f"{name}_reasoning" for name in ("temporal", "causal", "spatial", "logical"))
_CATEGORIES = (_TEMPORAL, _CAUSAL, _SPATIAL, _LOGICAL)
_ASKED = ("consistency", "reasoning", "plausibility")
_SHOWN = Preparation(max_side=768, jpeg_quality=75, is_limited=False)
_FINAL = re.compile(
    r"final\s+scores?[\s*_:：`\"']{0,12}(?P<number>-?\d{1,9}(?:\.\d{1,9})?)(?![\d.]*\d)"
    r"(?:[\s*]{0,4}/[\s*]{0,4}(?P<scale>\d{1,4}))?(?P<more>[\s*]{0,4}[-–,][\s*]{0,4}\d)?",
    re.IGNORECASE,
)
_PUBLISHED = tuple(
    re.compile(rf"\*?\*?{words}\*?\*?:?\s*([\d*\s,\n]*)", re.IGNORECASE) for words in ("Final Score", "Final Scores")
)


def _read(low: int, high: int, text: str) -> float:
    """The whole number from `low` to `high` behind "Final Score": stated once, or always alike."""
    found = list(_FINAL.finditer(text))
    if not found or any("." in one["number"] for one in found):
        raise UnparsableReply(Reason.UNPARSABLE)
    if any(one["more"] for one in found) or len({int(one["number"]) for one in found}) > 1:
        raise UnparsableReply(Reason.AMBIGUOUS)
    if any(one["scale"] not in (None, str(high)) for one in found):
        raise UnparsableReply(Reason.WRONG_SCALE)
    number = int(found[0]["number"])
    if not low <= number <= high:
        raise UnparsableReply(Reason.OUT_OF_RANGE)
    return float(number)


def _read_grade(text: str) -> tuple[float, ...]:
    return (_read(1, 5, text),)


def _read_verdict(text: str) -> tuple[float, ...]:
    """5 for a 1, 1 for a 0."""
    return (4.0 * _read(0, 1, text) + 1.0,)


def _read_published(text: str) -> tuple[float, ...]:
    """Every whole number behind the first "Final Score" that any stands behind, as the published script reads."""
    for pattern in _PUBLISHED:
        rows = (re.findall(r"\d{1,9}", stated) for stated in pattern.findall(text))
        numbers = next(filter(None, rows), [])
        if numbers:
            return tuple(map(float, numbers))
    raise UnparsableReply(Reason.UNPARSABLE)


class RiseProtocol(Protocol):
    """Whether all is right, and the scores behind that."""

    metrics = ("accuracy", "score", "reasoning", "consistency", "plausibility")
    scales: Mapping[str, Metric] = {
        "accuracy": Metric("accuracy", 0.0, 1.0),
        **{name: Metric(name, 1.0, 5.0) for name in metrics[1:]},
    }
    benchmark = "rise"
    own_words = WORDS
    prompt_source = PromptSource(
        "github.com/PhoenixZ810/RISEBench",
        ("utils.py",),
        {
            "prompt_consist": ("84b272d821670cd2",),
            "prompt_reasoning": ("2a1a3394442065a2",),
            "prompt_reasoning_w_input": ("b781425c015b41a6",),
            "prompt_generation": ("2d607960deffa2e1",),
            "prompt_spatial_cons": ("b20ca629d36da9cf",),
            "prompt_spatial_ref": ("df84b77e28183edd",),
            "prompt_spatial_ref_img": ("4e043b8e696d40a4",),
            "prompt_spatial_ref_w_input": ("444d3a201c30fb2f",),
            "prompt_spatial_qual": ("3bead46a4b0bcf29",),
            "prompt_logical_cons_ans": ("28a6dd5a2e714acf",),
            "prompt_logical_cons": ("49b6870dfb1b4cb6",),
            "prompt_logical_txt": ("6719763c72ab8ef9",),
            "prompt_logical_img": ("ce89313d6047592d",),
            "prompt_logical_img_wo_q": ("8cd49d5335cd303c",),
        },
    )
    grammars: ClassVar[Mapping[str, Callable[[str], tuple[float, ...]]]] = {
        "final_grade": _read_grade,
        "final_verdict": _read_verdict,
        "final_numbers": AsPublished(_read_published),
    }
    settings = OfficialSettings(("gpt-4.1-2025-04-14",), temperature=0.0, max_new_tokens=4096)
    switches: ClassVar[Mapping[str, str]] = {
        "rise_nan": "the score of a temporal, causal or spatial sample never counts consistency",
        "rise_unreadable_wrong": "a sample with an unreadable reply has accuracy 0 and no other score",
        "rise_numbers": "every number behind the first Final Score counts; how many there are decides what they mean",
        "rise_wo_ins": "of a logical sample with a reference image, reasoning is asked without the instruction, always",
    }
    official = (
        *(
            OfficialMean(
                f"RISE {name} {of} (%)",
                (metric,),
                "samples",
                digits=1,
                factor=factor,
                offset=offset,
                categories=categories,
            )
            for metric, of, factor, offset in (("accuracy", "accuracy", 100.0, 0.0), ("score", "score", 25.0, 1.0))
            for name, categories in (("overall", ()), *((one.partition("_")[0], (one,)) for one in _CATEGORIES))
        ),
        *(
            OfficialMean(f"RISE {name} (%)", (name,), "samples", digits=1, factor=25.0, offset=1.0)
            for name in ("reasoning", "consistency", "plausibility")
        ),
    )

    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        category = request.metadata.get("category")
        if category == _LOGICAL:
            return self._logical(request)
        if category not in _CATEGORIES:
            return ()
        is_spatial, given = category == _SPATIAL, _has(request, "reasoning_img")
        first = "source"
        if is_spatial and request.references:
            first, reasoning = "reference", "prompt_spatial_ref_img"
        elif is_spatial:
            reasoning = "prompt_spatial_ref_w_input" if given else "prompt_spatial_ref"
        else:
            reasoning = "prompt_reasoning_w_input" if given else "prompt_reasoning"
        both = (first, "edited")
        asked = (
            []
            if _is_free(request)
            else [
                self._question("consistency", "prompt_spatial_cons" if is_spatial else "prompt_consist", both, request)
            ]
        )
        return (
            *asked,
            self._question("reasoning", reasoning, both if given or first == "reference" else both[1:], request),
            self._question(
                "plausibility", "prompt_spatial_qual" if is_spatial else "prompt_generation", both[1:], request
            ),
        )

    def _logical(self, request: JudgeRequest) -> tuple[Question, ...]:
        if _has(request, "reference_txt"):
            return (
                self._question("consistency", "prompt_logical_cons_ans", ("source", "edited"), request),
                self._question("reasoning", "prompt_logical_txt", ("edited",), request),
            )
        if not request.references:
            return ()
        is_bare = _has(request, "reasoning_wo_ins") or "rise_wo_ins" in self.match_published
        both = ("reference", "edited")
        return (
            self._question("consistency", "prompt_logical_cons", both, request),
            self._question("reasoning", "prompt_logical_img_wo_q" if is_bare else "prompt_logical_img", both, request),
        )

    def _question(self, name: str, word: str, roles: Sequence[str], request: JudgeRequest) -> Question:
        is_logical = request.metadata["category"] == _LOGICAL
        reference = str(request.metadata.get("reference_txt") or "") if is_logical else request.reference_text
        instruct = request.instruction
        if self.words[word] == self.own_words[word]:
            instruct, reference = field("instruction", instruct), field("reference", reference)
        text = formatted(self.words[word], instruct=instruct, reference=reference)
        answer = "final_verdict" if is_logical else "final_grade"
        answer = "final_numbers" if "rise_numbers" in self.match_published else answer
        return Question(
            name, None, (text, *(ShownImage(role, preparation=_SHOWN, detail="high") for role in roles)), answer
        )

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        if "rise_numbers" in self.match_published:
            readings = _by_number(readings)
        found = {name: readings.get(name, NOT_APPLICABLE) for name in _ASKED}
        missing = first_reason(*readings.values())
        if missing and "rise_unreadable_wrong" in self.match_published:
            found = {name: one if one is NOT_APPLICABLE else missing for name, one in found.items()}
            return {"accuracy": ParsedReply((0.0,)), "score": missing, **found}
        if missing:
            return {"accuracy": missing, "score": missing, **found}
        grades = {name: reading.values[0] for name, reading in readings.items()}
        accuracy = float(all(grade == 5.0 for grade in grades.values()))
        return {"accuracy": ParsedReply((accuracy,)), "score": ParsedReply((self._score(grades),)), **found}

    def _score(self, grades: Mapping[str, float]) -> float:
        reasoning = grades["reasoning"]
        if "plausibility" not in grades:
            score = 0.3 * grades["consistency"] + 0.7 * reasoning
        elif "consistency" not in grades or "rise_nan" in self.match_published:
            score = 0.2 * grades["plausibility"] + 0.8 * reasoning
        else:
            score = 0.3 * grades["consistency"] + 0.5 * reasoning + 0.2 * grades["plausibility"]
        return score if reasoning > 1.0 else max(1.0, 0.5 * score)

    def examples(self) -> Iterator[JudgeRequest]:
        flags = ("", "reasoning_img", "consistency_free", "reference_txt", "reasoning_wo_ins")
        for category, flag, references in product(_CATEGORIES, flags, ((), (b"",))):
            metadata = {"category": category, flag: "REFERENCE"}
            example = JudgeRequest("KEY", (b"",), b"", "INSTRUCTION", metadata=metadata, references=references)
            if self.questions(example):
                yield replace(example, reference_text="REFERENCE")


def _has(request: JudgeRequest, name: str) -> bool:
    """Whether the sample's metadata has a value there: an empty cell of a table (None, NaN, "", false) is none."""
    value = request.metadata.get(name)
    return value not in (None, "", False) and value == value


def _is_free(request: JudgeRequest) -> bool:
    return _has(request, "consistency_free")


def _by_number(readings: Mapping[str, ParsedReply]) -> dict[str, ParsedReply]:
    """The readings as the published script takes them: by how many numbers all replies hold together."""
    missing = first_reason(*readings.values())
    row = [ParsedReply((value,)) for reading in readings.values() for value in reading.values]
    if "consistency" not in readings:
        row.insert(0, NOT_APPLICABLE)
    if missing or len(row) not in (2, 3):
        return dict.fromkeys(readings, missing or ParsedReply(reason=Reason.AMBIGUOUS))
    if len(row) == 2:
        row = [ParsedReply((4.0 * min(one.values[0], 1.0) + 1.0,)) for one in row]
    if any(one.values and not 1.0 <= one.values[0] <= 5.0 for one in row):
        return dict.fromkeys(readings, ParsedReply(reason=Reason.OUT_OF_RANGE))
    return {name: one for name, one in zip(_ASKED, row, strict=False) if one is not NOT_APPLICABLE}


PROTOCOL = RiseProtocol
