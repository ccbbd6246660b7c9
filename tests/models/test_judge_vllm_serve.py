"""openai_chat against the real `vllm serve` on loopback, with the tiny trained Qwen3-VL; where vLLM runs.

As for test_judge_vllm.py: pytest -W default, and VLLM_CPU_KVCACHE_SPACE=1 without a GPU. One server, started once.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from judge_fixtures import PROMPT, loaded, trained
from test_judge_serve import HUES, await_health
from test_judge_vllm import LACKING

from editeval.errors import MachineError
from editeval.judges.openai_chat import OpenaiChatJudge, OpenaiChatParams
from editeval.types import JudgeRequest

pytestmark = [
    pytest.mark.models,
    pytest.mark.vllm,
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "vLLM runs here"),
    pytest.mark.filterwarnings("default"),  # what vLLM warns of is not ours to fix
]
START_S = 540.0
OPTIONS = "--dtype float32 --max-model-len 2048 --max-num-seqs 8 --enforce-eager --served-model-name judge"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """base_url and model of the server; it is ended when the module's tests are over."""
    log = tmp_path_factory.mktemp("served") / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", str(trained()), *OPTIONS.split()]
    command += ["--limit-mm-per-prompt", json.dumps({"image": 2, "video": 0})]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    try:
        await_health(process, port, log, START_S)
        yield {"base_url": f"http://127.0.0.1:{port}/v1", "model": "judge", "timeout_s": 120.0}
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def requests() -> list[JudgeRequest]:
    import tiny_judges

    rng = np.random.default_rng(11)
    return [tiny_judges.request(f"s{hue}", hue, rng, PROMPT) for hue in HUES]


def judged(served: dict[str, Any], requests: list[JudgeRequest], **params: Any) -> list[Any]:
    judge = OpenaiChatJudge(OpenaiChatParams(**(served | {"max_new_tokens": 8} | params)))
    judge.load(["cpu"])
    rows = judge.judge(requests)
    judge.unload()
    return rows


def test_expected_values_come_from_the_servers_probabilities(
    served: dict[str, Any], requests: list[JudgeRequest], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "editeval")
    here = loaded(trained(), protocol="pointwise", min_label_mass=0.0)
    expected = here.judge(requests)
    here.unload()
    rows = judged(served, requests, scoring="expected", min_label_mass=0.0)
    for ours, theirs in zip(rows, expected, strict=True):
        for one, other in zip(ours[1:], theirs[1:], strict=True):
            found, wanted = (json.loads(score.raw)[score.metric]["labels"] for score in (one, other))
            assert found == pytest.approx(wanted, abs=0.005)
            assert one.value == pytest.approx(other.value, abs=0.1)
    assert "refuses" not in caplog.text, "it takes every field"


def test_the_trained_judge_gives_real_scores(served: dict[str, Any], requests: list[JudgeRequest]) -> None:
    rows = judged(served, requests, protocol="rubric", num_samples=1, temperature=0.0)
    assert [row[0].value for row in rows] == [float(hue) for hue in HUES]


def test_json_is_forced_and_a_bad_request_fails_alone(served: dict[str, Any], requests: list[JudgeRequest]) -> None:
    long = JudgeRequest(
        "long", (requests[0].source,), requests[0].edited, "word " * 3000, metadata={"category": "causal"}
    )
    wish = {"protocol": "viescore", "num_samples": 1, "max_new_tokens": 256, "output": "structured"}
    rows = judged(served, [requests[0], long], **wish)
    said = json.loads(rows[0][1].raw)["semantic_consistency"]["samples"][0]["text"]
    assert said.lstrip().startswith("{"), said
    assert (rows[1][1].value, rows[1][1].reason) == (None, "declined")
    assert rows[1][2].reason != "declined", "its question without the instruction was asked"


def test_a_model_that_is_not_served_ends_the_run_in_one_line(
    served: dict[str, Any], requests: list[JudgeRequest]
) -> None:
    with pytest.raises(MachineError, match="nobody") as caught:
        judged(served, requests, model="nobody")
    assert "\n" not in str(caught.value)
