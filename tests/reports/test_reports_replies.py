"""What the tables of causes show of a reply that gave no score."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editeval.reports.replies import in_words

ANSWERS = {
    "following": {"text": "7", "labels": [0.0, 1.0], "mass": 1.0},
    "quality": {"text": "I can't say.", "finished": True},
}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (json.dumps({"message": "the sample has no mask"}), "the sample has no mask"),
        (json.dumps(ANSWERS), "following: '7'; quality: \"I can't say.\""),
        ("plain words", "plain words"),
        ("[1]", "[1]"),
        ("{}", "{}"),
        ('{"score": 11}', '{"score": 11}'),
        ('{"following": {"text": 7}}', '{"following": {"text": 7}}'),
        ("", ""),
    ],
)
def test_a_kept_reply_is_said_in_words(raw: str, words: str) -> None:
    assert in_words(raw) == words


@given(st.text() | st.recursive(st.text() | st.integers(), lambda v: st.dictionaries(st.text(), v)).map(json.dumps))
def test_whatever_a_judge_said_can_be_said_in_words(raw: str) -> None:
    assert isinstance(in_words(raw), str)
    assert bool(in_words(raw)) or not raw or json.loads(raw) == {"message": ""}
