"""omnicontext: two grades of a picture made of several, prepared as the authors do, read once."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editeval.errors import Reason
from editeval.images import decode, encode_png
from editeval.judges.parsing.reply import UnparsableReply
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.omnicontext import score_in
from editeval.types import JudgeRequest
from fakes.shown import judged, parts, picture, pixels

GOOD = '{"score": 8, "reasoning": "One detail: two points off."}'
CLASS = protocols.class_of("omnicontext")


def request(task: str = "multiple_character", *sources: bytes) -> JudgeRequest:
    shown = sources or (picture(100, 60), picture(2000, 1500))
    return JudgeRequest("s", shown, picture(1030, 1040), "both at a table", metadata={"category": task})


def test_both_questions_show_the_text_every_input_and_the_new_picture() -> None:
    rows, calls = judged([request()], [GOOD, '{"score": 2, "reasoning": ""}'], protocol="omnicontext")
    assert rows == [{"overall": 4.0, "prompt_following": 8.0, "subject_consistency": 2.0}]
    assert [call["messages"][0]["role"] for call in calls] == ["user", "user"], "each once, and no system message"
    for call in calls:
        text, *pictures = parts(call)
        assert pictures == [(96, 48), (1168, 880), (1030, 1040)]
        assert '<instruction>"both at a table"</instruction>' in text
        assert call["max_tokens"] == 1400 and "temperature" not in call
    assert parts(calls[0])[0] != parts(calls[1])[0]


@pytest.mark.parametrize("size", [(2000, 1500), (1601, 1203), (3000, 1001), (1024, 1024), (33, 17), (1087, 1990)])
def test_an_input_has_the_size_that_the_authors_give_it(size: tuple[int, int]) -> None:
    width, height = size
    ratio = math.sqrt(1024 * 1024 / (width * height)) if width * height > 1024 * 1024 else 1.0
    expected = (int(width * ratio) // 16 * 16, int(height * ratio) // 16 * 16)
    _, calls = judged([request("single_object", picture(width, height))], [GOOD], protocol="omnicontext")
    assert parts(calls[0])[1] == expected


def test_the_judge_sees_what_jpeg_of_quality_75_leaves() -> None:
    noise = Image.effect_noise((64, 48), 90).convert("RGB")
    asked = JudgeRequest("s", (encode_png(noise),), encode_png(noise), "x", metadata={"category": "single_object"})
    _, calls = judged([asked], [GOOD], protocol="omnicontext")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG")
    for part in calls[0]["messages"][0]["content"][1:]:
        assert pixels(part["image_url"]["url"]).tobytes() == decode(buffer.getvalue()).tobytes()


def test_a_task_with_scene_in_its_name_is_asked_about_the_place() -> None:
    plain, scene = (CLASS().questions(request(task)) for task in ("single_object", "scene_object"))
    assert all(one.text != other.text for one, other in zip(plain, scene, strict=True))


def test_the_authors_words_follow_each_other_as_theirs_do(tmp_path: Path) -> None:
    file = tmp_path / "omnicontext" / "prompt_generator.py"
    file.parent.mkdir()
    rule = "_prompts_0shot_in_context_generation_rule_"
    names = [f"{rule}{kind}" for kind in ("PF_Single_and_Multiple", "PF_Scene", "SC_Single_and_Multiple", "SC_Scene")]
    file.write_text("_context_no_delimit = '''C.'''\n" + "".join(f"{n} = '[{n[-8:]}] <instruction>'\n" for n in names))
    _, calls = judged([request("scene_object")], [GOOD], protocol="omnicontext", prompts_from=str(tmp_path))
    assert [parts(call)[0] for call in calls] == ["C.[PF_Scene] both at a table", "C.[SC_Scene] both at a table"]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (GOOD, 8.0),
        ('```json\n{\n"score": 7.5,\n"reasoning": "It\nfits."}\n```', 7.5),
        ('{"reasoning": "same man", "score": 0}', 0.0),
        ("9", 9.0),
    ],
)
def test_the_one_object_or_a_bare_number_is_read(text: str, score: float) -> None:
    assert score_in(text) == (score,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"score": 11, "reasoning": ""}', Reason.OUT_OF_RANGE),
        ('{"score": NaN}', Reason.OUT_OF_RANGE),
        ('{"score": [8], "reasoning": ""}', Reason.UNPARSABLE),
        ('{"score": "8"}', Reason.UNPARSABLE),
        ('{"score": true}', Reason.UNPARSABLE),
        ('{"score": null}', Reason.NOT_A_NUMBER),
        ("{score: 8}", Reason.UNPARSABLE),
        ('{"score": 8} {"score": 2}', Reason.UNPARSABLE),
        ('{"score": 8, "score": 2}', Reason.AMBIGUOUS),
        ('{"score": "cannot judge"}', Reason.CANNOT_JUDGE),
        ("cannot judge", Reason.CANNOT_JUDGE),
        ("I would say 8", Reason.UNPARSABLE),
        ("12", Reason.OUT_OF_RANGE),
    ],
)
def test_other_replies_are_unscored_and_never_a_random_number(text: str, reason: str) -> None:
    with pytest.raises(UnparsableReply) as caught:
        score_in(text)
    assert caught.value.reason == reason
    rows, calls = judged([request()], [GOOD, text], protocol="omnicontext")
    assert rows == [{"overall": reason, "prompt_following": 8.0, "subject_consistency": reason}]
    assert len(calls) == 2, "one try"


def test_the_official_numbers_are_means_of_the_means_of_the_task_types() -> None:
    by_metric: dict[str, Any] = {mean.metrics[0]: mean for mean in CLASS.official}
    assert list(by_metric) == list(CLASS.metrics)
    assert by_metric["overall"].of({"a": [1.0, 2.0], "b": [4.0], "c": [0.0]}) == 1.833
