"""openai_chat against a real server: `transformers serve` on loopback, with the tiny trained Qwen3-VL."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge_fixtures import PROMPT, loaded, trained

from editeval.judges.openai_chat import OpenaiChatJudge, OpenaiChatParams
from editeval.types import JudgeRequest

LACKING = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        bool(LACKING), reason=f"`transformers serve` needs {', '.join(LACKING)} (transformers[serving])"
    ),
]
START_S = 180.0
HUES = (3, 0, 7, 9)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """base_url and model of the server; it is ended when the module's tests are over."""
    import tiny_judges

    root = tmp_path_factory.mktemp("served")
    folder = tiny_judges.for_servers(trained(), root / "judge")
    (root / "hub").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = "from transformers.cli.transformers import main; main()"
    command = [sys.executable, "-c", start, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--device", "cpu", "--dtype", "float32", "--trust-remote-code"]
    environment = os.environ | {"HF_HOME": str(root), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        await_health(process, port, root / "log")
        yield {"base_url": f"http://127.0.0.1:{port}/v1", "model": str(folder), "timeout_s": 60.0}
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_health(process: subprocess.Popen[bytes], port: int, log: Path, limit_s: float = START_S) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"not up after {limit_s} s: {log.read_text('utf-8', 'replace')[-2000:]}")


@pytest.fixture(scope="module")
def requests() -> list[JudgeRequest]:
    import tiny_judges

    rng = np.random.default_rng(11)
    return [tiny_judges.request(f"s{hue}", hue, rng, PROMPT) for hue in HUES]


def judged(served: dict[str, Any], requests: list[JudgeRequest], **params: Any) -> list[Any]:
    judge = OpenaiChatJudge(OpenaiChatParams(**served, max_new_tokens=8, **params))
    judge.load(["cpu"])
    rows = judge.judge(requests)
    judge.unload()
    return rows


def test_a_real_server_gives_the_scores_of_the_same_model_run_here(
    served: dict[str, Any], requests: list[JudgeRequest]
) -> None:
    rows = judged(served, requests, protocol="rubric", num_samples=1, temperature=0.0)
    here = loaded(trained())
    expected = here.judge(requests)
    here.unload()
    assert [row[0].value for row in rows] == [row[0].value for row in expected] == [float(hue) for hue in HUES]
    (said,) = json.loads(rows[0][0].raw)["overall"]["samples"]
    assert said["text"] == "3" and said["usage"]["reply"] >= 1 and said["usage"]["prompt"] > 50


def test_samples_of_a_real_server_come_with_their_spread(served: dict[str, Any], requests: list[JudgeRequest]) -> None:
    (row,) = judged(served, requests[:1], protocol="rubric", num_samples=4, reasons=True)
    kept = json.loads(row[0].raw)["overall"]
    assert kept["num_read"] == 4 and len(kept["spread"]) == 1
    assert row[0].value == pytest.approx(3.0, abs=1.0)
    assert kept["rationale"]["usage"]["prompt"] > kept["samples"][0]["usage"]["prompt"], "the conversation went on"


def test_a_real_server_that_silently_ignores_logprobs_is_noticed(
    served: dict[str, Any], requests: list[JudgeRequest], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "editeval")
    (row,) = judged(served, requests[:1], scoring="expected")
    assert {score.reason for score in row} == {"no_probabilities"}
    assert "gives no token probabilities" in caplog.text
    assert "refuses top_k, repetition_penalty; going on without" in caplog.text
    (row,) = judged(served, requests[:1], num_samples=2)
    assert [len(json.loads(score.raw)[score.metric]["samples"]) for score in row[1:]] == [2, 2, 2]
