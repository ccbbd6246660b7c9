"""What a protocol can say: which questions, their texts and images in order, preparation, grammar, what applies."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from PIL import Image

from editeval.errors import ImageError, Reason
from editeval.images import decode, encode_png
from editeval.judges.chat import messages as chat
from editeval.judges.chat.params import AskParams
from editeval.judges.chat.runner import Backend, Call, ProtocolRunner
from editeval.judges.parsing.reply import ParsedReply, Reply, UnparsableReply
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import NOT_APPLICABLE, Preparation, Protocol, Question, ShownImage
from editeval.types import JudgeRequest, Metric

STRETCHED = Preparation(is_stretched=True, jpeg_quality=75, is_limited=False)


def picture(width: int, height: int, colour: str = "red") -> bytes:
    image = Image.new("RGB", (width, height), colour)
    image.paste("white", (1, 1, width // 2, height // 2))
    return encode_png(image)


def request(**changes: Any) -> JudgeRequest:
    made = JudgeRequest("s", (picture(40, 30), picture(20, 20, "blue")), picture(64, 64, "green"), "add a hat")
    return replace(made, **changes)


def digit(text: str) -> tuple[float, ...]:
    """The authors' grammar: a digit from 1 to 5 behind a colon."""
    _, colon, number = text.partition(": ")
    if not colon or number not in ("1", "2", "3", "4", "5"):
        raise UnparsableReply(Reason.UNPARSABLE)
    return (float(number),)


class Kinds(Protocol):
    """One question for every sample, one more where there is a reference text; scores on 1-5."""

    metrics = ("following", "knowledge")
    scales: Mapping[str, Metric] = {name: Metric(name, 1.0, 5.0) for name in metrics}
    grammars = {"digit": digit}  # noqa: RUF012

    def questions(self, request: JudgeRequest) -> tuple[Question, ...]:
        sources = [ShownImage("source", number, f"Image {number + 1}:") for number in range(len(request.sources))]
        following = Question("following", None, ("Compare.", *sources, ShownImage("edited", 0, "", STRETCHED)), "digit")
        if not request.reference_text:
            return (following,)
        parts = (ShownImage("reference"), f"Known: {request.reference_text}", ShownImage("edited"))
        return following, Question("knowledge", None, parts, "digit")

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        return {"following": readings["following"], "knowledge": readings.get("knowledge", NOT_APPLICABLE)}


class Scripted(Backend[chat.Conversation]):
    """Keeps what it is asked and says the same to all."""

    def __init__(self, said: str) -> None:
        self.said, self.asked = said, list[chat.Conversation]()

    def part(self, image: Image.Image) -> chat.Part:
        return {"type": "image", "size": image.size}

    def encode(self, conversation: chat.Conversation) -> chat.Conversation:
        return conversation

    def complete(self, calls: Sequence[Call[chat.Conversation]]) -> Sequence[Reply]:
        self.asked += [call.prompt for call in calls]
        return [Reply(self.said) for _ in calls]


def scored(asked: Sequence[JudgeRequest], said: str) -> tuple[list[dict[str, object]], list[chat.Conversation]]:
    backend = Scripted(said)
    runner = ProtocolRunner("judge", AskParams(num_samples=1), backend)
    runner.protocol = Kinds()
    rows = runner.rows(asked)
    runner.close()
    return [
        {score.metric: score.value if score.value is not None else score.reason for score in row} for row in rows
    ], (backend.asked)


def test_texts_and_images_come_in_the_protocols_order_without_a_system_message() -> None:
    rows, asked = scored([request()], "Score: 4")
    assert rows == [{"following": 4.0, "knowledge": "not_applicable"}]
    assert asked == [
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Compare."},
                    {"type": "text", "text": "Image 1:"},
                    {"type": "image", "size": (40, 30)},
                    {"type": "text", "text": "Image 2:"},
                    {"type": "image", "size": (20, 20)},
                    {"type": "image", "size": (40, 30)},
                ],
            }
        ]
    ]


def test_a_question_is_asked_of_the_samples_it_applies_to() -> None:
    knowing = request(key="k", reference_text="hats are worn", references=(picture(8, 8),))
    rows, asked = scored([request(), knowing], "Score: 5")
    assert [row["knowledge"] for row in rows] == ["not_applicable", 5.0] and len(asked) == 3
    assert [part.get("text", "image") for part in asked[2][0]["content"]] == [  # type: ignore[union-attr]
        "image",
        "Known: hats are worn",
        "image",
    ]


def test_a_reply_is_read_by_the_protocols_own_grammar() -> None:
    rows, _ = scored([request()], "Score: 9")
    assert rows == [{"following": "unparsable", "knowledge": "not_applicable"}]


def test_an_image_that_the_sample_does_not_have_leaves_it_unscored() -> None:
    rows, asked = scored([request(reference_text="x")], "Score: 4")
    assert rows == [{"following": "bad_image", "knowledge": "bad_image"}] and not asked
    question = Question("q", None, (ShownImage("target"),), "number")
    with pytest.raises(ImageError, match="target: the sample has none"):
        chat.pictures(request(), [question], 64)


