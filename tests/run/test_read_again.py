"""A new version that asks the same and reads otherwise: `run` and `score` read the replies that a run has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from editeval import plugins
from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.judges.openai_chat import OpenaiChatParams
from editeval.judges.parsing import answers
from editeval.judges.protocols import protocol as protocols
from editeval.run import forecast
from editeval.run.pipeline import RunResult, evaluate, score
from editeval.run.plan import make_plan
from editeval.run.prepare import unfinished_stages
from editeval.run.scheduler import Interrupt
from editeval.store.run_store import RunStore
from fakes import chat_server, image_server
from fakes.chat_server import ChatServer


def config(folder: Path, server: ChatServer, **params: Any) -> Config:
    tree: dict[str, Any] = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 1, "size": 64}},
        "diffusion_model": {"type": "target", "execution": {"device_ids": ["cpu"], "backend": "inprocess"}},
        "reward_model": {
            "type": "openai_chat",
            "params": {"base_url": server.url, "model": "tiny-judge", "backoff_s": 0.01, **params},
            "execution": {"device_ids": ["cpu"], "backend": "inprocess"},
        },
        "evaluation": {"output_dir": str(folder)},
        "logging": {"console_output": False},
    }
    return load_mapping(tree, "judged.yaml", environ={})


def run(folder: Path, server: ChatServer, **params: Any) -> RunResult:
    return evaluate(config(folder, server, **params))


def shown(result: RunResult) -> list[dict[str, Any]]:
    lines = (result.plan.dir / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["scores"] for line in lines]


@pytest.fixture
def server() -> Any:
    with ChatServer() as server:
        yield server


@pytest.fixture
def before(tmp_path: Path, server: ChatServer) -> RunResult:
    """A finished run of a version whose parser was an earlier one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "_LABELS_VERSION", answers._LABELS_VERSION - 1)
        return run(tmp_path, server)


def test_a_finished_run_is_read_again_and_its_judge_is_asked_nothing(
    tmp_path: Path, server: ChatServer, before: RunResult
) -> None:
    calls = len(server.calls)
    plan = make_plan(config(tmp_path, server))
    assert unfinished_stages(plan) == [], "no server is needed"
    with RunStore.read(plan.dir) as store:
        assert forecast.left_to_judge(plan, plan.judgings[0], store) == []
    again = run(tmp_path, server)
    assert again.exit_code == 0 and len(server.calls) == calls > 0
    assert again.plan.judgings[0].id != before.plan.judgings[0].id, "how replies are read is a part of the identity"
    assert shown(again) == shown(before)
    with RunStore.read(again.plan.dir) as store:
        assert [one.worker for one in store.attempts("judge")].count(0) >= 5
        digests = store.query("SELECT COUNT(DISTINCT judging_id) FROM scores WHERE inputs IS NULL")
    assert digests == [(0,)], "what the judge was shown stays on record"
    assert run(tmp_path, server).exit_code == 0 and len(server.calls) == calls


def test_judging_a_run_again_reads_what_is_there(tmp_path: Path, server: ChatServer, before: RunResult) -> None:
    calls = len(server.calls)
    score(config(tmp_path, server), before.plan.dir, ["score"], Interrupt())
    assert len(server.calls) == calls


def test_a_stop_in_the_middle_goes_on_and_asks_nothing(tmp_path: Path, server: ChatServer, before: RunResult) -> None:
    calls = len(server.calls)
    again = run(tmp_path, server)
    judging = again.plan.judgings[0].id
    with RunStore.read(again.plan.dir) as store:
        some = next(iter(store.rows(judging))).id
    with RunStore.reopen(again.plan.dir) as store, store.transaction() as db:  # as if it had been cut short before
        for table in ("scores", "attempts"):
            db.execute(f"DELETE FROM {table} WHERE judging_id = ? AND sample_id = ?", (judging, some))
    assert run(tmp_path, server).exit_code == 0 and len(server.calls) == calls


def test_what_is_to_be_asked_again_is_asked_again(tmp_path: Path, server: ChatServer, before: RunResult) -> None:
    again = run(tmp_path, server)
    judging = again.plan.judgings[0].id
    with RunStore.reopen(again.plan.dir) as store:
        store.forget_scores(judging, [next(iter(store.rows(judging))).id])  # as `retry` does
    calls = len(server.calls)
    assert run(tmp_path, server).exit_code == 0 and len(server.calls) > calls


def test_other_questions_settings_and_failures_without_a_reply_take_nothing_wrong(
    tmp_path: Path, server: ChatServer, before: RunResult
) -> None:
    calls = len(server.calls)
    assert run(tmp_path, server, temperature=0.5, num_samples=2).exit_code == 0
    assert len(server.calls) > calls, "another judge"
    protocol = protocols.load("pointwise")
    earlier = protocols.earlier_fingerprints(protocol)
    assert protocols.fingerprint(protocol) not in earlier and earlier
    assert not earlier & protocols.earlier_fingerprints(protocols.load("viescore"))


def test_a_sample_whose_kept_replies_answer_other_questions_is_asked(
    tmp_path: Path, server: ChatServer, before: RunResult
) -> None:
    with RunStore.reopen(before.plan.dir) as store, store.transaction() as db:
        some = next(iter(store.rows(None))).id
        raw = json.dumps({"another": {"text": "5"}})
        db.execute("UPDATE scores SET raw = ? WHERE sample_id = ?", (raw, some))
    calls = len(server.calls)
    assert run(tmp_path, server).exit_code == 0
    assert len(server.calls) == calls + 3 + 1, "one sample's three questions, and the first call to the server"


def test_verdicts_on_pairs_are_asked_again() -> None:
    cls = plugins.load("judges", "openai_chat")
    params = OpenaiChatParams(base_url="http://127.0.0.1:1", model="m", protocol="pairwise", against="x")
    assert cls.earlier_fingerprints_of(params) == frozenset()  # type: ignore[attr-defined]


def test_what_failed_without_a_reply_stays_so_until_it_is_retried(tmp_path: Path, server: ChatServer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "_LABELS_VERSION", answers._LABELS_VERSION - 1)
        server.will(chat_server.judge, image_server.status(400, "violence in the picture", "moderation_blocked"))
        old = run(tmp_path, server, concurrency=1)
    calls = len(server.calls)
    again = run(tmp_path, server, concurrency=1)
    assert old.exit_code == again.exit_code == 3 and len(server.calls) == calls
    assert shown(again) == shown(old)
