"""What a judge says in prose: that it saw no picture, that it will not judge, that what follows is only an example.

Phrases, in the languages that judges answer in, each short and precise: a phrase that says something about the *edit*
("no image artefacts", "I see no change", "the picture is missing its frame") must not be one. Every pattern has a
bounded width and is searched once, so that the work grows with the length of the reply.

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

_END = r"(?=[ \t]{0,2}(?:[.,;:!?。，；！、،؛()（）\"”\n]|$))"
_PICTURE = r"(?:images?|pictures?|photos?|photographs?)\b"
_WHICH = r"(?:(?:the|any|an|a|both|either|these|those|two|your|edited|original|source|second|first|actual) ){0,3}"
_PROVIDED = r"(?:provided|supplied|uploaded|attached(?! (?:to|on|onto) (?!the (?:message|prompt|request)|this|your)))"
_HANDED = rf"(?:{_PROVIDED}|submitted|received|shared with me|given to me|shown to me|sent to me)"
_NOT_BEEN = r"(?:(?:was|were|is|are|has been|have been) not|wasn['’]t|weren['’]t|isn['’]t|aren['’]t)"
_UNABLE = (
    r"(?:can ?not|can['’]t|could not|couldn['’]t|do not|don['’]t|did not|didn['’]t|(?:am |are |['’]m )?(?:un|"
    r"not )able to)"
)
_NOT_SEEN = (
    rf"\b(?:no|only one|neither) {_WHICH}{_PICTURE} (?:{_PROVIDED}|(?:was|were|is|are|has been|"
    rf"have been) {_HANDED})\b",
    rf"\bno images? (?:is|are|was|were) (?:visible|available){_END}",
    rf"\b{_PICTURE} {_NOT_BEEN} {_HANDED}\b",
    rf"(?:^|[.!?\n\"] ?|\b(?:I|we|but|as|since) ?){_UNABLE} (?:see|view|access|open|receive|find|"
    rf"load) {_WHICH}(?:{_PICTURE}|files?|attachments?)"
    rf"(?: (?:you|provided|attached|to (?:judge|evaluate|compare)|in (?:this|your|the) (?:message|"
    rf"conversation))\b|{_END})",
    rf"\b(?:I|we) (?:have no|(?:do not|don['’]t) have|had no) access to {_WHICH}{_PICTURE}|\bability to (?:view|"
    rf"see) images?\b",
    rf"\bonly see one {_PICTURE}|\bnothing to (?:evaluate|judge|rate|score){_END}|\bno {_PICTURE} came through\b",
    rf"\bno {_WHICH}{_PICTURE} to (?:evaluate|compare|judge|assess|rate){_END}|\btext-only model\b",
    rf"\b{_PICTURE} (?:can ?not|can['’]t) be (?:displayed|viewed|opened|loaded|accessed|seen){_END}",
    rf"\bplease (?:provide|upload|attach|share|send) {_WHICH}{_PICTURE}",
    rf"(?:^|[.!?\n\"] ?)(?:the |both |either ){{0,1}}(?:edited |second |first |original |source ){{0,1}}"
    rf"(?:images?|pictures?|photos?) (?:is|are|was|were|appears to be|seems to be) "
    rf"(?:missing|unavailable|inaccessible|not (?:visible|available|accessible)){_END}",
    rf"\b{_PICTURE} (?:failed to|did not|didn['’]t|could not be|couldn['’]t be) (?:load|loaded|opened){_END}",
    r"(?:没有|未|没|并未|尚未)(?:能)?(?:提供|上传|收到|附上)(?:任何|两张|编辑后的?|原始|这张|该|实际){0,2}(?:图|照片)",
    r"(?:图片|图像|照片)(?:都|均|并)?(?:未|没有|没)(?:能|被)?(?:提供|上传|附上|加载)",
    rf"(?:看不到|看不见|无法(?:看到|查看|访问|打开|加载)|不能(?:看到|查看))"
    rf"(?:任何|您|你|这两张|两张|该|原始|编辑后的?){{0,2}}(?:图片|图像|照片)(?:的?内容)?{_END}",
    rf"没有看到(?:任何|两张){{0,1}}(?:图片|图像){_END}|(?:^|[。，,\n\" ])只(?:有|看到|提供了)一张(?:图片|图像){_END}",
    rf"(?:^|[。，,\n\" ])(?:因为|由于|我)?没有(?:任何)?(?:图片|图像)(?:可供?|可以|{_END})",
    r"请(?:提供|上传|发送)[^。\n]{0,6}图",
    r"(?:画像|写真)[がはも](?:提供|添付|送信|アップロード)されて(?:い)?(?:ません|ない)|(?:画像|写真)が(?:見え|見られ|読み込め|開け)(?:ません|ない)",
    rf"(?:画像|写真)を(?:見る|確認する)ことができ(?:ません|ない)|(?:^|[。、\n\" ])画像が(?:ありません|ない{_END})",
    r"(?:이미지|사진)[가이를을는은]? ?(?:제공|첨부|업로드|전달)되지 (?:않|못)",
    r"(?:이미지|사진)[를을]? ?(?:볼|확인할|열) 수(?:가)? 없",
    r"(?:^|[.,\n\" ])(?:이미지|사진)[가이] (?:없습니다|없어|없으므로|보이지 않)",
    r"\bkeine? (?:\w{1,15} )?(?:bild|bilder|foto|fotos) (?:(?:wurden?|ist|sind) )?(?:bereitgestellt|angehängt|"
    r"übermittelt|hochgeladen|beigefügt)",
    r"\b(?:bild|bilder|foto|fotos) (?:wurden?|ist|sind) nicht (?:bereitgestellt|angehängt|übermittelt|"
    r"hochgeladen|beigefügt)",
    rf"\bkann (?:das|die|kein|keine|beide) (?:bild|bilder)(?: nicht)? (?:sehen|öffnen|erkennen){_END}",
    r"\baucune (?:image|photo) n['’](?:a été|est) (?:fournie|jointe|transmise|reçue)|\b(?:image|"
    r"photo)s? n['’](?:a|ont) pas été (?:fournie|jointe|transmise|reçue)",
    rf"\bne (?:peux|vois|puis) pas (?:voir )?(?:d['’]|l['’]|les )(?:image|images|photo|photos){_END}",
    r"\bno se (?:ha |han )?(?:proporcion|adjunt|recib|suministr)\w{1,6} (?:ninguna |la |las |una )?im[aá]gen|"
    r"\bninguna imagen (?:fue |ha sido )?(?:proporcionada|adjuntada|recibida)",
    rf"\bno (?:puedo|logro|se puede) ver (?:la|las|ninguna) im[aá]gen(?:es)?{_END}",
    r"изображени\w{1,2} не (?:был\w? )?(?:предоставлен|приложен|загружен|прикреплен|прикреплён)",
    rf"не (?:вижу|могу (?:увидеть|видеть|просмотреть)) (?:сам\w{{1,2}} |никак\w{{1,3}} )?изображени\w{{1,2}}{_END}",
    r"لم (?:يتم |تتم )?(?:توفير|تقديم|إرفاق|إرسال) (?:أي |ال)?صور|لم (?:تُرفق|ترفق|أتلق|أستلم) (?:أي |ال)?صور",
    rf"لا (?:أستطيع|يمكنني) (?:رؤية|عرض) (?:أي |ال)?صور(?:ة|تين)?{_END}",
)
_JUDGE = (
    r"(?:rate|score|grade|judge|evaluate|assess|assist|help|comply|compare|rank|review|provide an? (?:score|"
    r"rating|evaluation))"
)
_REFUSED = (
    rf"\bI(?: am|['’]m)? (?:{_UNABLE}|won['’]t|will not|must decline to|refuse to|"
    rf"not comfortable) (?:be able to )?{_JUDGE}\b",
    rf"\bas an? (?:AI\b|(?:large )?language model)|\bcan(?:not|['’]t) be (?:rated|scored|judged|evaluated|"
    rf"assessed)(?:{_END}| because)",
    r"\bI (?:must |have to )?(?:decline|refuse)\b|\bviolates? (?:\w{1,12} ){0,2}polic|\bje refuse\b",
    r"^(?:no[,.] )?(?:i['’]?m (?:very |so |really )?sorry|(?:i )?apologi[sz]e\b|sorry\b(?![ -](?:looking|state|sight|"
    r"excuse|attempt|result|edit|mess)))",
    r"作为(?:一个|一名)?(?:AI|人工智能|语言模型)|^(?:很|非常|十分)?(?:抱歉|对不起|不好意思)|^(?:申し訳|すみません|ごめん)|^(?:죄송|미안)|"
    r"^(?:es tut mir leid|tut mir leid|entschuldigung)",
    r"^(?:je suis désolé|désolé|lo siento|disculp|perdón|извините|простите|к сожалению, я|عذر|آسف|أعتذر)",
    rf"(?:无法|不能|不会|不便|没有办法|没办法|不予)(?:对[^。\n]{{1,12}})?(?:进行)?(?:评分|打分|评价|评估|评判|协助|提供帮助|(?:回答|判断){_END})",
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
_SEEN = re.compile("|".join(_NOT_SEEN), re.IGNORECASE)
_WILLING = re.compile("|".join(_REFUSED), re.IGNORECASE)


def check(text: str) -> None:
    """Raises UnparsableReply where `text` says that its author saw nothing, cannot or will not judge, or is a form."""
    if _SEEN.search(text):
        raise UnparsableReply(Reason.NOT_SEEN)
    found = _found_in(text)
    if found != Reason.NOT_SEEN and _WILLING.search(text):
        found = Reason.REFUSED
    if found is not None:
        raise UnparsableReply(found)


def describes(remark: str) -> bool:
    """Whether `remark`, behind a score, says how good the edit is, and nothing that changes the score."""
    rest = _NONE_MADE.sub("", remark)
    is_quality = not rest.strip() or bool(_QUALITY.search(rest))
    return is_quality and not _CHANGES.search(rest) and not any(c in ".!?;:。！？；" for c in remark)


def announces_example(sentence: str) -> bool:
    """Whether what follows `sentence` is an example, a form to fill in, or somebody else's."""
    return bool(_EXAMPLE.search(sentence))


_MAX_WORDS, _MAX_CHARACTERS = 24, 200
_CLAUSE_END = re.compile(
    r"[.!?;()\[\]\n。！？；؟،（）]|:(?![ ]?\\?[\"'“«「])|[,，、][ ]?(?=(?:so|hence|thus|therefore|because|since|but|I|"
    r"we|daher|donc|así|поэтому)\b|所以|因此|无法)|"
    r"\b(?:it|there) (?:seems?|appears?|looks like)(?: that| to be)?\b",
    re.IGNORECASE,
)
_OF = re.compile(r"\b(none|neither|either|both|any|one) of\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]{1,40}(?:'[^\W_]{1,20})?")
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


def _found_in(text: str) -> Reason | None:
    """Why `text` is no judgement, if one of its sentences says that and nothing else."""
    found = {_meaning(clause) for clause in _CLAUSE_END.split(_OF.sub(r"\1", text.replace("’", "'").lower()))}
    return next((r for r in (Reason.NOT_SEEN, Reason.CANNOT_JUDGE, Reason.AMBIGUOUS) if r in found), None)


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
