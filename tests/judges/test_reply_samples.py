"""Several replies to one question: their mean and spread, how many could be read, and when there is no score."""

from __future__ import annotations

import json
import math

import pytest

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import ParsedReply, Reply
from editeval.judges.protocols import protocol as protocols
from editeval.types import JudgeRequest

REQUEST = JudgeRequest("s1", (b"",), b"", "make it red", prompt=("You grade.", "Grade it."))


def sampled(*texts: str) -> Reply:
    return Reply("", samples=tuple(Reply(text) for text in texts))


def read(answer: str, *texts: str) -> ParsedReply:
    return answers.read(answer, sampled(*texts), 0.9)


def test_the_score_of_samples_is_their_mean_and_the_spread_their_standard_deviation() -> None:
    reading = read("number", "8", "Score: 6", "7/10", "7")
    assert reading.values == (7.0,)
    assert reading.spread == (pytest.approx(math.sqrt(2 / 3)),)
    assert reading.num_read == 4


def test_each_number_of_a_pair_has_its_own_mean_and_spread() -> None:
    reading = read("pair", '{"score": [8, 4]}', '{"score": [6, 4]}')
    assert reading.values == (7.0, 4.0)
    assert reading.spread == (pytest.approx(math.sqrt(2)), 0.0)


def test_verdicts_become_the_share_of_yes() -> None:
    assert read("verdict", '{"score": "yes"}', '{"score": "no"}', '{"score": "yes"}').values == (2 / 3,)


@pytest.mark.parametrize(
    ("text", "value"), [("9", 10.0), ("0", 0.0), (" **3**\n", 10 / 3), ("`6`.", 60 / 9), ("７", 70 / 9)]
)
def test_a_label_that_was_written_has_the_value_that_its_probability_would_count_for(text: str, value: float) -> None:
    assert read("labels", text).values == (pytest.approx(value),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10", "out_of_range"),
        ("-1", "out_of_range"),
        ("8.5", "unparsable"),
        ("8/9", "unparsable"),
        ("7 or 8", "unparsable"),
        ("Score: 7", "unparsable"),
        ("seven", "unparsable"),
        ("²", "unparsable"),
        ("I'm sorry, I cannot.", "refused"),
        ("", "empty"),
    ],
)
def test_anything_but_one_digit_is_no_label(text: str, reason: str) -> None:
    reading = read("labels", text)
    assert (reading.values, reading.reason, reading.num_read) == ((), reason, 0)


def test_samples_that_cannot_be_read_are_left_out_and_counted() -> None:
    reading = read("number", "8", "no idea", "6", "?")
    assert (reading.values, reading.num_read) == ((7.0,), 2)


def test_with_fewer_than_half_read_there_is_no_score_and_the_commonest_reason() -> None:
    reading = read("number", "8", "I'm sorry, no.", "Score: 11", "I cannot tell")
    assert (reading.values, reading.reason, reading.num_read) == ((), "refused", 1)
    assert read("number", "8", "?", "?").reason == "unparsable"


def test_one_sample_has_no_spread() -> None:
    assert read("number", "8").spread == () == read("number", "8", "?").spread


def test_a_sample_that_was_cut_off_or_refused_by_the_engine_is_not_read() -> None:
    cut, refused = Reply("8", is_finished=False), Reply("8", problem="content_filter", message="filtered")
    reading = answers.read("number", Reply("", samples=(cut, refused, refused)), 0.9)
    assert (reading.reason, reading.num_read) == ("content_filter", 0)


def test_a_reply_with_a_problem_has_no_value_whatever_its_text_says() -> None:
    assert answers.read("number", Reply("8", problem="transport", message="x"), 0.9).reason == "transport"
    sure = Reply("8", labels=(0.0,) * 8 + (1.0, 0.0), problem="no_probabilities")
    assert answers.read("labels", sure, 0.9).reason == "no_probabilities"


def test_mean_spread_and_number_read_are_kept_beside_the_samples() -> None:
    protocol = protocols.load("rubric")
    (row,) = protocols.scores(protocol, "judge", REQUEST, {"overall": sampled("8", "6", "?")}, 0.9)
    assert row.value == 7.0
    kept = json.loads(row.raw)["overall"]
    assert [sample["text"] for sample in kept["samples"]] == ["8", "6", "?"]
    assert (kept["num_read"], kept["mean"], kept["spread"]) == (2, [7.0], [pytest.approx(math.sqrt(2))])


@pytest.mark.parametrize(
    "reply",
    [
        Reply("8", usage=(120, 3), rationale=Reply("The hat is", is_finished=False, usage=(130, 3))),
        Reply("", samples=(Reply("7", usage=(9, 1)), Reply("8", is_finished=False))),
        Reply("", problem="transport", message="no usable answer"),
        Reply("7", labels=(0.0,) * 7 + (0.9, 0.0, 0.0), usage=(50, 1)),
    ],
)
def test_everything_about_a_reply_survives_being_written_down(reply: Reply) -> None:
    assert Reply.from_json(json.loads(json.dumps(reply.to_json()))) == reply
    protocol = protocols.load("rubric")
    rows = protocols.scores(protocol, "judge", REQUEST, {"overall": reply}, 0.9)
    assert protocols.kept_replies(rows[0].raw) == {"overall": reply}
    assert protocols.scores(protocol, "judge", REQUEST, protocols.kept_replies(rows[0].raw), 0.9) == rows


def test_raw_texts_of_before_are_still_read() -> None:
    old = '{"overall": {"text": "8", "finished": true}}'
    assert protocols.kept_replies(old) == {"overall": Reply("8")}
