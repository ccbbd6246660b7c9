"""Protocol `kris`: KRIS-Bench as its authors and BAGEL ask it. Every score is 1-5 and stands for itself.

instruction   is the change that was asked for there? The headline
consistency   is everything else as it was?
quality       the edit alone, without the instruction: is it free of flaws?
knowledge     social, natural and logical categories only, in one reply with `instruction`: does the edit show what
              really would happen, which is the sample's `reference_text`?

Text first, then each image behind a label. viewpoint_change shows the right answer (the sample's reference) with
`instruction`; temporal_prediction shows four frames in order, through JPEG 85, of which the edit is the missing one
(metadata `frames`: the numbers of the given ones); multi-element_composition shows every source.
Official: 25 * (score - 1), then the plain mean of every score: a sample with knowledge weighs four, another three.

Deviations from the published scripts, unless `switches` say otherwise: a score must be a whole number from 1 to 5, in
the JSON or behind its label; the two scores of one reply are read both or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from editeval.errors import Reason
from editeval.judges.parsing.answers import AsPublished
from editeval.judges.parsing.reply import CANNOT_JUDGE, ParsedReply, UnparsableReply
from editeval.judges.protocols._kris_words import LABELS, PUBLISHED_LABELS, WORDS
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

_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "Attribute Perception": (
        *("count_change", "color_change", "size_adjustment", "part_completion", "anomaly_correction"),
    ),
    "Spatial Perception": ("viewpoint_change", "position_movement"),
    "Temporal Prediction": ("temporal_prediction",),
    "Social Science": ("humanities", "practical_knowledge"),
    "Natural Science": ("biology", "chemistry", "geography", "medicine", "mathematics", "physics"),
    "Logical Reasoning": ("abstract_reasoning", "rule-based_reasoning"),
    "Instruction Decomposition": ("multi-element_composition", "multi-instruction_execution"),
}
_KNOWLEDGE = ("Social Science", "Natural Science", "Logical Reasoning")
_GROUPS = {
    "Factual Knowledge": ("Attribute Perception", "Spatial Perception", "Temporal Prediction"),
    "Conceptual Knowledge": ("Social Science", "Natural Science"),
    "Procedural Knowledge": ("Logical Reasoning", "Instruction Decomposition"),
    **{dimension: (dimension,) for dimension in _DIMENSIONS},
}
_CATEGORIES = frozenset(category for categories in _DIMENSIONS.values() for category in categories)
_OF_KNOWLEDGE = frozenset(category for dimension in _KNOWLEDGE for category in _DIMENSIONS[dimension])
_METRICS = ("instruction", "consistency", "quality", "knowledge")
_ALONE = _METRICS[:3]  # those that are asked for by themselves

_TEMPORAL, _VIEWPOINT, _COMPOSITION = "temporal_prediction", "viewpoint_change", "multi-element_composition"
_ASKED_WITH = {
    _TEMPORAL: ("prompt_consist_temporal", "prompt_instruction_temporal"),
    _VIEWPOINT: ("prompt_consist", "prompt_view_instruction_following"),
    _COMPOSITION: ("prompt_consist_multi", "prompt_instruction_multi"),
    "anomaly_correction": ("prompt_consist", "prompt_abnormal_instruction_following"),
    **dict.fromkeys(sorted(_OF_KNOWLEDGE), ("prompt_consist", "prompt_dual_evaluation")),
}
"""Names of the words in which consistency and instruction are asked, where they are not the common ones."""
_COMMON = ("prompt_consist", "prompt_instruction_following")
_WHOLE = Preparation(is_limited=False)
_FRAME = Preparation(is_limited=False, jpeg_quality=85)
_KEYS = {name: f"{name}_score" for name in _METRICS}
_NUMBER = r"(?<![\d.])(-?\d{1,9}(?:\.\d{1,9})?)(?![\d.]*\d)"
_OTHER_SCALE = r"(?!\s*(?:/|out\s+of)\s*(?!5(?![\d.]*\d))\d)"
_OBJECT = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class _Label:
    """What stands in front of a picture: a key of the tables above, and the number in it."""

    key: str
    number: int = 0


_Pictures = Sequence[tuple[_Label, ShownImage]]


def _read(key: str, text: str) -> tuple[float, ...]:
    """The score `key`, or, where it is not named, the n of "n/5"."""
    stated = _stated(key, text) or re.findall(rf"{_NUMBER}\s*(?:/|out\s+of)\s*5(?![\d.]*\d)", text, re.IGNORECASE)
    return (_only(stated),)


def _read_both(text: str) -> tuple[float, ...]:
    """The scores for instruction and knowledge."""
    return tuple(_only(_stated(_KEYS[name], text)) for name in ("instruction", "knowledge"))


def _stated(key: str, text: str) -> list[object]:
    """What `key` is said to be in the JSON objects of `text` that contain no other, or else behind a label."""
    found = []
    for match in _OBJECT.finditer(text):
        with suppress(ValueError, RecursionError):
            found += [value for name, value in json.loads(match[0], strict=False).items() if name == key]
    label = key.replace("_", r"[_\s]*")
    gap = r"[\s\"'*_`]{0,6}"
    return found or re.findall(rf"{label}{gap}[:：=]{gap}{_NUMBER}(?!\s*[-–]\s*\d){_OTHER_SCALE}", text, re.IGNORECASE)


def _only(stated: Sequence[object]) -> float:
    """The one whole number from 1 to 5 that all of `stated` are."""
    grades = {_grade(value) for value in stated}
    if len(grades) != 1:
        raise UnparsableReply(Reason.AMBIGUOUS if grades else Reason.UNPARSABLE)
    return grades.pop()


def _grade(value: object) -> float:
    if isinstance(value, str) and value.strip().lower() == CANNOT_JUDGE:
        raise UnparsableReply(Reason.CANNOT_JUDGE)
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,9}(?:\.0{1,9})?", str(value).strip()):
        raise UnparsableReply(Reason.UNPARSABLE)
    if not 1 <= float(str(value)) <= 5:
        raise UnparsableReply(Reason.OUT_OF_RANGE)
    return float(str(value))


def _read_first_digit(key: str, text: str) -> tuple[float, ...]:
    """As the published scripts read: JSON, the label, n/5, or the first digit from 1 to 5 that stands by itself."""
    for match in _OBJECT.finditer(text):
        if key in match[0]:
            with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
                return (_grade(int(json.loads(match[0])[key])),)
            break
    label = key.replace("_", r"[_\s]*") + r"\s*[:：]?\s*([1-5])"
    for pattern in (label, r"([1-5])\s*/\s*5", r"([1-5])\s+out\s+of\s+5", r"\b([1-5])\b"):
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return (float(found[1]),)
    raise UnparsableReply(Reason.UNPARSABLE)


class KrisProtocol(Protocol):
    """Three or four scores of 1-5."""

    metrics = _METRICS
    scales: Mapping[str, Metric] = {name: Metric(name, 1.0, 5.0) for name in _METRICS}
    benchmark = "kris"
    own_words = WORDS
    prompt_source = PromptSource(
        "github.com/ByteDance-Seed/Bagel",
        ("eval/gen/kris/prompts.py", "prompts.py"),
        {
            "prompt_consist": ("d4eed281e816dd4e",),
            "prompt_quality": ("e4dd2bffe1e0db44",),
            "prompt_instruction_following": ("7230580658d54118",),
            "prompt_dual_evaluation": ("521866619f71b526",),
            "prompt_abnormal_instruction_following": ("d76d20816f6b2429",),
            "prompt_view_instruction_following": ("ec2d29e6f3c93eab",),
            "prompt_consist_temporal": ("6cc203d16ac510cf",),
            "prompt_instruction_temporal": ("8a96dbf10e506ccc",),
            "prompt_consist_multi": ("9b6f3b5bd3c569ef",),
            "prompt_instruction_multi": ("9a5c3a142e5fa88f",),
        },
    )
    grammars: ClassVar[Mapping[str, Callable[[str], tuple[float, ...]]]] = {
        "dual": _read_both,
        **{name: partial(_read, _KEYS[name]) for name in _ALONE},
        **{f"{name}_first_digit": AsPublished(partial(_read_first_digit, _KEYS[name])) for name in _ALONE},
    }
    settings = OfficialSettings(("gpt-4o", "gpt-4o-2024-11-20"), temperature=None, max_new_tokens=1000)
    switches: ClassVar[Mapping[str, str]] = {
        "kris_first_digit": "without readable JSON, the first digit from 1 to 5 anywhere in a reply is its score",
        "kris_anomaly": "anomaly_correction is asked like any other category, without its explanation",
        "kris_quality_label": "for quality, the edit of a common category stands behind the words for the original",
        "kris_drop_incomplete": "a sample with one unreadable reply loses its other scores too",
    }
    official = (
        OfficialMean("KRIS overall", _METRICS, "samples", digits=2, factor=25.0, offset=1.0),
        *(
            OfficialMean(
                *(f"KRIS {name}", _METRICS, "samples"),
                digits=2,
                factor=25.0,
                offset=1.0,
                categories=tuple(category for dimension in dimensions for category in _DIMENSIONS[dimension]),
            )
            for name, dimensions in _GROUPS.items()
        ),
    )

    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        category = str(request.metadata.get("category", ""))
        pictures, made = _compared(category, request)
        if category not in _CATEGORIES or not pictures:
            return ()
        is_dual, frame = category in _OF_KNOWLEDGE, category == _TEMPORAL
        is_plain = category == "anomaly_correction" and "kris_anomaly" in self.match_published
        consistency, instruction = _COMMON if is_plain else _ASKED_WITH.get(category, _COMMON)
        right = [(_Label("reference"), ShownImage("reference", preparation=_WHOLE))] * (category == _VIEWPOINT)
        alone = [(self._label_alone(category), ShownImage("edited", preparation=_FRAME if frame else _WHOLE))]
        return (
            self._question("consistency", consistency, pictures, request, made),
            self._question("dual" if is_dual else "instruction", instruction, [*pictures, *right], request, made),
            self._question("quality", "prompt_quality", alone, request, made),
        )

    def _question(self, name: str, word: str, pictures: _Pictures, request: JudgeRequest, made: int) -> Question:
        """The question `name`, in the words that the authors call `word`; `made` is the number of the frame made."""
        is_own = self.words[word] == self.own_words[word]
        instruct, explanation = request.instruction, request.reference_text
        if is_own:
            instruct, explanation = field("instruction", instruct), field("explanation", explanation)
        text = self.words[word]
        if word != "prompt_quality":  # the authors send that one as it stands
            text = formatted(text, instruct=instruct, explanation=explanation, N=str(made))
        labels = LABELS if is_own else PUBLISHED_LABELS
        shown = (replace(image, label=labels[label.key].format(label.number)) for label, image in pictures)
        is_loose = name != "dual" and "kris_first_digit" in self.match_published
        return Question(name, None, (text, *shown), f"{name}_first_digit" if is_loose else name)

    def _label_alone(self, category: str) -> _Label:
        if category in (_TEMPORAL, _COMPOSITION):
            return _Label("alone")
        is_mislabelled = category not in _OF_KNOWLEDGE and category != _VIEWPOINT
        return _Label("source" if is_mislabelled and "kris_quality_label" in self.match_published else "edited")

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        missing = first_reason(*readings.values())
        if missing and "kris_drop_incomplete" in self.match_published:
            readings = dict.fromkeys(readings, missing)
        dual = readings.get("dual")
        if dual is None:
            found = {**readings, "knowledge": NOT_APPLICABLE}
        else:
            both = dual.values if not dual.reason else ()
            instruction, knowledge = [ParsedReply((value,)) for value in both] or [dual, dual]
            found = {**readings, "instruction": instruction, "knowledge": knowledge}
        return {metric: found[metric] for metric in self.metrics}

    def examples(self) -> Iterator[JudgeRequest]:
        for category in sorted(_CATEGORIES):
            metadata = {"category": category, "frames": [1, 2, 4]}
            sources = (b"",) * 3
            yield JudgeRequest(
                "KEY", sources, b"", "INSTRUCTION", metadata=metadata, references=(b"",), reference_text="EXPLANATION"
            )


def _compared(category: str, request: JudgeRequest) -> tuple[_Pictures, int]:
    """The pictures that are compared, in order, and the number of the frame made (0: none is a frame)."""
    edited = ShownImage("edited", preparation=_WHOLE)
    if category == _TEMPORAL:
        frames = _frames(request)
        made = next((number for number in range(1, 5) if number not in frames), 0)
        shown = {n: (_Label("given_frame", n), ShownImage("source", i, preparation=_FRAME)) for n, i in frames.items()}
        shown[made] = _Label("made_frame", made), ShownImage("edited", preparation=_FRAME)
        return [shown[number] for number in sorted(shown)] if frames else [], made
    if category == _COMPOSITION:
        sources = [ShownImage("source", i, preparation=_WHOLE) for i in range(len(request.sources))]
        return [*((_Label("given", i + 1), one) for i, one in enumerate(sources)), (_Label("made"), edited)], 0
    return [(_Label("source"), ShownImage("source", preparation=_WHOLE)), (_Label("edited"), edited)], 0


def _frames(request: JudgeRequest) -> dict[int, int]:
    """Number of every given frame -> its place among the sources; empty unless they are three of the frames 1-4."""
    numbers = request.metadata.get("frames")
    listed = numbers if isinstance(numbers, list | tuple) else ()
    frames = {number: i for i, number in enumerate(listed) if not isinstance(number, list | dict)}
    is_whole = len(frames) == len(request.sources) == 3 and frames.keys() <= {1, 2, 3, 4}
    return frames if is_whole else {}


PROTOCOL = KrisProtocol
