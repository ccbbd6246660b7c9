"""Which stages run together, and that overlapping changes when things happen but not what comes out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import THREADS, config, fake_editor, report_of, run, samples_of

from editeval.errors import ConfigError, MachineError
from editeval.run.pipeline import evaluate
from editeval.run.plan import make_plan
from editeval.run.scheduler import Interrupt, stage_groups
from editeval.run.stage import CompletedEdits, NotEditedError
from editeval.store.ledger_events import StageEnd
from editeval.store.run_store import RunStore
from editeval.types import Edit, Failure

JUDGE = {
    "type": "reference",
    "params": {"device_ids": ["cpu"]},
    "execution": {"batch_size": 2, "overlap": True} | THREADS,
}


def names(**changes: Any) -> list[list[str]]:
    plan = make_plan(config(Path("out"), **changes))
    return [["edit" if judging is None else judging.name for judging in wave] for wave in stage_groups(plan)]


def on(*device_ids: Any, overlap: bool | None = None, **params: Any) -> dict[str, Any]:
    section: dict[str, Any] = {"type": "fakes.fake_judge", "params": {"device_ids": list(device_ids)} | params}
    return section | {"execution": THREADS if overlap is None else {"overlap": overlap} | THREADS}


def test_stages_run_together_where_they_share_no_device() -> None:
    editor = {"type": "fakes.fake_editor", "params": {"device_ids": [0, 1]}}
    assert names(diffusion_model=editor, reward_model=on(2, 3)) == [["edit", "fake_judge"]]
    assert names(diffusion_model=editor, reward_model=on(1, 2)) == [["edit"], ["fake_judge"]]
    assert names(diffusion_model=editor, reward_model=on(2, overlap=False)) == [["edit"], ["fake_judge"]]
    assert names(diffusion_model=editor, reward_model=on("cpu")) == [["edit", "fake_judge"]]


def test_gpus_of_a_cluster_may_be_those_of_this_machine_so_such_stages_follow_one_another() -> None:
    ray = {"execution": {"backend": "ray"}}
    editor = {"type": "fakes.fake_editor", "params": {"device_ids": [0, 1]}}
    assert names(diffusion_model=editor | ray, reward_model=on(2)) == [["edit"], ["fake_judge"]]
    assert names(diffusion_model=editor, reward_model=on(2) | ray) == [["edit"], ["fake_judge"]]
    assert names(diffusion_model=editor | ray, reward_model=on(2) | ray) == [["edit", "fake_judge"]]
    assert names(diffusion_model=editor | ray, reward_model=on("cpu")) == [["edit", "fake_judge"]]
    assert names(diffusion_model=editor | ray, reward_model=on(2, overlap=True)) == [["edit", "fake_judge"]]


def test_cpu_workers_share_the_processors_unless_the_user_says_otherwise() -> None:
    assert names() == [["edit"], ["reference"]]
    assert names(reward_model=JUDGE) == [["edit", "reference"]]


def test_judges_on_the_same_devices_follow_one_another() -> None:
    judges = {"a": on(0), "b": on(1, value=1.0), "c": on(2, value=2.0), "d": on(2, value=3.0)}
    editor = {"type": "fakes.fake_editor", "params": {"device_ids": [0, 1]}}
    expected = [["edit", "c"], ["a", "b", "d"]]
    assert names(diffusion_model=editor, reward_model=None, reward_models=judges) == expected


def test_an_overlap_on_a_shared_gpu_is_refused_with_its_name() -> None:
    editor = {"type": "fakes.fake_editor", "params": {"device_ids": [0, 1]}}
    with pytest.raises(ConfigError, match=r"reward_model.execution.overlap: editing holds cuda:1 as well"):
        names(diffusion_model=editor, reward_model=on(1, 2, overlap=True))


def test_overlapping_stages_give_the_same_samples_as_one_after_the_other(tmp_path: Path) -> None:
    editor = fake_editor(tmp_path, seconds=0.02)
    apart = run(
        tmp_path / "apart", diffusion_model=editor, reward_model=JUDGE | {"execution": {"batch_size": 2} | THREADS}
    )
    together = run(tmp_path / "together", diffusion_model=editor, reward_model=JUDGE)
    assert samples_of(apart) == samples_of(together) and together.exit_code == 0
    assert together.plan.judging_id == apart.plan.judging_id


def test_a_judgement_starts_as_soon_as_its_edits_are_on_record(tmp_path: Path) -> None:
    last = make_plan(config(tmp_path)).samples[-1].id
    result = run(tmp_path, diffusion_model=fake_editor(tmp_path, slow={last: 3.0}), reward_model=JUDGE)
    with RunStore.read(result.plan.dir) as store:
        attempts = list(store.attempts())
        ended = {one.event.stage for one in store.events_of(StageEnd)}
    first_score = next(i for i, attempt in enumerate(attempts) if attempt.stage == "judge")
    assert first_score < max(i for i, attempt in enumerate(attempts) if attempt.stage == "edit")
    assert ended == {"edit", "judge"}


def test_failed_edits_keep_nobody_waiting(tmp_path: Path) -> None:
    ids = [s.id for s in make_plan(config(tmp_path)).samples]
    editor = fake_editor(tmp_path, refuse=[*ids[:2], ids[4]])  # the whole first batch, and half of the third
    result = run(tmp_path, diffusion_model=editor, reward_model=JUDGE)
    assert result.exit_code == 3
    assert [s["id"] for s in samples_of(result) if s["scores"]] == [*ids[2:4], *ids[5:]]
    with RunStore.read(result.plan.dir) as store:
        assert {a.sample_id for a in store.attempts("judge")} == {*ids[2:4], *ids[5:]}


def test_an_interrupt_ends_both_stages_and_the_next_run_completes_them(tmp_path: Path) -> None:
    editor = fake_editor(tmp_path, seconds=0.4)
    settings = config(tmp_path, diffusion_model=editor, reward_model=JUDGE)
    interrupt = Interrupt()
    timer = threading.Timer(0.7, interrupt.request, [2])
    timer.start()
    stopped = evaluate(settings, interrupt=interrupt)
    timer.join()
    assert stopped.exit_code == 130 and stopped.counts.num_edited < 10
    whole = run(tmp_path, diffusion_model=editor, reward_model=JUDGE)
    assert whole.exit_code == 0
    reference = run(tmp_path / "other", diffusion_model=editor, reward_model=JUDGE)
    assert samples_of(whole) == samples_of(reference)
    with RunStore.read(whole.plan.dir) as store:
        scored = [a.sample_id for a in store.attempts("judge")]
    assert len(scored) == len(set(scored)) == 10
    timing = report_of(whole)["timing"]
    one_clock = pytest.approx(timing["edit_s"] + timing["both_s"], abs=1e-3)
    assert timing["cost"]["measured_s"] == one_clock, "over both invocations"


def test_a_stage_that_cannot_start_ends_the_other_one_too(tmp_path: Path) -> None:
    editor = fake_editor(tmp_path, devices=1, seconds=0.2)
    with pytest.raises(MachineError, match="cannot be loaded"):
        run(tmp_path, diffusion_model=editor, reward_model=on("cpu", overlap=True) | {"type": "fakes.unloadable_judge"})


def test_two_judges_are_two_judgings_side_by_side(tmp_path: Path) -> None:
    judges = {
        "pixels": {"type": "reference", "params": {"device_ids": ["cpu"]}, "execution": THREADS},
        "fixed": on("cpu", value=7.0),
    }
    result = run(tmp_path, reward_model=None, reward_models=judges)
    assert result.exit_code == 0
    scores = samples_of(result)[0]["scores"]
    assert set(scores) == {"overall", "completeness", "preservation", "fixed.overall", "fixed.care"}
    assert (scores["overall"]["value"], scores["fixed.overall"]["value"]) == (0.0, 7.0)
    report = report_of(result)
    means = {s["metric"]: s["mean"] for s in report["summaries"] if s["category"] == "micro"}
    assert (means["overall"], means["fixed.overall"]) == (0.0, 7.0)
    assert [j["name"] for j in report["run"]["judgings"]] == ["pixels", "fixed"]
    assert [j["details"]["name"] for j in report["provenance"]["judgings"]] == ["pixels", "fixed"]


def test_two_judges_that_judge_alike_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"reward_models.b: judges exactly as 'a' does"):
        names(reward_model=None, reward_models={"a": on(0), "b": on(1)})


def edit(sample_id: str, is_done: bool = True) -> Edit:
    error = None if is_done else Failure("oom", "no room")
    path = "x.png" if is_done else None
    return Edit(sample_id, "done" if is_done else "failed", path, None, 1, 1, 0, error, 0, "cpu", 0.0, 0.0, 1)


def test_completed_edits_wait_for_exactly_the_edits_that_are_asked_for() -> None:
    completed = CompletedEdits([edit("a")], ["b", "c"])
    assert [e.sample_id for e in completed.wait(["a"], "exact")] == ["a"]
    completed.add(edit("b", is_done=False))
    assert [e.sample_id for e in completed.wait(["a", "b"], "exact")] == ["a"]
    with pytest.raises(NotEditedError, match="failed"):
        completed.wait(["b"], "exact")
    waiter = threading.Timer(0.05, completed.add, [edit("c")])
    waiter.start()
    assert [e.sample_id for e in completed.wait(["c"], "exact")] == ["c"]
    waiter.join()


def test_completed_edits_that_close_release_who_waits() -> None:
    completed = CompletedEdits([], ["a"])
    waiter = threading.Timer(0.05, completed.close)
    waiter.start()
    with pytest.raises(NotEditedError, match="interrupted"):
        completed.wait(["a"], "exact")
    waiter.join()
