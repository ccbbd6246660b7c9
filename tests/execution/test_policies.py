"""The policies under every order of events that a run can produce: starts, ends, failures, deaths, returns."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from editeval.execution.policies import POLICIES, Dynamic, Policy, RoundRobin, make_policy

MAX_WORKERS = 5


def true_floor(policy: Policy) -> int:
    """What `floor` promises, computed from nothing but the public state and `_has_work`."""
    left = [policy.completed[w] for w in policy.live if w in policy.running or policy._has_work(w)]
    return min(left, default=max((policy.completed[w] for w in policy.live), default=0))


class PolicyMachine(RuleBasedStateMachine):
    """A driver that may do, at any moment, whatever the real one may do."""

    @initialize(
        name=st.sampled_from(POLICIES),
        num_requests=st.integers(0, 12),
        num_workers=st.integers(1, MAX_WORKERS),
        max_drift=st.integers(0, 3),
    )
    def begin(self, name: str, num_requests: int, num_workers: int, max_drift: int) -> None:
        self.policy = make_policy(name, num_requests, range(num_workers), max_drift)
        self.limit = {"batch_sync": 0, "bounded_drift": max_drift}.get(name)
        self.dead: set[int] = set()
        self.running: dict[int, int] = {}  # as a driver knows it
        self.failed: list[tuple[int, int]] = []  # (request, worker), to be run again
        self.done: Counter[int] = Counter()

    def worker(self, data: st.DataObject, among: list[int]) -> int:
        return data.draw(st.sampled_from(sorted(among)))

    @precondition(lambda self: self.policy.live)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        worker = self.worker(data, self.policy.live)
        drift = self.policy.drift(worker)
        request = self.policy.next(worker)
        if request is None:
            return
        assert worker not in self.running, "a worker runs one request at a time"
        assert request not in self.running.values(), "a request runs once at a time"
        assert request not in self.done and request not in [r for r, _ in self.failed]
        assert self.limit is None or drift <= self.limit
        self.running[worker] = request
        ahead = self.policy.upcoming(worker)
        assert ahead is None or (ahead not in self.done and ahead not in self.running.values())

    @precondition(lambda self: self.running)
    @rule(data=st.data(), is_failed=st.booleans(), is_late=st.booleans())
    def finish(self, data: st.DataObject, is_failed: bool, is_late: bool) -> None:
        worker = self.worker(data, list(self.running))
        request = self.running.pop(worker)
        self.policy.finished(worker, request)
        if not is_failed:
            self.done[request] += 1
        elif is_late:  # its PNG was still being encoded: the failure is told later
            self.failed.append((request, worker))
        else:
            self.policy.again(request, worker)

    @precondition(lambda self: self.failed)
    @rule()
    def fail_late(self) -> None:
        self.policy.again(*self.failed.pop(0))

    @precondition(lambda self: self.policy.live)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        worker = self.worker(data, self.policy.live)
        request = self.policy.lost(worker)
        assert request == self.running.pop(worker, None)
        assert self.policy.lost(worker) is None, "it dies once"
        assert self.policy.next(worker) is None and worker not in self.policy.live
        self.dead.add(worker)
        if request is not None:
            self.policy.again(request, worker)

    @precondition(lambda self: self.dead)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        worker = self.worker(data, list(self.dead))
        self.dead.remove(worker)
        floor = true_floor(self.policy)
        self.policy.joined(worker)
        assert self.policy.completed[worker] == floor and worker in self.policy.live

    @invariant()
    def the_cached_floor_is_the_true_one(self) -> None:
        if hasattr(self, "policy"):
            assert self.policy.floor() == true_floor(self.policy)

    @invariant()
    def the_policy_knows_what_runs(self) -> None:
        if hasattr(self, "policy"):
            assert self.policy.running == self.running

    def teardown(self) -> None:
        """From wherever it stands, the work can be finished: no deadlock, nothing lost, nothing twice."""
        if not hasattr(self, "policy"):
            return
        if not self.policy.live:
            self.policy.joined(min(self.dead))
        for worker, request in list(self.running.items()):
            self.policy.finished(worker, request)
            self.done[request] += 1
        for request, worker in self.failed:
            self.policy.again(request, worker)
        while sum(self.done.values()) < self.policy.num_requests:
            started = [(w, r) for w in self.policy.live if (r := self.policy.next(w)) is not None]
            assert started, "work is left, a worker lives, nothing runs: one of them must get a request"
            for worker, request in started:
                self.policy.finished(worker, request)
                self.done[request] += 1
        assert self.done == Counter(range(self.policy.num_requests))
        assert all(self.policy.next(worker) is None for worker in self.policy.live)


PolicyMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestPolicies = PolicyMachine.TestCase


def drive(policy: Policy, ends: st.DataObject) -> list[tuple[int, int, int]]:
    """(worker, request, lead) in order of start; who ends next is drawn."""
    starts, workers = [], list(policy.live)
    while True:
        for worker in workers:
            drift = policy.drift(worker)
            request = policy.next(worker)
            if request is not None:
                starts.append((worker, request, drift))
        if not policy.running:
            return starts
        worker = ends.draw(st.sampled_from(sorted(policy.running)))
        policy.finished(worker, policy.running[worker])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(POLICIES[:3]), st.integers(0, 24), st.integers(1, 6), st.integers(0, 4))
def test_without_deaths_request_i_runs_on_worker_i_mod_n_in_order(
    data: st.DataObject, name: str, num_requests: int, num_workers: int, max_drift: int
) -> None:
    starts = drive(make_policy(name, num_requests, range(num_workers), max_drift), data)
    assert sorted(request for _, request, _ in starts) == list(range(num_requests))
    assert all(worker == request % num_workers for worker, request, _ in starts)
    for w in range(num_workers):
        assert [r for worker, r, _ in starts if worker == w] == list(range(w, num_requests, num_workers))
    bound = {"batch_sync": 0, "bounded_drift": max_drift, "round_robin": num_requests}[name]
    assert max((lead for _, _, lead in starts), default=0) <= bound


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 24), st.integers(1, 6))
def test_batch_sync_starts_a_round_only_when_the_one_before_is_complete_everywhere(
    data: st.DataObject, num_requests: int, num_workers: int
) -> None:
    policy = make_policy("batch_sync", num_requests, range(num_workers))
    completed = 0
    while completed < num_requests:
        for worker in list(policy.live):
            request = policy.next(worker)
            if request is not None:
                assert completed >= request // num_workers * num_workers, "an earlier round is still running"
        worker = data.draw(st.sampled_from(sorted(policy.running)))
        policy.finished(worker, policy.running[worker])
        completed += 1


@pytest.mark.parametrize("num_workers", [1, 2, 6])
def test_batch_sync_fills_every_round_at_once(num_workers: int) -> None:
    policy = make_policy("batch_sync", 3 * num_workers, range(num_workers))
    for number in range(3):
        given_out = [policy.next(worker) for worker in policy.live]
        assert given_out == [number * num_workers + w for w in range(num_workers)]
        assert all(policy.next(worker) is None for worker in policy.live)
        for worker, request in enumerate(given_out):
            assert request is not None
            policy.finished(worker, request)


def test_a_worker_without_work_left_holds_nobody_up() -> None:
    policy = RoundRobin(3, [0, 1], max_drift=0)  # worker 0: 0 and 2, worker 1: 1
    assert (policy.next(0), policy.next(1)) == (0, 1)
    policy.finished(0, 0)
    assert policy.next(0) is None, "worker 1 is still in the first round"
    policy.finished(1, 1)
    assert policy.next(0) == 2 and policy.next(1) is None


def test_drift_is_counted_against_the_living_only() -> None:
    policy = RoundRobin(8, [0, 1], max_drift=0)
    assert (policy.next(0), policy.next(1)) == (0, 1)
    policy.finished(0, 0)
    assert policy.next(0) is None
    assert policy.lost(1) == 1
    assert policy.next(0) == 2


def test_a_failed_request_goes_elsewhere_if_there_is_an_elsewhere() -> None:
    for workers, expected in ((range(3), 2), (range(1), 0)):
        policy = RoundRobin(3, workers, max_drift=None)
        failing = min(1, len(workers) - 1)
        for worker in workers:
            policy.next(worker)
        request = policy.running[failing]
        policy.finished(failing, request)
        policy.again(request, failing)
        policy.finished(expected, policy.running[expected]) if expected in policy.running else None
        assert policy.next(expected) == request


def test_what_waits_for_a_dead_worker_goes_to_the_living_in_order() -> None:
    policy = RoundRobin(9, range(3), max_drift=None)
    assert policy.lost(1) is None
    assert [policy._queues[w] for w in (0, 2)] == [
        type(policy._queues[0])([0, 2, 4, 6, 8]),
        type(policy._queues[0])([1, 3, 5, 7]),
    ]


def test_work_survives_the_death_of_everybody() -> None:
    for name in POLICIES:
        policy = make_policy(name, 4, range(2))
        first = policy.next(0)
        for worker in (0, 1):
            request = policy.lost(worker)
            if request is not None:
                policy.again(request, worker)
        assert first == 0 and not policy.live
        policy.joined(1)
        seen = []
        while (request := policy.next(1)) is not None:
            policy.finished(1, request)
            seen.append(request)
        assert sorted(seen) == [0, 1, 2, 3]


def test_dynamic_takes_the_largest_first_and_at_the_end_what_waits_behind_somebody() -> None:
    policy = Dynamic(4, range(2), costs=[1.0, 4.0, 2.0, 3.0])
    assert policy.next(0) == 1 and policy.upcoming(0) == 3
    assert policy.next(1) == 2 and policy.upcoming(1) == 0
    policy.finished(1, 2)
    assert policy.next(1) == 0
    policy.finished(1, 0)
    assert policy.next(1) == 3, "sent ahead to worker 0, which is still busy"
    assert policy.upcoming(0) is None


def test_finishing_what_does_not_run_is_refused() -> None:
    policy = make_policy("dynamic", 2, range(2))
    policy.next(0)
    for worker, request in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="runs"):
            policy.finished(worker, request)


def test_an_unknown_policy_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no policy 'fast'; one of batch_sync, round_robin, bounded_drift, dynamic"):
        make_policy("fast", 1, range(1))
