"""The vision-language judge draws replies on request, and says why on request; both on real tiny checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge_fixtures import PROMPT, build, loaded, local_model, trained

from contracts.judge_contract import check_judge
from editeval.errors import ConfigError
from editeval.judges.chat.messages import follow_up
from editeval.judges.local.generate import GumbelSampler
from editeval.judges.transformers_vlm import TransformersVlmJudge, TransformersVlmParams
from editeval.types import JudgeRequest, Score

pytestmark = pytest.mark.models


def requests(num: int) -> list[JudgeRequest]:
    import tiny_judges

    rng = np.random.default_rng(7)
    return [tiny_judges.request(f"s{i}", i % 10, rng, PROMPT) for i in range(num)]


def kept(row: list[Score]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row[0].raw)["overall"]
    return found


def texts(rows: list[list[Score]]) -> list[list[str]]:
    return [[sample["text"] for sample in kept(row)["samples"]] for row in rows]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained checkpoint that begins its replies to `rubric` with some digit."""
    return build("qwen3_vl", tmp_path_factory.mktemp("digits") / "judge", love_digits="rubric")


@pytest.mark.parametrize("drawn", [{}, {"num_samples": 3, "sampling_temperature": 1.0}], ids=["likeliest", "drawn"])
def test_it_keeps_the_judge_contract(drawn: dict[str, Any]) -> None:
    params = TransformersVlmParams(
        str(trained()), dtype="float32", max_new_tokens=8, **({"protocol": "rubric"} | drawn)
    )
    rows = check_judge(TransformersVlmJudge, params, requests(4))
    assert all(row[0].value is not None for row in rows)


def test_a_draw_is_fair_and_follows_the_temperature() -> None:
    import torch

    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    for temperature in (0.7, 1.5):
        shares = torch.softmax(logits / temperature, dim=-1)
        draws = GumbelSampler(list(range(20_000)), temperature)(None, logits.repeat(20_000, 1)).argmax(dim=-1)
        found = torch.bincount(draws, minlength=4) / 20_000
        torch.testing.assert_close(found, shares, atol=0.012, rtol=0.0)  # about four standard errors


def test_samples_differ_repeat_and_do_not_depend_on_their_batch(digits: Path) -> None:
    judge = loaded(digits, num_samples=3, sampling_temperature=1.0, max_new_tokens=4)
    asked = requests(5)
    together = texts(judge.judge(asked))
    assert len({text for row in together for text in row}) > 5
    assert texts(judge.judge(asked)) == together
    assert texts([judge.judge([one])[0] for one in reversed(asked)]) == together[::-1]
    judge.unload()
    other = loaded(digits, num_samples=3, sampling_temperature=1.0, max_new_tokens=4, seed=1)
    assert texts(other.judge(asked)) != together
    other.unload()


def test_the_score_of_samples_is_their_mean_with_its_spread() -> None:
    judge = loaded(trained(), num_samples=4)
    rows = judge.judge(requests(4))
    judge.unload()
    for hue, row in enumerate(rows):
        said = [float(sample["text"]) for sample in kept(row)["samples"]]
        assert row[0].value == pytest.approx(np.mean(said)) == pytest.approx(hue, abs=1.0)
        assert kept(row)["num_read"] == 4
        assert kept(row)["spread"] == [pytest.approx(np.std(said, ddof=1))]


def test_reasons_come_after_the_score_and_change_nothing() -> None:
    plain, wordy = loaded(trained()), loaded(trained(), reasons=True)
    without, rows = plain.judge(requests(3)), wordy.judge(requests(3))
    assert [row[0].value for row in rows] == [row[0].value for row in without] == [0.0, 1.0, 2.0]
    assert all("rationale" not in row[0].raw for row in without)
    assert all(set(kept(row)["rationale"]) == {"text", "finished"} for row in rows)
    plain.unload()
    wordy.unload()


def test_the_reason_is_asked_in_the_same_conversation(digits: Path) -> None:
    judge = loaded(digits, reasons=True)
    assert judge.runner is not None
    model = local_model(judge)
    ((_, conversation, prompt),) = judge.runner.plan(requests(1)[0]).asked
    why = model.encode(follow_up(conversation, "7"))
    assert why.token_ids[: len(prompt.token_ids)] == prompt.token_ids
    assert all(a is b for a, b in zip(why.pictures, prompt.pictures, strict=True))
    assert model.checkpoint.tokenizer.decode(why.token_ids[len(prompt.token_ids) :]).startswith("7<|im_end|>")
    judge.unload()


def test_without_a_score_no_reason_is_asked(digits: Path) -> None:
    judge = loaded(digits, reasons=True, max_new_tokens=1)
    (row,) = judge.judge(requests(1))
    assert row[0].reason == "truncated" and "rationale" not in kept(row)
    judge.unload()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_samples": 4, "protocol": "pointwise"}, "num_samples: pointwise reads probabilities"),
        ({"num_samples": 0, "protocol": "rubric"}, "num_samples: must be between 1 and 64"),
        ({"sampling_temperature": 0.5}, "sampling_temperature: has no effect with num_samples: 1"),
        ({"num_samples": 2, "sampling_temperature": 0.0, "protocol": "rubric"}, "at 0 all samples are the same"),
    ],
)
def test_sampling_parameters_without_effect_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TransformersVlmParams(**given)
