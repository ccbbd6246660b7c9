"""gedit_v2: which of two edits is better, in both orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editeval.errors import ConfigError, Reason
from editeval.judges.chat.official_use import official_use
from editeval.judges.chat.params import AskParams
from editeval.judges.parsing.reply import UnparsableReply
from editeval.judges.protocols._pairs import winner_in
from editeval.judges.protocols.gedit_v2 import DIMENSIONS
from editeval.types import JudgeRequest
from fakes.shown import judged, parts, picture

A, B, TIE = (f'{{"winner": "{word}"}}' for word in ("Image A", "Image B", "Tie"))
FOLDER = "src/prompts/assets/vlm/assessment"


def request(**changes: Any) -> JudgeRequest:
    pair = {"edited": picture(64, 48), "edited_b": picture(32, 24), **changes}
    return JudgeRequest("s", (picture(2048, 100),), instruction="add a hat", **pair)


def test_each_question_is_asked_in_both_orders_and_quality_without_the_source() -> None:
    _, calls = judged([request()], [TIE], protocol="gedit_v2", against="other")
    source, mine, theirs = (1024, 50), (64, 48), (32, 24)
    orders = [[part for part in parts(call) if not isinstance(part, str)] for call in calls]
    both = [[source, mine, theirs], [source, theirs, mine]]
    assert orders == [*both, *both, [mine, theirs], [theirs, mine]]
    for call in calls:
        assert [message["role"] for message in call["messages"]] == ["system", "user"]
        assert call["max_tokens"] == 2048 and "temperature" not in call
    assert parts(calls[0])[1:] == [source, "\n", "Image A:", mine, "\n", "Image B:", theirs]
    assert '<instruction>"add a hat"</instruction>' in str(parts(calls[0])[0])


@pytest.mark.parametrize(
    ("replies", "verdict"),
    [((A, B), 1.0), ((B, A), 0.0), ((A, A), 0.5), ((B, B), 0.5), ((TIE, TIE), 0.5), ((A, TIE), 0.75)],
)
def test_a_verdict_is_the_mean_of_both_orders(replies: tuple[str, str], verdict: float) -> None:
    rows, _ = judged([request()], [*replies, TIE, TIE, B, A], protocol="gedit_v2", against="other")
    assert rows[0] == {
        "overall": (verdict + 0.5) / 3,
        "instruction_following": verdict,
        "visual_consistency": 0.5,
        "visual_quality": 0.0,
    }


def test_a_reply_that_cannot_be_read_leaves_its_dimension_and_the_headline_unscored() -> None:
    rows, _ = judged([request()], [A, "Image A is better", A, B, A, B], protocol="gedit_v2", against="other")
    assert rows[0]["instruction_following"] == rows[0]["overall"] == "unparsable"
    assert (rows[0]["visual_consistency"], rows[0]["visual_quality"]) == (1.0, 1.0)


@pytest.mark.parametrize(("first", "verdict"), [("edited", 1.0), ("edited_b", 0.0)])
def test_single_order_shows_the_first_name_as_image_a(first: str, verdict: float) -> None:
    asked = request(metadata={"comes_first": first})
    rows, calls = judged([asked], [A], protocol="gedit_v2", against="other", match_published=("single_order",))
    assert len(calls) == 3 and set(rows[0].values()) == {verdict}
    sizes = [part for part in parts(calls[2]) if not isinstance(part, str)]
    assert sizes == ([(64, 48), (32, 24)] if first == "edited" else [(32, 24), (64, 48)])


@pytest.mark.parametrize(
    ("text", "value"),
    [(A, 1.0), ('```json\n{"winner": "b"}\n```', 0.0), ('{"reasoning": "same", "winner": "TIE"}', 0.5)],
)
def test_a_winner_is_read_in_the_spellings_of_the_authors_parser(text: str, value: float) -> None:
    assert winner_in(text) == (value,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Image A", Reason.UNPARSABLE),
        ('{"winner": "Image C"}', Reason.UNPARSABLE),
        ('{"winner": null}', Reason.UNPARSABLE),
        ('{"winner": "Image A", "winner": "Image B"}', Reason.AMBIGUOUS),
        ('{"winner": "cannot judge"}', Reason.CANNOT_JUDGE),
        ("Cannot judge.", Reason.CANNOT_JUDGE),
        ("[1]", Reason.UNPARSABLE),
    ],
)
def test_no_other_reply_is_a_verdict(text: str, reason: str) -> None:
    with pytest.raises(UnparsableReply) as caught:
        winner_in(text)
    assert caught.value.reason == reason


def test_the_authors_words_come_from_three_files_and_are_filled_as_their_templates(tmp_path: Path) -> None:
    for dimension in DIMENSIONS:
        file = tmp_path / FOLDER / dimension / "pairwise" / "v1.yaml"
        file.parent.mkdir(parents=True)
        source = (
            "" if dimension == "visual_quality" else "  - text: |\n      O\n  - image:\n      source: input_image\n"
        )
        file.write_text(
            f"system_prompt: S {dimension}\nuser_prompt:\n{source}"
            "  - text: |\n      Q {{ instruction }}\n  - image:\n      index: 0\n  - text: |\n      B\n"
        )
    _, calls = judged([request()], [TIE], protocol="gedit_v2", against="other", prompts_from=str(tmp_path))
    assert [call["messages"][0]["content"] for call in calls[::2]] == [f"S {dimension}" for dimension in DIMENSIONS]
    assert parts(calls[0]) == ["O", (1024, 50), "\n", "Q add a hat", (64, 48), "\n", "B", (32, 24)]
    assert parts(calls[4]) == ["Q add a hat", (64, 48), "\n", "B", (32, 24)]


def test_no_other_run_is_named_where_one_edit_is_judged() -> None:
    with pytest.raises(ConfigError, match="against: protocol pointwise looks at one run alone"):
        judged([], [TIE], against="other")


def test_nothing_official_follows_from_two_runs() -> None:
    use = official_use(AskParams(protocol="gedit_v2", against="other"))
    assert use is not None and "mean (a win rate instead of an Elo of 17 models)" in use.differs
    assert "order of images (both instead of one)" in use.differs
    single = official_use(AskParams(protocol="gedit_v2", against="other", match_published=("single_order",)))
    assert single is not None and "order of images (both instead of one)" not in single.differs
