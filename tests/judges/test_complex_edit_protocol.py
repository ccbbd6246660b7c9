"""Protocol `complex_edit`: two questions, twenty replies each, and the means of what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editeval.judges.chat.params import DrawnParams
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from judges.asking import ask, asked_about, parts

SOURCE = protocols.class_of("complex_edit").prompt_source
assert SOURCE is not None
ALIGNED = '{"reasoning": "r", "instruction_following": "8", "identity_preservation": "6"}'
QUALITY = '{"perceptual_quality": "10"}'


@pytest.fixture
def clone(tmp_path: Path) -> str:
    folder = tmp_path / "complex_edit" / "eval"
    folder.mkdir(parents=True)
    template = "TEMPLATE {instruction} {{x}}"
    (folder / "prompt_alignment.py").write_text(f"ALIGNMENT_PROMPT_W_RUBRIC = 'SYSTEM'\nPROMPT_TEMPLATE = {template!r}")
    (folder / "prompt_quality.py").write_text("PERCEPTUAL_QUALITY_PROMPT_W_RUBRIC_WO_INST = 'QUALITY'\n")
    said = "    system_prompt = a\n    if a:\n        system_prompt += '\\nREASONS'\n    return system_prompt\n"
    (folder / "alignment.py").write_text(f"def get_system_prompt(a):\n{said}")
    return str(tmp_path)


def scores(alignment: str, quality: str) -> dict[str, Any]:
    replies = {"alignment": Reply(alignment), "perceptual_quality": Reply(quality)}
    rows = protocols.scores(protocols.load("complex_edit"), "judge", asked_about("x"), replies, 0.9)
    return {row.metric: row.value if row.value is not None else row.reason for row in rows}


def test_the_authors_words_come_from_three_files_system_first_then_images_then_the_instruction(clone: str) -> None:
    replies = [ALIGNED, ALIGNED.replace("8", "4"), QUALITY, QUALITY]
    found, calls = ask("complex_edit", asked_about("x"), replies, prompts_from=clone, num_samples=2)
    alignment = ["system: SYSTEM\nREASONS", "<source 0> high", "<edited 0> high", "user: TEMPLATE add a hat {x}"]
    quality = ["system: QUALITY", "<edited 0> high"]
    assert [parts(call) for call in calls] == [alignment, alignment, quality, quality]
    assert {(call["temperature"], call["max_tokens"]) for call in calls} == {(1.0, 512)}
    schema = calls[0]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reasoning", "instruction_following", "identity_preservation"]
    assert found == {
        "overall": pytest.approx((6 + 6 + 10) / 3),
        "instruction_following": 6.0,
        "identity_preservation": 6.0,
        "perceptual_quality": 10.0,
    }


def test_every_question_is_asked_twenty_times_unless_said_otherwise() -> None:
    assert DrawnParams(protocol="complex_edit").num_samples == 20


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (ALIGNED.replace("8", "11"), "out_of_range"),
        (ALIGNED.replace("8", "7.5"), "unparsable"),
        (ALIGNED.replace('"8"', "null"), "unparsable"),
        (ALIGNED.replace('"8"', '"cannot judge"'), "cannot_judge"),
        ('{"instruction_following": "8"}', "unparsable"),
        ("8 and 6", "unparsable"),
    ],
)
def test_what_is_not_both_grades_is_unscored(reply: str, reason: str) -> None:
    found = scores(reply, QUALITY)
    assert [found[name] for name in list(found)[:3]] == [reason] * 3 and found["perceptual_quality"] == 10.0
    assert scores(ALIGNED, "fine")["overall"] == "unparsable"


def test_official_means_are_over_samples(clone: str) -> None:
    assert {(mean.over, len(mean.metrics)) for mean in protocols.load("complex_edit").official} == {("samples", 1)}
    assert SOURCE.unknown(protocols.load("complex_edit", clone).words) == list(SOURCE.hashes)
