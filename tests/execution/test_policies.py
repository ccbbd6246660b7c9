"""The policies under every order of events that a run can produce: starts, ends, failures, deaths, returns."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from editeval.execution.policies import POLICIES, Dynamic, FreeRunning, RoundRobin, make_policy
from editeval.execution.policy import RETRIES, Policy, Round

MAX_WORKERS = 5


class Recorder:
    """When requests started and were settled, by the number of the event; which rounds there were."""

    def __init__(self) -> None:
        self.now = 0
        self.starts: dict[int, list[int]] = {}
        self.settled: dict[int, int] = {}
        self.rounds: list[Round] = []

    def start(self, request: int) -> None:
        self.now += 1
        self.starts.setdefault(request, []).append(self.now)

    def settle(self, policy: Policy, request: int) -> None:
        self.now += 1
        self.settled[request] = self.now
        self.collect(policy)

    def collect(self, policy: Policy) -> None:
        while (closed := policy.take_closed()) is not None:
            self.rounds.append(closed)

    def check(self, num_requests: int) -> None:
        """No round began before the one before was over; the rounds hold every request once."""
        assert sorted(r for each in self.rounds for r in each.members) == list(range(num_requests))
        assert [each.number for each in self.rounds] == list(range(1, len(self.rounds) + 1))
        assert not self.rounds or self.rounds[-1].total == len(self.rounds)
        tries: Counter[int] = Counter()
        over = 0
        for each in self.rounds:
            began = []
            for request in each.deferred:  # each round that a request left saw one attempt at it
                began.append(self.starts[request][tries[request]])
                tries[request] += 1
            for request in each.members:
                began += self.starts[request][tries[request] :]
            assert over < min(began), f"round {each.number} began before the one before was over"
            over = max([over, *(self.settled[request] for request in each.members)])


def true_floor(policy: FreeRunning) -> int:
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
        retry=st.sampled_from(RETRIES),
    )
    def begin(self, name: str, num_requests: int, num_workers: int, max_drift: int, retry: str) -> None:
        self.policy = make_policy(name, num_requests, range(num_workers), max_drift, retry)
        self.limit = {"batch_sync": 0, "bounded_drift": max_drift}.get(name)
        self.recorder = Recorder()
        self.dead: set[int] = set()
        self.running: dict[int, int] = {}  # as a driver knows it
        self.late: list[tuple[int, int, bool]] = []  # (request, worker, is failed): its result is under way
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
        assert request not in self.done and request not in [late[0] for late in self.late]
        assert self.limit is None or drift <= self.limit
        self.running[worker] = request
        self.recorder.start(request)
        ahead = self.policy.upcoming(worker)
        assert ahead is None or (ahead not in self.done and ahead not in self.running.values())

    @precondition(lambda self: self.running)
    @rule(data=st.data(), is_failed=st.booleans(), is_late=st.booleans())
    def finish(self, data: st.DataObject, is_failed: bool, is_late: bool) -> None:
        worker = self.worker(data, list(self.running))
        request = self.running.pop(worker)
        self.policy.finished(worker, request)
        self.late.append((request, worker, is_failed))
        if not is_late:  # else its PNG is still being encoded
            self._arrive(-1)

    @precondition(lambda self: self.late)
    @rule()
    def arrive_late(self) -> None:
        self._arrive(0)

    def _arrive(self, place: int) -> None:
        request, worker, is_failed = self.late.pop(place)
        if is_failed:
            self.policy.again(request, worker)
            self.recorder.collect(self.policy)
        else:
            self._settle(request)

    def _settle(self, request: int) -> None:
        self.done[request] += 1
        self.policy.settled(request)
        self.recorder.settle(self.policy, request)

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
            self.recorder.collect(self.policy)

    @precondition(lambda self: self.dead)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        worker = self.worker(data, list(self.dead))
        self.dead.remove(worker)
        floor = true_floor(self.policy) if isinstance(self.policy, FreeRunning) else None
        self.policy.joined(worker)
        assert worker in self.policy.live
        if isinstance(self.policy, FreeRunning):
            assert self.policy.completed[worker] == floor

    @invariant()
    def the_cached_floor_is_the_true_one(self) -> None:
        if isinstance(getattr(self, "policy", None), FreeRunning):
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
            self._settle(request)
        while self.late:
            self._arrive(0)
        while sum(self.done.values()) < self.policy.num_requests:
            started = [(w, r) for w in self.policy.live if (r := self.policy.next(w)) is not None]
            assert started, "work is left, a worker lives, nothing runs: one of them must get a request"
            for _, request in started:
                self.recorder.start(request)
            for worker, request in started:
                self.policy.finished(worker, request)
                self._settle(request)
        assert self.done == Counter(range(self.policy.num_requests))
        if self.policy.waits_for_results:
            self.recorder.check(self.policy.num_requests)
        assert all(self.policy.next(worker) is None for worker in self.policy.live)


PolicyMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestPolicies = PolicyMachine.TestCase


def end(policy: Policy, worker: int) -> None:
    """What `worker` runs is done, and its result is there."""
    request = policy.running[worker]
    policy.finished(worker, request)
    policy.settled(request)


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
        end(policy, ends.draw(st.sampled_from(sorted(policy.running))))


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
        end(policy, data.draw(st.sampled_from(sorted(policy.running))))
        completed += 1


@pytest.mark.parametrize("num_workers", [1, 2, 6])
def test_batch_sync_fills_every_round_at_once(num_workers: int) -> None:
    policy = make_policy("batch_sync", 3 * num_workers, range(num_workers))
    for number in range(3):
        given_out = [policy.next(worker) for worker in policy.live]
        assert given_out == [number * num_workers + w for w in range(num_workers)]
        assert all(policy.next(worker) is None for worker in policy.live)
        for worker in range(num_workers):
            end(policy, worker)


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
            end(policy, 1)
            seen.append(request)
        assert sorted(seen) == [0, 1, 2, 3]


def test_dynamic_takes_the_next_one_and_at_the_end_what_waits_behind_another_worker() -> None:
    policy = Dynamic(4, range(2))
    assert policy.next(0) == 0 and policy.upcoming(0) == 1
    assert policy.next(1) == 2 and policy.upcoming(1) == 3
    policy.finished(1, 2)
    assert policy.next(1) == 3
    policy.finished(1, 3)
    assert policy.next(1) == 1, "sent ahead to worker 0, which is still busy"
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
