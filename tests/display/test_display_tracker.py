"""What the tracker is told is what it shows; and who tells it something never waits."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict

import pytest
from display_fakes import Clock, Told, edit_facts, gpu, judge_facts, run

from editeval.display import snapshot as views
from editeval.display.observer import RequestCompleted
from editeval.display.snapshot import from_json
from editeval.display.tracker import Tracker
from editeval.text import plain


def states(told: Told) -> list[str]:
    return [worker.state for worker in told.tracker.picture().workers]


def test_a_worker_loads_waits_edits_encodes_and_waits_at_the_boundary() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    seen = [states(told)[0]]
    for kind, data in (
        ("loading", {}),
        ("ready", {}),
        ("started", {"key": "a"}),
        ("progress", {"key": "a", "step": 7, "num_steps": 28}),
        ("finished", {"key": "a"}),
    ):
        told.tracker.notice("edit", kind, {"worker": 0} | data)
        seen.append(states(told)[0])
    told.tracker.settled("edit", RequestCompleted("a", 0, 1.0))
    seen.append(states(told)[0])
    assert seen == ["waiting", "loading", "ready", "editing", "editing", "encoding", "at boundary"]


def test_the_step_is_that_of_the_sample_being_edited() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    told.tracker.notice("edit", "started", {"worker": 0, "key": "b"})
    told.tracker.notice("edit", "progress", {"worker": 0, "key": "a", "step": 28, "num_steps": 28})
    told.tracker.notice("edit", "progress", {"worker": 0, "key": "b", "step": 3, "num_steps": 28})
    worker = told.tracker.picture().workers[0]
    assert (worker.sample, worker.step, worker.num_steps) == ("b", 3, 28)


def test_a_result_that_comes_late_does_not_stop_the_edit_that_runs() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    told.tracker.notice("edit", "started", {"worker": 0, "key": "a"})
    told.tracker.notice("edit", "started", {"worker": 0, "key": "b"})
    told.tracker.notice("edit", "finished", {"worker": 0, "key": "a"})
    told.tracker.settled("edit", RequestCompleted("a", 0, 1.0))
    worker = told.tracker.picture().workers[0]
    assert (worker.state, worker.sample, worker.done) == ("editing", "b", 1)


def test_workers_are_in_step_only_when_they_are() -> None:
    told = Told(edit_facts(3))
    told.tracker.stage_began(edit_facts(3))
    attempt = {"attempt": 1, "reason": "timeout", "message": "no result"}

    def step() -> str:
        return told.tracker.picture().stages[0].step

    for worker, key in enumerate("abc"):
        told.edits(key, worker)
    assert step() == "", "no batch is over"
    told.tracker.batch("edit", 1, 4)
    assert step() == "workers in step"
    told.tracker.notice("edit", "attempt", {"worker": 1, "key": "d"} | attempt)
    told.tracker.notice("edit", "attempt", {"worker": 2, "key": "e"} | attempt)
    assert step() == "waiting for a retry of d and 1 more"
    told.edits("e", 0)
    assert step() == "waiting for a retry of d"
    told.edits("d", 0, error="timeout")
    told.tracker.notice("edit", "worker_lost", {"worker": 1})
    assert step() == "2 of 3 workers in step"
    told.tracker.notice("edit", "ready", {"worker": 1})
    assert step() == "workers in step"


def test_a_request_that_left_its_batch_keeps_nobody_waiting() -> None:
    told = Told(edit_facts(2, retry="at_end"))
    told.tracker.stage_began(edit_facts(2, retry="at_end"))
    told.edits("a", 0)
    told.tracker.batch("edit", 1, 4)
    attempt = {"worker": 1, "key": "b", "attempt": 1, "reason": "oom", "message": "no"}
    told.tracker.notice("edit", "attempt", attempt)
    assert told.tracker.picture().stages[0].step == "workers in step"


def test_counts_rates_failures_and_retries_of_a_stage() -> None:
    told = Told(edit_facts(total=12, done=2, failed=1))
    told.tracker.stage_began(edit_facts(total=12, done=2, failed=1))
    told.edits("a", 0)
    told.edits("b", 1, error="oom")
    attempt = {"worker": 0, "key": "c", "attempt": 1, "reason": "timeout", "message": "no result"}
    told.tracker.notice("edit", "attempt", attempt)
    told.tracker.batch("edit", 1, 5)
    stage = told.tracker.picture().stages[0]
    assert (stage.total, stage.done, stage.failed, stage.retried, stage.already) == (12, 3, 2, 1, 3)
    assert (stage.batch, stage.num_batches, stage.num_left) == (1, 5, 7)
    assert stage.images_per_min == pytest.approx(30.0) and stage.eta_s == pytest.approx(14.0)
    failure = told.tracker.picture().last_failure
    assert failure is not None
    assert (failure.sample, failure.reason, failure.log) == ("c", "timeout", "logs/edit-worker0.log")
    assert [w.seconds_per_image for w in told.tracker.picture().workers] == [2.0, None], "a failure is no pace"


def test_a_stage_whose_models_are_loaded_loads_no_more_even_if_it_has_to_wait_for_work() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    seen = [told.tracker.picture().stages[0].state]
    for worker in (0, 1):
        told.tracker.notice("edit", "loading", {"worker": worker})
        told.tracker.notice("edit", "ready", {"worker": worker})
        seen.append(told.tracker.picture().stages[0].state)
    assert seen == ["loading", "loading", "running"]


def test_a_dead_worker_restarts_or_is_given_up() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    told.tracker.notice("edit", "worker_lost", {"worker": 1, "how": "SIGKILL"})
    assert states(told) == ["waiting", "restarting"]
    told.tracker.notice("edit", "loading", {"worker": 1})
    assert states(told) == ["waiting", "loading"]
    told.tracker.notice("edit", "worker_given_up", {"worker": 1})
    assert states(told) == ["waiting", "dead"]


def test_a_judge_counts_samples_shows_its_mean_and_forgets_those_that_have_no_edit() -> None:
    facts = judge_facts(total=10, done=1, scores=(("c0", "c0", 4.0),))
    told = Told(edit_facts(), facts)
    told.tracker.stage_began(facts)
    told.tracker.notice("judge second", "started", {"worker": 0, "key": "batch 0"})
    told.clock.now += 3.0
    batch = RequestCompleted(
        "batch 0", 0, 3.0, 3, 1, (("s", "unparsable", "what?"),), (("c1", "c1", 6.0), ("c2", "c2", 8.0))
    )
    told.tracker.settled("judge second", batch)
    stage = told.tracker.picture().stages[1]
    assert (stage.total, stage.done, stage.failed, stage.num_left) == (9, 3, 1, 5)
    assert stage.score is not None
    assert (stage.score.mean, stage.score.low, stage.score.high, stage.score.num_scored) == (6.0, 5.0, 7.0, 3)
    assert told.tracker.picture().workers[-1].seconds_per_image == pytest.approx(1.0)


def test_stopping_is_shown_and_a_stage_that_ends_then_has_stopped() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    told.is_stopping = True
    assert told.tracker.picture().state == "stopping"
    told.tracker.stage_ended("edit")
    told.tracker.run_ended(130)
    shown = told.tracker.picture()
    assert (shown.state, shown.stages[0].state, shown.workers) == ("stopped", "stopped", ())


def test_the_history_is_what_the_gpu_says_or_else_the_share_spent_computing() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    told.tracker.tick([])
    for _ in range(3):
        told.tracker.notice("edit", "started", {"worker": 0, "key": "a"})
        told.clock.now += 0.25
        told.tracker.notice("edit", "finished", {"worker": 0, "key": "a"})
        told.clock.now += 0.75
        told.tracker.tick([gpu("cuda:1", 88.0)])
    first, second = told.tracker.picture().workers
    assert first.history == (0, 25, 25, 25) and second.history == (0, 88, 88, 88)
    assert first.gpu is None and second.gpu == gpu("cuda:1", 88.0)


def test_a_worker_of_two_gpus_shows_their_mean_their_sums_and_the_hotter_one() -> None:
    facts = edit_facts(devices=(("cuda:0", "cuda:1"),))
    told = Told(facts)
    told.tracker.stage_began(facts)
    told.tracker.tick([gpu("cuda:0", 50.0), gpu("cuda:1", 100.0)])
    found = told.tracker.picture().workers[0].gpu
    assert found is not None
    assert (found.utilisation, found.memory_mib, found.power_w, found.temperature_c) == (75.0, 122469.0, 1280.5, 60.0)


def test_what_is_told_of_a_stage_or_worker_that_nobody_announced_is_left_out() -> None:
    told = Told(edit_facts())
    told.tracker.notice("edit", "started", {"worker": 7, "key": "a"})
    told.tracker.notice("nothing", "started", {"worker": 0, "key": "a"})
    told.tracker.settled("nothing", RequestCompleted("a", 0, 1.0))
    told.tracker.batch("nothing", 1, 2)
    told.tracker.stage_ended("nothing")
    assert told.tracker.picture().workers == () and told.tracker.picture().stages[0].done == 0


def test_a_picture_survives_its_way_through_json() -> None:
    told = Told(edit_facts(), judge_facts(scores=(("c", "c", 5.0),)))
    told.tracker.stage_began(edit_facts())
    told.tracker.tick([gpu("cuda:0"), gpu("cuda:1", None)])
    told.edits("a", 0, error="oom")
    shown = told.tracker.picture()
    assert shown.stages[1].score is not None and shown.last_failure is not None
    assert from_json(json.loads(json.dumps(plain(asdict(shown))))) == shown


def test_a_slow_interval_holds_up_only_who_asked_for_the_picture() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(scores: object, metric: str) -> tuple[float, None, None]:
        entered.set()
        assert leave.wait(60)
        return 5.0, None, None

    tracker = Tracker(slow, now=Clock())
    facts = judge_facts(scores=(("c", "c", 5.0),))
    tracker.run_began(run(facts))
    asking = threading.Thread(target=tracker.picture)
    asking.start()
    assert entered.wait(60)
    tracker.settled("judge second", RequestCompleted("b", 0, 1.0, scores=(("d", "d", 6.0),)))
    assert asking.is_alive(), "the other one waits still"
    leave.set()
    asking.join()
    score = tracker.picture().stages[0].score
    assert score is not None and score.num_scored == 2


def test_ten_thousand_scores_cost_a_few_means_not_ten_thousand() -> None:
    calls: list[int] = []

    def counted(scores: object, metric: str) -> tuple[float, None, None]:
        calls.append(1)
        return 5.0, None, None

    tracker = Tracker(counted, now=Clock())
    tracker.run_began(run(judge_facts(total=10_000)))
    tracker.stage_began(judge_facts(total=10_000))
    tracker.notice("judge second", "started", {"worker": 0, "key": "x"})
    for number in range(10_000):
        tracker.settled(
            "judge second", RequestCompleted(f"s{number}", 0, 1.0, scores=((f"c{number}", f"c{number}", 5.0),))
        )
        tracker.picture()
    assert len(calls) < 400
    tracker.stage_ended("judge second")
    score = tracker.picture().stages[0].score
    assert score is not None and score.num_scored == 10_000


def test_every_state_has_a_name_that_fits_its_column() -> None:
    names = [value for name, value in vars(views).items() if name.isupper() and isinstance(value, str)]
    assert len(names) == 10 and all(len(name) <= 11 for name in names)
