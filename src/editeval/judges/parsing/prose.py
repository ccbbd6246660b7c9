"""What a judge says in prose: that it saw no picture, that it will not judge, that what follows is only an example.

Phrases, in the languages that judges answer in, each short and precise; those about pictures are in `unseen`. Every
pattern has a bounded width and is searched once, so that the work grows with the length of the reply.

Beside the phrases, sentences of a small closed vocabulary (see `vocabulary`): of every sentence only its kinds of words
are looked at, as a row of codes. A word outside of the vocabulary (an object, a change, how well) means that the
sentence is about the edit, and nothing is found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from editeval.errors import Reason
from editeval.judges.parsing import vocabulary
from editeval.judges.parsing.reply import UnparsableReply
from editeval.judges.parsing.unseen import END, UNABLE, is_claimed, is_described

_JUDGE = (
    r"(?:rate|score|grade|judge|evaluate|assess|assist|help|comply|compare|rank|review|provide an? (?:score|"
    r"rating|evaluation))"
)
_REFUSED = (
    rf"\bI(?: am|['’]m)? (?:{UNABLE}|won['’]t|will not|must decline to|refuse to|"
    rf"not comfortable) (?:be able to )?{_JUDGE}\b",
    rf"\bas an? (?:AI\b(?![- ](?:generated|made|created|edited))|(?:large )?language model)|"
    rf"\bcan(?:not|['’]t) be (?:rated|scored|judged|evaluated|assessed)(?:{END}| because)",
    r"\bI (?:must |have to )?(?:decline|refuse)\b|\bviolates? (?:\w{1,12} ){0,2}polic|\bje refuse\b",
    r"^(?:no[,.] )?(?:i['’]?m (?:very |so |really )?sorry|(?:i )?apologi[sz]e\b|sorry\b(?![ -](?:looking|state|sight|"
    r"excuse|attempt|result|edit|mess)))",
    r"作为(?:一个|一名)?(?:AI|人工智能|语言模型)|^(?:很|非常|十分)?(?:抱歉|对不起|不好意思)|^(?:申し訳|すみません|ごめん)|^(?:죄송|미안)|"
    r"^(?:es tut mir leid|tut mir leid|entschuldigung)",
    r"^(?:je suis désolé|désolé|lo siento|disculp|perdón|извините|простите|к сожалению, я|عذر|آسف|أعتذر)",
    rf"(?:无法|不能|不会|不便|没有办法|没办法|不予)(?:对[^。\n]{{1,12}})?(?:进行)?(?:评分|打分|评价|评估|评判|协助|提供帮助|(?:回答|判断){END})",
    r"(?:評価|採点|お答え)(?:は|を|する|すること){0,2}(?:は|が)?(?:でき|いたしかね)(?:ません|ない|ます)",
    r"(?:평가|채점|점수)[를을]? ?(?:할|하기|매길|줄) ?(?:수(?:가)? 없|어렵)",
    r"\b(?:kann|möchte|werde|darf) [^.\n]{0,40}\bnicht (?:bewerten|beurteilen|helfen)(?!,? ob)|\bne (?:peux|puis|"
    r"saurais) pas [^.\n]{0,20}(?:évaluer|noter|juger|aider)",
    r"\bno puedo [^.\n]{0,20}(?:evaluar|calificar|puntuar|juzgar|ayudar)|\bне (?:могу|"
    r"буду) [^.\n]{0,20}(?:оцени|оцениват|судить|помочь)",
    r"لا (?:أستطيع|يمكنني|يمكن) [^.\n]{0,15}(?:تقييم|الحكم|المساعدة|مساعدة)",
)
_EXAMPLE = re.compile(
    r"\b(?:an|the|this|another|good) example\b|^(?:for )?(?:examples?|instance)$|^e\. ?g$|^example\b|"
    r"\btemplates?\b|\bplaceholder|"
    r"\bsample (?:output|reply|answer)|\bhypothetical|\bsuppose\b|\bimagine\b|\b(?:output|answer|reply|"
    r"following|this) format\b|"
    r"\bas follows\b|\bthis$|^quote|\bshould be$|\bthis (?:form|style|sample)\b|\blike (?:this|so)$|"
    r"\bthe following\b|\bsays? this$|\bbelow$|"
    r"^\W{0,4}if\b.{0,80}\b(?:would|were|could)\b|"
    r"\bwie folgt|\bfolgende|\bexemple|\bsuivante?\b|\bejemplo|\bsiguiente|пример|следующ|"
    r"示例|格式|模板|如下|以下|次の|다음|"
    r"التالي",
    re.IGNORECASE,
)
"""Words that announce an example or a form, where the last sentence before an answer is otherwise well formed."""
_QUALITY = re.compile(
    r"match|excellent|good|fair|poor|moderate|partial|perfect|weak|strong|\bbad\b|great|decent|acceptable|"
    r"average|\bhigh|\blow|"
    r"medium|complete|mediocre|adequate|solid|minor|major|slight|mostly|visible|noticeable|significan|"
    r"consisten|success|fail|"
    r"accura|clear|close|\bwell\b|natural|clean|faithful|limited|substantial|nearly|almost|severe|unchanged|"
    r"identical|"
    r"convinc|realis|satisf|quality|"
    r"(?:wrong|incorrect) (?:object|subject|element|animal|person|colou?r|place|position|side|target|background|shape|"
    r"size|text|style|direction|area|region|part|action)s?\b|优|良|好|差|一般|中等|部分|匹配|符合",
    re.IGNORECASE,
)
_NONE_MADE = re.compile(
    r"\bno (?:visible |real |actual |noticeable )?(?:changes?|edits?|effect|art[ei]facts?|differences?|flaws?)\b",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"\b(?:no|not|never|nor|i|we|wait|if|unless|but|or|original|source|before|previous|should|would|could|"
    r"instead|rather|than|"
    r"was|draft|as|for|typical|hypothetical\w{0,2}|kidding|told|score|example|sample|first|second|other|"
    r"can ?not|unable|scale|likert)\b|can['’]t|不|非|原|如果|本来",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"(?=[ -~’–—]{1,400}$)(?:the|an?|all|every|both|no|some|most|its|overall|however|there|it|edits?|colou?rs|"
    r"light(?:ing)?|shadows?|details|minor|slight|small)\b(?:"
    r".{0,80}\b(?:edit(?:s|ed|ing)?|images?|pictures?|photos?|background|foreground|scene|instruction|objects?|subjects?|"
    r"shadows?|light(?:ing)?|colou?rs?|textures?|details?|art[ei]facts?|composition|removal|addition|replacement|style)\b"
    r".{0,120}\b(?:is|are|was|were|has|have|had|looks?|remains?|match(?:es)?|follows?|shows?|stays?|appears?|fits?|"
    r"blends?|contains?|lacks?)\b|"
    r" [\w -]{2,60} (?:is|are|was|were|has|have) (?:been )?(?:\w{1,12}ly |not |still |now )?(?:gone|removed|added|"
    r"changed|replaced|kept|preserved|intact|unchanged|missing|visible|recolou?red|moved|blurred|blurry|sharp|natural|"
    r"distorted|carried out)\b)|"
    r"(?=[一-鿿，、；（） ]{1,400}$).{0,20}(?:图|画面|背景|编辑|指令|物体|细节|光影|颜色|阴影|风格).{0,40}"
    r"(?:了|的|被|自然|完整|一致|完好|清晰|模糊|不变|没有变化)",
    re.IGNORECASE,
)
_TAKES_BACK = re.compile(
    r"\b(?:i|i['’]\w{1,2}|me|my|mine|we|our|us|you|your|please|actually|wait|thought|reflection|scratch|correct(?:ion|ed)?|"
    r"revis\w{1,5}|adjust\w{0,5}|reconsider\w{0,3}|instead|rather|sorry|oops|apolog\w{1,5}|lower|higher|too|should|"
    r"would|could|might|may|must|if|unless|or|either|whether|mean[st]?|meant|back|withdraw\w{0,3}|disregard|ignore|"
    r"examples?|templates?|formats?|placeholder|hypothetical\w{0,2}|draft|previous|final|sure|unsure|guess|worse|better|"
    r"best|than|that good|for the (?:original|source|first|other)|applies|judge[sd]?|judgement|reply|answer|above|"
    r"below|wrong|mistaken?|error|joke|kidding|nothing|none|pretend|suppose|imagine|second|first|other|another|yes|no[,.]|says|"
    r"reads|written|text|h{1,5}m{1,5}|u[hm]{1,3}|oh|ah|half|twice|double|quarter|worth|value|less|more|deserves?|ok(?:ay)?)\b|[\"“”„«»「」'‘:=?？：*#<>|{}\[\]~]|不对|更正|收回|应该|改|等等|如果|例如|格式|原图|第[一二]|抱歉|其实|还是",
    re.IGNORECASE,
)
_WILLING = re.compile("|".join(_REFUSED), re.IGNORECASE)


def check(text: str) -> None:
    """Raises UnparsableReply where `text` says that its author saw nothing, cannot or will not judge, or is a form."""
    is_seen = is_described(text)
    if is_claimed(text) and not is_seen:
        raise UnparsableReply(Reason.NOT_SEEN)
    found = _found_in(text, is_seen)
    if found != Reason.NOT_SEEN and _WILLING.search(text):
        found = Reason.REFUSED
    if found is not None:
        raise UnparsableReply(found)


def describes(remark: str) -> bool:
    """Whether `remark`, behind a score, says how good the edit is, and nothing that changes the score."""
    rest = _NONE_MADE.sub("", remark)
    is_quality = not rest.strip() or bool(_QUALITY.search(rest))
    return is_quality and not _CHANGES.search(rest) and not any(c in ".!?;:。！？；" for c in remark)


def tells_of_the_edit(sentences: Sequence[str]) -> bool:
    """Whether each of `sentences`, which follow a score, tells of the edit, and none of the score or of another one."""
    return all(_TOLD.match(sentence) and not _TAKES_BACK.search(sentence) for sentence in sentences)


def announces_example(sentence: str) -> bool:
    """Whether what follows `sentence` is an example, a form to fill in, or somebody else's."""
    return bool(_EXAMPLE.search(sentence))


