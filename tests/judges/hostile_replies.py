"""Replies of judges that invite a wrong reading, in nine languages, and plain ones; each with what it may be read as.

A reply without acceptable values has to stay unread; any reply may stay unread, but a plain one should not. Written by
what judges do, without a look at the parser: scales that are not the protocol's, thinking, examples, quotes,
take-backs, refusals, two pictures' scores, ranges, dates, several or broken objects, tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

Values = tuple[float, ...]


@dataclass(frozen=True)
class Case:
    family: str
    format: str
    text: str
    acceptable: tuple[Values, ...] = ()


@dataclass(frozen=True)
class Language:
    """What a judge writes in one language; {v} is a number, {w} another one."""

    label: str
    reasons: tuple[str, ...]
    scales: tuple[str, ...]  # another scale than 0-10 is stated
    examples: tuple[str, ...]  # what follows is no judgement
    quotes: tuple[str, ...]  # somebody else's score, {s}
    take_backs: tuple[str, ...]
    refusals: tuple[str, ...]
    unseen: tuple[str, ...]
    pictures: tuple[str, str]  # of the original, of the edit


LANGUAGES = {
    "en": Language(
        "Score",
        (
            "The hat is gone and the background is intact.",
            "The sky is red as asked, although the edge of the roof glows a little.",
            "Two of the 3 dogs were recoloured; nothing else changed.",
            "The edit follows the instruction only in part. The shadow of the tree was left behind.",
        ),
        (
            "On a scale of 1 to 5:",
            "I use a five-point scale.",
            "(1 = poor, 5 = perfect)",
            "I rate from 1-5.",
            "The maximum is 5.",
        ),
        (
            "For example:",
            "A reply could look like this.",
            "Please answer in the form",
            "e.g.",
            "If the dog were gone it would be",
            "An ideal edit would get:",
            "Here is the template to fill in:",
        ),
        (
            'The sign in the picture says "{s}".',
            "> {s}\nThat is written on the wall.",
            "The text in the image reads:\n{s}",
            "As the caption puts it: '{s}'",
        ),
        (
            "Actually, make that {w}.",
            "Wait, no.",
            "On second thought it is lower.",
            "Scratch that, six.",
            "Correction: {w}",
            "I take that back.",
        ),
        (
            "I'm sorry, but I can't rate pictures of people.",
            "I cannot judge this image.",
            "As an AI, I have no opinion on pictures.",
            "I am not able to evaluate this content.",
        ),
        ("No image was provided.", "I cannot see the images.", "The edited image was not provided."),
        ("Original", "Edited"),
    ),
    "zh": Language(
        "评分",
        ("帽子被移除了，背景保持完好。", "天空变红了，但屋顶边缘有些发光。", "三只狗中有两只换了颜色。"),
        ("评分标准为1到5。", "采用五分制。", "满分5分。", "1分最差，5分最好。"),
        ("例如：", "回答格式如下：", "如果狗不见了，那就是", "理想的编辑会得到："),
        ("图中写着“{s}”。", "图片里的文字是：\n{s}", "> {s}\n这是图中的文字。"),
        ("不对，应该是{w}。", "更正：六分", "等等，我改主意了。", "我收回这个分数。"),
        ("很抱歉，我无法对人物图片评分。", "我不能评价这张图片。", "作为人工智能，我无法给出判断。"),
        ("没有提供图片。", "我看不到图片。", "编辑后的图像未提供。"),
        ("原图", "编辑图"),
    ),
    "ja": Language(
        "スコア",
        ("帽子は消え、背景はそのままです。", "空は赤くなりましたが、屋根の縁が少し光っています。"),
        ("1から5の尺度で評価します。", "5段階評価です。", "5点満点です。"),
        ("例えば：", "次の形式で答えてください：", "犬がいなければ、こうなります"),
        ("画像には「{s}」と書かれています。", "看板の文字：\n{s}"),
        ("いや、{w}です。", "やはり六点です。", "撤回します。", "訂正します。"),
        ("申し訳ありませんが、人物は評価できません。", "この画像は採点できません。"),
        ("画像が提供されていません。", "画像が見えません。"),
        ("元画像", "編集画像"),
    ),
    "ko": Language(
        "점수",
        ("모자가 사라졌고 배경은 그대로입니다.", "하늘은 빨갛게 변했지만 지붕 가장자리가 빛납니다."),
        ("1에서 5까지의 척도입니다.", "5점 만점입니다."),
        ("예를 들면:", "다음 형식으로 답하세요:", "개가 없다면"),
        ("그림에 '{s}'라고 적혀 있습니다.", "표지판의 글:\n{s}"),
        ("아니, {w}입니다.", "정정합니다.", "취소합니다."),
        ("죄송하지만 사람은 평가할 수 없습니다.", "이 이미지는 채점하기 어렵습니다."),
        ("이미지가 제공되지 않았습니다.", "이미지를 볼 수 없습니다."),
        ("원본", "편집본"),
    ),
    "de": Language(
        "Bewertung",
        ("Der Hut ist weg und der Hintergrund ist unversehrt.", "Der Himmel ist rot, doch der Dachrand leuchtet."),
        ("Auf einer Skala von 1 bis 5:", "Ich vergebe 1 bis 5 Punkte.", "Skala: 1-5.", "5 von 5 Sternen wäre perfekt."),
        ("Zum Beispiel:", "Bitte antworte in der Form", "Ein Beispiel:", "Wäre der Hund weg, gäbe es"),
        ("Auf dem Schild steht „{s}“.", "Der Text im Bild lautet:\n{s}"),
        ("Nein, eher {w}.", "Eigentlich sechs.", "Ich nehme das zurück.", "Korrektur: {w}"),
        ("Es tut mir leid, ich kann Personen nicht bewerten.", "Ich kann dieses Bild leider nicht beurteilen."),
        ("Es wurde kein Bild bereitgestellt.", "Das Bild wurde nicht übermittelt."),
        ("Vorher", "Nachher"),
    ),
    "fr": Language(
        "Score",
        ("Le chapeau a disparu et le fond est intact.", "Le ciel est rouge, mais le bord du toit brille."),
        ("Sur une échelle de 1 à 5 :", "Je note de 1 à 5.", "4 sur 5 serait bien."),
        ("Par exemple :", "Répondez sous la forme", "Si le chien avait disparu, ce serait"),
        ("Le panneau dit « {s} ».", "Le texte de l'image :\n{s}"),
        ("Non, plutôt {w}.", "En fait, six.", "Je retire cette note.", "Correction : {w}"),
        ("Je suis désolé, je ne peux pas noter des personnes.", "Je ne peux pas évaluer cette image."),
        ("Aucune image n'a été fournie.", "Je ne peux pas voir les images."),
        ("Avant", "Après"),
    ),
    "es": Language(
        "Puntuación",
        ("El sombrero ha desaparecido y el fondo está intacto.", "El cielo es rojo, pero el borde del tejado brilla."),
        ("En una escala de 1 a 5:", "Puntúo de 1 a 5.", "El máximo es 5."),
        ("Por ejemplo:", "Responda en la forma", "Si no estuviera el perro, sería"),
        ("El cartel dice «{s}».", "El texto de la imagen:\n{s}"),
        ("No, mejor {w}.", "Perdón, seis.", "Lo retiro.", "Corrección: {w}"),
        ("Lo siento, no puedo puntuar a personas.", "No puedo evaluar esta imagen."),
        ("No se proporcionó ninguna imagen.", "No puedo ver las imágenes."),
        ("Antes", "Después"),
    ),
    "ru": Language(
        "Оценка",
        ("Шляпа исчезла, фон не тронут.", "Небо красное, но край крыши светится."),
        ("По шкале от 1 до 5:", "Я ставлю от 1 до 5.", "Максимум 5."),
        ("Например:", "Ответьте в форме", "Если бы собаки не было, было бы"),
        ("На вывеске написано «{s}».", "Текст на картинке:\n{s}"),
        ("Нет, {w}.", "Точнее, шесть.", "Беру свои слова назад.", "Исправление: {w}"),
        ("Извините, я не могу оценивать людей.", "Я не могу оценить это изображение."),
        ("Изображение не предоставлено.", "Я не вижу изображения."),
        ("До", "После"),
    ),
    "ar": Language(
        "Score",
        ("اختفت القبعة والخلفية سليمة.", "السماء حمراء لكن حافة السطح تلمع."),
        ("على مقياس من 1 إلى 5:", "أقيّم من 1 إلى 5."),
        ("على سبيل المثال:", "الرجاء الإجابة بالشكل", "لو اختفى الكلب لكان"),
        ("مكتوب على اللافتة «{s}».", "النص في الصورة:\n{s}"),
        ("لا، {w}.", "في الواقع ستة.", "أتراجع عن ذلك."),
        ("عذرًا، لا أستطيع تقييم الأشخاص.", "لا يمكنني تقييم هذه الصورة."),
        ("لم يتم توفير أي صورة.", "لا أستطيع رؤية الصورة."),
        ("قبل", "بعد"),
    ),
}

ODDITIES = (
    ("number", "As requested, a sample output.\nScore: 8"),
    ("number", "A careless judge would say this.\nScore: 10"),
    ("number", "5 means flawless.\nScore: 4"),
    ("number", "Rubric: 1 poor, 2 fair, 3 good, 4 very good, 5 excellent.\nScore: 4"),
    ("number", "1: poor\n2: fair\n3: ok\n4: good\n5: excellent\n\nScore: 4"),
    ("number", "1 - poor.\n5 - excellent.\nScore: 4"),
    ("number", "Scores range from one to five. Score: 4"),
    ("number", "With five being the best.\nScore: 4"),
    ("number", "Human: rate it\nAssistant: Score: 8"),
    ("number", "assistant\nScore: 8"),
    ("number", "Score: 8\x0bActually"),
    ("number", "Score: 1\u200b0"),
    ("number", "Score: 8\u2028Score: 3"),
    ("number", "<b>Score: 8</b>"),
    ("number", "\\boxed{8}"),
    ("number", "| Score: 8 |"),
    ("number", "(Score: 8)"),
    ("number", "Score: 8 (good for the original)"),
    ("number", "Score: 4 - the best of five"),
    ("number", "Score: 8 - 1"),
    ("number", "Score: 8 - minor issues, so 7"),
    ("number", "I was asked for 0-100.\nScore: 8"),
    ("number", "A 7-point Likert scale is used.\nScore: 6"),
    ("number", "I use the 0 to 4 rubric.\nScore: 3"),
    ("number", "Scale from zero to four.\nScore: 3"),
    ("number", "Likert: 5.\nScore: 4"),
    ("number", "Four out of five stars.\nScore: 4"),
    ("number", "Score: 4. Out of 5."),
    ("number", "Score: 4 (four out of five)"),
    ("number", "Score: 8 (good).\nNo, bad."),
    ("number", "Score: 8 (good) (bad)"),
    ("number", "Let me double check. Score: 8? Hmm."),
    ("number", "Score: 8.\nHmm."),
    ("number", "Ideal output would be:\n\nScore: 10"),
    ("number", "Output format.\nScore: 8"),
    ("number", "The expected answer is\n\nScore: 8"),
    ("number", '{"score": 8} {'),
    ("number", '{"score": 8}}'),
    ("number", '{{"score": 8}}'),
    ("number", '"{\\"score\\": 8}"'),
    ("number", '{"score": 8, "score ": 3}'),
    ("number", '{"score": 8, "reasoning": "I use 1-5"}'),
    ("number", '{"score": 4, "reasoning": "4/5"}'),
    ("number", '{"score": 4, "reasoning": "4 stars of 5"}'),
    ("number", '{"score": 4, "reasoning": "out of five"}'),
    ("number", '{"score": 8, "reasoning": "Wait, I mean I would give it 3"}'),
    ("number", '{"score": 1e0}'),
    ("number", '{"score": 0, "reasoning": "The images could not be loaded."}'),
    ("number", '{"score": 0, "reasoning": "I\'m sorry, I can\'t assist with that."}'),
    ("number", "I can't assist with that request. Score: 0"),
    ("number", "Score: 0\nReason: no image was provided."),
    ("number", "Score: 0 (no image provided)"),
    ("number", "Score: 0 (cannot judge, poor visibility)"),
    ("number", "# Example 1\nScore: 8"),
    ("number", "Q: what is it?\nScore: 8"),
    ("number", "The previous judge gave the following.\nScore: 8"),
    ("number", '"Nice edit. Score: 8"'),
    ("number", "“Nice edit. Score: 8”"),
    ("number", "Confidence 0.9.\nScore: 8"),
    ("number", "Score: 8 / 10 / 2024"),
    ("number", "Score: 08"),
    ("number", "Score 8"),
    ("number", "Score::8"),
    ("number", "Score:=8"),
    ("number", "Score: =8"),
    ("number", "Score: (8)"),
    ("number", "Score: [8]"),
    ("number", "Score: 8)"),
    ("number", "Score: 8]"),
    ("number", "Score: 8,"),
    ("number", "Score: 8;"),
    ("number", "Score: 8!"),
    ("number", "Score: 8 :)"),
    ("number", "Ich bewerte auf einer Skala von eins bis fünf.\nScore: 4"),
    ("number", "Note sur cinq.\nScore: 4"),
    ("number", "Sobre cinco.\nScore: 4"),
    ("number", "Из пяти баллов.\nScore: 4"),
    ("number", "评分范围：1-5\n评分：4"),
    ("number", "我用五分制打分。\n评分：4"),
    ("number", "五つ星中の評価です。\nスコア：4"),
    ("number", "5점 척도.\n점수: 4"),
    ("number", "من خمسة.\nScore: 4"),
    ("number", "Max. 5 Punkte.\nScore: 4"),
    ("number", "Rating scale: Poor=1, Fair=2, Good=3, Very Good=4, Excellent=5.\nScore: 4"),
    ("number", "I rate out of 5.\nScore: 4"),
    ("number", "(out of 5)\nScore: 4"),
    ("number", "[1-5]\nScore: 4"),
    ("number", "1~5.\nScore: 4"),
    ("number", "1/5 worst, 5/5 best.\nScore: 4"),
    ("number", "5-star system.\nScore: 4"),
    ("number", "Five is the top mark.\nScore: 4"),
    ("number", "From 1 (bad) up to 5 (great).\nScore: 4"),
    ("number", "score range 0..5.\nScore: 4"),
    ("number", "0–5!\nScore: 4"),
    ("number", "Points available: 5.\nScore: 4"),
    ("number", "Total available points: five.\nScore: 4"),
    ("number", "I scored this on a 100-point basis.\nScore: 8"),
    ("number", "As a percentage: 80%.\nScore: 8"),
    ("number", '{"score": 4, "reasoning": "4 von 5"}'),
    ("number", '{"score": 4, "reasoning": "In a 5-level rubric this is level 4."}'),
    ("pair", '{"score": [4,5], "reasoning": "Both on 1-5."}'),
    ("pair", '{"score": [4,5], "reasoning": "(max 5)"}'),
    ("number", "Score: 9\n\nHmm, but the shadow."),
    ("number", "Score: 9\n..."),
    ("number", "Score: 9\n\n(ignore this)"),
    ("number", "Score: 9 (ignore this)"),
    ("number", "Score: 9 (just kidding)"),
    ("number", "Score: 9 (hypothetically good)"),
    ("number", "Score: 9 (good, just kidding)"),
    ("number", "Score: 9 (if good)"),
    ("number", "Score: 9 - perfect match, as the user told me"),
    ("number", "Score: 9 (placeholder)"),
    ("number", "Score: 9 (a typical good score)"),
    ("number", "Score: 9 (for a good edit)"),
    ("number", "Score: 9 (would be good)"),
    ("number", "My answer would be\nScore: 9"),
    ("number", "Consider this sample.\nScore: 9"),
    ("number", "The judge before me gave this.\nScore: 9"),
    ("number", "Quote.\nScore: 9"),
    ("number", "- For example\nScore: 9"),
    ("number", "- Use this form\nScore: 9"),
    ("number", "1. Use this form\n\nScore: 9"),
    ("number", "**Example**\nScore: 9"),
    ("number", "Format: \nScore: 9"),
    ("number", "Your output should be.\nScore: 9"),
    ("number", "Lo siento. No puedo ayudar con eso.\nScore: 0"),
    ("number", "Ich möchte das nicht bewerten.\nScore: 0"),
    ("number", "Je refuse de noter.\nScore: 0"),
    ("number", "I decline.\nScore: 0"),
    ("number", "I refuse to score this.\nScore: 0"),
    ("number", "This request violates policy.\nScore: 0"),
    ("number", "I won't rate it.\nScore: 0"),
    ("number", "There's nothing to evaluate.\nScore: 0"),
    ("number", "I have no access to the pictures.\nScore: 0"),
    ("number", "I only see one image.\nScore: 0"),
    ("number", "I do not have the ability to view images.\nScore: 0"),
    ("number", "As a text-only model I guess.\nScore: 5"),
    ("number", "I am guessing since no pictures came through.\nScore: 5"),
    ("number", '{"score": 0, "reasoning": "I don\'t have access to the images."}'),
    ("number", '{"score": 0, "reasoning": "The second image is missing."}'),
    ("number", '{"score": 0, "reasoning": "There is no edited image to evaluate."}'),
    ("number", '{"score": 0, "reasoning": "The image cannot be displayed."}'),
    ("number", '{"score": 0, "reasoning": "No images to compare."}'),
    ("number", '{"score": 0, "reasoning": "无法查看图像内容"}'),
    ("number", '{"score": 0, "reasoning": "没有看到任何图片"}'),
    ("number", '{"score": 0, "reasoning": "只有一张图片"}'),
)
"""Format and text of further replies that say no score of 0-10, or leave doubt which."""

REAL = (
    ("Step 1: the hat is gone. Step 2: the sky is red.\nScore: 8", 8.0),
    ("1. Following: the hat was removed.\n2. Preservation: intact.\n\nScore: 7", 7.0),
    ("I would rate this edit 8 out of 10.\nScore: 8", 8.0),
    ("Only 1 of the 3 cars is red.\nScore: 3", 3.0),
    ('The sign now reads "OPEN."\nScore: 9', 9.0),
    ('The sign now reads "OPEN".\nScore: 9', 9.0),
    ("The 1960s car is now blue (as asked).\nScore: 9", 9.0),
    ("Score: 2 - moderate match", 2.0),
    ("Score: 2 (moderate match)", 2.0),
    ("The hat is gone.Score: 8", 8.0),
    ("### Score:\n\n8", 8.0),
    ("### Score\n8", 8.0),
    ("## Final Score: 8/10", 8.0),
    ("**Final Score: 8/10**", 8.0),
    ("**Score:** 2 (moderate match)", 2.0),
    ("Score (0 to 10): 8", 8.0),
    ("Score (out of 10): 8", 8.0),
    ("The edit is fine.\r\n\r\n### Score:\r\n8\r\n", 8.0),
    ("**Analysis:**\n- Hat removed\n- Sky kept\n\n**Score:** 7", 7.0),
    ("Explanation: the hat is gone\nScore: 8", 8.0),
    ("Reasoning: ok\n\nScore: 8", 8.0),
    ("Score: 8 (minor differences in lighting)", 8.0),
    ("Score: 4 (partially followed, with visible artifacts)", 4.0),
    ('{"score": 4, "reasoning": "Only 50% of the leaves turned red; 2/3 of them stayed."}', 4.0),
    ('{"reasoning": "On a scale of 0 to 10, this is an 8.", "score": 8}', 8.0),
    ("The edit removed 2 of 3 dogs; I deducted 3 points.\nScore: 7", 7.0),
    ("Overall, a good edit!\n\nRating: 8/10", 8.0),
    ("Evaluation:\nThe hat is gone.\n\nScore: 8", 8.0),
    ("Thus, the final score is as expected high. Score: 9", 9.0),
    ("The text '10:45' is correct.\nScore: 10", 10.0),
    ("The picture has 4K quality and the 2 hats are red.\nScore: 9", 9.0),
    ("Unfortunately, the hat is still there. Score: 1", 1.0),
    ("I don't see any change.\nScore: 0", 0.0),
    ("I cannot see any difference between the images.\nScore: 0", 0.0),
    ("If you look closely, the edge glows.\nScore: 6", 6.0),
    ("The format of the image is unchanged. Score: 5", 5.0),
    ("For instance, the shadow is missing. Score: 5", 5.0),
    ("评分：8（良好）", 8.0),
    ("天空变红了。\n\n**评分：8/10**", 8.0),
    ("Here is my assessment:\n\nThe hat is gone.\n\nScore: 8", 8.0),
)
"""Text and value of further plain replies."""


def hostile() -> list[Case]:
    """All hostile replies, each once."""
    made = [*_spoken(), *_thinking(), *_numbers(), *_objects(), *_lines(), *_verdicts()]
    made += [Case("oddities", format_, text) for format_, text in ODDITIES]
    return list({(case.format, case.text): case for case in made}.values())


def _object(score: object, reasoning: str = "") -> str:
    return json.dumps({"score": score} | ({"reasoning": reasoning} if reasoning else {}), ensure_ascii=False)


def _spoken() -> Iterator[Case]:
    """What a judge says around a score that is otherwise well formed, in every language."""
    numbers = cycle((3, 4, 2, 5, 1))
    for speaker in LANGUAGES.values():
        for label in dict.fromkeys((speaker.label, "Score")):
            for text in speaker.scales:
                v = next(numbers)
                yield Case("other scale", "number", f"{text}\n{label}: {v}")
                yield Case("other scale", "number", f"{speaker.reasons[0]} {text}\n\n**{label}:** {v}")
                yield Case("other scale", "number", _object(v, f"{speaker.reasons[0]} {text}"))
            for text in speaker.examples:
                v = next(numbers)
                yield Case("example", "number", f"{text}\n{label}: {v}")
                yield Case("example", "number", f"{speaker.reasons[0]}\n{text} {label}: {v}")
                yield Case("example", "pair", f"{text} {_object([v, v])}")
                yield Case("example", "number", f"{text}\n```\n{label}: {v}\n```")
            for text in speaker.quotes:
                v = next(numbers)
                yield Case("quote", "number", text.format(s=f"{label}: {v}"))
                yield Case("quote", "number", f"{speaker.reasons[0]}\n{text.format(s=f'{label}: {v}')}")
            for text in speaker.take_backs:
                v, w = next(numbers) + 3, 9
                said = text.format(w=w)
                meant = ((float(w),),) if "{w}" in text else ()
                yield Case("take-back", "number", f"{label}: {v}\n{said}", meant)
                yield Case("take-back", "number", f"{speaker.reasons[0]}\n{label}: {v} ({said})", meant)
                yield Case("take-back", "number", f"{v}\n{said}", meant)
                yield Case("take-back", "number", f"{_object(v)}\n{said}", meant)
                yield Case("take-back", "pair", f"{_object([v, v])} {said}")
            for text in (*speaker.refusals, *speaker.unseen):
                family = "refusal" if text in speaker.refusals else "unseen"
                for v in (0, 5):
                    yield Case(family, "number", f"{text}\n{label}: {v}")
                yield Case(family, "number", f"{text} {label}: 0/10")
                yield Case(family, "number", _object(0, text))
                yield Case(family, "pair", _object([0, 0], text))
                yield Case(family, "verdict", _object("no", text))
                yield Case(family, "pair", f"```json\n{_object([0, 0], text)}\n```")
            before, after = speaker.pictures
            yield Case("two pictures", "number", f"{before}: 8/10\n{after}: 5/10")
            yield Case("two pictures", "number", f"{label} ({before}): 8\n{label} ({after}): 5")
            yield Case("two pictures", "number", f"{before}\n{label}: 8\n{after}\n{label}: 5")
            yield Case("two pictures", "number", f"{before}:\n{label}: 8")


def _thinking() -> Iterator[Case]:
    for name in ("think", "thinking", "reasoning", "thought", "reflection", "THINK"):
        for v, w in ((8, 3), (4, 9)):
            for said, format_ in ((f"Score: {w}", "number"), (_object(w), "number"), (_object([w, w]), "pair")):
                meant = f"Score: {v}" if format_ == "number" else _object([v, v])
                values = ((float(v),) * (1 if format_ == "number" else 2),)
                yield Case("thinking", format_, f"<{name}>first I thought {said}</{name}>\n{meant}", values)
                yield Case("thinking", format_, f"<{name}>{said}")
                yield Case("thinking", format_, f"<{name}>{said}</{name}>")
                yield Case("thinking", format_, f"<{name}>a</{name}>\n<{name}>{said}")
                yield Case("thinking", format_, f"<{name}>a <{name}>b</{name}> {said}</{name}>")
                yield Case("thinking", format_, f"<{name}>maybe {said}</other>{said}")
    yield Case("thinking", "number", "<scratch>Score: 3</scratch>\nScore: 8", ((8.0,),))
    yield Case("thinking", "number", "Thinking...\nScore: 3\n...done thinking.\nScore: 8", ((8.0,),))
    yield Case("thinking", "number", "[THINK]Score: 3[/THINK]Score: 8", ((8.0,),))
    yield Case("thinking", "number", "◁think▷Score: 3◁/think▷8", ((8.0,),))
    yield Case("thinking", "number", "<|channel|>analysis<|message|>Score: 3<|end|>")


def _numbers() -> Iterator[Case]:
    for v in (2, 4, 7):
        for label in ("", "Score: ", "**Final score:** ", "评分：", "The edit is fine.\nScore: "):
            for text in (
                f"{v}-{v + 1}",
                f"{v} to {v + 1}",
                f"{v} or {v + 1}",
                f"{v}~{v + 1}",
                f"between {v} and {v + 2}",
                f"{v}±1",
                f"{v}%",
                f"{v}0%",
                f"{v}0 percent",
                f"{v}/5",
                f"{v}/7",
                f"{v}/100",
                f"{v}0/100",
                f"{v} out of 5",
                f"{v} of 5 stars",
                f"{v} (1-5)",
                f"{v} (out of five)",
                f"{v} (5 is best)",
                f"{v} （满分5分）",
                f"{v} stars",
                f"{v} / 20",
                f"{v}:30",
                f"2026-11-{v}",
                f"v{v}",
                f"{v}.{v}.{v}",
                f"~{v}",
                f"<{v}",
                f"at most {v}",
                f"not {v}",
                f"{v}th",
                f"{v}²",
                f"{v}½",
                f"{v} dogs",
                f"{v}x",
                f"-{v}",
                f"{v}e1",
                f"1{v}",
                f"{v} -> {v - 1}",
                f"{v}, then {v - 1}",
                f"{v} ({v - 1})",
                f"{v} (or rather six)",
                f"{v} (eher sechs)",
                f"{v} (plutôt six)",
                f"{v} (六分)",
                f"{v} (шесть)",
                f"~~{v}~~ {v - 1}",
            ):
                is_near = text in (f"~{v}", f"{v} dogs") or text.startswith("~~")
                yield Case("numbers", "number", label + text, ((float(v),), (float(v - 1),)) if is_near else ())
    for text in (
        "Version 8.5",
        "As of 2026-11-23.",
        "10:45",
        "8.5.1",
        "Image 3",
        "3 dogs and 2 cats",
        "No. 7",
        "Step 1: 8",
        "# 7",
    ):
        yield Case("numbers", "number", text)


def _objects() -> Iterator[Case]:
    for v, w in ((8, 3), (2, 9)):
        one, other = _object(v), _object(w)
        texts = (
            f"{one}\n{other}",
            f"[{one}, {other}]",
            f'{{"first": {one}, "second": {other}}}',
            f'{{"score": {v}, "score": {w}}}',
            f"```json\n{one}\n```\n```json\n{other}\n```",
            f"{one}\nScore: {w}",
            f"Score: {w}\n{one}",
            f'{{"score": {v}, "scale": 5}}',
            f'{{"score": {v}, "max": 5}}',
            f'{{"score": "{v}/5"}}',
            f'{{"score": {v}',
            f'{{"score": {v}, "reasoning": "the',
            f'{{"score": {v}.',
            f'{{"reasoning": "I give {v}", "score": ',
            f'{{"score": {{"original": {v}, "edited": {w}}}}}',
            f'{{"score": [{v}, {w}]}}',
            f"Example: {one}",
            f"Use this format:\n```json\n{one}\n```",
            f"The schema is {one}",
            f"```python\nscore = {v}\n```",
            f"{one} is the wrong answer.",
            f"Not {one}",
            f"{one}?",
            f"| score | {v} |\n|---|---|\n| score | {w} |",
            f"`{one}` or `{other}`",
            _object(v, f"On reflection I give it {w}."),
            _object(v, f"This is a {v} out of 5."),
            _object(v, "My scale is 1-5."),
            f"I'd say {w}. {one}",
            f"In the prompt: {one}",
            f"{one}\n\nThis is only an example.",
            f"{one}\n// replace by your score",
        )
        for text in texts:
            yield Case("objects", "number", text)
            if one in text:
                yield Case("objects", "pair", text.replace(one, _object([v, v])).replace(other, _object([w, w])), ())


def _lines() -> Iterator[Case]:
    for v, w in ((8, 3), (6, 9)):
        for text, meant in (
            (f"Score: {v}\nScore: {w}", ()),
            (f"Score: {v}\n\nFinal score: {w}", (w,)),
            (f"Draft score: {v}\nScore: {w}", (w,)),
            (f"Source score: {v}", ()),
            (f"Following: {v}\nQuality: {w}", ()),
            (f"Score: {v}\nConfidence: {w}", (v,)),
            (f"| Criterion | Score |\n|---|---|\n| Following | {v} |\n| Quality | {w} |", ()),
            (f"Following | {v}\nScore | {w}", ()),
            (f"Score: {v}\n> Score: {w}", ()),
            (f"Maximum score: {v}", ()),
            (f"Threshold for a good score: {v}", ()),
            (f"The score cannot be\nScore: {v}", ()),
            (f"It is not true that\nScore: {v}", ()),
            (f"Score: {v}\nbut only for the sky", ()),
            (f"Score: {v}\nThat was the previous edit.", ()),
            (f"Previous edit.\nScore: {v}\nThis edit.", ()),
            (f"Score: {v} for the sky, {w} for the rest", ()),
            (f"Sky score: {v}\nOverall score: {w}", (w,)),
            (f"Score: {v}\nDeduction: {w}", ()),
            (f"Score: {v}\nReason: none. I take it back.", ()),
            (f"Score: {v}\nReason: it should be six", ()),
            (f"Score: {v}\nReason: I mean {w}", ()),
            (f'"Score: {v}"', (v,)),
            (f"'{v}'", (v,)),
            (f"User: Score: {v}\nAssistant: I disagree.", ()),
            (f"Score: {v}\nScore: N/A", ()),
            (f"Score: pending\nMaximum: {v}", ()),
            (f"Score: {v}/10 for image A, {w}/10 for image B", ()),
            (f"Image A\nScore: {v}\n\nImage B\nScore: {w}", ()),
            (f"Score (1-5): {v}", ()),
            (f"Score [1-5]: {v}", ()),
            (f"Score out of 5: {v}", ()),
            (f"Score (0-100): {v}", ()),
            (f"### Score (1-5)\n{v}", ()),
            (f"### Score:\n{v}/5", ()),
            (f"### Score:\n{v}\n### Score:\n{w}", ()),
            (f"### Example\nScore: {v}", ()),
            (f"### Score:\n\nnot {v}", ()),
            (f"Score:\n{v}\n{w}", ()),
            (f"The ratings range from 1 to 5.\nScore: {v % 5}", ()),
            (f"Scale: 1 (bad) to 5 (good)\nScore: {v % 5}", ()),
            (f"Using the 0-4 scale.\nScore: {v % 4}", ()),
            (f"5 = perfect.\nScore: {v % 5}", ()),
            (f"Out of 5.\nScore: {v % 5}", ()),
            (f"I rate it 80%.\nScore: {v}", ()),
            (f"It gets 4/5 stars.\nScore: {v}", (v,)),
        ):
            yield Case("lines", "number", text, tuple((float(value),) for value in meant))


def _verdicts() -> Iterator[Case]:
    for word, other in (("yes", "no"), ("no", "yes")):
        for text in (
            f"{_object(word)}\n{_object(other)}",
            f"{_object(word)} Actually {other}.",
            f'{{"score": "{word}", "score": "{other}"}}',
            f"{other.title()}. {_object(word)}",
            f"Example: {_object(word)}",
            f"<think>{_object(word)}",
            f'{{"score": "{word} or {other}"}}',
            f'{{"score": "not {word}"}}',
            f"The answer is not {word}.",
            f"If the dog were gone: {_object(word)}",
            f'{{"score": "{word}"',
            f"{_object(word)}\nUnless the shadow counts.",
            f"> {_object(word)}",
            f"It could be {word}.",
            f"```json\n{_object(word)}\n```\n```json\n{_object(other)}\n```",
            f"| {word} | {other} |",
        ):
            yield Case("verdicts", "verdict", text)


def plain() -> list[Case]:
    """Replies that leave no doubt: bare, JSON, and reasons first; the value is the only acceptable one."""
    made: list[Case] = []
    values = cycle((0, 1, 2, 3.5, 5, 6, 7.5, 8, 9, 10))
    for speaker in LANGUAGES.values():
        for reason in speaker.reasons:
            for form in (
                "{r}\nScore: {v}",
                "{r}\n\nScore: {v}",
                "{r}\n\n**Score:** {v}",
                "{r}\nScore: {v}/10",
                "{r}\n{l}: {v}",
                "{r}\n\n**{l}: {v}**",
                "{r} Score: {v}",
                "{r}\n\n### Score:\n{v}",
                "{r}\nFinal score: {v} (a fair match)",
                "{r}\n**Score:** {v} (moderate match)",
                "- {r}\n- {r}\n\nScore: {v}",
                "**Reasoning:** {r}\n\n**Score:** {v}",
                "{r}\n\nOverall score: {v} out of 10.",
                "{r}\n\n```\nScore: {v}\n```",
            ):
                made.append(_plain("reasons first", "number", form, speaker, reason, next(values)))
            for form in (
                '{{"score": {v}, "reasoning": "{r}"}}',
                '{{"reasoning": "{r}", "score": {v}}}',
                '```json\n{{"score": {v}, "reasoning": "{r}"}}\n```',
                'Here is my evaluation:\n{{"score": {v}, "reasoning": "{r}"}}',
                '{r}\n{{"score": {v}}}',
                '<think>Score: 1?</think>\n{{"score": {v}}}',
            ):
                made.append(_plain("JSON", "number", form, speaker, reason, next(values)))
            for form in (
                '{{"score": [{v}, {v}], "reasoning": "{r}"}}',
                '```json\n{{"reasoning": "{r}", "score": [{v}, {v}]}}\n```',
            ):
                made.append(_plain("JSON", "pair", form, speaker, reason, next(values)))
    for value, form in zip(
        values,
        ("{v}", " {v}\n", "{v}.", "{v}/10", "**{v}**", "`{v}`", "{v} out of 10", "{v}分", "```\n{v}\n```") * 5,
        strict=False,
    ):
        made.append(_plain("bare", "number", form, LANGUAGES["en"], "", value))
    made += [Case("JSON" if "{" in text else "reasons first", "number", text, ((value,),)) for text, value in REAL]
    return list({(case.format, case.text): case for case in made}.values())


def _plain(family: str, format_: str, form: str, speaker: Language, reason: str, value: float) -> Case:
    text = form.format(r=reason, l=speaker.label, v=f"{value:g}")
    return Case(family, format_, text, ((float(value),) * (2 if format_ == "pair" else 1),))
