"""Questions about the same pictures, read once: the same replies and scores as of whole prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge_fixtures import PROMPT, build, loaded, local_model

from editeval.errors import ConfigError, MachineError
from editeval.judges.local import prefix as prefixes
from editeval.judges.transformers_vlm import TransformersVlmParams
from editeval.types import JudgeRequest, Score

pytestmark = pytest.mark.models


def too_old() -> str:
    """Why the transformers here cannot share; empty if it can."""
    import transformers

    found = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    return "" if found >= prefixes.SINCE else f"transformers {transformers.__version__}"


@pytest.fixture(scope="module", params=["qwen3_vl", "qwen2_5_vl"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(request.param, tmp_path_factory.mktemp(request.param) / "judge")


def edits() -> list[JudgeRequest]:
    """Of different lengths: a long instruction, several sources."""
    import tiny_judges

    rng = np.random.default_rng(2)
    made = [tiny_judges.request(f"s{hue}", hue, rng, PROMPT) for hue in (1, 5, 8)]
    words = "make the sky red and remove the dog " * 4
    return [*made, JudgeRequest("long", made[0].sources + made[1].sources, made[2].edited, words)]


def judged(folder: Path, **params: Any) -> tuple[list[list[Score]], int]:
    """(rows, tokens that the language model computed)."""
    judge = loaded(folder, min_label_mass=0.0, **params)
    counted: list[int] = []
    model = local_model(judge).checkpoint.model
    model.lm_head.weight.data *= 40  # one opinion, not many nearly equal ones
    model.model.language_model.layers[0].register_forward_hook(lambda _, given, __: counted.append(given[0].numel()))
    rows = judge.judge(edits())
    judge.unload()
    return rows, sum(counted)


@pytest.mark.skipif(bool(too_old()), reason="needs a newer transformers")
def test_probabilities_are_those_of_whole_prompts_for_fewer_tokens(folder: Path) -> None:
    (whole, all_tokens), (shared, tokens) = (
        judged(folder, protocol="pointwise", share_prefix=s) for s in (False, True)
    )
    for one, other in zip(whole, shared, strict=True):
        for a, b in zip(one[1:], other[1:], strict=True):
            ours, theirs = (json.loads(score.raw)[score.metric]["labels"] for score in (a, b))
            assert theirs == pytest.approx(ours, abs=1e-5)
    assert tokens < 0.85 * all_tokens


@pytest.mark.skipif(bool(too_old()), reason="needs a newer transformers")
@pytest.mark.parametrize("drawn", [{"num_samples": 1}, {"num_samples": 3, "sampling_temperature": 1.0}])
def test_written_replies_are_those_of_whole_prompts(folder: Path, drawn: dict[str, Any]) -> None:
    given = {"protocol": "viescore", "max_new_tokens": 6, **drawn}
    (whole, all_tokens), (shared, tokens) = (judged(folder, share_prefix=share, **given) for share in (False, True))
    said = [[[score.raw for score in row] for row in rows] for rows in (whole, shared)]
    assert said[0] == said[1] and all(json.loads(raw) for row in said[0] for raw in row if raw)
    assert tokens < all_tokens if drawn["num_samples"] > 1 else tokens <= all_tokens


@pytest.mark.skipif(bool(too_old()), reason="needs a newer transformers")
def test_without_memory_for_it_each_question_is_asked_by_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    whole, _ = judged(folder, protocol="pointwise")

    def no_memory(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(prefixes.SharedPrefix, "state", no_memory)
    shared, _ = judged(folder, protocol="pointwise", share_prefix=True)
    assert [[score.value for score in row] for row in shared] == [[score.value for score in row] for row in whole]
    assert any("each question by itself" in message for message in caplog.messages)


def test_a_transformers_that_counts_positions_otherwise_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    monkeypatch.setattr(transformers, "__version__", "5.2.0")
    with pytest.raises(MachineError, match=r"share_prefix: needs transformers 5\.23 or newer, got 5\.2\.0"):
        loaded(folder, share_prefix=True)


def test_it_is_not_tried_with_flash_attention() -> None:
    with pytest.raises(ConfigError, match="share_prefix: has not been tried with use_flash_attention"):
        TransformersVlmParams(share_prefix=True, use_flash_attention=True)
