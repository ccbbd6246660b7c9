"""editscore: the exact calls, the words of the authors' file on their scale, passes, and what is read of a reply."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from asking import authors_file

from editeval.errors import MachineError, Reason
from editeval.judges.chat.official_use import official_use
from editeval.judges.chat.params import AskParams
from editeval.judges.openai_chat import OpenaiChatJudge, OpenaiChatParams
from editeval.judges.parsing.reply import UnparsableReply
from editeval.judges.protocols._grades25 import grades
from editeval.judges.transformers_vlm import TransformersVlmParams
from editeval.types import JudgeRequest
from fakes.chat_server import ChatServer
from fakes.shown import judged, parts, picture

SOURCE, EDITED = (1300, 40), (64, 48)
ADAPTED = "EditScore/EditScore-Qwen3-VL-8B-Instruct"


def request(num_sources: int = 1) -> JudgeRequest:
    sources = tuple(picture(SOURCE[0] + n, SOURCE[1]) for n in range(num_sources))
    return JudgeRequest("s", sources, picture(*EDITED), "make 10 <it> red")


def reply(*score: float) -> str:
    return f'{{"reasoning": "Fine.", "score": {list(score)}}}'


@pytest.fixture
def clone(tmp_path: Path) -> str:
    """A folder as a clone of the authors' repository, with words of our own under their names."""
    return str(authors_file(tmp_path, "editscore", "NAME of 10 for <instruction>."))


def test_two_calls_are_made_as_the_authors_make_them(clone: str) -> None:
    rows, calls = judged([request()], [reply(20, 15), reply(25, 10)], protocol="editscore", prompts_from=clone)
    assert rows == [
        {"overall": math.sqrt(6 * 4), "prompt_following": 8.0, "consistency": 6.0, "perceptual_quality": 4.0}
    ]
    wanted = {"max_tokens": 512, "temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 42}
    for call in calls:
        assert {name: call[name] for name in wanted} == wanted and "response_format" not in call
        assert [message["role"] for message in call["messages"]] == ["user"]
    context, rule, both, alone = (
        *("_context_no_delimit_reasoning_first", "_prompts_0shot_two_image_edit_rule"),
        *("_prompts_0shot_tie_rule_SC", "_prompts_0shot_rule_PQ"),
    )
    text = (
        f"{context} of 10 for make 10 <it> red.\n{rule} of 10 for make 10 <it> red.\n{both} of 25 for make 10 <it> red."
    )
    assert parts(calls[0]) == [SOURCE, EDITED, text], (
        "the scale is theirs in two of the four, the instruction's ten is not"
    )
    assert parts(calls[1]) == [EDITED, f"{context} of 10 for <instruction>.\n{alone} of 25 for <instruction>."]


def test_models_on_qwen25_get_a_label_in_front_of_each_image() -> None:
    _, calls = judged([request(2)], [reply(20, 15)], protocol="editscore_qwen25")
    second = (SOURCE[0] + 1, SOURCE[1])
    assert parts(calls[0])[:-1] == ["<img1>: ", SOURCE, "<img2>: ", second, "<img3>: ", EDITED]
    assert parts(calls[1])[:-1] == ["<img1>: ", EDITED]
    assert '<instruction>"make 10 \\u003cit\\u003e red"</instruction>' in str(parts(calls[0])[-1])
    assert [len(call["messages"]) for call in calls] == [1, 1], (
        "the checkpoint's template has a system message of its own"
    )


def test_each_pass_is_combined_by_itself_and_then_they_are_averaged() -> None:
    replies = [reply(25, 25), reply(5, 20), reply(25, 25), reply(25, 25)]
    rows, calls = judged([request()], replies, protocol="editscore", num_samples=2)
    assert [call["seed"] for call in calls] == [42, 43, 42, 43]
    overall = (10 + math.sqrt(2 * 10)) / 2  # not sqrt(6 * 10)
    assert rows[0] == {"overall": overall, "prompt_following": 6.0, "consistency": 9.0, "perceptual_quality": 10.0}


def test_a_pass_that_cannot_be_read_is_left_out_and_more_than_half_of_them_leave_no_score() -> None:
    kept = [reply(25, 25), "I like it.", reply(25, 25), reply(20, 5)]
    rows, _ = judged([request()], kept, protocol="editscore", num_samples=2)
    assert rows[0] == {"overall": 10.0, "prompt_following": 10.0, "consistency": 10.0, "perceptual_quality": 6.0}
    lost = ["I like it.", reply(25, 25), "Nice.", reply(20, 5), reply(20, 5), "Good."]
    rows, _ = judged([request()], lost, protocol="editscore", num_samples=3)
    assert rows[0]["perceptual_quality"] == 2.0
    assert {rows[0][name] for name in ("overall", "prompt_following", "consistency")} == {"unparsable"}


def test_a_reply_that_cannot_be_read_never_gets_a_number() -> None:
    rows, _ = judged([request()], [reply(20, 15), "Sure!"], protocol="editscore")
    assert rows[0] == {
        "overall": "unparsable",
        "prompt_following": 8.0,
        "consistency": 6.0,
        "perceptual_quality": "unparsable",
    }


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('```json\n{"reasoning": "x", "score": [20, 18.5]}\n```', (20.0, 18.5, 18.5)),
        ('{\n"reasoning" : "the word "Hello" is gone",\n"score" : [20, 0],\n}', (20.0, 0.0, 0.0)),
        ('{"reasoning": "Three of 4 apples are red: 20 of 25.", "score": [20, 25]}', (20.0, 25.0, 20.0)),
        ("[20, 18]", (20.0, 18.0, 18.0)),
        ('Here is my evaluation:\n{"score": [0, 25], "reasoning": ""}', (0.0, 25.0, 0.0)),
    ],
)
def test_what_is_plainly_said_is_read(text: str, read: tuple[float, ...]) -> None:
    assert grades(text) == read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"reasoning": "x", "score": [26, 3]}', Reason.OUT_OF_RANGE),
        ('{"reasoning": "x", "score": [-1, 3]}', Reason.OUT_OF_RANGE),
        ('{"reasoning": "Success is 8/10.", "score": [8, 9]}', Reason.WRONG_SCALE),
        ('{"reasoning": "On a scale from 0 to 10.", "score": [8, 9]}', Reason.WRONG_SCALE),
        ('{"reasoning": "My score is 4.", "score": [20, 19]}', Reason.AMBIGUOUS),
        ('{"reasoning": "x", "score": [20, 18]} Wait, [3, 3].', Reason.AMBIGUOUS),
        ('{"reasoning": "x", "score": [20, 18]}\n{"reasoning": "y", "score": [3, 3]}', Reason.AMBIGUOUS),
        ('{"reasoning": "the sign says "score": [25, 25]", "score": [2, 3],}', Reason.UNPARSABLE),
        ('{"reasoning": "x", "score": [20]}', Reason.UNPARSABLE),
        ('{"reasoning": "x", "score": [20, 18, 3]}', Reason.UNPARSABLE),
        ('{"reasoning": "x", "score": 20}', Reason.UNPARSABLE),
        ('{"reasoning": "x", "score": "cannot judge"}', Reason.CANNOT_JUDGE),
        ('{"reasoning": "No image was provided.", "score": [0, 0]}', Reason.NOT_SEEN),
        ('{"reasoning": "no "image" was shown: No image was provided.", "score": [0, 0],}', Reason.NOT_SEEN),
        ("20, 18", Reason.UNPARSABLE),
        ("[08, 18]", Reason.UNPARSABLE),
    ],
)
def test_no_other_reply_gives_grades(text: str, reason: Reason) -> None:
    with pytest.raises(UnparsableReply) as caught:
        grades(text)
    assert caught.value.reason == reason


