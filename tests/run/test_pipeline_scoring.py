"""Judging a run again: on a machine without the editor's devices, of a run that is not finished, after an interrupt."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline_fakes import config, run

from editeval.errors import RunConflictError
from editeval.run.pipeline import score
from editeval.run.scheduler import Interrupt
from editeval.store.ledger_events import StageBegin
from editeval.store.run_store import RunStore

OTHER = {"reward_model__params__object_share": 0.5}


def test_no_device_of_the_editor_is_needed(tmp_path: Path) -> None:
    first = run(tmp_path)
    elsewhere = config(tmp_path, diffusion_model__params__device_ids=[97], **OTHER)
    result = score(elsewhere, first.plan.dir, ["test"], Interrupt())
    assert result.exit_code == 0 and result.plan.judging_id != first.plan.judging_id
    with RunStore.read(first.plan.dir) as store:
        assert [j.id for j in store.judgings()] == [first.plan.judging_id, result.plan.judging_id]
        begun = [one.event.stage for one in store.events_of(StageBegin)]
        assert begun == ["edit", "judge", "judge"]


def test_only_what_is_edited_is_judged_and_the_rest_stays_pending(tmp_path: Path) -> None:
    first = run(tmp_path)
    with RunStore.reopen(first.plan.dir) as store:
        store.forget_edits(["causal/0000", "causal/0001", "physical/0001"])
    result = score(config(tmp_path, **OTHER), first.plan.dir, ["test"], Interrupt())
    assert result.exit_code == 3
    assert (result.counts.num_edited, result.counts.num_scored, result.counts.num_wanted) == (7, 7, 10)
    assert result.counts.num_failed == result.counts.num_unscored == 0
    again = run(tmp_path, **OTHER)
    assert again.exit_code == 0 and again.counts.num_scored == 10


@pytest.mark.parametrize("overlap", [False, True])
def test_an_edit_that_is_made_again_with_equal_bytes_is_not_judged_again(tmp_path: Path, overlap: bool) -> None:
    sections = {"reward_model__execution__overlap": overlap, "evaluation__first": 3}
    first = run(tmp_path, **sections)
    with RunStore.reopen(first.plan.dir) as store:
        num_judged = len(list(store.attempts("judge")))
        lost = next(store.sample_ids())
        store.forget_edits([lost])
    again = run(tmp_path, **sections)
    assert again.exit_code == 0 and again.counts.num_scored == 3
    with RunStore.read(first.plan.dir) as store:
        assert len(list(store.attempts("edit", lost))) == 2
        assert len(list(store.attempts("judge"))) == num_judged


def test_an_interrupted_judging_goes_on_where_it_was(tmp_path: Path) -> None:
    first = run(tmp_path)
    interrupt = Interrupt()
    interrupt.request(2)
    stopped = score(config(tmp_path, **OTHER), first.plan.dir, ["test"], interrupt)
    assert stopped.exit_code == 130 and stopped.counts.num_scored == 0
    assert score(config(tmp_path, **OTHER), first.plan.dir, ["test"], Interrupt()).exit_code == 0


def test_edits_of_another_configuration_are_refused(tmp_path: Path) -> None:
    first = run(tmp_path)
    with pytest.raises(RunConflictError, match="another run"):
        score(config(tmp_path, diffusion_model__params__seed=9), first.plan.dir, ["test"], Interrupt())
