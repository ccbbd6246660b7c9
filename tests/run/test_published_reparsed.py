"""Kept replies of published protocols: read again with the data that decide, with other switches, or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import log_of, run

from editeval.errors import BenchmarkError, ConfigError
from editeval.judges.parsing import answers
from editeval.judges.protocols import protocol as protocols
from editeval.run.pipeline import RunResult
from editeval.run.recorded import plan_of
from editeval.run.reparse import Reparse, changes, keep, reparse_of, with_samples
from editeval.store.ledger_events import ScoresForgotten
from editeval.store.run_store import RunStore
from editeval.types import Outcome, Score
from fakes.chat_server import ChatServer, saying
from published import unicbench
from published_folders import kris, rise

SCORES = json.dumps({f"{name}_score": 4 for name in ("consistency", "instruction", "knowledge", "quality")})


def judged(folder: Path, name: str, write: Callable[[Path], Path], reply: str, **params: Any) -> RunResult:
    with ChatServer() as server:
        server.will(saying(reply), repeats=True)
        judge = {"base_url": server.url, "model": "m", "max_retries": 0, **params}
        data = {"type": name, "params": {"path": str(write(folder / "data"))}}
        asked = {"type": "openai_chat", "params": judge, "execution": {"backend": "inprocess"}}
        return run(folder / "out", benchmark=data, reward_model=asked)


def reading_of(store: RunStore, switches: tuple[str, ...] | None = None) -> Reparse:
    return with_samples(reparse_of(store.judgings()[0], None, None, switches), store, lambda: plan_of(store, False))


@pytest.mark.parametrize(
    ("name", "write", "reply"),
    [("rise", rise, "It is right.\nFinal Score: 1"), ("kris", kris, SCORES), ("unicbench", unicbench, "7")],
)
def test_the_data_decide_which_replies_count_and_without_them_nothing_is_read(
    tmp_path: Path, name: str, write: Callable[[Path], Path], reply: str
) -> None:
    result = judged(tmp_path, name, write, reply)
    with RunStore.reopen(result.plan.dir) as store:
        found, total = changes(store, reading_of(store))
        assert found == [] and total > 0
        shutil.rmtree(tmp_path / "data")
        with pytest.raises((BenchmarkError, ConfigError)) as caught:
            reading_of(store)
        assert "\n" not in str(caught.value)


def test_a_published_bug_is_switched_on_and_off_over_the_same_replies(tmp_path: Path) -> None:
    result = judged(tmp_path, "unicbench", unicbench, "No idea.")
    with RunStore.reopen(result.plan.dir) as store:
        on = reading_of(store, ("unicbench_zero",))
        found, _ = changes(store, on)
        assert found and {change.what for change in found} == {"now scored, was unparsable"}
        keep(store, on)
        parent, child = store.judgings()
        assert child.id == on.id != parent.id
        theirs, ours = (one.details["official_use"]["differs"] for one in (child, parent))
        assert [*theirs] == [*ours, "match_published (unicbench_zero)"]
        off = with_samples(reparse_of(child, None, None, ()), store, lambda: plan_of(store, False))
        assert {change.what for change in changes(store, off)[0]} == {"now unscored: unparsable"}
        again = reparse_of(child, None, None)
        assert again.match_published == ("unicbench_zero",), "what is not said stays"
        with pytest.raises(ConfigError, match="match_published: must be of unicbench_zero, got 'nobody'"):
            reparse_of(parent, None, None, ("nobody",))


def test_what_a_retry_answered_is_read_again_and_the_rest_stays(tmp_path: Path) -> None:
    result = judged(tmp_path, "unicbench", unicbench, "7")
    with RunStore.reopen(result.plan.dir) as store:
        reading = reading_of(store, ("unicbench_zero",))
        first, *others = [row for row in store.rows(reading.parent.id) if row.scores]
        failed = [
            replace(one, value=None, raw='{"message": "busy"}', reason="transport") for one in first.scores.values()
        ]

        def ask_again(scores: list[Score]) -> dict[str, dict[str, Score]]:
            store.forget_scores(reading.parent.id, [first.id])
            outcome = Outcome(first.id, "asked", None, 0, "cpu", 1, 0.0, 0.0)
            store.record_score_batch(reading.parent.id, [(scores, outcome)])
            keep(store, reading)
            return {row.id: dict(row.scores) for row in store.rows(reading.id)}

        before = ask_again(failed)
        assert {one.reason for one in before[first.id].values()} == {"transport"}
        after = ask_again(list(first.scores.values()))
        assert {name: one.value for name, one in after[first.id].items()} == {
            name: one.value for name, one in first.scores.items()
        }
        assert others and all(after[row.id] == before[row.id] for row in others)
        assert len(store.events_of(ScoresForgotten)) == 3, "one of the child: nothing else was forgotten"


def test_a_switch_that_asks_otherwise_is_refused(tmp_path: Path) -> None:
    result = judged(tmp_path, "kris", kris, SCORES)
    with RunStore.reopen(result.plan.dir) as store:
        (parent,) = store.judgings()
        with pytest.raises(ConfigError, match="--match-published kris_quality_label: asks other questions") as caught:
            reparse_of(parent, None, None, ("kris_quality_label",))
        assert "\n" not in str(caught.value)


def test_scores_that_an_older_parser_read_stay_and_are_named_and_their_replies_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = unicbench(tmp_path / "data")
    with monkeypatch.context() as before:
        before.setattr(answers, "VERSION", answers.VERSION - 1)
        first = judged(tmp_path, "unicbench", lambda _: data, "7")
    with RunStore.read(first.plan.dir) as store:
        (old,) = store.judgings()
        raw = {row.id: {name: score.raw for name, score in row.scores.items()} for row in store.rows(old.id)}
    second = judged(tmp_path, "unicbench", lambda _: data, "7")
    assert second.plan.dir == first.plan.dir
    logged = log_of(second)
    assert "samples are read in a new way: nothing is asked" in logged
    with RunStore.reopen(second.plan.dir) as store:
        assert store.judgings()[0].id == old.id and len(store.judgings()) == 2
        kept = {row.id: {name: score.raw for name, score in row.scores.items()} for row in store.rows(old.id)}
        assert kept == raw and all(protocols.kept_replies(text) for row in raw.values() for text in row.values())
        again = with_samples(reparse_of(old, None, None), store, lambda: plan_of(store, False))
        found, total = changes(store, again)
        assert found == [] and total > 0 and again.id not in {one.id for one in store.judgings()}
