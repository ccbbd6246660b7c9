"""Grammar of a written number: the shapes in which a reply may state it, and what may be beside it.

    8    8.5.    8/10    8 out of 10    8 分                       the whole reply
    {"score": 8.5, "reasoning": "..."}                             the one JSON object
    Score: 8    **Score (0-10):** 8/10 (a good match)    评分：8    the last line, or the last sentence, once
    ### Score:                                                     ... with the number on the next line
    8
Prose may come before the last line; behind it, a sentence `Reason: ...`, or sentences that tell of the edit and of
nothing else, all without a number. Bold and code marks are ignored. Nothing is read where the prose states another
scale or another score, or announces an example.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from editeval.errors import Reason
from editeval.judges.parsing import prose
from editeval.judges.parsing.reply import EDGES, UnparsableReply

LOWEST, HIGHEST = 0, 10
_MAX_SCALE = 1000  # a greater number is a year or a size: no scale that a judge may have in mind
_SPELLING = re.compile(r"(?P<sign>[-+−]?)(?P<number>(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,39})?)")
_MARK = re.compile(r"(?<![0-9.])(?:\*\*|(?<!`)`(?!`))|(?:\*\*|(?<!`)`(?!`))(?![0-9.])")
"""Bold and code marks; never between two digits, which would make one number of two."""
_STATED = re.compile(
    r"(?P<value>[-+−]?[0-9]{1,60}(?:\.[0-9]{1,40})?)(?:[ \t]{0,3}(?:/|"
    r"out of)[ \t]{0,3}(?P<scale>[0-9]{1,4})(?:\.0)?)?"
    r"(?:[ \t]{0,3}(?P<percent>%|percent))?(?:[ \t]{0,3}分)?[ \t]{0,3}[.。]?"
    r"(?:(?<=[.。])[ \t]{1,3}(?P<praise>[^\W\d_][^.。\n]{1,40})[.!。]?)?"
    r"(?:[ \t]{0,3}(?:\((?P<remark>[^()\n]{1,120})\)[ \t]{0,3}[.。]?|[-–—][ \t]{1,3}(?P<tail>[^\n]{1,120})))?"
)
_SAID_BEHIND = ("praise", "remark", "tail")
_NO_NUMBER = re.compile(r"[-+]?(?:nan|inf(?:inity)?|null|none|n/a|not applicable|undefined)[.]?", re.IGNORECASE)
_ABSTAINED = re.compile(r"[\"']?(?:cannot|can['’]t|unable to|not able to) judge[\"']?[.]?", re.IGNORECASE)
_SCORE = (
    r"(?:(?:final|overall|total|the|my|最终|综合|总)[ \t]{0,2}){0,3}"
    r"(?:score|rating|grade|评分|分数|得分|打分|总分|スコア|점수|bewertung|puntuación|оценка)"
)
_LABEL = re.compile(
    rf"(?<![^\W_]){_SCORE}[ \t]{{0,3}}(?P<scale>[(\[][^()\[\]\n]{{1,24}}[)\]])?[ \t]{{0,3}}(?P<mark>[:=]|(?=\n))",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"[ \t]{0,8}(?:[-*•#]{1,6}[ \t]{0,3}){0,3}")  # no ">": what is quoted is somebody else's
_REASON = re.compile(
    r"[\W_]{0,8}(?:reason(?:ing)?|rationale|explanation|justification|理由|原因|说明)[ \t]{0,2}(?::|(?=\n))",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    r"[\W_]{0,8}(?:(?:sure|certainly|okay|ok)[,.! ]{1,2})?(?:here(?:['’]s| is| are) )?(?:the |my )?(?:final |"
    r"overall )?"
    r"(?:json|evaluation|assessment|analysis|verdict|judge?ment|results?|answer|response|output|scores?|ratings?)"
    r"(?: (?:in|as) json(?: format)?)?[\W_]{0,4}|"
    r"[\W_]{0,8}(?:(?:以下|这)是)?(?:我的|最终)?(?:评价|评估|评分|结果|答案)[\W_]{0,4}",
    re.IGNORECASE,
)
_ENDS = (".", "!", "。", "！", "।", "؟", "…")
_SENTENCE_ENDS = str.maketrans(dict.fromkeys("。！？!?؟", "\n"))
_WORDS = {
    word: number
    for number, words in enumerate(
        (
            *("zero null zéro cero ноль", "one eins один", "two zwei deux dos два", "three drei trois tres три 三"),
            *("four vier quatre cuatro четыре 四", "five fünf cinq cinco пять пяти خمسة 五", "six sechs seis шесть 六"),
            *("seven sieben sept siete семь 七", "eight acht huit ocho восемь 八", "nine neun neuf nueve девять 九"),
            "ten zehn dix diez десять 十",
        )
    )
    for word in words.split()
} | {"百": 100}
_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9_])(?<![0-9]\.)[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?(?![A-Za-z0-9_])|"
    rf"\b(?:{'|'.join(word for word in _WORDS if len(word) > 1)})\b|[三四五六七八九十](?=[ ]?[分点點星级つ段])|"
    r"百(?=分制)",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(r">|[\W_]{0,4}(?:user|system|assistant|human|用户|系统|助手)[*_]{0,2}[ ]?:", re.IGNORECASE)
"""A line that is quoted, or spoken in a role: somebody else's."""
_PROPOSED = re.compile(
    r"\b(?:(?:it|this|that|score|rating|grade|edit|answer)(?: really| actually)? (?:should|ought to|must|could) (?:be|"
    rf"get)|it is|it['’]s|this is|thought(?: of)?)(?: an?| about)? (?P<number>{_NUMBER.pattern})"
    r"(?=[ ]?(?:[,;:)]|$|instead\b|rather\b))",
    re.IGNORECASE,
)
_DEDUCTED = re.compile(
    rf"\b(?:reduc|lower|drop|cut)(?:e|es|ed|s|ping)? the (?:score|rating) by (?P<number>{_NUMBER.pattern})",
    re.IGNORECASE,
)
_DEDUCTED_BY = re.compile(
    rf"\b(?:los(?:es|t|ing)|deduct(?:s|ed|ing)?|docks?|by) (?:{_NUMBER.pattern}) points?\b|"
    rf"(?:{_NUMBER.pattern}) points? (?:(?:is|was|are|were) )?deducted\b",
    re.IGNORECASE,
)
_FLAW = r"(?:flaw|error|mistake|art[ei]fact|issue|problem|defect|seam|glitch|change|difference|detail)(?:s|es)?\b"
_COUNTED = re.compile(
    rf"(?:{_NUMBER.pattern})(?: (?:small|minor|tiny|major|visible))? {_FLAW}|"
    rf"\b(?:of the|the|all|these|at|with|only) (?:{_NUMBER.pattern}) "
    r"(?!(?:points|stars|marks|levels|steps|grades|scores|ratings|ranks|classes|categories|bands|tiers|options|means|"
    r"stands|represents|indicates|equals|denotes|signifies)\b)[a-z]{3,20}s\b|"
    r"\b[0-9a-z]{1,9}-(?:point|star) (?:perspective|hotel|restaurant|resort|lighting|flag|badge|logo)\b|"
    rf"\b(?:sign|clock|plate|banner|label|shirt) (?:now )?(?:says|reads|shows) (?:{_NUMBER.pattern})",
    re.IGNORECASE,
)
"""Numbers that count or name what is in the picture, so that no word beside them makes a scale of them."""
_ALWAYS_COUNTED = re.compile(
    rf"(?:{_NUMBER.pattern})(?: (?:provided|given|different|identical|separate|other|small|large|new))? "
    r"(?:images|pictures|photos|photographs|scenes|subjects|objects|people|persons|women|men|children|animals|figures|"
    r"characters|versions|elements|plushies|toys|cats|dogs)\b|"
    r"\bone (?:of (?:the|its|his|her|their|them)|another|(?:would|might|could|can|may) expect|in the (?:first|second|"
    r"third|token|original|edited|source|guidance))\b|"
    r"\b(?:the|each|every|no|exact|realistic|natural|extra|first|second|new|this|that) one\b(?! (?:points?|stars?|"
    r"marks?|out)\b)|\b(?:three|3)[ -]point (?:light|set-?up)",
    re.IGNORECASE,
)
"""Numbers that are none of a score, whatever else their sentence says."""
_NO_SCALE = re.compile(
    r"\bout of (?:place|focus|frame|control|line|proportion|nowhere|context|character)\b|\bgr[ae]y-?scale|"
    r"\b(?:measuring|perspective and|size and|proportions? and) scale\b",
    re.IGNORECASE,
)
_OF_ITS_OWN = re.compile(
    r"(?:\b(?:not|near|nearly|almost|less than|close to|rather than|no|far from)|n['’]t)[ -](?:(?:an?|the|quite|yet|be|"
    r"get|receive|earn|achieve|entirely|completely) ){0,2}perfect\b|"
    r"\b(?:score|rating|grade) of (?:[6-9](?:\.[0-9])?|10) (?:indicates?|shows|suggests|means)",
    re.IGNORECASE,
)
"""No scale either, beside the judge's own numbers: how far from perfect, and what a score of more than 5 says."""
_SCALE_WORD = re.compile(
    r"scale|likert|\bout of\b|\bpercentage|[0-9a-z]-(?:point|star|level)\b|\bstars?\b|\bmax\b|m[aá]xim|максим|"
    r"\bbest\b|"
    r"\bhighest\b|\bperfect\b|\bof a possible\b|full marks|\btop mark|available|つ星|skala|sterne|"
    r"échelle|étoiles|escala|estrellas|шкал|звезд|балльн|满分|分制|最高|満点|段階|만점|척도|مقياس|"
    r"[0-9][ ]?(?:/[ ]?[0-9]{1,4}(?![0-9]| of\b)|=[ ]?[^\W\d]|(?:von|sur|sobre|de|из|من)[ ][0-9])|"
    r"^[0-9]{1,2}[ ]?[-–:][ ]|"
    r"[0-9][ ]?(?:means|being|stands|represents|indicates|bedeutet|signifie|significa|означает|表示|代表|意味)",
    re.IGNORECASE,
)
_SCORE_WORD = re.compile(
    r"score|rating|grade|\brate[sd]?\b|deserve|\bgive (?:it|this)\b|\bI(?:['’]d| would) (?:say|go|put)\b|评分|得分|"
    r"打分|[0-9][ ]?[分点點점]",
    re.IGNORECASE,
)