def differs(params: AskParams) -> tuple[str, ...]:
    use = official_use(params)
    assert use is not None and use.benchmark == ""
    return use.differs[1:]  # the first: our words


def test_the_judge_is_theirs_with_its_adapter_alone_or_served_by_its_name() -> None:
    def served(model: str, **params: Any) -> tuple[str, ...]:
        return differs(OpenaiChatParams(base_url="http://x", model=model, protocol="editscore", **params))

    assert served(f"Qwen/Qwen3-VL-8B-Instruct + {ADAPTED}") == served(ADAPTED) == ()
    missing = f"judge (Qwen/Qwen3-VL-8B-Instruct instead of Qwen/Qwen3-VL-8B-Instruct + {ADAPTED})"
    assert served("Qwen/Qwen3-VL-8B-Instruct") == (missing,)
    assert differs(TransformersVlmParams(model_name="Qwen/Qwen3-VL-8B-Instruct", protocol="editscore")) == (missing,)
    assert served(ADAPTED, seed=3) == ("seed (3 of our own instead of 42)",)
    assert served(ADAPTED, temperature=0.0, num_samples=1) == ("temperature (0 instead of 0.7)",)


def test_a_local_judge_draws_one_reply_as_the_authors_do() -> None:
    params = TransformersVlmParams(protocol="editscore")
    question = params.asking.questions(request())[0]
    drawn = params.sampling(question, "s", 0, gives_probabilities=True)
    assert (drawn.temperature, drawn.top_p, drawn.top_k, drawn.seed, drawn.max_tokens) == (0.7, 0.9, 20, 42, 512)
    assert params.sampling(question, "another", 3, gives_probabilities=True).seed == 45
    greedy = TransformersVlmParams(protocol="editscore", sampling_temperature=0.0)
    assert greedy.sampling(question, "s", 0, gives_probabilities=True).temperature == 0.0
    assert TransformersVlmParams(protocol="viescore").temperature == 0.0, "as before"
    assert TransformersVlmParams(protocol="editscore", num_samples=4).temperature == 0.7
    other = TransformersVlmParams(protocol="editscore", seed=1)
    assert other.sampling(question, "s", 0, True).seed != other.sampling(question, "t", 0, True).seed


def test_a_server_that_refuses_top_k_cannot_draw_as_they_do() -> None:
    with ChatServer(refuses=frozenset({"top_k"})) as server:
        given = {"base_url": server.url, "model": "tiny-judge", "max_retries": 0}
        with pytest.raises(MachineError, match="does not take top_k as it was asked") as caught:
            OpenaiChatJudge(OpenaiChatParams(protocol="editscore", **given)).load(["cpu"])
        assert "\n" not in str(caught.value)
        for params in ({"protocol": "editscore", "temperature": 0.0}, {"protocol": "viescore"}):
            judge = OpenaiChatJudge(OpenaiChatParams(**given, **params))
            judge.load(["cpu"])
            judge.unload()
