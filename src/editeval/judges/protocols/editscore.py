"""Protocol `editscore`: what EditScore's models on Qwen3-VL are asked, reasons first, in two calls of two grades 0-25.

prompt_following     source, edited   the grade for success / 2.5
consistency          source, edited   the grade for restraint / 2.5
perceptual_quality   edited alone     the smaller of the grades for naturalness and for absence of artefacts / 2.5
overall              sqrt(the smaller grade of the first call * that of the second) / 2.5, the headline

As the authors' `evaluate` does, which looks at one edit: images first, as they are, text last, no system message; at
most 512 tokens drawn at temperature 0.7, top_p 0.9, top_k 20, with seed 42. `num_samples: 4` is their num_pass 4: pass
n has seed 42 + n, and each metric is the mean over the passes, `overall` too. Their `batch_evaluate` is another judge:
it shows both images for quality, and puts a number in place of what it cannot read.

Words: our own, or with `prompts_from` those of the authors (github.com/VectorSpaceLab/EditScore, Apache-2.0).
Deviations: a reply that cannot be read is unscored, where the authors take a random number after the third try; of
replies that are no JSON only two plain kinds are read, where they repair; pictures are scaled by Pillow. `editscore` is
for the models on Qwen3-VL, `editscore_qwen25` for those on Qwen2.5-VL. arXiv 2509.23909.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

from editeval.judges.parsing.reply import ParsedReply
from editeval.judges.protocols import _grades25 as graded
from editeval.judges.protocols.protocol import (
    OfficialSettings,
    Preparation,
    PromptSource,
    Protocol,
    Question,
    ShownImage,
    field,
    first_reason,
)
from editeval.types import JudgeRequest, OfficialMean

_WHOLE = Preparation(is_limited=False)
_TO_TEN = graded.HIGHEST / 10
_ASKED = ("semantic_consistency", "perceptual_quality")


def settings_of(**bases: str) -> OfficialSettings:
    """Those of all EditScore models; `bases`: adapter, with _ for -, and the model that it was trained on."""
    adapters = {"EditScore/" + name.replace("_", "-"): f"Qwen/{base}" for name, base in bases.items()}
    loaded = [f"{base} + {adapter}" for adapter, base in adapters.items()]
    return OfficialSettings(
        judges=(*loaded, *adapters), temperature=0.7, max_new_tokens=512, top_p=0.9, top_k=20, seed=42
    )


class EditScoreProtocol(Protocol):
    """Two calls of two grades, combined pass by pass."""

    metrics = ("overall", "prompt_following", "consistency", "perceptual_quality")
    own_words: ClassVar[Mapping[str, str]] = {
        "_context_no_delimit_reasoning_first": graded.CONTEXT,
        "_prompts_0shot_two_image_edit_rule": graded.RULE,
        "_prompts_0shot_tie_rule_SC": graded.CONSISTENCY,
        "_prompts_0shot_rule_PQ": graded.QUALITY,
    }
    prompt_source = PromptSource(
        repository="github.com/VectorSpaceLab/EditScore",
        files=("editscore/vie_prompts.py",),
        hashes={
            "_context_no_delimit_reasoning_first": ("125d6dcfcbd41692",),
            "_prompts_0shot_two_image_edit_rule": ("369c6b21479e6a85",),
            "_prompts_0shot_tie_rule_SC": ("5b9aa479977bc317",),
            "_prompts_0shot_rule_PQ": ("cd929b5619a3ad93",),
        },
    )
    grammars: ClassVar[Mapping[str, Callable[[str], tuple[float, ...]]]] = {graded.FORMAT: graded.grades}
    settings = settings_of(
        EditScore_Qwen3_VL_8B_Instruct="Qwen3-VL-8B-Instruct",
        EditScore_Qwen3_VL_4B_Instruct="Qwen3-VL-4B-Instruct",
        EditScore_Qwen3_VL_32B_Instruct="Qwen3-VL-32B-Instruct",
    )
    official = (OfficialMean("overall", ("overall",), "samples"),)
    label: ClassVar[str] = ""  # in front of each image, with its number from 1

    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        context, rule, consistency, quality = (self.words[name] for name in self.own_words)
        is_ours = consistency == graded.CONSISTENCY
        instruction = field("instruction", request.instruction) if is_ours else request.instruction
        asked = "\n".join([context, rule, consistency.replace("10", str(graded.HIGHEST))])
        sources = [ShownImage("source", number, preparation=_WHOLE) for number in range(len(request.sources))]
        edited = ShownImage("edited", preparation=_WHOLE)
        return (
            self._question(_ASKED[0], asked.replace("<instruction>", instruction), *sources, edited),
            self._question(_ASKED[1], "\n".join([context, quality.replace("10", str(graded.HIGHEST))]), edited),
        )

    def _question(self, name: str, text: str, *images: ShownImage) -> Question:
        shown = (replace(image, label=self.label.format(number)) for number, image in enumerate(images, 1))
        return Question(name, None, (*shown, text), graded.FORMAT)

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        return graded.by_pass([readings[name] for name in _ASKED], _of_pass)


def _of_pass(consistency: ParsedReply, quality: ParsedReply) -> dict[str, ParsedReply]:
    missing = first_reason(consistency, quality)
    overall = missing or _to_ten(math.sqrt(consistency.values[2] * quality.values[2]))
    return {
        "overall": overall,
        "prompt_following": consistency if consistency.reason else _to_ten(consistency.values[0]),
        "consistency": consistency if consistency.reason else _to_ten(consistency.values[1]),
        "perceptual_quality": quality if quality.reason else _to_ten(quality.values[2]),
    }


def _to_ten(value: float) -> ParsedReply:
    return ParsedReply((value / _TO_TEN,))


PROTOCOL = EditScoreProtocol
