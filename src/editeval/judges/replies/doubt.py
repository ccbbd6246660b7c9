"""Words that make a number next to them doubtful: corrections, numbers in words, examples. In the larger languages.

A reply in which one of them could take back or only imagine what stands in the score's place is left unread. The lists
cannot be complete; what they miss is why a prompt should ask for the number alone.
"""

from __future__ import annotations

import re

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten "
    "null eins zwei drei vier fünf sechs sieben acht neun zehn "
    "zéro deux trois quatre cinq sept huit neuf dix "
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez dois quatro sete oito nove dez "
    "tre quattro cinque sei sette otto dieci "
    "ноль один два три четыре пять шесть семь восемь девять десять"
)
_CORRECTIONS = (
    r"actually|correct(?:ion|ed)|instead|rather|wait|sorry|reconsider\w*|reflection|revise\w*|should be|changed? my|"
    r"disagree\w*|unless|retract\w*|scratch that|i meant|on second thought|oops|mistake\w*|not agree|no reason|"
    r"eigentlich|eher|doch|stattdessen|korrektur|nein|plutôt|en fait|finalement|pardon|mejor|perdón|más bien|"
    r"corrección|нет|точнее|вернее|скорее|исправ\w*|anzi|piuttosto|aliás|melhor"
)
_EAST_ASIAN = (
    r"更正|改为|改成|应为|应该是|修正|不对|不是|やっぱり|訂正|いや|むしろ|아니|정정|"
    r"[零〇一二两三四五六七八九十][ \t]*[分点]"
)

SECOND_THOUGHT = re.compile(
    rf"\b(?:{_NUMBER_WORDS.replace(' ', '|')}|{_CORRECTIONS})\b|{_EAST_ASIAN}|[0-9]", re.IGNORECASE
)
"""Behind a score: it may be taken back."""

IMAGINED = re.compile(
    r"\b(?:examples?|e\.g|instance|formats?|form|templates?|would|could|might|if|ideal(?:ly)?|suppose|hypothetical\w*|"
    r"says|said|reads|quote\w*|beispiel|exemple|ejemplo|например)\b|例如|比如|格式|模板|假如|如果|示例|理想|写着|例えば",
    re.IGNORECASE,
)
"""In front of a score, in the same line or the one before: it may be an example, a wish, or somebody else's."""


def is_imagined(before: str) -> bool:
    """Whether the last line with anything in it, of the text in front of a score, makes an example of it."""
    lines = [line for line in before.splitlines() if line.strip()]
    return bool(lines and IMAGINED.search(lines[-1]))
