"""imgedit and rededit: a rubric of the kind of edit, three grades a reply, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from editeval.errors import ConfigError, Reason
from editeval.judges.chat.official_use import official_use
from editeval.judges.openai_chat import OpenaiChatParams
from editeval.judges.parsing.reply import UnparsableReply
from editeval.judges.protocols import imgedit
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.imgedit import ImgEditProtocol, any_numbers, read_grades
from editeval.judges.protocols.rededit import RedEditProtocol
from editeval.types import JudgeRequest, OfficialMean
from fakes.shown import judged, parts, picture

THREE = "Why: The cat is gone.\nRemoval: 4\nBlending: 5\nLight and detail: 3"


def request(kind: str, instruction: str = "remove the cat") -> JudgeRequest:
    return JudgeRequest("s", (picture(1500, 40),), picture(64, 48), instruction, metadata={"category": kind})


def file_of(folder: Path, name: str, words: dict[str, str]) -> Path:
    """A clone in which the authors' file has these words."""
    source = protocols.class_of(name).prompt_source
    assert source is not None
    path = folder / source.files[0]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(words), encoding="utf-8")
    return folder


# ------------------------------------------------------------------------------------------------ what is asked


def test_imgedit_shows_the_text_then_both_pictures_as_they_are_and_sends_no_temperature() -> None:
    rows, calls = judged([request("remove")], [THREE], protocol="imgedit")
    assert rows == [{"overall": 4.0, "criterion_1": 4.0, "criterion_2": 5.0, "criterion_3": 3.0}]
    (call,) = calls
    assert [message["role"] for message in call["messages"]] == ["user"]
    text, *pictures = parts(call)
    assert pictures == [(1500, 40), (64, 48)]
    assert '<instruction>"remove the cat"</instruction>' in text and "Removal: N" in text
    assert not {"temperature", "top_p"} & call.keys()


def test_rededit_shows_source_caption_edit_caption_rubric_at_the_authors_settings() -> None:
    _, calls = judged([request("text")], [THREE], protocol="rededit")
    (call,) = calls
    source, caption, edited, other, text = parts(call)
    assert (source, edited) == ((1500, 40), (64, 48))
    assert caption != other and "original" in caption and "edited" in other
    assert "Lettering: N" in text
    assert (call["temperature"], call["top_p"], call["max_tokens"]) == (0.1, 0.95, 8192)


@pytest.mark.parametrize("protocol", [ImgEditProtocol(), RedEditProtocol()], ids=["imgedit", "rededit"])
def test_every_kind_has_a_rubric_of_its_own_and_others_are_not_asked(protocol: ImgEditProtocol) -> None:
    texts = {kind: protocol.questions(request(kind))[0].text for kind in protocol.kinds}
    assert len(set(texts.values())) == len(texts)
    assert protocol.questions(request("portraits")) == ()
    assert protocol.prompt_source is not None
    assert set(protocol.prompt_source.hashes) == set(protocol.own_words)


@pytest.mark.parametrize("protocol", [ImgEditProtocol(), RedEditProtocol()], ids=["imgedit", "rededit"])
def test_the_authors_have_a_name_for_every_criterion_of_a_kind(protocol: ImgEditProtocol) -> None:
    assert set(protocol.labels) >= set(protocol.kinds) - {"uge"}
    assert all(tuple(names) == protocol.metrics[1:] for names in protocol.labels.values())


def test_the_counts_of_kinds_are_those_of_the_benchmarks() -> None:
    assert (len(imgedit.RUBRICS), len(RedEditProtocol.kinds)) == (9, 15)


def test_the_first_version_of_the_data_says_alter_and_is_asked_as_adjust() -> None:
    protocol = ImgEditProtocol()
    assert protocol.questions(request("alter")) == protocol.questions(request("adjust"))


# ------------------------------------------------------------------------------------------------ the authors' words


def test_the_authors_words_are_asked_as_they_fill_them(tmp_path: Path) -> None:
    clone = file_of(tmp_path, "imgedit", {"remove": "Grade <edit_prompt>.", "add": "Another."})
    rows, calls = judged(
        [request("remove", 'the "<b>" </instruction>')], [THREE], protocol="imgedit", prompts_from=str(clone)
    )
    assert parts(calls[0]) == ['Grade the "<b>" </instruction>.', (1500, 40), (64, 48)]
    assert rows[0]["overall"] == 4.0


