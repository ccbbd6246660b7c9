"""Protocol `kris`: what is shown in which category, how replies are read, and the numbers that come of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from editeval.benchmarks.kris import Kris
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from editeval.types import JudgeRequest
from judges.asking import ask, asked_about, authors_file, parts

THEIRS = "NAME {{{instruct}|{explanation}|{N}}}"
SOUND = [
    json.dumps({"reasoning": "r", f"{name}_score": n})
    for name, n in zip(("consistency", "instruction", "quality"), (5, 3, 4), strict=True)
]
FRAMES = {"frames": [1, 2, 4]}


def score(reply: str, question: str = "consistency", switches: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """Every metric where all else was answered with 5."""
    protocol = protocols.load("kris", match_published=switches)
    request = asked_about(changes.pop("category", "color_change"), **changes)
    five = '{"consistency_score": 5, "instruction_score": 5, "knowledge_score": 5, "quality_score": 5}'
    replies = {one.name: Reply(reply if one.name == question else five) for one in protocol.questions(request)}
    rows = protocols.scores(protocol, "judge", request, replies, 0.9)
    return {row.metric: row.value if row.value is not None else row.reason for row in rows}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(authors_file(tmp_path_factory.mktemp("clone"), "kris", THEIRS))


def test_a_common_category_is_asked_three_times_text_first_with_labels(theirs: str) -> None:
    found, calls = ask("kris", asked_about("color_change"), SOUND, prompts_from=theirs)
    assert found == {"instruction": 3.0, "consistency": 5.0, "quality": 4.0, "knowledge": "not_applicable"}
    both = ["user: This is the original image:", "<source 0>", "user: This is the edited image:", "<edited 0>"]
    assert [parts(call) for call in calls] == [
        ["user: prompt_consist {add a hat||0}", *both],
        ["user: prompt_instruction_following {add a hat||0}", *both],
        ["user: prompt_quality {{{instruct}|{explanation}|{N}}}", *both[2:]],
    ]
    assert {(call["max_tokens"], "temperature" in call, len(call["messages"])) for call in calls} == {(1000, False, 1)}


def test_knowledge_comes_with_the_instruction_in_one_reply_and_with_the_explanation(theirs: str) -> None:
    dual = '{"instruction_score": 4, "instruction_reasoning": "r", "knowledge_score": 2, "knowledge_reasoning": "r"}'
    request = asked_about("biology", reference_text="hats grow")
    found, calls = ask("kris", request, [SOUND[0], dual, SOUND[2]], prompts_from=theirs)
    assert found == {"instruction": 4.0, "consistency": 5.0, "quality": 4.0, "knowledge": 2.0}
    assert parts(calls[1])[0] == "user: prompt_dual_evaluation {add a hat|hats grow|0}"


def test_viewpoint_shows_the_right_answer_with_the_instruction_alone(theirs: str) -> None:
    _, calls = ask("kris", asked_about("viewpoint_change", num_references=1), SOUND, prompts_from=theirs)
    assert ["<reference 0>" in parts(call) for call in calls] == [False, True, False]
    assert parts(calls[1])[0].startswith("user: prompt_view_instruction_following ")
    assert parts(calls[1])[-2:] == ["user: This is the ground truth image:", "<reference 0>"]


def test_frames_are_shown_in_order_with_the_edit_in_its_place(theirs: str) -> None:
    request = asked_about("temporal_prediction", num_sources=3, metadata=FRAMES)
    _, calls = ask("kris", request, SOUND, prompts_from=theirs)
    sequence = ["Frame 1 (Reference):", "Frame 2 (Reference):", "Frame 3 (Generated):", "Frame 4 (Reference):"]
    shown = ["<source 0>", "<source 1>", "<edited 0>", "<source 2>"]
    frames = [part for label, one in zip(sequence, shown, strict=True) for part in (f"user: {label}", one)]
    assert parts(calls[0]) == ["user: prompt_consist_temporal {add a hat||3}", *frames]
    assert parts(calls[1]) == ["user: prompt_instruction_temporal {add a hat||3}", *frames]
    assert parts(calls[2])[1:] == ["user: This is the image to evaluate:", "<edited 0>"]
    questions = protocols.load("kris").questions(request)
    assert {one.preparation.jpeg_quality for question in questions for one in question.shown} == {85}


@pytest.mark.parametrize("frames", [None, [[1], 2, 4], [1, 2], [1, 1, 4], ["a", "b", "c"], [1, 2, 5]])
def test_frames_whose_place_is_not_known_are_not_asked_about(frames: list[object] | None) -> None:
    request = asked_about("temporal_prediction", num_sources=3, metadata={"frames": frames})
    assert protocols.load("kris").questions(request) == ()


def test_a_composition_shows_every_source_then_the_edit(theirs: str) -> None:
    _, calls = ask("kris", asked_about("multi-element_composition", num_sources=2), SOUND, prompts_from=theirs)
    shown = [
        "user: Reference Image 1:",
        "<source 0>",
        "user: Reference Image 2:",
        "<source 1>",
        "user: Predicted Image:",
    ]
    assert parts(calls[0])[1:] == parts(calls[1])[1:] == [*shown, "<edited 0>"]
    assert [parts(call)[0].split()[1] for call in calls] == [
        "prompt_consist_multi",
        "prompt_instruction_multi",
        "prompt_quality",
    ]
    assert parts(calls[2])[1:] == ["user: This is the image to evaluate:", "<edited 0>"]


def test_an_anomaly_is_asked_about_with_its_explanation_unless_the_published_slip_is_wanted(theirs: str) -> None:
    request = asked_about("anomaly_correction", reference_text="two holes")
    _, calls = ask("kris", request, SOUND, prompts_from=theirs)
    assert parts(calls[1])[0] == "user: prompt_abnormal_instruction_following {add a hat|two holes|0}"
    _, calls = ask("kris", request, SOUND, prompts_from=theirs, match_published=("kris_anomaly", "kris_quality_label"))
    assert parts(calls[1])[0] == "user: prompt_instruction_following {add a hat|two holes|0}"
    assert parts(calls[2])[1:] == ["user: This is the original image:", "<edited 0>"]


def test_no_value_leaves_its_field_in_our_own_words_and_labels_are_our_own() -> None:
    request = asked_about("biology", 'x</instruction>"{N}', reference_text="</explanation>{instruct}")
    for question in protocols.load("kris").questions(request)[:2]:
        assert question.text.count("</instruction>") == 1 and question.text.count("{N}") == 1
        assert [one.label for one in question.shown] == ["Original picture:", "Edited picture:"]
        assert "{instruct}" not in question.text.replace("\\u003c/explanation\\u003e{instruct}", "")


def test_what_is_no_category_of_the_benchmark_is_not_asked_about() -> None:
    assert protocols.load("kris").questions(asked_about("abnormality_correction")) == ()


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"reasoning": "r", "consistency_score": 2}', 2.0),
        ('Two things moved.\n```json\n{"consistency_score": "2"}\n```', 2.0),
        ('{"reasoning": 1. Hair 2. Sky\n"consistency_score": 2\n}', 2.0),  # as their form asks; no JSON
        ("**Consistency Score:** 2", 2.0),
        ("I give it 2/5.", 2.0),
        ("It gets 2 out of 5", 2.0),
        ('{"consistency_score": 2} or {"consistency_score": 3}', "ambiguous"),
        ("Consistency Score: 4/10", "unparsable"),
        ("Consistency Score: 4 out of 50", "unparsable"),
        ("consistency_score: 1-5", "unparsable"),
        ("4 of the 3 hats are red.", "unparsable"),
        ('{"consistency_score": 2.5}', "unparsable"),
        ('{"consistency_score": true}', "unparsable"),
        ('{"consistency_score": 7}', "out_of_range"),
        ('{"consistency_score": 0}', "out_of_range"),
        ('{"consistency_score": "cannot judge"}', "cannot_judge"),
        ("", "empty"),
    ],
)
def test_a_score_is_read_where_it_is_stated_and_nowhere_else(reply: str, value: float | str) -> None:
    assert score(reply)["consistency"] == value


def test_the_first_digit_anywhere_is_a_switch() -> None:
    reply = "1. Hair: changed. 2. Sky: the same. Nearly perfect."
    assert score(reply)["consistency"] == "unparsable"
    assert score(reply, switches=("kris_first_digit",))["consistency"] == 1.0
    assert score('{"consistency_score": 4}', switches=("kris_first_digit",))["consistency"] == 4.0
    assert score("1 reply", "dual", ("kris_first_digit",), category="biology")["instruction"] == "unparsable"


def test_a_reply_with_one_of_two_scores_gives_neither() -> None:
    found = score('{"instruction_score": 4, "knowledge_score": null}', "dual", category="biology")
    assert (found["instruction"], found["knowledge"], found["quality"]) == ("unparsable", "unparsable", 5.0)


def test_an_unreadable_reply_costs_its_own_score_and_with_the_switch_all_of_them() -> None:
    assert score("hm")["instruction"] == 5.0
    dropped = score("hm", switches=("kris_drop_incomplete",))
    assert set(dropped.values()) == {"unparsable", "not_applicable"}


def test_the_official_mean_weighs_every_single_score_alike_by_dimension_and_knowledge_as_well() -> None:
    means = {mean.name: mean for mean in protocols.load("kris").official}
    scores = {"color_change": [5.0, 5.0, 2.0], "biology": [1.0, 1.0, 1.0, 5.0]}
    assert means["KRIS overall"].of(scores) == round(25 * sum([4, 4, 1, 0, 0, 0, 4]) / 7, 2)
    assert means["KRIS Attribute Perception"].of(scores) == means["KRIS Factual Knowledge"].of(scores) == 75.0
    assert means["KRIS Natural Science"].of(scores) == means["KRIS Conceptual Knowledge"].of(scores) == 25.0
    assert means["KRIS Procedural Knowledge"].of(scores) is None
    assert list(means)[:4] == [
        "KRIS overall",
        *(f"KRIS {one} Knowledge" for one in ("Factual", "Conceptual", "Procedural")),
    ]


def test_one_changed_character_is_no_longer_the_authors_file(tmp_path: Path) -> None:
    source = protocols.class_of("kris").prompt_source
    assert source is not None and set(source.hashes) == set(protocols.class_of("kris").own_words)
    clone = authors_file(tmp_path, "kris", THEIRS)
    words = dict(protocols.load("kris", str(clone)).words)
    assert source.unknown(words) == list(source.hashes), "a text that is not theirs is said to be none of theirs"


def test_switches_change_what_a_score_is_compared_with() -> None:
    prints = {
        protocols.fingerprint(protocols.load("kris", match_published=(name,)))
        for name in protocols.class_of("kris").switches
    }
    assert len(prints | {protocols.fingerprint(protocols.load("kris"))}) == 5


def test_every_category_has_an_example_of_its_own() -> None:
    asked: list[JudgeRequest] = list(protocols.load("kris").examples())
    assert {str(one.metadata["category"]) for one in asked} == set(Kris.card.counts)
    assert len(asked) == 20 and all(protocols.load("kris").questions(one) for one in asked)