_MAX_WORDS, _MAX_CHARACTERS = 24, 200
_CLAUSE_END = re.compile(
    r"[.!?;()\[\]\n。！？；؟،（）]|:(?![ ]?\\?[\"'“«「])|[,，、][ ]?(?=(?:so|hence|thus|therefore|because|since|but|I|"
    r"we|it(?:'s| is) (?:not|im)|daher|donc|así|поэтому)\b|所以|因此|无法)|"
    r"\b(?:it|there) (?:seems?|appears?|looks like)(?: that| to be)?\b",
    re.IGNORECASE,
)
_OF = re.compile(r"\b(none|neither|either|both|any|one) of\b", re.IGNORECASE)
_CAN = re.compile(r"(?<=\bno )can\b")  # which is a thing
_ASIDE = re.compile(r" ?[(（]([^()（）\n]{0,200})[)）]")
_WORD = re.compile(r"[^\W_]{1,40}(?:'[^\W_]{1,20})?")
_NO_JUDGEMENT = (Reason.NOT_SEEN, Reason.CANNOT_JUDGE, Reason.AMBIGUOUS)
_GAP = f".{{0,{_MAX_WORDS}}}"
_THING = "[DX]{0,4}[AF]{0,3}[NKYF][NFE]{0,3}"
_ABSENT = re.compile(rf"(?:{_THING}|PD{{0,3}}A{{0,2}}C|D{{0,3}}C[LZ]{{0,3}}I|[GHIJLMOPQSWXZ]){{1,{_MAX_WORDS}}}")
_LACK = re.compile(rf"X[DAF]{{0,4}}[NF]|NX$|M|K|[XZW]{_GAP}[GHI]|[GHI]{_GAP}[XZW]|F{_GAP}S")
_TWO_PICTURES = re.compile(rf"N[^NO]{{1,{_MAX_WORDS}}}N")
_UNDECIDED = re.compile(rf"(?:A{{1,2}}(?=[NTJ])|[CDHJLNOPQTWXZ]){{1,{_MAX_WORDS}}}")
_IMPOSSIBLE = re.compile(rf"W|X[DA]{{0,3}}J|[XZ]{_GAP}Q|Q{_GAP}Z")


