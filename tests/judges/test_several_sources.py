"""Our own protocols show every source image of a sample, numbered; a sample with one is asked as before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from editeval.judges.chat import messages as chat
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import ShownImage
from editeval.types import JudgeRequest

OWN = ("pointwise", "pointwise_mean", "viescore", "rubric", "re_edit")
ONE = JudgeRequest("k", (b"a",), b"e", "mix them", prompt=("be exact", "how good?"), metadata={"category": "causal"})
THREE = replace(ONE, sources=(b"a", b"b", b"c"))
FINGERPRINTS = {
    "pointwise": "bbef3367f456dcba",
    "pointwise_mean": "9e19fdd545bae936",
    "viescore": "900f26ab4dd1a817",
    "rubric": "45b0eb5c31a8ddb3",
    "re_edit": "a6ded2092f0dc9ed",
}


@pytest.mark.parametrize("name", OWN)
def test_every_source_is_shown_with_its_number_before_the_edit(name: str) -> None:
    protocol = protocols.load(name)
    for before, now in zip(protocol.questions(ONE), protocol.questions(THREE), strict=True):
        parts = {image: {"type": "image", "image": image.role} for image in (one.picture for one in now.shown)}
        said = chat.messages(now, parts)[-1]["content"]
        texts = [part["text"] for part in said if isinstance(part, dict) and part["type"] == "text"]
        if all(image.role != "source" for image in before.shown):
            assert now == before, "quality is judged of the edit alone"
            continue
        assert [(image.role, image.number) for image in now.shown] == [
            *(("source", number) for number in range(3)),
            ("edited", 0),
        ]
        labels = [f"Original picture {number}:" for number in (1, 2, 3)]
        assert texts[:4] == [*labels, "Edited picture:"]
        assert texts[4].startswith("There are 3 original pictures") and texts[5:] == [before.text]
        assert now.system == before.system


@pytest.mark.parametrize("name", OWN)
def test_a_sample_with_one_source_is_asked_as_before_and_the_fingerprint_stays(name: str) -> None:
    protocol = protocols.load(name)
    for question in protocol.questions(ONE):
        assert ShownImage("source", 1) not in {image.picture for image in question.shown}
        assert "There are" not in question.text
    assert protocols.fingerprint(protocol) == FINGERPRINTS[name]


def test_an_engine_is_made_ready_for_as_many_pictures_as_are_shown() -> None:
    assert protocols.max_images(protocols.load("pointwise")) == protocols.MAX_SOURCES + 1