def value_of(written: str, highest: float = HIGHEST) -> float:
    """The number that `written` is. Raises UnparsableReply: out_of_range, or unparsable for odd spellings."""
    match = _SPELLING.fullmatch(written[:40])
    if match is None or match["sign"] == "+":
        raise UnparsableReply(Reason.UNPARSABLE)
    value = float(match["number"])
    if match["sign"] or not LOWEST <= value <= highest:
        raise UnparsableReply(Reason.OUT_OF_RANGE)
    return value


def read(text: str) -> tuple[float, ...]:
    """The one number in `text`, which holds no JSON. Raises UnparsableReply."""
    text = _MARK.sub("", text).strip(EDGES)
    if _ABSTAINED.fullmatch(text):
        raise UnparsableReply(Reason.CANNOT_JUDGE)
    whole = _STATED.fullmatch(text)
    if _NO_NUMBER.fullmatch(text) or (whole and not any(whole[part] for part in _SAID_BEHIND)):
        return (_value(text),)
    labels = list(_LABEL.finditer(text))
    if len(labels) != 1:
        raise UnparsableReply(Reason.AMBIGUOUS if labels else Reason.UNPARSABLE)
    return (_labelled(text, labels[0]),)


def _labelled(text: str, label: re.Match[str]) -> float:
    """The number behind the only label, if it is the last thing said and nothing else in `text` could be meant."""
    start = text.rfind("\n", 0, label.start()) + 1
    said = text[start : label.start()].rstrip()
    is_line = bool(_LINE_START.fullmatch(text[start : label.start()]))
    if not (is_line or said.endswith(_ENDS)) or not (label["mark"] or "#" in said):
        raise UnparsableReply(Reason.AMBIGUOUS)
    if label["scale"] and _numbers(label["scale"]) not in ([LOWEST, HIGHEST], [HIGHEST]):
        raise UnparsableReply(Reason.WRONG_SCALE)
    stated, behind = _parted(*text[label.end() :].lstrip().partition("\n")[::2])
    value = _value(stated)
    before = text[:start] if is_line else text[: label.start()]
    check_before(before, {value})
    _check_behind(behind)
    return value


