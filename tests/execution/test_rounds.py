"""The rounds of batch synchronisation, case by case: who waits for whom, and which batches there are."""

from __future__ import annotations

import pytest

from editeval.execution.policies import POLICIES, RoundRobin, make_policy
from editeval.execution.policy import AT_END, BatchSync, Policy, Round, num_rounds
from editeval.execution.simulate import Fault, simulate


def start_all(policy: Policy) -> list[int | None]:
    """What each living worker is given now."""
    return [policy.next(worker) for worker in list(policy.live)]


def end(policy: Policy, worker: int, is_settled: bool = True) -> int:
    request = policy.running[worker]
    policy.finished(worker, request)
    if is_settled:
        policy.settled(request)
    return request


def closed(policy: Policy) -> list[Round]:
    return list(iter(policy.take_closed, None))


def test_a_request_that_failed_keeps_its_round_open_and_goes_to_a_worker_that_is_free() -> None:
    policy = BatchSync(9, range(3))
    assert start_all(policy) == [0, 1, 2]
    end(policy, 0)
    policy.again(end(policy, 1, is_settled=False), 1)
    assert policy.next(1) is None, "worker 0 is free, and it did not fail there"
    assert policy.next(0) == 1
    end(policy, 2)
    assert start_all(policy) == [None] * 3 and closed(policy) == [], "the retry is still running"
    end(policy, 0)
    assert closed(policy) == [Round(1, 3, 3, 3, (0, 1, 2))]
    assert start_all(policy) == [3, 4, 5]


def test_it_is_run_again_where_it_failed_if_nobody_else_is_free() -> None:
    policy = BatchSync(3, range(3))
    start_all(policy)
    policy.again(end(policy, 1, is_settled=False), 1)
    assert policy.next(1) == 1


def test_a_round_waits_for_results_and_not_for_devices() -> None:
    policy = BatchSync(4, range(2))
    start_all(policy)
    requests = [end(policy, worker, is_settled=False) for worker in (0, 1)]
    assert start_all(policy) == [None, None], "both devices are free, no result is there"
    policy.settled(requests[0])
    policy.again(requests[1], 1)  # it could not be encoded
    assert start_all(policy) == [1, None]
    end(policy, 0)
    assert start_all(policy) == [2, 3]


def test_a_lost_worker_s_part_is_done_by_the_others_and_the_next_rounds_are_smaller() -> None:
    policy = BatchSync(10, range(3))
    assert [policy.next(0), policy.next(1)] == [0, 1]
    assert policy.lost(2) is None, "it had not started its request"
    assert policy.lost(1) == 1
    policy.settled(1)  # given up
    end(policy, 0)
    assert policy.next(0) == 2, "still the first round"
    end(policy, 0)
    assert closed(policy) == [Round(1, 8, 3, 1, (0, 1, 2))], "one worker is left: 7 more rounds"
    assert policy.next(0) == 3
    policy.joined(1)
    assert policy.next(1) is None, "it joins at the next round"
    end(policy, 0)
    assert closed(policy) == [Round(2, 5, 1, 2, (3,))]
    assert start_all(policy) == [4, 5]
    policy.joined(2)
    assert [end(policy, 0), end(policy, 1)] == [4, 5]
    assert closed(policy) == [Round(3, 5, 2, 3, (4, 5))] and start_all(policy) == [6, 7, 8]


def test_at_end_puts_failed_requests_into_rounds_of_their_own_behind_the_last_one() -> None:
    policy = BatchSync(5, range(2), AT_END)
    start_all(policy)
    policy.again(end(policy, 0, is_settled=False), 0)
    assert start_all(policy) == [None, None], "request 1 is still running"
    end(policy, 1)
    assert closed(policy) == [Round(1, 4, 2, 2, (1,), deferred=(0,))]
    for first, second in ((2, 3), (4, None)):
        assert start_all(policy) == [first, second]
        end(policy, 0)
        if second is not None:
            end(policy, 1)
    assert closed(policy) == [Round(2, 4, 2, 2, (2, 3)), Round(3, 4, 2, 2, (4,))]
    assert start_all(policy) == [None, 0], "not where it failed"
    policy.again(end(policy, 1, is_settled=False), 1)
    assert closed(policy) == [Round(4, 5, 2, 2, (), deferred=(0,))]
    assert start_all(policy) == [0, None]
    end(policy, 0)
    assert closed(policy) == [Round(5, 5, 2, 2, (0,))]


def test_two_requests_that_failed_on_one_worker_are_not_left_waiting_for_a_third() -> None:
    policy = BatchSync(4, range(2), AT_END)
    start_all(policy)
    policy.lost(1)
    policy.again(1, 0)  # as if both had failed on worker 0
    policy.again(end(policy, 0, is_settled=False), 0)
    policy.joined(1)
    assert start_all(policy) == [2, 3]
    end(policy, 0), end(policy, 1)
    assert None not in start_all(policy), "one of them runs where it failed: both workers are needed"


@pytest.mark.parametrize("name", POLICIES)
def test_a_failed_attempt_is_known_before_anything_is_given_out(name: str) -> None:
    """The last request fails while the other worker is idle: that one takes it, and not nobody."""
    policy = make_policy(name, 2, range(2), max_drift=0)
    start_all(policy)
    end(policy, 0)
    policy.again(end(policy, 1, is_settled=False), 1)
    assert start_all(policy) == [1, None]


def test_bounded_drift_counts_a_worker_that_a_retry_gives_work_again() -> None:
    policy = RoundRobin(5, range(2), max_drift=1)  # worker 0: 0 2 4, worker 1: 1 3
    start_all(policy)
    end(policy, 0)
    assert policy.next(0) == 2
    policy.again(end(policy, 0, is_settled=False), 0)  # to worker 1, which is still at its first
    assert policy.next(0) is None, "it would be two ahead"
    end(policy, 1)
    assert [policy.next(1), policy.next(0)] == [2, 4]


@pytest.mark.parametrize(("num_requests", "num_workers", "expected"), [(270, 6, 45), (0, 6, 0), (7, 6, 2), (3, 0, 3)])
def test_rounds_are_counted(num_requests: int, num_workers: int, expected: int) -> None:
    assert num_rounds(num_requests, num_workers) == expected
    if num_workers:
        timeline = simulate("batch_sync", BatchSync(num_requests, range(num_workers)), lambda r, w: 1.0)
        assert [each.number for each in timeline.rounds] == list(range(1, expected + 1))


def test_a_simulated_run_with_faults_has_the_rounds_of_a_real_one() -> None:
    """Request 1 of three workers takes 5 s and kills its worker, which is away for 4 s; then it takes 1 s."""
    faults = {(1, 1): Fault(seconds=5.0, away_s=4.0)}
    timeline = simulate("batch_sync", BatchSync(9, range(3)), lambda r, w: 1.0, faults)
    assert [each.members for each in timeline.rounds] == [(0, 1, 2), (3, 4), (5, 6), (7, 8)]
    assert timeline.makespan_s == 9.0, "5 s and 1 s for the first round, then three of 1 s"
    patient = simulate("batch_sync", BatchSync(9, range(3), AT_END), lambda r, w: 1.0, faults)
    assert [each.members for each in patient.rounds] == [(0, 2), (3, 4), (5, 6), (7, 8), (1,)]
    assert [start for start in patient.starts if start[2] == 1][1][0] == 8.0
