"""A cap on spending: nothing is sent beyond it, everything before it is kept, and a higher one goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import cli
from editeval.config.load import load_mapping
from editeval.errors import ConfigError, MachineError
from editeval.execution.pool import BudgetLedger, Usage
from editeval.judges.openai_chat import OpenaiChatParams
from editeval.run.pipeline import RunResult, evaluate
from editeval.run.status import status_of
from editeval.store.run_store import RunStore
from editeval.types import UsageRequest
from fakes import chat_server, image_server
from fakes.chat_server import ChatServer
from fakes.image_server import ImageServer

NUM_SAMPLES = 10
WHOLE = 1 + 3 * NUM_SAMPLES
"""Calls of one worker that judges everything: its first question, and three about each sample."""
PRICES = {"usd_per_mtok_in": 1000.0, "usd_per_mtok_out": 0.0}  # 0.1 USD for each call of the scripted server


def settings(folder: Path, editor: dict[str, Any], judge: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "benchmark": {"type": "procedural", "params": {"num_per_category": NUM_SAMPLES // 5, "size": 96}},
        "diffusion_model": editor,
        "evaluation": {"output_dir": str(folder)},
        "logging": {"console_output": False},
    } | ({"reward_model": judge} if judge else {})


def judged_by(servers: list[ChatServer], **params: Any) -> dict[str, Any]:
    urls = [server.url for server in servers]
    given = {"base_urls": urls, "model": "tiny-judge", "backoff_s": 0.01, "concurrency": 1} | params
    backend = "inprocess" if len(servers) == 1 else "process"
    execution = {"device_ids": ["cpu"] * len(servers), "batch_size": 2, "backend": backend}
    return {"type": "openai_chat", "params": given, "execution": execution}


IDENTITY = {"type": "identity", "execution": {"device_ids": ["cpu"], "backend": "inprocess"}}
REFERENCE = {"type": "reference", "execution": {"device_ids": ["cpu"], "backend": "inprocess", "batch_size": 1}}


def judge(folder: Path, *servers: ChatServer, **params: Any) -> RunResult:
    return evaluate(load_mapping(settings(folder, IDENTITY, judged_by(list(servers), **params)), "capped", environ={}))


def edit(folder: Path, server: ImageServer, **params: Any) -> RunResult:
    given = {"base_url": server.url, "model": "tiny-edit", "size": "96x96", "backoff_s": 0.01} | params
    editor = {"type": "openai_images", "params": given, "execution": {"device_ids": ["cpu"], "backend": "inprocess"}}
    return evaluate(load_mapping(settings(folder, editor, REFERENCE), "capped", environ={}))


def samples(result: RunResult) -> bytes:
    return (result.plan.dir / "samples.jsonl").read_bytes()


def log_of(folder: Path) -> list[str]:
    return (folder / "logs" / "capped.log").read_text(encoding="utf-8").splitlines()


def spent_on(result: RunResult, name: str) -> Usage:
    with RunStore.read(result.plan.dir) as store:
        return Usage.from_json(store.fact(name))


def test_a_judge_makes_as_many_calls_as_it_may_and_goes_on_when_it_may_make_more(tmp_path: Path) -> None:
    with ChatServer() as server:
        free = judge(tmp_path / "free", server)
        assert len(server.calls) == WHOLE
        server.calls.clear()
        capped = judge(tmp_path / "capped", server, max_calls=15)
        assert len(server.calls) == 15, "its first question, fourteen about samples"
        assert capped.exit_code == 3 and capped.report is not None
        assert (capped.counts.num_scored, capped.counts.num_unscored) == (4, 0), (
            "four whole samples; the rest is pending"
        )
        again = judge(tmp_path / "capped", server, max_calls=15)
        assert len(server.calls) == 15 and again.exit_code == 3, "what was spent before counts"
        done = judge(tmp_path / "capped", server, max_calls=99)
        assert done.exit_code == 0 and done.plan.dir == capped.plan.dir
        assert len(server.calls) == 15 + 1 + 3 * (NUM_SAMPLES - 4)
    assert samples(done) == samples(free)
    line = "reward_model.params.max_calls is reached: 15 calls made, 1,500 prompt and 30 reply tokens; "
    assert capped.stopped == again.stopped == (line + "raise it and run the same command to go on",)
    said = [line for line in log_of(tmp_path / "capped") if "max_calls is reached: nothing more is sent" in line]
    assert len(said) == 2, "once in each of the two invocations"
    assert spent_on(done, f"spent judge {done.plan.judging_id}").calls == len(server.calls)


@pytest.mark.parametrize("limit", [2, 7, 20])
def test_the_cap_is_for_all_workers_and_threads_together(tmp_path: Path, limit: int) -> None:
    with ChatServer(seconds=0.01) as first, ChatServer(seconds=0.01) as second:
        result = judge(tmp_path, first, second, concurrency=8, max_calls=limit)
        assert len(first.calls) + len(second.calls) == limit
    assert result.exit_code == 3


def test_status_says_which_limit_is_to_be_raised(tmp_path: Path) -> None:
    """The command that stopped would stop again as it is."""
    with ChatServer() as server:
        capped = judge(tmp_path, server, max_calls=15)
        found = status_of(capped.plan.dir)
        assert (found.outcome, found.cap) == ("capped", "reward_model.params.max_calls")
        again = status_of(judge(tmp_path, server, max_calls=15).plan.dir)
        assert (again.outcome, again.cap) == (found.outcome, found.cap), "also where it may not begin"
        status = cli("status", str(capped.plan.dir), cwd=tmp_path)
        assert "a limit on spending is reached" in status.stdout
        assert status_of(judge(tmp_path, server).plan.dir).outcome == "complete"


def test_every_retry_is_a_call(tmp_path: Path) -> None:
    with ChatServer() as server:
        server.will(chat_server.judge, *[image_server.status(500)] * 3)
        result = judge(tmp_path, server, max_calls=10)
        assert len(server.calls) == 10
    assert result.counts.num_scored == 2, "ten calls: the first question, three that failed, six answers"


def test_a_limit_in_money_is_kept_by_the_prices_and_the_tokens_used(tmp_path: Path) -> None:
    with ChatServer() as server:
        result = judge(tmp_path, server, max_usd=1.0, **PRICES)
        assert len(server.calls) in (10, 11), "0.1 USD each; floats add up to a little less or more than the limit"
        assert result.exit_code == 3 and result.counts.num_scored == 3
        spent = spent_on(result, f"spent judge {result.plan.judging_id}")
        assert spent.usd == pytest.approx(0.1 * len(server.calls)) and spent.prompt_tokens == 100 * len(server.calls)
        assert judge(tmp_path, server, max_usd=9.0, **PRICES).exit_code == 0
    (line,) = result.stopped
    assert line.startswith("reward_model.params.max_usd is reached: ") and " USD; " in line


def test_a_server_that_does_not_count_tokens_cannot_be_limited_in_money(tmp_path: Path) -> None:
    with ChatServer(has_usage=False) as server, pytest.raises(MachineError, match="does not tell how many tokens"):
        judge(tmp_path, server, max_usd=1.0, **PRICES)


def test_samples_of_which_some_replies_are_missing_are_not_scored_from_the_rest(tmp_path: Path) -> None:
    """Three of four replies would make a mean; it would be another one than that of all four."""
    with ChatServer() as server:
        free = judge(tmp_path / "free", server, scoring="samples", num_samples=4)
        capped = judge(tmp_path / "capped", server, scoring="samples", num_samples=4, max_calls=1 + 12 + 11)
        assert capped.counts.num_scored == 1
        done = judge(tmp_path / "capped", server, scoring="samples", num_samples=4, max_calls=999)
    assert samples(done) == samples(free)


def test_an_editor_stops_at_its_cap_and_what_is_edited_is_judged(tmp_path: Path) -> None:
    with ImageServer() as server:
        free = edit(tmp_path / "free", server)
        server.calls.clear()
        server.will(image_server.status(500))
        capped = edit(tmp_path / "capped", server, max_calls=5)
        assert len(server.calls) == 5, "four edits, and one that was tried again"
        assert capped.exit_code == 3
        assert (capped.counts.num_edited, capped.counts.num_failed, capped.counts.num_scored) == (4, 0, 4)
        assert edit(tmp_path / "capped", server, max_calls=5).exit_code == 3
        assert len(server.calls) == 5, "and nobody waits for edits that nobody makes"
        done = edit(tmp_path / "capped", server, max_calls=11)
        assert done.exit_code == 0 and len(server.calls) == 11
    assert samples(done) == samples(free)
    assert capped.stopped[0].startswith("diffusion_model.params.max_calls is reached: 5 calls made")


def test_images_can_be_limited_in_money_where_the_server_counts(tmp_path: Path) -> None:
    with ImageServer(dialect="openai") as server:  # one token in, one token out
        result = edit(tmp_path, server, dialect="openai", size="model", max_usd=3.5, usd_per_mtok_out=1e6)
        assert len(server.calls) == 4 and result.counts.num_edited == 4
        assert spent_on(result, "spent edit") == Usage(4, 4, 4, 4.0)


def test_after_a_kill_no_call_that_was_made_is_missing_from_the_books(tmp_path: Path) -> None:
    with ChatServer(seconds=0.02) as server:
        path, judged = tmp_path / "capped.yaml", judged_by([server], max_calls=20)
        judged["execution"]["backend"] = "process"
        path.write_text(yaml.safe_dump(settings(tmp_path / "out", IDENTITY, judged)))
        command = [sys.executable, "-m", "editeval", "run", str(path)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while len(server.calls) < 8:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.5)
        for _ in range(2):
            done = cli("run", str(path), cwd=tmp_path)
            assert done.returncode == 3 and "reward_model.params.max_calls is reached: 20 calls made" in done.stderr
        assert 19 <= len(server.calls) <= 20, "one that was granted may not have been made any more"


def test_the_books_add_up_and_what_was_used_is_always_booked() -> None:
    kept: list[Usage] = []
    budget = BudgetLedger(save=kept.append)
    assert budget.settle(UsageRequest(calls=1, max_calls=1)) == ""
    assert budget.settle(UsageRequest(prompt_tokens=5, reply_tokens=2, usd=0.5, max_calls=1)) == ""
    assert budget.settle(UsageRequest(calls=1, max_calls=1)).startswith(
        "max_calls is reached: 1 calls made, 5 prompt and 2 reply"
    )
    assert budget.settle(UsageRequest(calls=1, max_usd=0.5)).startswith("max_usd is reached")
    assert kept == [Usage(1), Usage(1, 5, 2, 0.5)] and Usage.from_json(budget.spent.to_json()) == kept[-1]
    assert Usage.from_json(None) == Usage()


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"max_calls": 0}, "max_calls: must be at least 1, got 0"),
        ({"max_usd": 0.0, **PRICES}, "max_usd: must be above 0"),
        ({"max_usd": 1.0}, "max_usd: needs prices; set usd_per_mtok_in and usd_per_mtok_out"),
        ({"usd_per_mtok_out": 2.0}, "have no effect without max_usd"),
        ({"max_usd": 1.0, "usd_per_mtok_in": -1.0}, "usd_per_mtok_in: must be 0 or more"),
    ],
)
def test_a_cap_that_makes_no_sense_is_refused(params: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        OpenaiChatParams(**params)


def test_prices_and_caps_are_no_part_of_what_is_judged() -> None:
    from editeval.store.fingerprints import identity_params

    capped = OpenaiChatParams(max_calls=3, max_usd=1.0, usd_per_mtok_in=1.0)
    assert identity_params(capped) == identity_params(OpenaiChatParams())
    assert "max_calls" not in json.dumps(identity_params(capped))