def _parted(stated: str, behind: str) -> tuple[str, str]:
    """What is in the number's place, and what is said behind it, on the same line as well."""
    number, point, said = stated.strip().partition(". ")
    if point and _STATED.fullmatch(number) and not _STATED.fullmatch(stated.strip()):
        return number, f"{said}\n{behind}".strip()
    return stated.strip(), behind.strip()


def _value(stated: str) -> float:
    """What is in the number's place, as a value. Raises UnparsableReply."""
    if _NO_NUMBER.fullmatch(stated):
        raise UnparsableReply(Reason.NOT_A_NUMBER)
    number = _STATED.fullmatch(stated)
    if number is None:
        raise UnparsableReply(Reason.UNPARSABLE)
    if number["percent"] or (number["scale"] and int(number["scale"]) != HIGHEST):
        raise UnparsableReply(Reason.WRONG_SCALE)
    remark = " ".join(number[part] for part in _SAID_BEHIND if number[part]).removesuffix(".")
    if remark and (_holds_number(remark) or not prose.describes(remark)):
        raise UnparsableReply(Reason.AMBIGUOUS)
    return value_of(number["value"])


def check_before(before: str, values: Collection[float]) -> None:
    """Raises UnparsableReply where prose in front of an answer leaves room for another one, or is not finished."""
    lines = [line.strip() for line in before.splitlines() if line.strip()]
    if lines and _INTRODUCTION.fullmatch(lines[-1]):
        del lines[-1]
    if not lines:
        return
    last = lines[-1].rstrip("*_\"'”’)）」』» ")
    is_point = last.startswith(("- ", "* ", "• ")) or _REASON.match(last)
    if not (last.endswith(_ENDS) or is_point) or prose.announces_example(sentences(last)[-1].lstrip("-*• ")):
        raise UnparsableReply(Reason.AMBIGUOUS)
    if _LABEL.search(before) or any(_ELSEWHERE.match(line) for line in lines) or any(mark in before for mark in "<|{}"):
        raise UnparsableReply(Reason.AMBIGUOUS)
    check_prose(before, values)