def _index(table: Mapping[str, str]) -> dict[str, str]:
    """The code of each word of `table`; of a word that is there twice, the first."""
    found: dict[str, str] = {}
    for code, words in table.items():
        for word in words.split():
            found.setdefault(word, code)
    return found


_SPACED = tuple(_index(table) for table in vocabulary.SPACED)
_UNSPACED = tuple(
    (codes, re.compile("|".join(map(re.escape, sorted(codes, key=len, reverse=True))) + r"|[^\s\"'“”「」]"))
    for codes in (_index(table) for table in vocabulary.UNSPACED)
)
_PLACEHOLDER = frozenset(vocabulary.PLACEHOLDER.split())
_BESIDE = _PLACEHOLDER.union(vocabulary.PLACEHOLDER_BESIDE.split())


def _found_in(text: str, is_seen: bool) -> Reason | None:
    """Why `text` is no judgement, if one of its sentences says that and nothing else. `is_seen`: pictures were seen."""
    plain = _CAN.sub("something", _OF.sub(r"\1", text.replace("’", "'").lower()))
    asides = _ASIDE.findall(plain)
    found = {_meaning(clause) for clause in [*_CLAUSE_END.split(_ASIDE.sub("", plain)), *asides]}
    reasons = (Reason.CANNOT_JUDGE, Reason.AMBIGUOUS) if is_seen else _NO_JUDGEMENT
    return next((reason for reason in reasons if reason in found), None)


