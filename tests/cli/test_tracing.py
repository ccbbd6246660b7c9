"""The trace says that workers were synchronised where the times of the ledger say so, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editeval.run.trace_events import trace_of
from editeval.store.ledger_events import BatchEnd, StageBegin
from editeval.store.manifest import Manifest, identity
from editeval.store.run_store import RunStore


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with RunStore.open(tmp_path / "run", Manifest("trace", identity("b", "e", {}, 0))) as store:
        store.record_event(StageBegin(stage="edit", devices=("cpu", "cpu"), num_requests=6))
        yield store


def batch(index: int, start: float, end: float, **more: Any) -> BatchEnd:
    at = 2e9
    times = {"started_at": at + start, "ended_at": at + end, "seconds": end - start, "steady_s": end}
    known = {"index": index, "slowest_worker": 0, "num_workers": 2, "members": (f"s{index}",), "deferred": ()}
    return BatchEnd(**(known | times | more))


def test_all_is_said_of_all_workers_only(store: RunStore) -> None:
    store.record_event(batch(1, 0, 1))
    store.record_event(batch(2, 1, 2, num_workers=1))
    marks = [mark.name for mark in trace_of(store).marks]
    assert marks == ["all synchronised after batch 1", "1 of 2 workers synchronised after batch 2"]


def test_a_worker_that_died_in_a_batch_was_not_at_its_end(store: RunStore) -> None:
    store.record_event(batch(1, 0, 1, num_left=1))
    store.record_event(batch(2, 1, 2, num_workers=1, num_left=2))
    marks = [mark.name for mark in trace_of(store).marks]
    assert marks == ["1 of 2 workers synchronised after batch 1", "all synchronised after batch 2"]


def test_nothing_is_said_where_the_next_batch_had_begun(store: RunStore) -> None:
    store.record_event(batch(1, 0, 1))
    store.record_event(batch(2, 0.9, 2))
    assert [mark.name for mark in trace_of(store).marks] == ["all synchronised after batch 2"]


def test_a_batch_of_an_older_run_is_drawn_without_what_it_does_not_say(store: RunStore) -> None:
    store.record_event(BatchEnd(index=1, started_at=2e9, seconds=1.0, slowest_worker=1))
    found = trace_of(store)
    assert [span.args for span in found.spans] == [{"slowest_worker": 1}]
    assert [mark.name for mark in found.marks] == ["all synchronised after batch 1"]
