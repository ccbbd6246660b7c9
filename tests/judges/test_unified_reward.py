"""unified_reward and unified_reward_pairs: the exact calls, the words of the authors' scripts, what a reply says."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from PIL import Image

from editeval.errors import Reason
from editeval.images import decode, encode_png
from editeval.judges.chat.official_use import official_use
from editeval.judges.openai_chat import OpenaiChatParams
from editeval.judges.parsing.reply import UnparsableReply
from editeval.judges.protocols.unified_reward_pairs import better, first_decimals, higher
from editeval.judges.transformers_vlm import TransformersVlmParams
from editeval.judges.vllm_vlm import VllmVlmParams
from editeval.types import JudgeRequest
from fakes.shown import judged, parts, picture, pixels

SOURCE, MINE, OTHER = (50, 40), (64, 48), (32, 24)
GRADES = [f'{{\n\n"reasoning" : "fine",\n"score" : {score},\n}}' for score in ("[20, 16]", "[25, 9]")]
PAIR = {"protocol": "unified_reward_pairs", "against": "other"}
FIRST, SECOND = (f"Both follow it. Therefore, Image {one} is better than Image {two}." for one, two in ("12", "21"))


def request() -> JudgeRequest:
    pair = {"edited": picture(*MINE), "edited_b": picture(*OTHER)}
    return JudgeRequest("s", (picture(*SOURCE),), instruction="make <it> red", **pair)


@pytest.fixture
def clone(tmp_path: Path) -> str:
    """A folder as a clone of the authors' repository: scripts that would stop if they were run."""
    folder = tmp_path / "UnifiedReward-Edit"
    folder.mkdir()
    for name in ("pointwise_instruction_following", "pointwise_quality", "pairwise_rank", "paiwise_score"):
        text = f'raise SystemExit\ninstruction = ""\nproblem = "{name}: " + f"{{{{a}}}} {{instruction}}\\n"\n'
        (folder / f"edit_{name}.py").write_text(text)
    return str(tmp_path)


def test_two_calls_show_the_images_first_and_set_no_temperature(clone: str) -> None:
    rows, calls = judged([request()], GRADES, protocol="unified_reward", prompts_from=clone)
    assert rows == [
        {
            "overall": math.sqrt(16 * 9),
            "prompt_following": 20.0,
            "consistency": 16.0,
            "naturalness": 25.0,
            "artifact_freedom": 9.0,
        }
    ]
    assert parts(calls[0]) == [SOURCE, MINE, "pointwise_instruction_following: {a} make <it> red\n"]
    assert parts(calls[1]) == [MINE, "pointwise_quality: {a} {instruction}\n"]
    for call in calls:
        assert call["max_tokens"] == 4096 and not {"temperature", "top_p", "top_k", "response_format"} & call.keys()
        assert [message["role"] for message in call["messages"]] == ["user"]


def test_a_server_draws_as_the_checkpoint_says_and_other_engines_do_not() -> None:
    model = "CodeGoat24/UnifiedReward-Edit-qwen3vl-8b"
    served = OpenaiChatParams(base_url="http://x", model=model, protocol="unified_reward")
    inside = VllmVlmParams(model_name=model, protocol="unified_reward")
    likeliest = TransformersVlmParams(model_name=model, protocol="unified_reward")
    told = [use.differs[1:] for params in (served, inside, likeliest) if (use := official_use(params)) is not None]
    assert told == [
        (),
        ("temperature (1, vLLM's own default, instead of the server's)",),
        ("temperature (0 instead of the server's default)",),
    ]


def test_images_are_seen_through_jpeg_of_quality_95() -> None:
    noise = Image.effect_noise((64, 48), 80).convert("RGB")
    asked = JudgeRequest("s", (picture(*SOURCE),), encode_png(noise), "x")
    _, calls = judged([asked], GRADES, protocol="unified_reward")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=95)
    seen = pixels(calls[1]["messages"][0]["content"][0]["image_url"]["url"])
    assert seen.tobytes() == decode(buffer.getvalue()).tobytes() != noise.tobytes()


def test_a_pair_is_asked_for_a_rank_and_for_scores_in_both_orders(clone: str) -> None:
    scores = ["Image 1: 2.50\nImage 2: -1.25", "Image 1: 0.10, Image 2: 3.00"]
    rows, calls = judged([request()], [FIRST, FIRST, *scores], prompts_from=clone, **PAIR)
    assert rows == [{"rank": 0.5, "scores": 1.0}], "a rank that follows the place is a tie"
    orders = [SOURCE, MINE, OTHER], [SOURCE, OTHER, MINE]
    rank, score = (f"{name}: {{a}} make <it> red\n" for name in ("pairwise_rank", "paiwise_score"))
    assert [parts(call) for call in calls] == [[*order, text] for text in (rank, score) for order in orders]
    assert {call["max_tokens"] for call in calls} == {4096} and "temperature" not in calls[0]


