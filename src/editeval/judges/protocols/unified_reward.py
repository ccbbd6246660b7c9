"""Protocol `unified_reward`: what UnifiedReward-Edit is asked of one edit, reasons first, in two calls of grades 0-25.

overall              of our own, the headline: sqrt(the smaller grade of the first call * that of the second)
prompt_following     source, edited   the grade for success
consistency          source, edited   the grade for restraint
naturalness          edited alone     how natural the picture looks
artifact_freedom     edited alone     how free of artefacts it is

As the authors do: images first, as JPEG of quality 95, text last, no system message, at most 4096 tokens, no
temperature sent. Their server then draws as the checkpoint says: serve it (`vllm serve`) and ask it with `openai_chat`.
Models on Qwen3.5 need `extra: {chat_template_kwargs: {enable_thinking: false}}`, or the server's own setting of it.

Words: our own, or with `prompts_from` those of the authors (github.com/CodeGoat24/UnifiedReward, MIT). Their scripts
print the grades; a mean of them is not published. The model was trained on the data of EditScore and EditReward, so
that agreement with those two is no evidence of its own. A reply that cannot be read is unscored. arXiv 2503.05236.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
from editeval.types import JudgeRequest, Metric, OfficialMean

REPOSITORY = "github.com/CodeGoat24/UnifiedReward"
SHOWN = Preparation(jpeg_quality=95, is_limited=False)
_SIZES = ("qwen3vl-8b", "qwen3vl-2b", "qwen3vl-4b", "qwen3vl-32b", "qwen-3b", "qwen-7b", "qwen-32b", "qwen-72b")
SETTINGS = OfficialSettings(
    judges=(*(f"CodeGoat24/UnifiedReward-Edit-{size}" for size in (*_SIZES, "qwen35-9b")), "UnifiedReward"),
    temperature=None,
    max_new_tokens=4096,
)
_FOLLOWING, _QUALITY = "instruction_following.problem", "quality.problem"
_OWN = "\n".join([graded.CONTEXT, graded.RULE, graded.CONSISTENCY]).replace("<instruction>", "{instruction}")


def source_of(**known: str) -> PromptSource:
    """Where the authors' words are; `known`: the end of a script's name, and the hash of its words."""
    files = {f"{name}.problem": f"UnifiedReward-Edit/edit_{name}.py" for name in known}
    files = {name.removeprefix("pointwise_"): file for name, file in files.items()}
    hashes = dict(zip(files, ((digest,) for digest in known.values()), strict=True))
    places = tuple((name, file, "problem") for name, file in files.items())
    return PromptSource(REPOSITORY, (next(iter(files.values())),), hashes, places)


class UnifiedRewardProtocol(Protocol):
    """Four grades of one edit."""

    metrics = ("overall", "prompt_following", "consistency", "naturalness", "artifact_freedom")
    scales: Mapping[str, Metric] = {name: Metric(name, 0.0, float(graded.HIGHEST)) for name in metrics}
    own_words: ClassVar[Mapping[str, str]] = {
        _FOLLOWING: _OWN,
        _QUALITY: "\n".join([graded.CONTEXT, graded.QUALITY]),
    }
    prompt_source = source_of(pointwise_instruction_following="401b9a17aec0a3c3", pointwise_quality="ddb40baa511dbf2f")
    grammars: ClassVar[Mapping[str, Callable[[str], tuple[float, ...]]]] = {graded.FORMAT: graded.grades}
    settings = SETTINGS
    official = tuple(OfficialMean(name, (name,), "samples") for name in metrics[1:])

    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        is_ours = self.words[_FOLLOWING] == self.own_words[_FOLLOWING]
        instruction = field("instruction", request.instruction) if is_ours else request.instruction
        asked = self.words[_FOLLOWING].replace("{instruction}", instruction)
        sources = [ShownImage("source", number, preparation=SHOWN) for number in range(len(request.sources))]
        edited = ShownImage("edited", preparation=SHOWN)
        return (
            Question("instruction_following", None, (*sources, edited, asked), graded.FORMAT),
            Question("quality", None, (edited, self.words[_QUALITY]), graded.FORMAT),
        )

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        return graded.by_pass([readings["instruction_following"], readings["quality"]], _of_pass)


def _of_pass(following: ParsedReply, quality: ParsedReply) -> dict[str, ParsedReply]:
    missing = first_reason(following, quality)
    overall = missing or ParsedReply((math.sqrt(following.values[2] * quality.values[2]),))
    first, second = (
        [one if one.reason else ParsedReply((one.values[n],)) for n in range(2)] for one in (following, quality)
    )
    return dict(zip(UnifiedRewardProtocol.metrics, (overall, *first, *second), strict=True))


PROTOCOL = UnifiedRewardProtocol
