"""Protocol `re_edit` with the authors' words: as their pipeline asks, and SC both ways; with ours, as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from editeval.errors import ConfigError
from editeval.judges.chat.params import DrawnParams
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from judges.asking import ask, asked_about, parts

REPLIES = ['{"score": "yes", "reasoning": "r"}', '{"score": 7, "reason": "r"}', '{"score": [8, 4], "reasoning": "r"}',
           '{"score": [9, 6], "reasoning": "r"}']  # fmt: skip
KNOWN = {"metadata": {"rationale": "The shadow {x}.", "description": "A hill."}}
SOURCE = protocols.class_of("re_edit").prompt_source
assert SOURCE is not None


def clone_in(folder: Path, template: str = "{original_description}|{edit_instruction} {{json}}", **changed: Any) -> str:
    """A clone whose configuration holds made-up words under every key; None leaves a key out."""
    path = folder / SOURCE.files[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    prompts: dict[str, dict[str, str]] = {}
    for key in SOURCE.hashes:
        _, group, kind = key.split(".")
        text = changed.get(group, f"{group} {{s}}" if kind == "system_prompt" else f"{group} {template}")
        if text is not None:
            prompts.setdefault(group, {})[kind] = text
    path.write_text(yaml.safe_dump({"data": {"path": "x"}, "prompts": prompts}))
    return str(folder)


def test_four_questions_with_a_system_message_images_first_and_the_challenge_at_the_end(tmp_path: Path) -> None:
    found, calls = ask("re_edit", asked_about("causal", **KNOWN), REPLIES, prompts_from=clone_in(tmp_path))
    groups = ("causal", "instruction_following", "sc_metric", "pq_metric")
    notes = ("\n\nTask Challenge: The shadow {x}.", "", "", "")
    assert [parts(call) for call in calls] == [
        [f"system: {group} {{s}}", "<source 0>", "<edited 0>", f"user: {group} A hill.|add a hat {{json}}{note}"]
        for group, note in zip(groups, notes, strict=True)
    ]
    assert {(call["temperature"], call["max_tokens"], "response_format" in call) for call in calls} == {
        (0.0, 128, False)
    }
    assert found == {
        "reasoning": 10.0,
        "instruction_following": 7.0,
        "semantic_consistency": 4.0,
        "semantic_consistency_pair": 6.0,
        "perceptual_quality": 6.0,
    }


def test_words_with_a_place_for_the_challenge_get_it_there_and_not_again(tmp_path: Path) -> None:
    words = clone_in(tmp_path, "Mind {rationale}!")
    request = asked_about("physical", **KNOWN)
    assert protocols.load("re_edit", words).questions(request)[0].text == "physical Mind The shadow {x}.!"
    bare = asked_about("physical")
    assert protocols.load("re_edit", clone_in(tmp_path)).questions(bare)[0].text == "physical |add a hat {json}"


def test_our_own_words_ask_what_they_always_asked(tmp_path: Path) -> None:
    own, theirs = protocols.load("re_edit"), protocols.load("re_edit", clone_in(tmp_path))
    assert own.metrics == theirs.metrics[:3] and len(own.questions(asked_about("causal"))) == 3
    assert own.settings == theirs.settings and own.official == theirs.official[:-2], "what differs can be said"
    assert (DrawnParams(protocol="re_edit").num_samples, DrawnParams(protocol="re_edit").temperature) == (4, 0.7)
    asked = DrawnParams(protocol="re_edit", prompts_from=str(tmp_path))
    assert (asked.num_samples, asked.temperature, asked.max_new_tokens) == (1, 0.0, 128)
    assert protocols.load("re_edit", match_published=("re_edit_failures",)).metrics == own.metrics


def test_a_file_that_lacks_a_text_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"found no prompts\.pq_metric\.system_prompt, prompts\.pq_metric\.user"
    ) as caught:
        protocols.load("re_edit", clone_in(tmp_path, pq_metric=None))
    assert "\n" not in str(caught.value)


def test_an_unreadable_reply_is_unscored_and_counts_only_with_the_switch(tmp_path: Path) -> None:
    def scores(*switches: str) -> dict[str, float | str | None]:
        protocol = protocols.load("re_edit", clone_in(tmp_path), match_published=switches)
        request = asked_about("causal")
        replies = {question.name: Reply("Well.") for question in protocol.questions(request)}
        rows = protocols.scores(protocol, "judge", request, replies, 0.9)
        return {row.metric: row.value if row.value is not None else row.reason for row in rows}

    assert set(scores().values()) == {"unparsable"}
    assert list(scores("re_edit_failures").values()) == [0.0, 5.0, 5.0, 5.0, 5.0]


def test_the_official_numbers_are_the_yes_rate_by_category_and_means_over_samples(tmp_path: Path) -> None:
    means = {mean.name: mean for mean in protocols.load("re_edit", clone_in(tmp_path)).official}
    verdicts = {"causal": [10.0, 0.0, 10.0], "physical": [0.0]}
    assert means["RE-Edit yes rate (%)"].of(verdicts) == 50.0
    assert means["RE-Edit causal (%)"].of(verdicts) == 66.67
    assert {mean.over for mean in means.values()} == {"samples"}
    assert means["RE-Edit SC (mean of minima)"].metrics != means["RE-Edit SC (mean of pairs)"].metrics


def test_both_configurations_of_the_authors_are_known_and_no_other(tmp_path: Path) -> None:
    assert {len(known) for name, known in SOURCE.hashes.items() if name.endswith("_template")} == {1, 2}
    assert SOURCE.unknown(protocols.load("re_edit", clone_in(tmp_path)).words) == list(SOURCE.hashes)
