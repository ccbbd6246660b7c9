"""What the tables of causes show of a reply that gave no score."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editeval.reports.reply_text import reply_text

ANSWERS = {
    "following": {"text": "7", "labels": [0.0, 1.0], "mass": 1.0},
    "quality": {"text": "I can't say.", "finished": True},
}
STRUCTURED = json.dumps({"score": [0, 0], "reasoning": "No image was provided."})
SAMPLES = "sc: 'No image was provided.' | '12'"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (json.dumps({"message": "the sample has no mask"}), "the sample has no mask"),
        (json.dumps(ANSWERS), "following: '7'; quality: \"I can't say.\""),
        ("plain words", "plain words"),
        ("[1]", "[1]"),
        ("{}", "{}"),
        ('{"score": 11}', "score: 11"),
        ('{"score": [0, 0], "reasoning": "No image was provided."}', "No image was provided."),
        ('{"following": {"text": 7}}', 'following: {"text": 7}'),
        (json.dumps({"sc": {"text": STRUCTURED, "finished": True}}), "sc: 'No image was provided.'"),
        (json.dumps({"sc": {"text": f"```json\n{STRUCTURED}\n```"}}), "sc: 'No image was provided.'"),
        (json.dumps({"sc": {"text": STRUCTURED[:-9]}}), f"sc: {STRUCTURED[:-9]!r}"),
        (json.dumps({"sc": {"samples": [{"text": STRUCTURED}, {"text": "12"}, {"text": "12"}]}}), SAMPLES),
        (json.dumps({"sc": {"text": "", "problem": "refused", "message": "asked not to"}}), "sc: asked not to"),
        ("", ""),
    ],
)
def test_a_kept_reply_is_said_in_words(raw: str, words: str) -> None:
    assert reply_text(raw) == words


@given(st.text() | st.recursive(st.text() | st.integers(), lambda v: st.dictionaries(st.text(), v)).map(json.dumps))
def test_whatever_a_judge_said_can_be_said_in_words(raw: str) -> None:
    assert isinstance(reply_text(raw), str)
    assert bool(reply_text(raw)) or not raw or json.loads(raw) == {"message": ""}
