"""Phrases by which a judge says that it was given no picture, or not all of them, in the languages that judges use.

The picture must be what is lacking, and the judge the one who lacks it. A phrase about the *edit* is none ("no image
artefacts", "I see no change", "no image that shows a dog was provided"), and neither is one beside words about how the
edit, or both pictures, look ("both images are of a dog", "the image is completely black"): such a judge saw them.
Every pattern has a bounded width and is searched once.
"""

from __future__ import annotations

import re

END = r"(?=[ \t]{0,2}(?:[.,;:!?。，；！、،؛()（）\"”\n]|$))"
_PICTURE = r"(?:images?|pictures?|photos?|photographs?)\b"
_ROLE = r"(?:AI[- ]generated|generated|edited|second|output|guidance|reference|comparison)"
_WHICH = (
    rf"(?:(?:the|any|an|a|both|either|these|those|two|your|original|source|first|actual|token|subject|input|provided|"
    rf"visible|{_ROLE}) ){{0,4}}"
)
_PROVIDED = r"(?:provided|supplied|uploaded|attached(?! (?:to|on|onto) (?!the (?:message|prompt|request)|this|your)))"
_HANDED = rf"(?:{_PROVIDED}|submitted|received|shared with me|given to me|shown to me|sent to me)"
_NOT_BEEN = r"(?:(?:was|were|is|are|has been|have been) not|(?:wasn|weren|isn|aren)['’]t)"
UNABLE = (
    r"(?:can ?not|can['’]t|could not|couldn['’]t|do not|don['’]t|did not|didn['’]t|(?:am |are |['’]m )?(?:un|"
    r"not )able to)"
)
_SHOWING = (
    r"(?:show|depict|featur|contain|match|illustrat|portray|correspond|adhere|follow|includ|display|align|resembl|"
    r"ha[sd]\b|have\b|fit|meet)"
)
_SOME = rf"(?!,? (?:in (?:the|this) \w{{1,12}} )?(?:of an? |with an? |where |in which |(?:(?:that|which) )?{_SHOWING}))"
"""Not one that shows something: which is missing among the pictures that the judge saw."""
_HERE = (
    r"(?:in|from) (?:the|this|your) (?:provided |given )?(?:inputs?|data|set|context|evaluation|message|prompt|request|"
    r"conversation)\b"
)
_MISSING = r"(?:missing|unavailable|inaccessible|not (?:visible|available|accessible))"
_PHRASES = (
    rf"\b(?:no|only one|neither) (?!(?:provided )?(?:AI[- ])?generated){_WHICH}{_PICTURE} (?:{_PROVIDED}|"
    rf"(?:was|were|is|are|has been|have been) {_HANDED})\b{_SOME}",
    rf"\bno (?:{_ROLE} ){{1,2}}{_PICTURE} (?:given|presented|available)(?: for \w{{4,12}}| to \w{{4,12}})?{END}",
    rf"\bno images? (?:is|are|was|were) (?:visible|available){END}",
    rf"\b{_PICTURE} (?:and [\w/ ]{{1,30}} )?{_NOT_BEEN} {_HANDED}\b{_SOME}",
    rf"(?:^|[.!?\n\"] ?|\b(?:I|we|but|as|since) ?){UNABLE} (?:see|view|access|open|receive|find|"
    rf"load) {_WHICH}(?:{_PICTURE}|files?|attachments?)"
    rf"(?: (?:you|provided|attached|to (?:judge|evaluate|compare)|in (?:this|your|the) (?:message|"
    rf"conversation))\b|{END})",
    rf"\b(?:I|we) (?:have no|(?:do not|don['’]t) have|had no) access to {_WHICH}{_PICTURE}|\bability to (?:view|"
    rf"see) images?\b",
    rf"\bonly see one {_PICTURE}|\bnothing to (?:evaluate|judge|rate|score){END}|\bno {_PICTURE} came through\b",
    rf"\bno {_WHICH}{_PICTURE} to (?:evaluate|compare|judge|assess|rate){END}|\btext-only model\b",
    rf"\b{_PICTURE} (?:can ?not|can['’]t) be (?:displayed|viewed|opened|loaded|accessed|seen){END}",
    rf"\bplease (?:provide|upload|attach|share|send) (?:me |us )?(?:with )?{_WHICH}{_PICTURE}",
    rf"\byou (?:did not|didn['’]t|have not|haven['’]t) (?:provided?|attach(?:ed)?|upload(?:ed)?|shared?|included?) "
    rf"(?:me )?(?:with )?{_WHICH}{_PICTURE}",
    rf"\bI need (?:to see )?{_WHICH}{_PICTURE} (?:to|in order|before)\b|"
    rf"\bwithout {_WHICH}{_PICTURE} to (?:evaluate|judge|assess|compare|rate|score)\b",
    rf"(?:^|[.!?\n\"] ?)(?:the |both |either ){{0,1}}(?:edited |second |first |original |source ){{0,1}}"
    rf"(?:images?|pictures?|photos?) (?:is|are|was|were|appears to be|seems to be) {_MISSING}{END}",
    rf"\bthe (?:(?:{_ROLE}|original|source|first) )?{_PICTURE} (?:provided )?(?:is|are|was|were) {_MISSING} "
    rf"(?:{_HERE}|due to an error\b|for (?:comparison|evaluation|assessment)\b)",
    rf"\b{_PICTURE} (?:failed to|did not|didn['’]t|could not be|couldn['’]t be) (?:load|loaded|opened){END}",
    r"(?:没有|未|没|并未|尚未)(?:能)?(?:提供|上传|收到|附上)(?:任何|两张|编辑后的?|生成的?|参考|原始|这张|该|实际){0,2}(?:图|照片)",
    r"(?:图片|图像|照片)(?:都|均|并)?(?:未|没有|没)(?:能|被)?(?:提供|上传|附上|加载)",
    rf"(?:看不到|看不见|无法(?:看到|查看|访问|打开|加载)|不能(?:看到|查看))"
    rf"(?:任何|您|你|这两张|两张|该|原始|编辑后的?){{0,2}}(?:图片|图像|照片)(?:的?内容)?{END}",
    rf"没有看到(?:任何|两张){{0,1}}(?:图片|图像){END}|(?:^|[。，,\n\" ])只(?:有|看到|提供了)一张(?:图片|图像){END}",
    rf"(?:^|[。，,\n\" ])(?:因为|由于|我)?没有(?:任何)?(?:图片|图像)(?:可供?|可以|{END})",
    r"请(?:提供|上传|发送)[^。\n]{0,6}图",
    r"(?:画像|写真)[がはも](?:提供|添付|送信|アップロード)されて(?:い)?(?:ません|ない)|(?:画像|写真)が(?:見え|見られ|読み込め|開け)(?:ません|ない)",
    rf"(?:画像|写真)を(?:見る|確認する)ことができ(?:ません|ない)|(?:^|[。、\n\" ])画像が(?:ありません|ない{END})",
    r"(?:이미지|사진)[가이를을는은]? ?(?:제공|첨부|업로드|전달)되지 (?:않|못)",
    r"(?:이미지|사진)[를을]? ?(?:볼|확인할|열) 수(?:가)? 없",
    r"(?:^|[.,\n\" ])(?:이미지|사진)[가이] (?:없습니다|없어|없으므로|보이지 않)",
    r"\bkeine? (?:\w{1,15} )?(?:bild|bilder|foto|fotos) (?:(?:wurden?|ist|sind) )?(?:bereitgestellt|angehängt|"
    r"übermittelt|hochgeladen|beigefügt)(?!,? (?:das|die|auf de)[^.\n]{1,40}(?:zeig|zu sehen|enthält))",
    r"\b(?:bild|bilder|foto|fotos) (?:wurden?|ist|sind) nicht (?:bereitgestellt|angehängt|übermittelt|"
    r"hochgeladen|beigefügt)",
    rf"\bkann (?:das|die|kein|keine|beide) (?:bild|bilder)(?: nicht)? (?:sehen|öffnen|erkennen){END}",
    r"\baucune (?:image|photo) n['’](?:a été|est) (?:fournie|jointe|transmise|reçue)|\b(?:image|"
    r"photo)s? n['’](?:a|ont) pas été (?:fournie|jointe|transmise|reçue)",
    rf"\bne (?:peux|vois|puis) pas (?:voir )?(?:d['’]|l['’]|les )(?:image|images|photo|photos){END}",
    r"\bno se (?:ha |han )?(?:proporcion|adjunt|recib|suministr)\w{1,6} (?:ninguna |la |las |una )?im[aá]gen"
    r"(?!(?:es)? (?:de una? |que (?:muestr|conten|represent)))|"
    r"\bninguna imagen (?:fue |ha sido )?(?:proporcionada|adjuntada|recibida)",
    rf"\bno (?:puedo|logro|se puede) ver (?:la|las|ninguna) im[aá]gen(?:es)?{END}",
    r"изображени\w{1,2} не (?:был\w? )?(?:предоставлен|приложен|загружен|прикреплен|прикреплён)",
    rf"не (?:вижу|могу (?:увидеть|видеть|просмотреть)) (?:сам\w{{1,2}} |никак\w{{1,3}} )?изображени\w{{1,2}}{END}",
    r"لم (?:يتم |تتم )?(?:توفير|تقديم|إرفاق|إرسال) (?:أي |ال)?صور|لم (?:تُرفق|ترفق|أتلق|أستلم) (?:أي |ال)?صور",
    rf"لا (?:أستطيع|يمكنني) (?:رؤية|عرض) (?:أي |ال)?صور(?:ة|تين)?{END}",
)
_NO_RESULT = (
    rf"\bno (?:provided )?(?:AI[- ]generated|generated) {_PICTURE} (?:(?:using|based on|following|that|which) "
    rf"[^.;:\n]{{1,120}} )?(?:is |are |was |were |has been |have been )?provided\b{_SOME}"
)
"""Some judges say so of a photograph, which is a (wrong) judgement of a picture that they saw."""
_PHOTOGRAPH = r"\b(?:appears? to be|is|are) (?:an? |original |actual |real ){0,3}photographs?\b"
_LOOKS = (
    r"(?:(?:are|is|was|were) (?:(?:both|all|each|just|simply|completely|entirely|very|nearly) ){0,2}"
    r"(?:an? (?!broken|link|url)|of |identical|different|distinct|independent|unrelated|standalone|individual|"
    r"photograph|original|similar|the same|processed)|"
    r"(?:appears?|seems?) to be (?!missing|unavailable|inaccessible|broken|corrupt|not )|"
    r"(?:shows?|depicts?|features?|displays?)\b(?! (?:nothing|up\b|as |an? (?:error|broken))))"
)
_OF = r"(?:(?:of|the|two|provided|supplied|given|presented|separate|different|actual|other) ){0,3}"
_LOOKING = (
    rf"\b(?:both|all|the|these) {_OF}(?:images|pictures|photos)(?: (?:that (?:were|are) )?(?:provided|supplied|"
    rf"presented|given|shown))? {_LOOKS}",
    rf"\bthe (?:second|edited|third|fourth|(?:AI[- ])?generated) (?:image|picture|photo) (?:provided )?{_LOOKS}",
    r"\b(?:image|picture|photo)s?(?: \w{1,12}){0,6} (?:is|are|appears?|seems?)(?: to be)?(?: [\w-]{2,12}){0,3} "
    r"(?:black|blank)\b",
    r"\btwo (?:separate|different|distinct) (?:images|pictures|photos)\b|"
    r"(?:图片|图像|照片)(?:是|为|全|完全|呈|整体){1,2}[^。\n]{0,6}(?:黑|空白)",
)
_CLAIMED = re.compile("|".join(_PHRASES), re.IGNORECASE)
_CLAIMED_OF_RESULT = re.compile(_NO_RESULT, re.IGNORECASE)
_SEEN_PHOTOGRAPH = re.compile(_PHOTOGRAPH, re.IGNORECASE)
_DESCRIBED = re.compile("|".join(_LOOKING), re.IGNORECASE)


def is_claimed(text: str) -> bool:
    """Whether a phrase of `text` says that its author was given no picture, or not all of them."""
    has_no_result = _CLAIMED_OF_RESULT.search(text) and not _SEEN_PHOTOGRAPH.search(text)
    return bool(_CLAIMED.search(text) or has_no_result)


def is_described(text: str) -> bool:
    """Whether `text` says how the edit, or all pictures, look: its author saw them, whatever else is said."""
    return bool(_DESCRIBED.search(text))
