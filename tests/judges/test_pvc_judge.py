"""pvc_judge: the one question of PVC-Judge, with its pixel limits and its way of drawing."""

from __future__ import annotations

from pathlib import Path

from editeval.judges.chat.official_use import official_use
from editeval.judges.openai_chat import OpenaiChatParams
from editeval.judges.protocols import protocol as protocols
from editeval.types import JudgeRequest
from fakes.shown import judged, parts, picture

A, B, TIE = (f'{{"winner": "{word}"}}' for word in ("Image A", "Image B", "Tie"))
ASKED = {"protocol": "pvc_judge", "against": "other"}
SOURCE, MINE, OTHER = (1596, 784), (532, 532), (1036, 616)


def request() -> JudgeRequest:
    pair = {"edited": picture(100, 100), "edited_b": picture(1030, 617)}
    return JudgeRequest("s", (picture(4000, 2000),), instruction="add a hat", **pair)


def test_the_question_is_asked_in_both_orders_with_the_authors_pixels_and_draws(tmp_path: Path) -> None:
    file = tmp_path / "src/prompts/assets/vlm/assessment/visual_consistency/pairwise/v1.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(
        "system_prompt: S\nuser_prompt:\n  - text: |\n      O {{ instruction }}\n  - image:\n      source: input\n"
        "  - text: |\n      A\n  - image:\n      index: 0\n  - text: |\n      B\n"
    )
    rows, calls = judged([request()], [A, B], prompts_from=str(tmp_path), **ASKED)
    assert rows == [{"visual_consistency": 1.0}]
    expected = [[SOURCE, MINE, OTHER], [SOURCE, OTHER, MINE]]
    for call, (source, first, second) in zip(calls, expected, strict=True):
        assert parts(call) == ["O add a hat", source, "\n", "A", first, "\n", "B", second]
        assert call["messages"][0] == {"role": "system", "content": "S"}
        drawn = {"max_tokens": 1024, "temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 42}
        assert {name: call[name] for name in drawn} == drawn


def test_orders_that_do_not_agree_are_a_tie_and_an_unread_one_is_no_verdict() -> None:
    for replies, verdict in (
        ([A, A], 0.5),
        ([A, TIE], 0.5),
        ([B, A], 0.0),
        ([TIE, TIE], 0.5),
        ([A, "A"], "unparsable"),
    ):
        assert judged([request()], replies, **ASKED)[0] == [{"visual_consistency": verdict}]


def test_three_replies_stand_in_for_the_authors_retries() -> None:
    rows, calls = judged([request()], ["Well.", A, A, B, B, "{}"], num_samples=3, **ASKED)
    assert rows == [{"visual_consistency": 1.0}]
    assert [call["seed"] for call in calls] == [42, 43, 44] * 2


def test_it_is_the_official_judge_of_its_part_of_gedit_v2_and_no_elo() -> None:
    asked = OpenaiChatParams(base_url="http://x", model="PVC-Judge", **ASKED)
    use = official_use(asked)
    assert use is not None and (use.benchmark, use.judge) == ("gedit_v2", "PVC-Judge")
    assert not [one for one in use.differs if one.startswith("judge")]
    assert protocols.load("pvc_judge").departs == use.differs[1:]
    assert "see protocol pvc_judge" in " ".join(protocols.load("gedit_v2").departs)
    plain = OpenaiChatParams(base_url="http://x", model="Qwen/Qwen3-VL-8B-Instruct", **ASKED)
    told = official_use(plain)
    assert told is not None and told.differs[1] == (
        "judge (Qwen/Qwen3-VL-8B-Instruct instead of Qwen/Qwen3-VL-8B-Instruct + GEditBench-v2/PVC-Judge)"
    )
