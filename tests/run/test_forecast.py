"""What judges will be asked is counted before anything is sent, and that many calls are then made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import cli
from editeval.config.load import load_mapping
from editeval.run import forecast
from editeval.run.forecast import CallForecast
from editeval.run.pipeline import evaluate
from editeval.run.plan import Plan, make_plan
from editeval.store.run_store import RunStore
from editeval.types import Sample
from fakes.chat_server import ChatServer

NOWHERE = "http://127.0.0.1:9/v1"
THREADS = {"backend": "inprocess"}


def tree(folder: Path, url: str = NOWHERE, **params: Any) -> dict[str, Any]:
    judge = {"base_url": url, "model": "tiny-judge", "backoff_s": 0.01, "concurrency": 1, **params}
    return {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 1, "size": 64}},
        "diffusion_model": {"type": "identity", "params": {"device_ids": ["cpu"]}, "execution": THREADS},
        "reward_model": {"type": "openai_chat", "params": judge, "execution": THREADS | {"batch_size": 1}},
        "evaluation": {"output_dir": str(folder / "out")},
        "logging": {"console_output": False},
    }


def plan_of(folder: Path, **params: Any) -> Plan:
    return make_plan(load_mapping(tree(folder, **params), "small", environ={}))


def counted(plan: Plan, gives_probabilities: bool = True) -> CallForecast:
    found = forecast.forecast(plan, plan.judgings[0], plan.samples, gives_probabilities)
    assert found is not None
    return found


def test_as_many_calls_are_made_as_were_announced_and_what_is_recorded_is_not_counted(tmp_path: Path) -> None:
    with ChatServer() as server:
        config = load_mapping(tree(tmp_path, server.url, max_calls=8), "small", environ={})
        plan = make_plan(config)
        assert counted(plan).calls == 15, "three questions about each of five samples"
        first = evaluate(config)
        assert first.exit_code == 3 and len(server.calls) == 8, "its first question, and seven about samples"
        with RunStore.read(first.plan.dir) as store:
            left = forecast.left_to_judge(first.plan, first.plan.judgings[0], store)
        assert [sample.id for sample in left] == [sample.id for sample in plan.samples[2:]]
        rest = forecast.forecast(first.plan, first.plan.judgings[0], left)
        server.calls.clear()
        done = evaluate(load_mapping(tree(tmp_path, server.url), "small", environ={}))
        assert done.exit_code == 0 and rest is not None and len(server.calls) == 1 + rest.calls
    log = (tmp_path / "out" / "logs" / "small.log").read_text(encoding="utf-8")
    assert "Judge openai_chat: 15 calls, about " in log and f"Judge openai_chat: {rest.calls} calls, about " in log


def test_samples_and_reasons_take_their_calls_and_replies_are_counted_at_their_limit(tmp_path: Path) -> None:
    labels = counted(plan_of(tmp_path))
    assert (labels.calls, labels.reply_tokens, labels.usd) == (15, 30, None)
    drawn = counted(plan_of(tmp_path, num_samples=3, max_new_tokens=100), gives_probabilities=False)
    assert (drawn.calls, drawn.reply_tokens) == (45, 4500) and drawn.prompt_tokens == 3 * labels.prompt_tokens
    reasons = counted(plan_of(tmp_path, reasons=True, max_new_tokens=50))
    assert (reasons.calls, reasons.reply_tokens) == (30, 30 + 15 * 50)


def test_a_price_follows_from_the_tokens_and_a_smaller_picture_costs_less(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, max_usd=9.0, usd_per_mtok_in=2.0, usd_per_mtok_out=8.0)
    found = counted(plan)
    assert found.usd == pytest.approx((2.0 * found.prompt_tokens + 8.0 * found.reply_tokens) / 1e6)
    small = counted(plan_of(tmp_path, max_image_side=512))
    pictures = 5 * 5  # of five samples two questions show two, and one shows one
    assert found.prompt_tokens - small.prompt_tokens == pictures * (32 * 32 - 16 * 16)


def test_every_source_is_counted_and_no_picture_is_read(tmp_path: Path) -> None:
    class Unread:
        def read(self) -> bytes:
            raise AssertionError("a picture was read")

    plan = plan_of(tmp_path)
    one: list[Sample] = [replace(sample, images=(Unread(),), target=None) for sample in plan.samples]
    three = [replace(sample, images=(Unread(),) * 3) for sample in one]
    judging = plan.judgings[0]
    few, many = forecast.forecast(plan, judging, one), forecast.forecast(plan, judging, three)
    assert few is not None and many is not None and few.calls == many.calls
    assert many.prompt_tokens - few.prompt_tokens > 5 * 2 * 2 * 32 * 32


def test_the_dry_run_prints_calls_tokens_and_price_of_every_score_set_and_in_all(tmp_path: Path) -> None:
    settings = tree(tmp_path, max_usd=9.0, usd_per_mtok_in=2.0)
    judge = settings.pop("reward_model")
    other = {**judge, "params": {**judge["params"], "protocol": "viescore"}}
    pixels = {"type": "reference", "params": {"device_ids": ["cpu"]}}
    settings["reward_models"] = {"words": judge, "pairs": other, "pixels": pixels}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    done = cli("run", "small.yaml", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    calls = [line for line in done.stdout.splitlines() if " calls, about " in line]
    words, drawn, pairs, total = calls
    assert words.startswith("calls          words: 15 calls, about ") and words.endswith(" USD")
    assert "words: if the server gives no token probabilities: 60 calls" in drawn
    assert "pairs: 40 calls" in pairs and "in all: 55 calls" in total and total.endswith(" USD")
    assert not (tmp_path / "out").exists(), "nothing is written"
