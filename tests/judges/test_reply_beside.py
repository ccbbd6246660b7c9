"""A plain score keeps its value whatever is told of the edit beside it, and has none where that takes it away."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from beside_generator import BesideGenerator
from reply_generator import Made
from unseen_replies import ABOUT_THE_EDIT, UNSEEN

from editeval.errors import Reason
from editeval.judges.parsing import answers
from editeval.judges.parsing.answers import AsPublished
from editeval.judges.parsing.reply import ParsedReply, Reply
from editeval.judges.protocols import protocol as protocols


@pytest.mark.parametrize("num_replies", [4_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_a_score_is_read_beside_what_tells_of_the_edit_and_beside_nothing_else(num_replies: int) -> None:
    made = {(one.format, one.text): one for one in islice(BesideGenerator(seed=15), num_replies)}
    readings = {key: answers.read(one.format, Reply(one.text), 0.9) for key, one in made.items()}
    wrong = [(one, readings[key]) for key, one in made.items() if readings[key].values not in ((), one.truth)]
    assert not wrong, wrong[:10]
    unread = [(one, readings[key]) for key, one in made.items() if one.is_clean and not readings[key].values]
    assert not unread, unread[:10]
    kinds = Counter(one.kind for one in made.values())
    assert len(kinds) == 7 and min(kinds.values()) >= 20, kinds


def test_what_was_not_seen_is_that_reason_and_no_other() -> None:
    unseen = [one for one in islice(BesideGenerator(seed=16), 1_000) if one.kind == "unseen"]
    assert unseen and {answers.read("pair", Reply(one.text), 0.9).reason for one in unseen} == {Reason.NOT_SEEN}


def test_the_check_notices_a_parser_that_takes_the_labelled_number() -> None:
    import re

    def labelled(one: Made) -> ParsedReply:
        match = re.search(r"[:\n] ?([0-9.]+)", one.text)
        return ParsedReply((float(match[1]),)) if match else ParsedReply(reason="unparsable")

    made = [one for one in islice(BesideGenerator(seed=17), 1_000) if one.format == "number"]
    assert sum(bool(labelled(one).values) and one.truth is None for one in made) > len(made) // 4


JSON_KEYS = {
    "pair": '"score": [1, 1]',
    "gedit_grades": '"score": [1, 1]',
    "grades_25": '"score": [1, 1]',
    "verdict": '"score": "no"',
    "grade": '"score": 1',
    "score": '"score": 1',
    "winner": '"winner": "Image A"',
    "choice": '"winner": "Image A"',
    "alignment": '"instruction_following": "1", "identity_preservation": "1"',
    "dual": '"instruction_score": 1, "knowledge_score": 1',
    "instruction": '"instruction_score": 1',
    "consistency": '"consistency_score": 1',
    "quality": '"quality_score": 1',
}
LINES = {
    "number": "{said}\nScore: 1",
    "three_grades": "Why: {said}\nA: 1\nB: 1\nC: 1",
    "one_grade": "Why: {said}\nGrade: 1",
    "final_grade": "{said}\nFinal Score: 1",
    "final_verdict": "{said}\nFinal Score: 1",
    "perceptual_quality": '{said} {{"perceptual_quality": "1"}}',
}


def replies(answer: str, said: str) -> list[str]:
    """How a judge says `said` beside its answer of this form; of a form that is not known here, in place of it."""
    import json

    if answer in LINES:
        sentence = said if said.endswith((".", "。", '"')) else f"{said}."
        return [LINES[answer].format(said=sentence)]
    if answer not in JSON_KEYS:
        return [said]
    key = "reason" if answer == "grade" else "reasoning"
    return [
        f'{{{JSON_KEYS[answer]}, "{key}": {json.dumps(said, ensure_ascii=is_ascii)}}}' for is_ascii in (True, False)
    ]


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_who_saw_nothing_has_no_score_in_the_form_of_any_protocol(name: str) -> None:
    protocol = protocols.load(name)
    own = protocols.answer_formats(protocol) - {"labels"}
    own |= {form for form, grammar in protocol.grammars.items() if not isinstance(grammar, AsPublished)}
    for answer in sorted(own):
        for said in UNSEEN[::4]:
            for reply in replies(answer, said):
                reading = protocols.read(protocol, answer, Reply(reply), 0.9)
                assert reading.reason == Reason.NOT_SEEN, (answer, reply, reading)
        for said in ABOUT_THE_EDIT[::4] if answer in LINES | JSON_KEYS else ():
            for reply in replies(answer, said):
                reading = protocols.read(protocol, answer, Reply(reply), 0.9)
                assert reading.values, (answer, reply, reading)


@pytest.mark.parametrize(
    ("name", "switch", "answer", "reply"),
    [
        ("imgedit", "any_numbers", "any_numbers", "No image was provided.\nA: 1\nB: 1\nC: 1"),
        ("rededit", "any_numbers", "any_numbers", "I cannot see the image.\nA: 1"),
        ("rise", "rise_numbers", "final_numbers", "No image was provided. Final Score: 1"),
        ("unified_reward_pairs", "unsigned_scores", "unsigned_scores", "No image was provided. A: 1.00, B: 2.00"),
        ("kris", "kris_first_digit", "quality_first_digit", "No image was provided: 1"),
    ],
)
def test_with_match_published_the_authors_reading_stays(name: str, switch: str, answer: str, reply: str) -> None:
    protocol = protocols.load(name, match_published=[switch])
    assert protocols.read(protocol, answer, Reply(reply), 0.9).values
