"""Protocol gedit: the exact calls, the words of the authors' file, and what their parser reads."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editeval.errors import Reason
from editeval.images import decode, encode_png
from editeval.judges.openai_chat import OpenaiChatJudge, OpenaiChatParams
from editeval.judges.parsing.reply import UnparsableReply
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.gedit import smallest_grade
from editeval.types import JudgeRequest
from fakes import chat_server
from fakes.chat_server import ChatServer

THEIRS = {
    "_context_no_delimit": "Context of theirs.",
    "_prompts_0shot_two_image_edit_rule": "Rule <instruction>.",
    "_prompts_0shot_tie_rule_SC": "Grade it: <instruction>",
    "_prompts_0shot_rule_PQ": "Grade the picture.",
}


def clone(folder: Path) -> Path:
    """A folder as a clone of the authors' repository, with words of our own under their names."""
    file = folder / "GEdit-Bench" / "viescore" / "vie_prompts.py"
    file.parent.mkdir(parents=True)
    file.write_text("raise SystemExit('was run')\n" + "".join(f"{name} = {text!r}\n" for name, text in THEIRS.items()))
    return folder


def picture(size: tuple[int, int], shade: int) -> bytes:
    image = Image.new("RGB", size, (shade, 40, 90))
    image.paste((250, 250, 0), (5, 5, 17, 11))
    return encode_png(image)


def asked(server: ChatServer, **params: Any) -> tuple[list[dict[str, Any]], dict[str, float | None]]:
    """(the calls after the first question, the scores) of one edit whose size is not its source's."""
    judge = OpenaiChatJudge(OpenaiChatParams(base_url=server.url, model="gpt-4.1", protocol="gedit", **params))
    judge.load(["cpu"])
    server.calls.clear()
    request = JudgeRequest("s1", (picture((48, 32), 10),), picture((40, 40), 200), "make <it> red")
    (row,) = judge.judge([request])
    judge.unload()
    return sorted(server.calls, key=str, reverse=True), {score.metric: score.value for score in row}


def shown(part: dict[str, Any]) -> Image.Image:
    return decode(base64.b64decode(part["image_url"]["url"].partition(",")[2]))


def as_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=75)
    return Image.open(buffer)


def test_two_calls_are_made_exactly_as_the_authors_make_them(tmp_path: Path) -> None:
    said = chat_server.saying('{"score": [8, 6], "reasoning": "x"}')
    with ChatServer() as server:
        calls, scores = asked(server.will(said, repeats=True), prompts_from=str(clone(tmp_path)), concurrency=1)
    assert len(calls) == 2
    assert [sorted(call) for call in calls] == [["max_tokens", "messages", "model", "seed"]] * 2, "no temperature"
    assert [(call["model"], call["max_tokens"]) for call in calls] == [("gpt-4.1", 1400)] * 2
    assert [[message["role"] for message in call["messages"]] for call in calls] == [["user"]] * 2
    consistency, quality = sorted((call["messages"][0]["content"] for call in calls), key=len, reverse=True)
    assert [part["type"] for part in consistency] == ["text", "image_url", "image_url"]
    assert consistency[0]["text"] == "Context of theirs.\nRule make <it> red.\nGrade it: make <it> red"
    assert [part["type"] for part in quality] == ["text", "image_url"]
    assert quality[0]["text"] == "Context of theirs.\nGrade the picture."
    source, edited = shown(consistency[1]), shown(consistency[2])
    assert source.tobytes() == as_jpeg(decode(picture((48, 32), 10))).tobytes()
    stretched = decode(picture((40, 40), 200)).resize((48, 32), Image.Resampling.BICUBIC)
    assert edited.tobytes() == as_jpeg(stretched).tobytes() == shown(quality[1]).tobytes()
    assert scores == {"overall": 6.0, "semantic_consistency": 6.0, "perceptual_quality": 6.0}


def test_with_words_of_ours_an_instruction_stays_in_its_field() -> None:
    with ChatServer() as server:
        calls, _ = asked(server.will(chat_server.saying("[8, 6]"), repeats=True))
    texts = [call["messages"][0]["content"][0]["text"] for call in calls]
    assert sum('<instruction>"make \\u003cit\\u003e red"</instruction>' in text for text in texts) == 1


def test_a_large_picture_is_shown_whole_unless_a_limit_is_set() -> None:
    assert OpenaiChatParams(base_url="http://127.0.0.1:1/v1", protocol="gedit").max_image_side is None
    assert OpenaiChatParams(base_url="http://127.0.0.1:1/v1").max_image_side == 1024


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ('{"score": [8, 6], "reasoning": "a\nb"}', 6.0),
        ('Here: {"score": [8], "reasoning": ""} Done.', 8.0),
        ('{"score": 7}', 7.0),
        ('||V^=^V||\n{"score": [3, 9]}\n||V^=^V||', 3.0),
        ("[6, 0]", 0.0),
        ("The scores are [6,4]", 4.0),
        ('{"score": [8, 6]', 6.0),
        ("9", 9.0),
    ],
)
def test_what_the_authors_parser_reads_is_read(text: str, grade: float) -> None:
    assert smallest_grade(text) == (grade,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It is good.", Reason.UNPARSABLE),
        ('{"grade": [8, 6]}', Reason.UNPARSABLE),
        ('{"score": []}', Reason.NOT_A_NUMBER),
        ('{"score": [8, "6"]}', Reason.NOT_A_NUMBER),
        ('{"score": [true]}', Reason.NOT_A_NUMBER),
        ('{"score": [NaN, 6]}', Reason.OUT_OF_RANGE),
        ("[6, 60]", Reason.OUT_OF_RANGE),
        ('{"score": "cannot judge"}', Reason.CANNOT_JUDGE),
        ("9" * 6000, Reason.UNPARSABLE),
    ],
)
def test_what_it_would_mend_or_guess_is_unscored(text: str, reason: Reason) -> None:
    with pytest.raises(UnparsableReply) as caught:
        smallest_grade(text)
    assert caught.value.reason == reason


def test_the_average_is_that_of_the_groups_to_three_digits() -> None:
    mean = protocols.load("gedit").official[0]
    assert mean.of({"background_change": [6.0, 7.0], "color_alter": [8.3333]}) == 7.417
