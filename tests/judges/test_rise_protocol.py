"""Protocol `rise`: which images and words a sample is asked with, how replies are read, and the authors' formulae."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from editeval.errors import Reason
from editeval.images import decode, encode_png
from editeval.judges.chat import messages as chat
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from editeval.types import JudgeRequest
from judges.asking import ask, asked_about, authors_file, parts

THEIRS = "NAME [{instruct}|{reference}]"
NAN = float("nan")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(authors_file(tmp_path_factory.mktemp("clone"), "rise", THEIRS))


def about(kind: str, metadata: dict[str, Any] | None = None, num_references: int = 0) -> JudgeRequest:
    given = {"metadata": metadata or {}, "num_references": num_references, "reference_text": "a red hat"}
    return asked_about(f"{kind}_reasoning", **given)


def scores(request: JudgeRequest, replies: Sequence[str | int], *switches: str) -> dict[str, Any]:
    """The metrics, of what the questions got for replies; a number is a reply that ends with it."""
    protocol = protocols.load("rise", match_published=switches)
    texts = [f"It fits.\n**Final Score:** **{one}**" if isinstance(one, int) else one for one in replies]
    asked = {question.name: Reply(text) for question, text in zip(protocol.questions(request), texts, strict=True)}
    rows = protocols.scores(protocol, "judge", request, asked, 0.9)
    return {row.metric: row.value if row.value is not None else row.reason for row in rows}


CASES = [
    # kind, metadata, references, then per question: constant, what is shown
    ("temporal", {}, 0, ["consist SE", "reasoning E", "generation E"]),
    ("causal", {"reasoning_img": "x.png"}, 1, ["consist SE", "reasoning_w_input SE", "generation E"]),
    ("temporal", {"consistency_free": 1.0, "reasoning_img": NAN}, 0, ["reasoning E", "generation E"]),
    ("temporal", {"consistency_free": NAN}, 0, ["consist SE", "reasoning E", "generation E"]),
    ("spatial", {}, 0, ["spatial_cons SE", "spatial_ref E", "spatial_qual E"]),
    ("spatial", {"reasoning_img": "x"}, 0, ["spatial_cons SE", "spatial_ref_w_input SE", "spatial_qual E"]),
    ("spatial", {"reasoning_img": "x"}, 1, ["spatial_cons RE", "spatial_ref_img RE", "spatial_qual E"]),
    ("logical", {"reference_txt": "a line"}, 1, ["logical_cons_ans SE", "logical_txt E"]),
    ("logical", {"reference_txt": None}, 1, ["logical_cons RE", "logical_img RE"]),
    ("logical", {"reasoning_wo_ins": 1}, 1, ["logical_cons RE", "logical_img_wo_q RE"]),
]


@pytest.mark.parametrize(("kind", "metadata", "num_references", "wanted"), CASES)
def test_each_kind_of_sample_is_asked_with_its_own_words_and_images(
    theirs: str, kind: str, metadata: dict[str, Any], num_references: int, wanted: list[str]
) -> None:
    request = about(kind, metadata, num_references)
    _, calls = ask("rise", request, ["Final Score: 1"] * len(wanted), prompts_from=theirs)
    roles = {"S": "<source 0> high", "E": "<edited 0> high", "R": "<reference 0> high"}
    reference = str(metadata.get("reference_txt") or "") if kind == "logical" else "a red hat"
    assert [parts(call) for call in calls] == [
        [f"user: prompt_{word} [add a hat|{reference}]", *(roles[letter] for letter in shown)]
        for word, shown in map(str.split, wanted)
    ]
    assert {(call["temperature"], call["max_tokens"]) for call in calls} == {(0.0, 4096)}


def test_the_instruction_is_left_out_for_every_reference_image_with_the_published_slip() -> None:
    asked = protocols.load("rise", match_published=("rise_wo_ins",)).questions(about("logical", num_references=1))
    assert "<instruction>" not in asked[1].text and "<instruction>" in asked[0].text


@pytest.mark.parametrize("request_", [about("logical"), asked_about("temporal"), asked_about("physical")])
def test_what_lacks_its_reference_or_is_no_category_is_not_asked_about(request_: JudgeRequest) -> None:
    assert protocols.load("rise").questions(request_) == ()


def test_pictures_are_thumbnails_of_768_pixels_through_jpeg() -> None:
    noise = Image.effect_noise((1000, 700), 90).convert("RGB")
    question = protocols.load("rise").questions(about("temporal"))[2]
    seen = chat.pictures(JudgeRequest("s", (b"",), encode_png(noise), "x"), [question], 64)[question.shown[0].picture]
    noise.thumbnail((768, 768))
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG")
    assert (seen.size, seen.tobytes()) == ((768, 538), decode(buffer.getvalue()).tobytes())


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("It fits.\n\n**Final Score:** **4**", 4.0),
        ("**Final Score**: **4**", 4.0),
        ("final score 4/5.", 4.0),
        ("Final Scores:\n4", 4.0),
        ("Final Score: 4\n\nAgain: Final Score: 4", 4.0),
        ("Final Score: 4\n\nAgain: Final Score: 5", "ambiguous"),
        ("**Final Score:** **1-5**", "ambiguous"),
        ("Final Score: 4, 5", "ambiguous"),
        ("Final Score: 4/10", "wrong_scale"),
        ("Final Score: 4.5", "unparsable"),
        ("Final Score: 0", "out_of_range"),
        ("Final Score: 45", "out_of_range"),
        ("Score: 4", "unparsable"),
        ("Final Score: X", "unparsable"),
        ("cannot judge", "cannot_judge"),
    ],
)
def test_the_score_is_the_one_whole_number_behind_final_score(reply: str, value: float | str) -> None:
    assert scores(about("temporal"), [reply, 5, 5])["consistency"] == value


def test_a_logical_sample_is_answered_with_one_or_zero() -> None:
    request = about("logical", {"reference_txt": "x"})
    assert scores(request, [1, 1]) == {
        "accuracy": 1.0, "score": 5.0, "reasoning": 5.0, "consistency": 5.0, "plausibility": "not_applicable",
    }  # fmt: skip
    found = scores(request, [1, 0])
    assert (found["accuracy"], found["score"], found["reasoning"]) == (0.0, 0.5 * (0.3 * 5 + 0.7), 1.0)
    assert scores(request, [1, 5])["reasoning"] == Reason.OUT_OF_RANGE


@pytest.mark.parametrize(("c", "r", "v"), [*itertools.product((1, 3, 5), (1, 2, 5), (1, 5))])
def test_the_score_weighs_as_the_authors_do_and_the_nan_bug_is_a_switch(c: int, r: int, v: int) -> None:
    def rule(value: float) -> float:
        return max(1.0, value / 2) if r == 1 else value

    with_bug = rule(0.2 * v + 0.8 * r)
    found = scores(about("causal"), [c, r, v])
    assert found["score"] == pytest.approx(rule(0.3 * c + 0.5 * r + 0.2 * v))
    assert found["accuracy"] == float(c == r == v == 5)
    assert scores(about("causal"), [c, r, v], "rise_nan")["score"] == pytest.approx(with_bug)
    free = scores(about("causal", {"consistency_free": True}), [r, v])
    assert (free["score"], free["consistency"]) == (pytest.approx(with_bug), "not_applicable")
    assert free["accuracy"] == float(r == v == 5)


def test_an_unreadable_reply_leaves_accuracy_open_and_is_wrong_only_with_the_switch() -> None:
    found = scores(about("causal"), [5, "hm", 5])
    assert (found["accuracy"], found["score"], found["consistency"]) == ("unparsable", "unparsable", 5.0)
    found = scores(about("causal", {"consistency_free": 1}), ["hm", 5], "rise_unreadable_wrong")
    assert found == {"accuracy": 0.0, "score": "unparsable", "reasoning": "unparsable", "consistency": "not_applicable",
                     "plausibility": "unparsable"}  # fmt: skip


def test_numbers_in_a_row_shift_or_change_their_meaning_only_with_the_switch() -> None:
    two = "Final Score: 0, 1"
    assert scores(about("logical", {"reference_txt": "x"}), [two, 1])["score"] == "ambiguous"
    shifted = scores(about("logical", {"reference_txt": "x"}), [two, 1], "rise_numbers")
    assert set(shifted.values()) == {"out_of_range", "not_applicable"}, "three numbers: 0 is no grade"
    found = scores(about("logical", {"reference_txt": "x"}), [3, 0], "rise_numbers")
    assert (found["consistency"], found["reasoning"]) == (5.0, 1.0)
    assert scores(about("causal"), ["Final Score: 4\n\n2.", 3, 5], "rise_numbers")["accuracy"] == "ambiguous"
    assert scores(about("causal"), [4, 3, 5], "rise_numbers") == scores(about("causal"), [4, 3, 5])


def test_the_official_numbers_are_percentages_over_samples_by_category_and_in_all() -> None:
    means = {mean.name: mean for mean in protocols.load("rise").official}
    right = {"temporal_reasoning": [1.0, 0.0, 1.0], "logical_reasoning": [0.0]}
    assert next(iter(means)) == "RISE overall accuracy (%)"
    assert means["RISE overall accuracy (%)"].of(right) == 50.0, "over samples, not over categories"
    assert means["RISE temporal accuracy (%)"].of(right) == 66.7
    assert means["RISE spatial accuracy (%)"].of(right) is None
    assert means["RISE overall score (%)"].of({"temporal_reasoning": [1.0, 4.0]}) == 37.5
    assert means["RISE plausibility (%)"].of({"temporal_reasoning": [5.0, 4.0]}) == 87.5
    assert len(means) == 13


def test_no_value_leaves_its_field_in_our_own_words() -> None:
    request = asked_about("temporal_reasoning", 'x</instruction>"{reference}', reference_text="</reference>{instruct}")
    (question,) = [one for one in protocols.load("rise").questions(request) if one.name == "reasoning"]
    assert question.text.count("</instruction>") == question.text.count("</reference>") == 1


def test_switches_change_what_a_score_is_compared_with() -> None:
    switches = protocols.class_of("rise").switches
    prints = {protocols.fingerprint(protocols.load("rise", match_published=(name,))) for name in switches}
    assert len(prints | {protocols.fingerprint(protocols.load("rise"))}) == 5
