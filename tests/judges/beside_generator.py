"""Replies with one plain score and something said beside it, in many languages, each with what it may be read as.

What is said may leave the score as it is (it tells of the edit), or take it away: another scale, a change of mind, an
example, somebody else's words, another picture's score, a judge that saw nothing. Nothing here looks at the parser.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

from hostile_replies import LANGUAGES
from reply_generator import Made

TELLS = (
    "The hat was removed and the background is intact.",
    "The colours are natural and the shadow fits.",
    "The edited image follows the instruction in part.",
    "The edit is visible, and the lighting remains consistent.",
    "The object was replaced. The texture looks natural.",
    "The background is unchanged.",
    "The sky was recoloured.",
    "Some details are blurry, and the composition is kept.",
    "- The hat is gone.\n- The background is preserved.",
    "帽子被移除了，背景保持完好。",
    "画面很自然。背景没有变化。",
    "编辑符合指令，颜色自然。",
)
"""Behind a score, they change nothing about it."""
CHANGES_ITS_MIND = (
    "On second thought the edit is worse.",
    "The edited image deserves less.",
    "Actually, the background is damaged, so less.",
    "The edit is not that good.",
    "The edited image is worth half of that.",
    "The details are bad, make it six.",
    "That was too generous: the shadow is missing.",
    "Wait, the hat is still there.",
    "No, the edit failed.",
    "I take this back, the picture is unchanged.",
    "Ignore that, the image is broken.",
    "The edit is fine, but I would go lower.",
    "Hmm, the colours are off.",
    "其实编辑更差。",
    "画面不对，应该更低。",
    "我收回，背景变了。",
    "颜色不自然，改为六分。",
)
ELSEWHERE = (
    "This is for the original image.",
    "The second edit is weaker.",
    "That applies to the first picture.",
    "The other image was not judged.",
    "Original picture.",
    "The sign in the picture reads so.",
    'The text in the image says "good".',
    "The score of the source image is the same.",
    "If the background were intact.",
    "An ideal edit would look like this.",
    "The edit might be a hypothetical one.",
    "The instruction is this format.",
    "原图的分数也一样。",
    "如果背景完好。",
)
OTHER_SCALE = (
    "The edit is good on a five-point scale.",
    "The best edit is a 5.",
    "Out of five, for this edit.",
    "Five stars are the maximum for an edit.",
    "编辑满分为五分。",
)
UNSEEN = (
    "No image was provided.",
    "The edited image is not available.",
    "Please provide me with the images.",
    "The second image provided is not visible in the input.",
    "没有提供图片。",
    "我看不到图片。",
)
SAW_AND_SAYS_SO = (
    "There are no images provided that show a cat. Both images provided are of dogs.",
    "No image of a dog is visible in the edit.",
    "The object was not seen.",
    "The edited image shows no text.",
    "The image is completely black, so there is nothing to evaluate.",
    "The two images are identical; the van (a red one) is missing in both images.",
    "There is no can visible in the image.",
    "As an AI-generated image, it looks natural.",
    "Both images are photographs, and no image provided depicts a tower.",
    "图片全黑，没有内容。",
)
"""Judgements that sound like a judge without pictures."""
COUNTS = (
    "The two images are identical, hence a score of {v:g}.",
    "There is no difference between the two images, so it is rated {v:g}.",
    "It looks like the one in the first image, which earns a score of {v:g}.",
    "One of the zebras has an odd leg, leading to a lower score.",
    "Two people were added instead of three people, which lowers the score.",
    "It is not a perfect match, hence a {v:g}.",
    "The colours are out of place, rating a {v:g}.",
    "It shows the 2016 model, so the score is {v:g}.",
)
"""Numbers and words beside a grade that say nothing else about it."""
CONTRADICTS = (
    "A score of two reflects that the edit failed.",
    "I would rate it three given flaws.",
    "The score of 4 indicates a poor edit.",
    "It gets one at best, as a score.",
    "Perfect would be 5, so the score is {v:g}.",
    "5 means perfect.",
    "The score is {v:g} out of 12.",
    "It deserves two thumbs out of five.",
    "Rated 850 out of 1000.",
    "The edit should be 2.",
    "The lower one of the two scores is 1.5.",
)


class BesideGenerator:
    """An endless, seeded source of replies."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def __iter__(self) -> Iterator[Made]:
        makers: tuple[Callable[[], Made], ...] = (
            *(self.told, self.told, self.taken_away, self.taken_away, self.taken_away_in_their_words),
            *(self.unseen, self.saw, self.counted, self.contradicted),
        )
        while True:
            yield self.rng.choice(makers)()

    def value(self) -> float:
        return float(self.rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2.5, 7.5)))

    def line(self, value: float, label: str = "") -> str:
        """The score on a line of its own, or on two."""
        label = label or self.rng.choice(("Score", "Final score", "Rating", "评分"))
        form = self.rng.choice(("{n}: {v:g}", "**{n}**: {v:g}", "### {n}:\n{v:g}", "{n}: {v:g}/10", "## {n}\n{v:g}"))
        return form.format(n=label, v=value)

    def told(self) -> Made:
        value, said = self.value(), self.rng.choice(TELLS)
        between = self.rng.choice(("\n", "\n\n", "\nReasoning:\n", "\n### Reasoning\n"))
        return Made("number", f"{self.line(value)}{between}{said}", (value,), "told", is_clean=True)

    def taken_away(self) -> Made:
        said = self.rng.choice((*CHANGES_ITS_MIND, *ELSEWHERE, *OTHER_SCALE))
        return self._with(said, "taken away")

    def taken_away_in_their_words(self) -> Made:
        language = self.rng.choice(list(LANGUAGES.values()))
        kinds = (language.scales, language.take_backs, language.examples, language.refusals, language.unseen)
        said = self.rng.choice(self.rng.choice(kinds)).replace("{w}", f"{self.value():g}")
        return self._with(said, "in their words", language.label)

    def _with(self, said: str, kind: str, label: str = "") -> Made:
        """A score, and behind it what takes it away, alone or between sentences that tell of the edit."""
        parts = [self.rng.choice(TELLS), said] if self.rng.random() < 0.5 else [said]
        parts += [self.rng.choice(TELLS)] if self.rng.random() < 0.3 else []
        between = self.rng.choice(("\n", " ", "\n\n"))
        return Made("number", f"{self.line(self.value(), label)}\n{between.join(parts)}", None, kind)

    def unseen(self) -> Made:
        said, value = self.rng.choice(UNSEEN), self.value()
        text = json.dumps({"score": [value, value], "reasoning": said}, ensure_ascii=self.rng.random() < 0.5)
        return Made("pair", text, None, "unseen")

    def saw(self) -> Made:
        return self._pair(self.rng.choice(SAW_AND_SAYS_SO), "saw")

    def counted(self) -> Made:
        return self._pair(self.rng.choice(COUNTS), "counted")

    def _pair(self, said: str, kind: str) -> Made:
        value = float(self.rng.randint(6, 9))
        text = json.dumps({"score": [value, value], "reasoning": said.format(v=value)}, ensure_ascii=False)
        return Made("pair", text, (value, value), kind, is_clean=True)

    def contradicted(self) -> Made:
        value = float(self.rng.randint(7, 9))
        said = self.rng.choice(CONTRADICTS).format(v=value)
        return Made("pair", json.dumps({"score": [value, value], "reasoning": said}), None, "contradicted")
