"""What holds for every reply, however it was made: no crash, no invented number, no choice between two."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import LABELS, ParsedReply, Reply

in_range = st.integers(0, 1000).map(lambda n: n / 100)
labels = st.sampled_from(["Score", "Rating", "Final score", "**Score**", "评分", "得分", "Overall rating"])
WORDS = "Score: |8|8.5|/10|\n| |Rating: |评分：|10|-3|85|NaN|<think>|</think>|```|{|}|[8, 7]|3 dogs|.|%|8-9|分|**|²|,"
pieces = st.sampled_from([*WORDS.split("|"), '"score": ', "I'm sorry", "out of 10", "٨", "８"])
anything = st.one_of(st.text(max_size=60), st.lists(pieces, max_size=8).map("".join))


def read(answer: str, text: str, *, finished: bool = True) -> ParsedReply:
    return answers.read(answer, Reply(text, finished), 0.9)


@given(st.sampled_from(sorted(answers.TEXT_FORMATS)), anything, st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_reply_gives_values_in_range_or_a_reason(answer: str, text: str, finished: bool) -> None:
    reading = read(answer, text, finished=finished)
    assert all(0.0 <= value <= 10.0 for value in reading.values)
    assert finished or not reading.values


@given(anything, st.sampled_from(["8", "Score: 8.5", "评分：６", "Score: ", "1"]), anything)
@settings(max_examples=150, deadline=None)
def test_a_number_that_was_read_stands_in_the_reply(before: str, middle: str, after: str) -> None:
    for text in (before + middle + after, before + "\n" + middle, middle + "\n" + after):
        plain = "".join(str(int(c)) if c.isdecimal() else c for c in text)
        written = [float(n) for n in re.findall(r"\d+(?:[.．]\d+)?", plain.replace("．", "."))]
        assert set(read("number", text).values) <= set(written)


@given(labels, in_range)
@settings(deadline=None)
def test_a_labelled_number_is_read_exactly(label: str, value: float) -> None:
    assert read("number", f"{label}: {value}").values == (value,)
    assert read("number", f"The sky is red.\n{label}: {value}/10").values == (value,)


@given(labels, labels, in_range, in_range, st.sampled_from(["\n", " ", "\n\n", ". "]))
@settings(deadline=None)
def test_of_two_scores_none_is_chosen(first: str, second: str, a: float, b: float, between: str) -> None:
    assert not read("number", f"{first}: {a}{between}{second}: {b}").values


@given(in_range, st.integers(1, 1000))
@settings(deadline=None)
def test_another_scale_than_ten_is_never_converted(value: float, scale: int) -> None:
    assume(scale != 10)
    assert not read("number", f"Score: {value}/{scale}").values
    assert not read("number", f"{value} out of {scale}").values


@given(st.floats(10.001, 1e12) | st.floats(-1e12, -0.001))
@settings(deadline=None)
def test_a_number_outside_of_the_range_is_never_clamped(value: float) -> None:
    assert read("number", f"Score: {value:.3f}").reason == "out_of_range"


@given(in_range, in_range, st.text(st.characters(exclude_categories=["N"]), max_size=30))
@settings(deadline=None)
def test_a_pair_is_read_whatever_signs_without_a_number_its_reason_has(a: float, b: float, reason: str) -> None:
    import json

    assume("think>" not in reason)
    reply = json.dumps({"reasoning": reason, "score": [a, b]}, ensure_ascii=False)
    assert read("pair", reply).values == (a, b)


@given(st.text(max_size=80), in_range)
@settings(deadline=None)
def test_a_thought_in_front_changes_nothing(thought: str, value: float) -> None:
    assume("think>" not in thought)
    assert read("number", f"<think>{thought} Score: 1</think>\nScore: {value}").values == (value,)


@given(st.lists(st.floats(0, 1), min_size=10, max_size=10))
@settings(deadline=None)
def test_expected_value_is_the_weighted_mean_of_the_labels(weights: list[float]) -> None:
    total = sum(weights)
    assume(total > 0.01)
    shares = tuple(weight / total for weight in weights)
    assume(shares[1] == 0 or max(shares[4:]) < max(shares))  # a 1 beside a likeliest 8 may be the first digit of 10
    reading = answers.read("labels", Reply(LABELS[shares.index(max(shares))], labels=shares), 0.9)
    mean = sum(int(label) * share for label, share in zip(LABELS, shares, strict=True))
    assert reading.values[0] == pytest.approx(mean * 10 / 9, abs=1e-9)


def test_mass_off_the_labels_is_left_out_of_the_mean_and_too_much_of_it_leaves_no_score() -> None:
    shares = (0.0,) * 8 + (0.475, 0.475)
    assert answers.read("labels", Reply("9", labels=shares), 0.9).values[0] == pytest.approx(8.5 * 10 / 9)
    assert answers.read("labels", Reply("I", labels=shares), 0.96).reason == "low_mass"
    assert answers.read("labels", Reply("I", labels=(0.0,) * 10), 0.0).reason == "low_mass"
    assert answers.read("labels", Reply("7"), 0.9).reason == "unparsable"


def test_a_first_token_1_beside_a_high_label_is_taken_for_the_beginning_of_10() -> None:
    shares = (0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.6)
    assert answers.read("labels", Reply("9", labels=shares), 0.9).reason == "low_mass"
    low = (0.1, 0.3, 0.6, *(0.0,) * 7)
    assert answers.read("labels", Reply("2", labels=low), 0.9).values[0] == pytest.approx(1.5 * 10 / 9)


def test_a_reply_survives_being_written_down() -> None:
    for reply in (
        Reply("8"),
        Reply("８\n", is_finished=False),
        Reply("7", labels=tuple(n / 100 for n in range(10)), ends=0.5),
    ):
        assert Reply.from_json(reply.to_json()) == reply


@pytest.mark.parametrize("mark", ["**", "`"])
def test_a_mark_between_two_digits_does_not_make_one_number_of_two(mark: str) -> None:
    for text in (f"Score: 8.5{mark}1", f"8{mark}5", f"Score: 8{mark}.5"):
        assert read("number", text).values == () and read("number", text).reason
    assert read("number", f"{mark}Score:{mark} 8.5").values == (8.5,)
    assert read("number", f"Score: {mark}8.5{mark}").values == (8.5,)
