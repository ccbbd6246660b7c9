"""Whole benchmarks judged by real HTTP servers, and what such runs leave on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from editeval.config.load import load_mapping
from editeval.errors import MachineError
from editeval.run.pipeline import RunResult, evaluate
from fakes import chat_server, image_server
from fakes.chat_server import ChatServer

pytestmark = pytest.mark.slow

CANARY = "canary-2b6d90aa17"


def run(folder: Path, servers: list[ChatServer], **params: Any) -> RunResult:
    config: dict[str, Any] = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 2, "size": 96}},
        "diffusion_model": {"type": "target", "execution": {"device_ids": ["cpu"], "backend": "inprocess"}},
        "reward_model": {
            "type": "openai_chat",
            "params": {
                "base_urls": [server.url for server in servers],
                "model": "tiny-judge",
                "backoff_s": 0.01,
                **params,
            },
            "execution": {"device_ids": ["cpu"] * len(servers), "batch_size": 3},
        },
        "evaluation": {"output_dir": str(folder)},
        "logging": {"console_output": False, "level": "DEBUG"},
    }
    return evaluate(load_mapping(config, "judged.yaml", environ={}))


def samples(result: RunResult) -> bytes:
    return (result.plan.dir / "samples.jsonl").read_bytes()


def test_a_benchmark_is_judged_alike_on_one_server_and_on_two_that_stumble(tmp_path: Path) -> None:
    with ChatServer() as first, ChatServer() as second:
        alone = run(tmp_path / "one", [first])
        second.will(chat_server.judge, image_server.status(500), image_server.status(429, Retry_After="0.05"))
        both = run(tmp_path / "two", [first, second])
        assert len(second.calls) > 3
    assert alone.exit_code == both.exit_code == 0
    assert samples(alone) == samples(both)
    rows = [json.loads(line) for line in samples(alone).decode().splitlines()]
    assert len(rows) == 10
    for row in rows:
        assert set(row["scores"]) == {"overall", "following", "preservation", "quality"}
        assert all(score["value"] is not None for score in row["scores"].values())
    log = "".join(path.read_text() for path in (tmp_path / "one" / "logs").glob("*judge-worker*"))
    assert "31 calls answered" in log, "ten samples, three questions, and the first one"


def test_one_refusal_leaves_one_metric_of_one_sample_out_with_the_servers_reason(tmp_path: Path) -> None:
    with ChatServer() as server:
        refusal = image_server.status(400, "violence in the picture", "moderation_blocked")
        server.will(chat_server.judge, refusal)
        result = run(tmp_path, [server], concurrency=1)
        rows = [json.loads(line)["scores"] for line in samples(result).decode().splitlines()]
    assert [row["following"]["reason"] for row in rows].count("refused") == 1
    assert [row["quality"]["value"] is None for row in rows].count(True) == 0


def test_a_key_that_is_revoked_stops_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with ChatServer() as server:
        server.will(image_server.status(401, "revoked", "invalid_api_key"), repeats=True)
        with pytest.raises(MachineError, match="401: revoked"):
            run(tmp_path, [server], concurrency=1)
        assert len(server.calls) == 1
        server.will(*[chat_server.judge] * 11, image_server.status(401, "revoked", "invalid_api_key"))
        with pytest.raises(MachineError, match="401: revoked"):
            run(tmp_path, [server], concurrency=1)
        assert len(server.calls) == 1 + 12
        server.will()
        result = run(tmp_path, [server], concurrency=1)
    assert result.exit_code == 0
    assert len(server.calls) == 1 + 12 + 22, "the first three samples are not judged again"


def test_the_key_is_in_no_file_log_or_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUDGE_KEY", CANARY)
    with ChatServer(key=CANARY) as server:
        server.will(
            chat_server.judge,
            image_server.status(500, f"cannot reach upstream with Bearer {CANARY}"),
            image_server.status(400, f"safety system: {CANARY}", "moderation_blocked"),
            image_server.body(f"<html>{CANARY}".encode(), 200, "text/html"),
            chat_server.saying("7", refusal=f"not with {CANARY}"),
            image_server.body(CANARY.encode(), 422, CANARY, Location=CANARY),
            image_server.status(302, CANARY, Location=f"http://{CANARY}/"),
        )
        with pytest.raises(MachineError) as caught:
            run(tmp_path, [server], api_key_env="JUDGE_KEY", max_retries=2, concurrency=1)
        server.will()
        result = run(tmp_path, [server], api_key_env="JUDGE_KEY", max_retries=2, concurrency=1)
        assert result.exit_code in (0, 3)
        assert server.headers[0]["Authorization"] == f"Bearer {CANARY}", "it was sent"
    captured = capfd.readouterr()
    said = [str(caught.value), captured.out, captured.err]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10 and any(b"JUDGE_KEY" in path.read_bytes() for path in files), "the name is recorded"
    leaks = [str(path) for path in files if CANARY.encode() in path.read_bytes()]
    assert not leaks and not any(CANARY in text for text in said)
