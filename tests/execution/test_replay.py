"""Where the seconds of a run went: what is measured must be what is said, with and without failures."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.progress import cost_line
from editeval.execution.simulate import (
    Cost,
    Fault,
    History,
    ReplayedRequest,
    Setting,
    SimulatedRun,
    cost_of,
    replay,
    simulate,
)
from editeval.types import Failure, Outcome


def timelines(**seconds: float) -> list[SimulatedRun]:
    return [SimulatedRun(name, seconds[name], 0.0, 0) for name in POLICIES]


def outcome(key: str, worker: int, attempt: int, started_at: float, seconds: float, reason: str = "") -> Outcome:
    error = Failure(reason, "no") if reason else None
    return Outcome(key, None if reason else "value", error, worker, "cpu", attempt, started_at, seconds)


def test_the_cost_of_synchronisation_and_of_the_others_is_one_line() -> None:
    found = timelines(batch_sync=95.8, round_robin=90.9, bounded_drift=91.0, dynamic=90.7)
    cost = cost_of("batch_sync", 97.2, found, found)
    assert cost == Cost(97.2, 90.9, pytest.approx(4.9), 0.0, pytest.approx(1.4))
    assert cost_line("batch_sync", cost, found) == (
        "Synchronisation cost +4.9 s (+5.4 %) against free-running round robin in this run: "
        "measured 97.2 s = 90.9 s round_robin +4.9 s barrier +0.0 s failures +1.4 s rest "
        "(encoding, handing over, and what the replay misses); "
        "replayed from the measured durations: round_robin 90.9 s, bounded_drift 91.0 s, dynamic 90.7 s"
    )
    line = cost_line("dynamic", cost_of("dynamic", 91.0, found, found), found)
    assert line.startswith("Policy dynamic cost -0.2 s (-0.2 %) against") and "-0.2 s policy" in line


def test_the_cost_line_of_the_document_s_own_table_is_no_cost_at_all() -> None:
    measured = [ReplayedRequest(i, i % 6, 2.1 if i % 6 == 1 else 2.0) for i in range(270)]
    found = replay(measured, Setting(6))
    line = cost_line("batch_sync", cost_of("batch_sync", 94.5, found, found), found)
    assert line.startswith("Synchronisation cost +0.0 s (+0.0 %) against free-running round robin in this run")
    assert "measured 94.5 s = 94.5 s round_robin +0.0 s barrier" in line and "dynamic 92.0 s" in line


def test_a_request_that_times_out_is_waiting_for_failures_and_not_free() -> None:
    """270 requests on six workers; one times out three times, and its worker is loaded again for 1 s each time."""
    history = History()
    for number in range(270):
        if number != 97:
            history.add(number, outcome(str(number), number % 6, 1, 0.0, 0.25), is_final=True)
    for attempt, worker in enumerate((1, 2, 3), start=1):
        history.add(97, outcome("97", worker, attempt, 10.0 * attempt, 1.4, "timeout"), is_final=attempt == 3)
        history.lost(worker)
        history.back(worker, 10.0 * attempt + 2.4)
    normal = replay(history.measured, Setting(6), failed=history.failed)
    real = replay(history.measured, Setting(6), history.faults, history.failed)
    cost = cost_of("batch_sync", 15.8, normal, real)
    assert (cost.ideal_s, cost.policy_s) == (11.25, 0.0)
    assert 3.9 <= cost.failures_s <= 4.8, "4.2 s in which five workers wait, and batches of five for 1 s"
    assert cost.measured_s == pytest.approx(cost.ideal_s + cost.policy_s + cost.failures_s + cost.rest_s)
    line = cost_line("batch_sync", cost, real)
    assert f"+{cost.failures_s:.1f} s failures" in line and "with the same failures" in line
    free = {t.policy: t.makespan_s for t in real}["round_robin"]
    more = 15.8 - cost.rest_s - free
    assert more > 2, "free-running workers go on while one retries"
    told = f"+0.0 s (+0.0 %) in normal work, +{more:.1f} s (+{100 * more / free:.1f} %) with the failures, against"
    assert line.startswith(f"Synchronisation cost {told}")


def test_the_cost_line_never_contradicts_its_own_parts() -> None:
    """What failures cost another policy more than this one is no cost of the barrier."""
    normal = timelines(batch_sync=2.5, round_robin=2.5, bounded_drift=2.5, dynamic=2.5)
    real = timelines(batch_sync=2.5, round_robin=2.3, bounded_drift=2.3, dynamic=2.3)
    line = cost_line("batch_sync", cost_of("batch_sync", 2.0, normal, real), real)
    assert line.startswith("Synchronisation cost +0.0 s (+0.0 %) in normal work, +0.2 s (+8.7 %) with the failures,")
    assert "2.5 s round_robin +0.0 s barrier +0.0 s failures -0.5 s rest (encoding, handing over, and what" in line


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), num_workers=st.integers(1, 5))
def test_a_replay_with_its_failures_takes_exactly_as_long_as_the_run(name: str, seed: int, num_workers: int) -> None:
    chance = random.Random(seed)
    seconds = [chance.randint(1, 40) / 8 for _ in range(20)]
    faults = {
        (request, attempt): Fault(True, chance.randint(1, 80) / 8, chance.choice([0.0, 0.0, 1.5, 9.0]))
        for request in chance.sample(range(20), 5)
        for attempt in range(1, chance.randint(2, 3))
    }
    run = simulate(name, make_policy(name, 20, range(num_workers)), lambda r, w: seconds[r], faults)
    history, tries, fates = History(), {}, dict(faults)
    for at, worker, request in run.starts:
        attempt = tries[request] = tries.get(request, 0) + 1
        fault = fates.get((request, attempt))
        took = fault.seconds if fault and fault.seconds else seconds[request]
        history.add(request, outcome(str(request), worker, attempt, at, took, "oom" if fault else ""), not fault)
        if fault and fault.away_s:
            history.lost(worker)
            history.back(worker, at + took + fault.away_s)
    again = {t.policy: t for t in replay(history.measured, Setting(num_workers), history.faults)}[name]
    assert again.makespan_s == pytest.approx(run.makespan_s)
    assert [start[1:] for start in again.starts] == [start[1:] for start in run.starts]


def test_a_worker_that_never_comes_back_is_away_to_the_end_of_the_run() -> None:
    history = History()
    history.add(0, outcome("0", 0, 1, 100.0, 2.0, "worker_died"), is_final=False)
    history.lost(0)
    history.add(0, outcome("0", 1, 2, 102.0, 1.0), is_final=True)
    history.close(110.0)
    assert history.faults == {(0, 1): Fault(True, 2.0, away_s=8.0)}
    history.back(1, 111.0)
    assert len(history.faults) == 1, "worker 1 was never lost"


def test_a_run_lasts_from_its_first_attempt_to_its_last_whether_they_failed_or_not() -> None:
    history = History()
    assert history.seconds == 0.0
    history.add(1, outcome("1", 1, 1, 101.0, 4.0), is_final=True)
    history.add(0, outcome("0", 0, 1, 100.0, 2.0, "oom"), is_final=False)
    history.add(0, outcome("0", 0, 2, 102.0, 1.0), is_final=True)
    assert history.seconds == 5.0


def test_what_failed_for_good_keeps_its_place_among_the_workers() -> None:
    """Without it, requests 2 and 3 would meet other neighbours, and the barrier another cost."""
    measured = [ReplayedRequest(0, 0, 1.0), ReplayedRequest(2, 0, 1.0), ReplayedRequest(3, 1, 3.0)]
    found = {t.policy: t.makespan_s for t in replay(measured, Setting(2), failed={1})}
    assert found["batch_sync"] == 4.0 and found["round_robin"] == 3.0
