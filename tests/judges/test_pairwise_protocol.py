"""pairwise: which of two edits is better; both orders, and a win only where they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from editeval.errors import Reason
from editeval.judges.chat.messages import JSON_SCHEMAS
from editeval.judges.parsing.reply import ParsedReply, Reply, UnparsableReply
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols._pairs import only_winner_in, winner_in
from editeval.types import JudgeRequest
from fakes.shown import judged, parts, picture

A, B, TIE = (f'{{"winner": "{word}"}}' for word in ("Image A", "Image B", "Tie"))
SOURCE, MINE, THEIRS = (96, 96), (64, 48), (32, 24)


def request(**changes: Any) -> JudgeRequest:
    pair = {"edited": picture(*MINE), "edited_b": picture(*THEIRS), **changes}
    return JudgeRequest("s", (picture(*SOURCE),), instruction="add a hat", **pair)


def combined(protocol: str, readings: Mapping[str, ParsedReply]) -> dict[str, float | str]:
    found = protocols.load(protocol).combine(readings, request())
    return {name: one.values[0] if one.values else one.reason for name, one in found.items()}


def test_every_question_is_asked_in_both_orders_with_its_pictures_in_front() -> None:
    _, calls = judged([request()], [TIE], protocol="pairwise")
    shown = [[part for part in parts(call) if not isinstance(part, str)] for call in calls]
    both = [[SOURCE, MINE, THEIRS], [SOURCE, THEIRS, MINE]]
    assert shown == [*both, *both, *both, [MINE, THEIRS], [THEIRS, MINE]]
    assert [part for part in parts(calls[0]) if isinstance(part, str)][:3] == [
        "Original picture:",
        "Image A:",
        "Image B:",
    ]
    assert len({str(parts(call)[:-1]) for call in calls[:6:2]}) == 1, "one prefix for all questions of an order"


@pytest.mark.parametrize(
    ("replies", "verdict"),
    [((A, B), 1.0), ((B, A), 0.0), ((A, A), 0.5), ((B, B), 0.5), ((TIE, TIE), 0.5), ((A, TIE), 0.5), ((TIE, A), 0.5)],
)
def test_an_edit_wins_only_if_it_does_so_in_both_orders(replies: tuple[str, str], verdict: float) -> None:
    rows, _ = judged([request()], [*replies, TIE, TIE, B, A, A, B], protocol="pairwise")
    assert rows[0] == {"overall": verdict, "following": 0.5, "preservation": 0.0, "quality": 1.0}


def test_of_several_replies_the_majority_says_who_wins_an_order() -> None:
    one = {f"{name}.{order}": ParsedReply((0.5,)) for name in DIMENSIONS for order in ("as_a", "as_b")}
    readings = {**one, "overall.as_a": ParsedReply((0.75,)), "overall.as_b": ParsedReply((0.25,))}
    assert combined("pairwise", readings)["overall"] == 1.0
    assert combined("pairwise", {**readings, "overall.as_b": ParsedReply((0.75,))})["overall"] == 0.5


DIMENSIONS = ("overall", "following", "preservation", "quality")


def test_an_order_that_cannot_be_read_leaves_its_question_alone_unscored() -> None:
    rows, _ = judged([request()], [A, "I prefer A", A, B, A, B, A, B], protocol="pairwise")
    assert rows[0] == {"overall": "unparsable", "following": 1.0, "preservation": 1.0, "quality": 1.0}


def test_every_source_picture_is_shown_but_for_the_question_of_quality() -> None:
    protocol = protocols.load("pairwise")
    asked = protocol.questions(replace(request(), sources=(picture(*SOURCE), picture(*SOURCE))))
    assert [len(question.shown) for question in asked] == [4] * 6 + [2] * 2
    assert "There are 2 original pictures" in asked[0].text and "There are 2" not in asked[-1].text
    assert protocols.max_images(protocol) == protocols.MAX_SOURCES + 2


def test_the_forced_form_says_all_that_can_be_read_and_no_more() -> None:
    allowed = JSON_SCHEMAS["choice"]["properties"]["winner"]["enum"]  # type: ignore[index]
    readings: list[float | str] = []
    for word in allowed:
        try:
            readings.append(winner_in(f'{{"winner": "{word}"}}')[0])
        except UnparsableReply as unread:
            readings.append(unread.reason)
    assert readings == [1.0, 0.0, 0.5, Reason.CANNOT_JUDGE]


@pytest.mark.parametrize(
    "text",
    [
        f"{A} On second thought, Image B.",
        f"I would not say {A}",
        f"```json\n{A}\n```\nNo, Image B is better.",
        f"{A} {{",
    ],
)
def test_a_verdict_with_something_said_around_it_is_none(text: str) -> None:
    with pytest.raises(UnparsableReply) as caught:
        only_winner_in(text)
    assert caught.value.reason == Reason.AMBIGUOUS
    assert [only_winner_in(one) for one in (A, f"```json\n{B}\n```", f"My verdict:\n{TIE}")] == [(1.0,), (0.0,), (0.5,)]


@pytest.mark.parametrize("said", ["I cannot see Image B.", "Image B was not provided.", "Image 2 is missing."])
def test_who_misses_an_image_by_its_name_has_no_verdict(said: str) -> None:
    replies = {
        ("pairwise", "choice"): f'{{"reasoning": "{said}", "winner": "Image A"}}',
        ("pvc_judge", "winner"): f'{said} {{"winner": "Image A"}}',
        ("unified_reward_pairs", "better_image"): f"{said}\nImage 1 is better than Image 2.",
        ("unified_reward_pairs", "higher_score"): f"{said}\nImage 1: 1.25\nImage 2: -0.50",
    }
    about_the_edit = said.rstrip(".") + " the hat."
    for (name, answer), text in replies.items():
        protocol = protocols.load(name)
        assert protocols.read(protocol, answer, Reply(text, True), 0.9).reason == Reason.NOT_SEEN, name
        if "missing" in said:
            assert protocols.read(protocol, answer, Reply(text.replace(said, about_the_edit), True), 0.9).values, name