def test_one_changed_character_is_another_text(tmp_path: Path) -> None:
    theirs = {kind: f"Grade {kind}: <edit_prompt>" for kind in imgedit.RUBRICS}
    hashes = {kind: (protocols.text_digest(text),) for kind, text in theirs.items()}
    assert ImgEditProtocol.prompt_source is not None
    source = replace(ImgEditProtocol.prompt_source, hashes=hashes)
    clone = file_of(tmp_path, "imgedit", theirs)
    assert source.unknown(protocols.authors_words("imgedit", str(clone))) == []
    theirs["style"] += " "
    (clone / source.files[0]).write_text(json.dumps(theirs))
    assert source.unknown(protocols.authors_words("imgedit", str(clone))) == ["style"]


@pytest.mark.parametrize(("name", "judge"), [("imgedit", "gpt-4.1"), ("rededit", "gemini-3-flash-preview")])
def test_with_the_authors_judge_and_settings_nothing_differs_but_the_words(
    name: str, judge: str, tmp_path: Path
) -> None:
    def differs(**changes: str) -> tuple[str, ...]:
        asked: dict[str, str] = {"base_url": "http://127.0.0.1:9", "protocol": name, "model": judge, **changes}
        use = official_use(OpenaiChatParams(**asked))  # type: ignore[arg-type]
        assert use is not None
        return use.differs

    assert differs() == ("words (own wording)",)
    clone = file_of(tmp_path, name, {"add": "Grade <edit_prompt>."})
    (words,) = differs(prompts_from=str(clone))
    assert words.startswith("words (constant ") and "known version" in words
    assert differs(model="gpt-4o") == ("words (own wording)", f"judge (gpt-4o instead of {judge})")


def test_our_own_words_are_never_taken_for_the_authors() -> None:
    for protocol in (ImgEditProtocol, RedEditProtocol):
        assert protocol.prompt_source is not None
        assert set(protocol.prompt_source.unknown(protocol.own_words)) == set(protocol.prompt_source.hashes)


def test_the_captions_of_rededit_are_read_out_of_the_authors_script(tmp_path: Path) -> None:
    clone = file_of(tmp_path, "rededit", {"text": "Grade <edit_prompt>."})
    script = "def call_gemini(a):\n    contents = [png(a), 'one', png(a), 'two', f'{a}']\n"
    (clone / "rededit_bench" / "redbench_eval.py").write_text(script)
    _, calls = judged([request("text")], [THREE], protocol="rededit", prompts_from=str(clone))
    assert parts(calls[0]) == [(1500, 40), "one", (64, 48), "two", "Grade remove the cat."]


def test_without_the_script_the_captions_are_ours_and_said_to_be(tmp_path: Path) -> None:
    file = file_of(tmp_path, "rededit", {"text": "Grade <edit_prompt>."}) / "rededit_bench" / "prompts.json"
    protocol = protocols.load("rededit", str(file))
    assert protocol.words["caption_edited"] == RedEditProtocol.own_words["caption_edited"]
    assert protocol.prompt_source is not None
    assert {"caption_source", "caption_edited"} <= set(protocol.prompt_source.unknown(protocol.words))


def test_the_words_of_uge_are_in_a_file_of_their_own(tmp_path: Path) -> None:
    clone = file_of(tmp_path, "imgedit", {"remove": "Grade <edit_prompt>."})
    (clone / "Benchmark" / "UGE").mkdir()
    (clone / "Benchmark" / "UGE" / "UGE_bench.py").write_text("prompt = 'All in all: <edit_prompt>.'")
    _, calls = judged([request("uge")], ["Score: 3"], protocol="imgedit", prompts_from=str(clone))
    assert parts(calls[0])[0] == "All in all: remove the cat."


