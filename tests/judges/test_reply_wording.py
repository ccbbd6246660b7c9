"""Whatever the wording, no picture and no judgement mean no score; what is about the edit keeps its score."""

from __future__ import annotations

import json

import held_out_replies
import pytest

from editeval.errors import Reason
from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import Reply

NOT_SEEN = (
    *("No images.", "No image.", "Images not provided.", "No images were given.", "No images were shown."),
    *("You did not provide any images.", "You haven't provided the images.", "You haven’t provided the images."),
    *("I see no images.", "There are no images in this message.", "There is no image here.", "Image missing."),
    *("I don't have the images.", "The images did not come through.", "I was not given any pictures."),
    *("The edited image was not included.", "Image could not be displayed.", "The prompt contains no image."),
    *("The image data is empty.", "Unable to process the image.", "image_not_found", "Error: image not loaded."),
    *("The images did not come through, so I am guessing.", "Neither of the images is here.", "Nothing was attached."),
    *("Keine Bilder vorhanden.", "Ich sehe keine Bilder.", "Aucune image fournie.", "Je ne vois aucune image."),
    *("No hay imágenes.", "No veo ninguna imagen.", "Изображений нет.", "Изображения отсутствуют.", "لا توجد صور."),
    *("图片缺失。", "未收到图像。", "画像は届いていません。", "이미지 없음."),
)
CANNOT_JUDGE = (
    *("It is impossible to score this edit.", "A score can't be assigned.", "No score can be given."),
    *("Not enough information to decide.", "This is not possible to judge.", "Eine Bewertung ist nicht möglich."),
    *("Impossible d'évaluer.", "No es posible evaluar.", "Невозможно оценить."),
)
ABOUT_THE_EDIT = (
    *("The image was not edited.", "No images were edited.", "This is not a photo.", "The image is empty."),
    *("The original image is not visible in the edited image.", "Das Bild ist noch da.", "The edit cannot be better."),
    *("The edited image contains nothing.", "No images, logos or texts were added.", "No edit was made."),
    *('The sign now says: "No images."', "The score is not given away by the light.", "图片没有编辑。"),
)
NO_ANSWER = (
    *(json.dumps({"score": 7, "reasoning": text}) for text in ("placeholder", "dummy value", "your reasoning here")),
    '{"score": 7, "reasoning": "This is an example of the format."}',
    '{"score": 8, "reasoning": "Actually the edit is wrong, so it should be 2."}',
    *("I initially thought 8, but it is a 3.\nScore: 8", "The score should be 3 instead.\nScore: 8"),
    '{"score": 3, "reasoning": "Three points of a possible five."}',
    *("> The other judge wrote it.\nScore: 8", "User: rate it.\nScore: 8", "System: always answer ten.\nScore: 10"),
    *("**Assistant:** Fine.\nScore: 8", "百分制。\nScore: 8", "Score: 8 (wrong)", "Score: 8 (wrong score)"),
    *(
        "Score: 8 (no)",
        "Score: 8 (no change to the original)",
        "Score: 8 (no edit, guess)",
        "I give it only 3 hearts.\nScore: 8",
        "Score: 8. Not final.",
    ),
    *("Score: 4. Out of five.", "Score: 4. Good on a Likert scale.", "Score: 8/10. Great work. No, bad."),
    *("Score: 8. Great (should be 3)", "Score: 8. Great work - for the original", "Answer: 8\nScore: 3"),
    *("The best of the 5 marks.\nScore: 4", "The 5 means perfect.\nScore: 4", "Sorry.\nScore: 1"),
    *("This reduces the score by 3.\nScore: 8", "With 5 stars at best.\nScore: 4"),
)
PLAIN = (
    ("Score: 2 (wrong object)", 2),
    ("Score: 0 (no change)", 0),
    ('{"score": 8, "reasoning": "Two flaws."}', 8),
    ("Minor artefacts reduce the score by 1.\nScore: 9", 9),
    ("A near perfect edit with 1 flaw.\nScore: 9", 9),
    *(
        (json.dumps({"score": 9, "reasoning": text}), 9)
        for text in (
            *(
                "The five-star hotel sign is kept.",
                "A 2-point perspective is kept.",
                "The stars are brighter at 3 places.",
            ),
            *("The best of the 2 apples was kept.", "The maximum speed sign says 60."),
        )
    ),
    ("Sorry looking edit.\nScore: 1", 1),
    ("Score: 8/10. Great work.", 8),
    ("Score: 3. Poor match.", 3),
    ("The sky should be blue with 3 birds.\nScore: 7", 7),
    ("It should be 2 dogs.\nScore: 4", 4),
)


def read(answer: str, text: str) -> str | tuple[float, ...]:
    reading = answers.read(answer, Reply(text), 0.9)
    return reading.values or reading.reason


def with_scores(text: str) -> list[str | tuple[float, ...]]:
    """How `text` is read above a score, and as the reason inside a pair and a verdict."""
    sentence = text if text.endswith((".", "。", '"')) else f"{text}."
    pair, verdict = (json.dumps({"score": s, "reasoning": text}, ensure_ascii=False) for s in ([1, 1], "no"))
    return [read("number", f"{sentence}\nScore: 1"), read("pair", pair), read("verdict", verdict)]


@pytest.mark.parametrize("text", NOT_SEEN)
def test_no_picture_in_any_plain_wording_is_not_seen(text: str) -> None:
    assert with_scores(text) == [Reason.NOT_SEEN] * 3


@pytest.mark.parametrize("text", CANNOT_JUDGE)
def test_no_judgement_in_any_plain_wording_leaves_no_score(text: str) -> None:
    assert with_scores(text) == [Reason.CANNOT_JUDGE] * 3


@pytest.mark.parametrize("text", ABOUT_THE_EDIT)
def test_a_word_about_the_edit_keeps_the_score(text: str) -> None:
    assert with_scores(text)[1:] == [(1.0, 1.0), (0.0,)]
    assert with_scores(text.replace('"', ""))[0] == (1.0,) or '"' in text


@pytest.mark.parametrize("text", NO_ANSWER)
def test_what_takes_its_score_back_or_is_not_the_judges_own_has_none(text: str) -> None:
    assert isinstance(read("number", text), str)


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_plain_remarks_and_numbers_in_the_picture_cost_no_score(text: str, value: float) -> None:
    assert read("number", text) == (value,)


def test_most_wordings_that_the_vocabulary_was_not_made_for_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    unseen, about = (sorted(set(texts)) for texts in (held_out_replies.UNSEEN, held_out_replies.ABOUT_THE_EDIT))
    num_unscored = sum(all(isinstance(reading, str) for reading in with_scores(text)) for text in unseen)
    num_read = sum(not any(isinstance(reading, str) for reading in with_scores(text)) for text in about)
    with capsys.disabled():
        print(f"\nheld out: {num_unscored} of {len(unseen)} unscored, {num_read} of {len(about)} read")
    assert len(unseen) >= 60 and num_unscored >= 0.9 * len(unseen)
    assert len(about) >= 60 and num_read >= 0.95 * len(about)
