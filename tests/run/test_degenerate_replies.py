"""A local judge that says nothing but noise gets a fresh process; if that does not help, the stage stops."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import config, run, samples_of

from editeval.errors import MachineError
from editeval.run.judge_stage import MAX_IN_A_ROW, MAX_RESTARTS, DegenerateReplyGuard
from editeval.run.pipeline import RunResult, evaluate
from editeval.store import directories
from editeval.store.ledger_events import WorkerLost
from editeval.store.run_store import RunStore

NUM_SAMPLES = 30


def settings(tmp_path: Path, judge: str = "fakes.noisy_judge", num_workers: int = 1, **params: Any) -> dict[str, Any]:
    notes = tmp_path / "notes"
    notes.mkdir()
    return {
        "benchmark__params__num_per_category": NUM_SAMPLES // 5,
        "reward_model": {
            "type": judge,
            "params": {"device_ids": ["cpu"] * num_workers, "notes": str(notes)} | params,
            "execution": {"batch_size": 1},
        },
    }


def num_processes(tmp_path: Path) -> int:
    return len(list((tmp_path / "notes").iterdir()))


def reasons_of(result: RunResult) -> Counter[str]:
    return Counter(row["scores"]["score"]["reason"] or "" for row in samples_of(result))


def ends_of(directory: Path) -> list[str]:
    with RunStore.read(directory) as store:
        return [one.event.how for one in store.events_of(WorkerLost)]


@pytest.mark.parametrize(("text", "reason"), [("!" * 80, "degenerate"), ("", "empty")])
def test_a_judge_that_degenerates_gets_a_fresh_process_and_what_was_unscored_stays_so(
    tmp_path: Path, text: str, reason: str
) -> None:
    result = run(tmp_path / "out", **settings(tmp_path, text=text))
    found = reasons_of(result)
    assert result.exit_code == 3 and num_processes(tmp_path) == 2
    assert MAX_IN_A_ROW <= found[reason] <= MAX_IN_A_ROW + 12, "those that were under way when it was noticed"
    assert found[""] == NUM_SAMPLES - found[reason]
    (how,) = ends_of(result.plan.dir)
    assert how == "its worker died (5 samples in a row without a reply that is language)"


def test_retry_takes_up_what_a_noisy_judge_left(tmp_path: Path) -> None:
    changes = settings(tmp_path)
    result = run(tmp_path / "out", **changes)
    with RunStore.reopen(result.plan.dir) as store:
        judging = result.plan.judging_id
        left = [row.id for row in store.rows(judging) if row.scores["score"].reason == "degenerate"]
        store.forget_scores(judging, left)
    again = run(tmp_path / "out", **changes)
    assert again.exit_code == 0 and reasons_of(again) == {"": NUM_SAMPLES}


def test_if_the_fresh_process_is_degenerate_too_the_stage_stops_with_one_line(tmp_path: Path) -> None:
    changes = settings(tmp_path, num_degenerate=9, num_sane=0)
    wanted = config(tmp_path / "out", **changes)
    with pytest.raises(
        MachineError, match=r"^reward_model: worker 0 on cpu: 5 samples in a row .* in a fresh process too"
    ):
        evaluate(wanted, ["editeval", "test"])
    assert num_processes(tmp_path) == 2
    with RunStore.read(directories.resolve_run("latest", tmp_path / "out")) as store:
        (judging,) = store.judgings()
        assert store.counts(judging.id).num_unscored < NUM_SAMPLES, "the rest was not burnt"


def test_a_degenerate_worker_costs_its_neighbour_nothing(tmp_path: Path) -> None:
    """Of two processes the first to load degenerates; the other never is."""
    result = run(tmp_path / "out", **settings(tmp_path, num_workers=2, num_sane=0))
    assert num_processes(tmp_path) == 3 and len(ends_of(result.plan.dir)) == 1
    assert reasons_of(result)[""] >= NUM_SAMPLES / 2


def test_a_server_that_talks_nonsense_is_not_restarted(tmp_path: Path) -> None:
    result = run(tmp_path / "out", **settings(tmp_path, "fakes.remote_noisy_judge", num_sane=0))
    assert reasons_of(result) == {"degenerate": NUM_SAMPLES} and num_processes(tmp_path) == 1


def test_sane_words_in_between_begin_the_count_again_and_restarts_are_bounded() -> None:
    guard = DegenerateReplyGuard()
    for _ in range(10):
        assert [guard.count(said) for said in [False] * (MAX_IN_A_ROW - 1) + [True]] == [""] * MAX_IN_A_ROW
    for _ in range(MAX_RESTARTS):
        assert [guard.count(False) for _ in range(MAX_IN_A_ROW)][-1] == "restart"
        assert guard.count(False) == "", "it is on its way out"
        guard.restarted()
        assert guard.count(True) == ""
    assert [guard.count(False) for _ in range(MAX_IN_A_ROW)][-1] == "stop"
