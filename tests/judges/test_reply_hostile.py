"""Hostile replies are never read as what they do not say; plain ones are read; who saw nothing gets no score."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hostile_replies import Case, hostile, plain
from unseen_replies import ABOUT_THE_EDIT, UNSEEN

from editeval.errors import Reason
from editeval.judges.chat.messages import JSON_SCHEMAS, NUMBER
from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import CANNOT_JUDGE, ParsedReply, Reply
from editeval.judges.protocols import protocol as protocols


def read(answer: str, text: str) -> ParsedReply:
    return answers.read(answer, Reply(text), 0.9)


def test_no_hostile_reply_is_silently_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    cases = hostile()
    readings = [read(case.format, case.text) for case in cases]
    wrong = [
        (case, reading.values)
        for case, reading in zip(cases, readings, strict=True)
        if reading.values and reading.values not in case.acceptable
    ]
    counts = Counter(case.family for case in cases)
    with capsys.disabled():
        print(f"\n{len(cases)} hostile replies, {len(wrong)} wrong: {dict(counts)}")
    assert not wrong, wrong[:20]
    assert len(cases) >= 800 and min(counts.values()) >= 30


def test_plain_replies_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    cases = plain()
    total: Counter[str] = Counter(case.family for case in cases)
    found = Counter(case.family for case in cases if read(case.format, case.text).values == case.acceptable[0])
    with capsys.disabled():
        print(f"\n{sum(found.values())} of {len(cases)} plain replies are read: {dict(found)}")
    assert set(total) == {"bare", "JSON", "reasons first"} and len(cases) >= 400
    for family, count in total.items():
        assert found[family] >= 0.95 * count, family


def test_the_check_notices_a_parser_that_takes_the_last_number() -> None:
    import re

    def last(case: Case) -> tuple[float, ...]:
        found = re.findall(r"\d+(?:\.\d+)?", case.text)
        return (float(found[-1]),) if found else ()

    cases = [case for case in hostile() if case.format == "number"]
    assert sum(bool(last(case)) and last(case) not in case.acceptable for case in cases) > len(cases) // 2


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_endless_numbers_and_other_keys_are_unscored_by_grammars_of_a_protocol(name: str) -> None:
    endless, large = "9876543210" * 480 + "1", "9876543210" * 40 + "1"
    keys = ("score", "winner", "instruction_following", "identity_preservation", "perceptual_quality")
    keys += ("instruction_score", "consistency_score", "quality_score", "knowledge_score")
    wrong = [endless, large, f'"{endless}"', "1e999", "NaN", "null", "[]", "true", "[" * 480 + "]" * 480]
    texts = ["{" + ", ".join(f'"{key}": {value}' for key in keys) + "}" for value in wrong]
    texts += [f'{{"my_{key}": "not a {key}"}}' for key in keys]
    texts += [f"A: {number}\nB: {number}\nC: {number}" for number in (endless, large)]
    texts += [f"Final Score: {endless}", endless, f"{endless}/5"]
    grammars = protocols.class_of(name).grammars
    for answer in grammars:
        readings = [answers.read(answer, Reply(text), 0.9, grammars) for text in texts]
        is_published = answer == "final_numbers" or answer.endswith("first_digit")  # which take digits out of numbers
        assert is_published or not any(reading.values for reading in readings), readings


@pytest.mark.parametrize("text", UNSEEN)
def test_a_judge_that_says_it_saw_nothing_gives_no_score(text: str) -> None:
    escaped, plain_text = json.dumps({"score": [0, 0], "reasoning": text}), f"{text}\nScore: 0"
    longer = json.dumps({"score": [0, 0], "reasoning": f"The request is clear. {text}"}, ensure_ascii=False)
    verdict = json.dumps({"score": "no", "reasoning": text}, ensure_ascii=False)
    for answer, reply in (("pair", escaped), ("pair", longer), ("number", plain_text), ("verdict", verdict)):
        assert read(answer, reply).reason == Reason.NOT_SEEN, reply


@pytest.mark.parametrize("text", ABOUT_THE_EDIT)
def test_what_is_said_about_the_edit_costs_no_score(text: str) -> None:
    assert read("pair", json.dumps({"score": [0, 1], "reasoning": text}, ensure_ascii=False)).values == (0.0, 1.0)
    assert read("verdict", json.dumps({"score": "no", "reasoning": text})).values == (0.0,)
    sentence = text if text.endswith((".", "。")) else f"{text}."
    assert read("number", f"{sentence}\nScore: 1").values == (1.0,)


def test_the_corpora_of_unseen_and_of_near_misses_are_large() -> None:
    assert len(set(UNSEEN)) >= 60 and len(set(ABOUT_THE_EDIT)) >= 60


def test_every_form_has_a_value_for_a_judge_that_cannot_judge() -> None:
    import re

    general = {name: schema for name, schema in JSON_SCHEMAS.items() if name in answers.TEXT_FORMATS}
    assert set(general) == set(answers.TEXT_FORMATS) - {"number"}
    for name, schema in general.items():
        assert CANNOT_JUDGE in json.dumps(schema["properties"]["score"])
        assert read(name, json.dumps({"score": CANNOT_JUDGE, "reasoning": "?"})).reason == Reason.CANNOT_JUDGE
        unseen = json.dumps({"score": CANNOT_JUDGE, "reasoning": "No image was provided."})
        assert read(name, unseen).reason == Reason.NOT_SEEN
    assert re.fullmatch(NUMBER, CANNOT_JUDGE) and read("number", CANNOT_JUDGE).reason == Reason.CANNOT_JUDGE
    assert answers.read("labels", Reply("", samples=(Reply("X"),)), 0.9).reason == Reason.CANNOT_JUDGE
    unsure = Reply("X", labels=(0.05,) * 10, ends=1.0)
    assert answers.read("labels", unsure, 0.9).reason == Reason.CANNOT_JUDGE


@pytest.mark.parametrize(
    "text",
    [
        *("4/5", "Score: 4/5", "80%", "Score (1-5): 4", "On a scale of 1 to 5.\nScore: 4", "满分5分。\n评分：4"),
        *("A five-point scale.\nScore: 4", '{"score": 4, "reasoning": "4 out of 5"}', "1: poor\n5: perfect.\nScore: 4"),
    ],
)
def test_another_scale_is_its_own_reason(text: str) -> None:
    assert read("number", text).reason == Reason.WRONG_SCALE