def _meaning(clause: str) -> Reason | None:
    """What a clause in small letters says."""
    if not 2 <= len(clause) <= _MAX_CHARACTERS:
        return None
    words = _WORD.findall(clause)
    if _PLACEHOLDER.intersection(words) and _BESIDE.issuperset(words):
        return Reason.AMBIGUOUS
    rows = {_row(words, codes) for codes in _SPACED} | {_row(p.findall(clause), codes) for codes, p in _UNSPACED}
    if any(_is_absent(row) for row in rows):
        return Reason.NOT_SEEN
    is_undecided = any("J" in row and _UNDECIDED.fullmatch(row) and _IMPOSSIBLE.search(row) for row in rows)
    return Reason.CANNOT_JUDGE if is_undecided else None


def _row(words: Sequence[str], codes: Mapping[str, str]) -> str:
    """The codes of `words`; `?` for one that is in no class, and nothing at all for too many words."""
    return "".join(_code(word, codes) for word in words) if len(words) <= _MAX_WORDS else ""


def _code(word: str, codes: Mapping[str, str]) -> str:
    head, apostrophe, tail = word.partition("'")
    return codes.get(word) or (codes.get(head + apostrophe, "?") + codes.get(tail, "?") if apostrophe else "?")


def _is_absent(row: str) -> bool:
    kinds = set(row)
    is_about_pictures = "H" in kinds if kinds & {"K", "Y"} else "N" in kinds or kinds >= {"F", "H"}
    return bool(is_about_pictures and _ABSENT.fullmatch(row) and _LACK.search(row) and not _TWO_PICTURES.search(row))
