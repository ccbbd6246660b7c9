"""Protocol `rubric`: the prompt of the sample's category from the YAML section `prompts`; one number 0-10 as text.

Shown: source, then edited image. One metric, `overall`: the number itself. The wording, and with it the scale, is the
configuration's; it has to ask for a single number from 0 to 10. Differences from v2: both images are always shown (v2
showed the edited one only), a reply without exactly one number is unscored (v2: 5.0), and nothing is left to the
checkpoint's own sampling settings: transformers_vlm takes the likeliest reply, other judges the mean of num_samples.
"""

from __future__ import annotations

from collections.abc import Mapping

from editeval.judges.parsing.reply import ParsedReply
from editeval.judges.protocols.protocol import Protocol, Question, every_source, images_first
from editeval.types import JudgeRequest


class Rubric(Protocol):
    """The number that the category's prompt asks for."""

    metrics = ("overall",)
    version = 2  # inserted texts stay on one line
    uses_prompts = True

    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        if request.prompt is None:
            return ()
        system, user = request.prompt
        return every_source(request, images_first("overall", system, user, ("source", "edited"), "number"))

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        return {"overall": readings["overall"]}


PROTOCOL = Rubric