def test_a_reply_that_cannot_be_read_costs_its_own_verdict_alone() -> None:
    rows, _ = judged([request()], [FIRST, SECOND, "The second one.", "0.5 2.0"], **PAIR)
    assert rows == [{"rank": 1.0, "scores": "unparsable"}]


def test_the_published_reading_loses_the_sign() -> None:
    replies = [FIRST, SECOND, "A: -3.50, B: 1.00", "A: 1.00, B: -3.50"]
    bug = {"match_published": ("unsigned_scores",)}
    assert [judged([request()], replies, **PAIR, **more)[0][0]["scores"] for more in ({}, bug)] == [0.0, 1.0]
    assert first_decimals("the 3.10 of 2.20 and 9.00") == (1.0,)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Image 1 is better than Image 2", 1.0),
        ("**Edited Image 2 is better.**", 0.0),
        ("Image 2", 0.0),
        ("Both images are equally good.", 0.5),
        ("Image 1 is sharper. Image 2 follows the text. Overall, image 2 is the better edit.", 0.0),
        ("Image 1 is better in colour.\nFinal verdict: Image 2 is better than Image 1.", 0.0),
    ],
)
def test_a_rank_is_the_last_sentence(text: str, verdict: float) -> None:
    assert better(text) == (verdict,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I think Image 1 is better than Image 2 if you ignore the hat.", Reason.UNPARSABLE),
        ("Image 1 is better than Image 2. No, wait.", Reason.UNPARSABLE),
        ("Image 1 is better than Image 2. Image 2 is better than Image 1.", Reason.AMBIGUOUS),
        ("Image 1 is better than Image 1.", Reason.UNPARSABLE),
        ("It would be wrong to say that Image 1 is better", Reason.UNPARSABLE),
        ("Compare them.\nImage 1", Reason.UNPARSABLE),
        ("Image 3 is better", Reason.UNPARSABLE),
        ("Cannot judge.", Reason.CANNOT_JUDGE),
    ],
)
def test_no_other_sentence_is_a_rank(text: str, reason: Reason) -> None:
    with pytest.raises(UnparsableReply) as caught:
        better(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Image 1: -0.50\nImage 2: -0.75", 1.0),
        ("**Image 1 Score:** 1\n**Image 2 Score:** 2.5", 0.0),
        ("The score of Image 1 is 1.20 and that of Image 2 is 1.20.", 0.5),
        ("[1.25, 3.00]", 0.0),
        ("Scores: −1.25 and 0.00", 0.0),
        ("Image 1: 3.75 Image 2: 3.25", 1.0),
        ("Image 1: 3.75 points, Image 2: 3.25 points", 1.0),
        ("Image 1: –1.25\nImage 2: –0.50", 0.0),
        ("–1.25, 0.50", 0.0),
    ],
)
def test_the_higher_of_two_signed_scores_wins(text: str, verdict: float) -> None:
    assert higher(text) == (verdict,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Image 2: 1.25\nImage 1: 3.00", Reason.AMBIGUOUS),
        ("Image 1: 1.25\nImage 2: 3.00\nImage 1: 4.00", Reason.AMBIGUOUS),
        ("Image 1: 1.25", Reason.AMBIGUOUS),
        ("1.25 2.50 3.75", Reason.AMBIGUOUS),
        ("3 and 4", Reason.UNPARSABLE),
        ("Image 1: 1.25 to 1.50\nImage 2: 1.30", Reason.AMBIGUOUS),
        ("Image 1: 1,25\nImage 2: 1,50", Reason.UNPARSABLE),
        ("minus 1.25, 0.50", Reason.UNPARSABLE),
        ("Image 1 - 1.25\nImage 2 - 0.50", Reason.UNPARSABLE),
        (
            "The edits differ by 0.25 in a picture of 1.50 by 2 metres, and the better one " + "is large. " * 9,
            "unparsable",
        ),
        ("1.25/5 and 2.50/5", Reason.UNPARSABLE),
        ("cannot judge", Reason.CANNOT_JUDGE),
    ],
)
def test_nothing_else_is_a_pair_of_scores(text: str, reason: str) -> None:
    with pytest.raises(UnparsableReply) as caught:
        higher(text)
    assert caught.value.reason == reason
