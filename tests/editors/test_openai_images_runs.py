"""Whole benchmarks edited by real HTTP servers, and what such runs leave on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from editeval.config.load import load_mapping
from editeval.errors import MachineError
from editeval.run.pipeline import RunResult, evaluate
from fakes import image_server
from fakes.image_server import Handler, ImageServer

CANARY = "canary-7f3a91c2e4"


@pytest.fixture
def servers() -> Iterator[list[ImageServer]]:
    with ImageServer() as first, ImageServer() as second:
        yield [first, second]


def run(
    folder: Path, servers: list[ImageServer], policy: str = "batch_sync", judge: bool = False, **params: Any
) -> RunResult:
    """Worker processes where a server's key is theirs to hide, or `backend` says so."""
    backend = params.pop("backend", "process" if params.get("api_key_env") else "inprocess")
    config: dict[str, Any] = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 2, "size": 96}},
        "diffusion_model": {
            "type": "openai_images",
            "params": {
                "base_urls": [server.url for server in servers],
                "model": "tiny-edit",
                "size": "96x96",
                "backoff_s": 0.01,
                **params,
            },
            "execution": {
                "device_ids": ["cpu"] * len(servers),
                "policy": policy,
                "backend": backend,
            },
        },
        "evaluation": {"output_dir": str(folder)},
        "logging": {"console_output": False, "level": "DEBUG"},
    }
    if judge:
        config["reward_model"] = {"type": "reference", "execution": {"device_ids": ["cpu"], "backend": "inprocess"}}
    return evaluate(load_mapping(config, "served.yaml", environ={}))


def test_a_benchmark_is_edited_identically_under_every_policy_and_number_of_servers(
    tmp_path: Path, servers: list[ImageServer]
) -> None:
    written = []
    for name, used, policy, backend in (
        ("sync", servers, "batch_sync", "process"),
        ("dynamic", servers, "dynamic", "inprocess"),
        ("alone", servers[:1], "batch_sync", "inprocess"),
    ):
        before = [len(server.calls) for server in used]
        servers[0].will(image_server.status(500), image_server.status(429, Retry_After="0.05"))
        result = run(tmp_path / name, used, policy, judge=True, backend=backend)
        assert result.exit_code == 0 and result.counts.num_edited == 10
        calls = [len(server.calls) - b for server, b in zip(used, before, strict=True)]
        assert sum(calls) == 12 and min(calls) >= 1, "ten edits and two that were asked again; nobody was idle"
        written.append((result.plan.dir / "samples.jsonl").read_bytes())
    assert written[0] == written[1] == written[2]
    seeds = {call.fields["seed"] for server in servers for call in server.calls}
    assert len(seeds) == 10, "each sample has its own seed"


@pytest.mark.parametrize("policy", ["batch_sync", "dynamic"])
def test_servers_whose_defaults_differ_make_the_same_edits_of_a_whole_benchmark(tmp_path: Path, policy: str) -> None:
    written = {}
    for dialect in ("vllm_omni", "sglang"):
        with ImageServer(dialect=dialect) as first, ImageServer(dialect=dialect) as second:
            result = run(tmp_path / dialect, [first, second], policy, judge=True, dialect=dialect)
            assert result.exit_code == 0
            assert sorted({tuple(call.fields) for call in first.calls}) == [tuple(first.calls[0].fields)]
            assert len(first.calls) + len(second.calls) == 10 and first.calls and second.calls
        written[dialect] = (result.plan.dir / "samples.jsonl").read_bytes()
    assert written["vllm_omni"] == written["sglang"]


@pytest.mark.parametrize("policy", ["batch_sync", "dynamic"])
def test_openai_edits_a_whole_benchmark_at_the_size_it_chooses(tmp_path: Path, policy: str) -> None:
    with ImageServer(dialect="openai") as first, ImageServer(dialect="openai") as second:
        result = run(tmp_path, [first, second], policy, dialect="openai", size="model")
        assert result.exit_code == 0 and result.counts.num_edited == 10
        calls = [*first.calls, *second.calls]
    assert {call.fields["size"] for call in calls} == {"auto"}
    assert not any({"seed", "num_inference_steps", "response_format"} & set(call.fields) for call in calls)


def test_one_refusal_fails_one_sample_with_the_servers_reason(tmp_path: Path, servers: list[ImageServer]) -> None:
    servers[0].will(image_server.status(400, "violence in the prompt", "moderation_blocked"))
    result = run(tmp_path, servers[:1])
    assert result.exit_code == 3 and result.counts.num_failed == 1 and result.counts.num_edited == 9
    assert (
        "refused by the server: 400: violence in the prompt"
        in (result.plan.dir / "samples.jsonl").read_text()
        + (result.plan.dir / "report.json").read_text()
        + (tmp_path / "logs" / "served.log").read_text()
    )


def test_a_key_that_is_revoked_stops_the_run_after_one_call_per_server(
    tmp_path: Path, servers: list[ImageServer]
) -> None:
    for server in servers:
        server.will(image_server.status(401, "revoked", "invalid_api_key"), repeats=True)
    with pytest.raises(MachineError, match="401: revoked"):
        run(tmp_path, servers)
    assert all(len(server.calls) <= 1 for server in servers)
    for server in servers:
        server.will()
    assert run(tmp_path, servers).exit_code == 0, "the same command continues where it stopped"


def test_the_key_is_in_no_file_log_or_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGES_KEY", CANARY)

    def tells(handler: Handler) -> None:
        handler.wfile.write(f"HTTP/9 {CANARY} {CANARY}\r\n\r\n".encode())

    with ImageServer(key=CANARY) as server:
        server.will(
            image_server.status(500, f"cannot reach upstream with Bearer {CANARY}"),
            image_server.status(400, f"safety system: {CANARY}", "moderation_blocked"),
            image_server.body(f"<html>{CANARY}".encode(), 200, "text/html"),
            tells,
            image_server.body(CANARY.encode(), 422, CANARY, Location=CANARY),
            tells,
            tells,
            image_server.status(302, CANARY, Location=f"http://{CANARY}/"),
        )
        with pytest.raises(MachineError) as caught:
            run(tmp_path, [server], api_key_env="IMAGES_KEY", max_retries=1)
        server.will()
        result = run(tmp_path, [server], api_key_env="IMAGES_KEY", max_retries=1)
        assert result.counts.num_edited >= 7
        assert server.calls[0].headers["Authorization"] == f"Bearer {CANARY}", "it was sent"
    captured = capfd.readouterr()
    said = [str(caught.value), captured.out, captured.err]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10 and any(b"IMAGES_KEY" in path.read_bytes() for path in files), "the name is recorded"
    assert any(b"[key]" in path.read_bytes() for path in files), "what the server said is"
    leaks = [str(path) for path in files if CANARY.encode() in path.read_bytes()]
    assert not leaks and not any(CANARY in text for text in said)