def is_introduction(before: str) -> bool:
    """Whether `before` is nothing, or one line such as "Here is my evaluation:"."""
    return not before.strip() or bool(_INTRODUCTION.fullmatch(before.strip()))


def check_prose(text: str, values: Collection[float], highest: float = HIGHEST) -> None:
    """Raises UnparsableReply where a sentence of `text` states another scale or another score than `values`."""
    bounds = {float(LOWEST), float(highest)}
    for said in sentences(text):
        sentence = _NO_SCALE.sub("so", _ALWAYS_COUNTED.sub("some of them", said))
        sentence = sentence if _SCORE_WORD.search(sentence) else _COUNTED.sub("some of them", sentence)
        if not {n for m in _PROPOSED.finditer(sentence) for n in _numbers(m["number"])} <= set(values):
            raise UnparsableReply(Reason.AMBIGUOUS)
        deducted = {n for by in (_DEDUCTED, _DEDUCTED_BY) for m in by.finditer(sentence) for n in _numbers(m[0])}
        numbers = [n for n in _numbers(sentence) if n not in deducted or highest - n not in values]
        if _states_range(sentence, highest):
            raise UnparsableReply(Reason.WRONG_SCALE)
        if not numbers or set(numbers) <= bounds:
            continue
        is_known = set(numbers) <= bounds | set(values)
        is_own = is_known and highest == HIGHEST
        if _SCALE_WORD.search(_OF_ITS_OWN.sub("so", sentence) if is_own else sentence) and not (
            is_known and highest in numbers
        ):
            raise UnparsableReply(Reason.WRONG_SCALE)
        is_known = is_known or all(n in bounds | set(values) or n > _MAX_SCALE for n in numbers)
        is_note = len(sentence.split()) in (2, 3)  # too short to be about the picture: "Points available: 5"
        if not is_known and (is_note or _SCORE_WORD.search(sentence)):
            raise UnparsableReply(Reason.AMBIGUOUS)


def sentences(text: str) -> list[str]:
    """The sentences of `text`, without what ends them; at least one, which may be empty."""
    parts = text.translate(_SENTENCE_ENDS).replace(". ", "\n").split("\n")
    return [part for part in (part.strip(" .") for part in parts) if part] or [""]


def _numbers(text: str) -> list[float]:
    return [_WORDS[n] if n in _WORDS else float(n) for n in (m[0].lower() for m in _NUMBER.finditer(text))]


def _holds_number(text: str) -> bool:
    return any(c.isdecimal() for c in text) or bool(_NUMBER.search(text))


def _states_range(sentence: str, highest: float) -> bool:
    """Whether numbers close to each other, one of them 0 or 1, may be the ends of another scale, or its steps."""
    runs: list[list[float]] = []
    end = 0
    for match in _NUMBER.finditer(sentence):
        if match[0][0].isdecimal():
            between = sentence[end : match.start()]
            if runs and len(between) <= 40 and not between.startswith(" of "):
                runs[-1].append(float(match[0]))
            else:
                runs.append([float(match[0])])
            end = match.end()
    ends = {(min(run), max(run)) for run in runs if len(run) > 1}
    return any(low in (0, 1) and high >= 3 - 2 * (low == 0) for low, high in ends - {(LOWEST, highest)})


def _check_behind(behind: str) -> None:
    """Nothing may follow an answer but a sentence that says why, or several that tell of the edit; without numbers."""
    reason = _REASON.match(behind)
    if not behind or (reason and len(sentences(behind)) == 1 and not _holds_number(behind)):
        return
    said = [sentence.lstrip("-•* ") for sentence in sentences(behind[reason.end() if reason else 0 :])]
    has_score = _holds_number(behind) or _SCORE_WORD.search(behind) or _SCALE_WORD.search(behind)
    if has_score or not prose.tells_of_the_edit(said):
        raise UnparsableReply(Reason.AMBIGUOUS)