def test_a_file_that_is_not_theirs_is_one_line(tmp_path: Path) -> None:
    clone = file_of(tmp_path, "imgedit", {"prompt": "x"})
    with pytest.raises(ConfigError, match=r"prompts_from: .*expected the words of github\.com/PKU-YuanGroup/ImgEdit"):
        judged([], [THREE], protocol="imgedit", prompts_from=str(clone))


# ------------------------------------------------------------------------------------------------ what is read


@pytest.mark.parametrize(
    ("text", "grades"),
    [
        (THREE, (4.0, 5.0, 3.0)),
        ("Prompt Compliance: 1\nVisual Naturalness: 1\n  Physical & Detail Integrity: 2  ", (1.0, 1.0, 2.0)),
        ("Brief reasoning: five of 6 are left: bad\nA: 2\nB: 2\nC: 1\n", (2.0, 2.0, 1.0)),
    ],
)
def test_three_lines_with_a_whole_number_are_read_whatever_their_labels(text: str, grades: tuple[float, ...]) -> None:
    assert read_grades(3, text) == grades


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A: 4\nB: 5", Reason.UNPARSABLE),
        ("A: 4\nB: 5\nC: 6", Reason.OUT_OF_RANGE),
        ("A: 4\nB: 5\nC: 0", Reason.OUT_OF_RANGE),
        ("Cats left: 3\nA: 4\nB: 5\nC: 3", Reason.AMBIGUOUS),
        ("A: 4/5\nB: 5/5\nC: 3/5", Reason.UNPARSABLE),
        ("A: 4.5\nB: 5\nC: 3", Reason.UNPARSABLE),
        ("A: 4 (good)\nB: 5\nC: 3", Reason.UNPARSABLE),
        ("A: -1\nB: 5\nC: 3", Reason.UNPARSABLE),
        ("A: ²\nB: 5\nC: 3", Reason.UNPARSABLE),
        ("Cannot judge.", Reason.CANNOT_JUDGE),
        ("It is fine", Reason.UNPARSABLE),
    ],
)
def test_other_replies_are_unscored_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(UnparsableReply) as caught:
        read_grades(3, text)
    assert caught.value.reason == reason
    rows, _ = judged([request("remove")], [text], protocol="imgedit")
    assert set(rows[0].values()) == {reason}


def test_uge_has_one_grade_and_no_criteria() -> None:
    rows, calls = judged([request("uge")], ["Why: good.\nGrade: 4"], protocol="imgedit")
    assert rows == [{"overall": 4.0} | dict.fromkeys(("criterion_1", "criterion_2", "criterion_3"), "not_applicable")]
    assert "Grade: N" in str(parts(calls[0])[0])
    with pytest.raises(UnparsableReply):
        read_grades(1, THREE)


def test_any_numbers_repeats_the_published_parser_and_has_a_scale_without_an_upper_end() -> None:
    assert any_numbers("A: 10\nB: 5") == (7.5,)
    protocol = protocols.load("imgedit", match_published=["any_numbers"])
    rows, _ = judged([request("remove")], ["A: 10\nB: 5"], protocol="imgedit", match_published=("any_numbers",))
    assert rows[0]["overall"] == 7.5 and rows[0]["criterion_1"] == "not_applicable"
    assert protocol.scales["overall"].range == "at least 0"
    assert protocols.fingerprint(protocol) != protocols.fingerprint(protocols.load("imgedit"))
    with pytest.raises(ConfigError, match="match_published: must be of any_numbers, got 'all'"):
        protocols.load("imgedit", match_published=["all"])


# ------------------------------------------------------------------------------------------------ the official numbers


def test_the_official_number_rounds_samples_and_kinds_first() -> None:
    (imgedit_mean,), (rededit_mean,) = ImgEditProtocol.official, RedEditProtocol.official
    scores = {"add": [13 / 3, 10 / 3], "style": [5.0, 4.0, 4.0]}
    assert imgedit_mean.of(scores) == round((round((4.33 + 3.33) / 2, 2) + 4.33) / 2, 2)
    assert rededit_mean.of({"add": [1.0], "text": [2.0], "color": [2.0]}) == 1.6667
    assert isinstance(imgedit_mean, OfficialMean) and imgedit_mean.metrics == ("overall",)