@pytest.mark.parametrize(
    ("preparation", "size"),
    [
        (Preparation(), (50, 25)),  # the judge's own limit
        (Preparation(is_limited=False), (200, 100)),
        (Preparation(max_side=80, is_limited=False), (80, 40)),
        (Preparation(max_area=5000, multiple=16, is_limited=False), (96, 48)),
        (Preparation(is_stretched=True, is_limited=False), (40, 30)),
        (Preparation(is_stretched=True, max_side=20, is_limited=False), (20, 15)),
    ],
)
def test_an_image_is_prepared_as_the_protocol_says(preparation: Preparation, size: tuple[int, int]) -> None:
    shown = ShownImage("edited", preparation=preparation)
    asked = request(edited=picture(200, 100))
    assert chat.pictures(asked, [Question("q", None, (shown,), "number")], 50)[shown].size == size


def test_jpeg_is_what_that_quality_leaves_of_the_picture() -> None:
    noise = Image.effect_noise((40, 30), 90).convert("RGB")
    shown = ShownImage("edited", preparation=replace(STRETCHED, is_stretched=False))
    seen = chat.pictures(request(edited=encode_png(noise)), [Question("q", None, (shown,), "number")], 64)[shown]
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=75)
    assert seen.tobytes() == decode(buffer.getvalue()).tobytes() != noise.tobytes()


def test_a_longest_side_is_pillows_thumbnail() -> None:
    noise = Image.effect_noise((333, 2000), 90).convert("RGB")
    shown = ShownImage("edited", preparation=Preparation(max_side=100, is_limited=False))
    seen = chat.pictures(request(edited=encode_png(noise)), [Question("q", None, (shown,), "number")], 64)[shown]
    noise.thumbnail((100, 100))
    assert (seen.size, seen.tobytes()) == (noise.size, noise.tobytes())


def test_the_detail_that_is_wanted_goes_with_a_servers_picture_and_with_no_other() -> None:
    shown = ShownImage("edited", detail="high")
    question = Question("q", None, ("Look.", shown, ShownImage("edited")), "number")
    for part, wanted in (
        (
            {"type": "image_url", "image_url": {"url": "u"}},
            {"type": "image_url", "image_url": {"url": "u", "detail": "high"}},
        ),
        ({"type": "image"}, {"type": "image"}),
    ):
        assert chat.messages(question, {shown.picture: part})[0]["content"][1:] == [wanted, part]


def test_one_image_prepared_in_two_ways_is_two_pictures_and_its_label_is_none() -> None:
    twice = (ShownImage("edited", 0, "A"), ShownImage("edited", 0, "B"), ShownImage("edited", 0, "C", STRETCHED))
    assert len(chat.pictures(request(), [Question("q", None, twice, "number")], 64)) == 2


def test_everything_about_a_question_is_in_what_describes_it() -> None:
    plain = protocols.images_first("q", "Be exact.", "How good?", ("source", "edited"), "number")
    was = {"name": "q", "system": "Be exact.", "user": "How good?", "images": ("source", "edited"), "answer": "number"}
    assert protocols.described(plain) == was, "as versions before wrote it: fingerprints stay"
    source, edited, text = plain.parts
    assert isinstance(edited, ShownImage)
    others = [
        replace(plain, parts=(text, source, edited)),
        replace(plain, parts=(source, replace(edited, preparation=STRETCHED), text)),
        replace(plain, parts=(source, replace(edited, label=""), text)),
        replace(plain, system=None),
    ]
    assert [protocols.described(one) for one in others] == [as_before(one) for one in others]
    bounds = {"min_pixels": 1000, "max_pixels": 2000}
    bounded = replace(plain, parts=(text, replace(edited, preparation=Preparation(**bounds))))
    assert protocols.described(bounded) == asdict(bounded) != as_before(bounded)


def as_before(question: Question) -> dict[str, Any]:
    """All of a question, less the fields of its images that versions before did not have."""
    found = asdict(question)
    for shown in found["parts"]:
        for newer in ("min_pixels", "max_pixels") if isinstance(shown, dict) else ():
            del shown["preparation"][newer]
    return found


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((1024, 1024), (1036, 1036)),  # the nearest multiples of 28, within the bounds
        ((100, 100), (532, 532)),  # up to the lower bound
        ((4000, 2000), (1596, 784)),  # down to the upper one
        ((1030, 617), (1036, 616)),
        ((5000, 60), (5012, 56)),
    ],
)
def test_sides_are_fitted_as_the_loaders_of_the_family_do(size: tuple[int, int], shown: tuple[int, int]) -> None:
    wanted = Preparation(multiple=28, min_pixels=256 * 32 * 32, max_pixels=1280 * 32 * 32, is_limited=False)
    image = ShownImage("edited", preparation=wanted)
    asked = request(edited=encode_png(Image.new("RGB", size)))
    assert chat.pictures(asked, [Question("q", None, (image,), "number")], 64)[image].size == shown
