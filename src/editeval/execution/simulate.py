"""The policies on a virtual clock: what a run takes, what it would have taken under another policy.

`simulate` drives the very objects that real workers are driven with. `replay.py` feeds it what was measured in a run.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.policy import Policy, Round

Duration = Callable[[int, int], float]
"""duration(request, worker) in seconds."""


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """One simulated run. `max_drift` is the largest lead with which any request was started."""

    policy: str
    makespan_s: float
    idle_fraction: float
    max_drift: float
    starts: tuple[tuple[float, int, int], ...] = ()  # (second, worker, request), in order; one per attempt
    rounds: tuple[Round, ...] = ()  # of batch_sync


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one attempt, or with its worker right after it."""

    is_retried: bool = True  # it failed, and its request is run again; False: its outcome is final
    seconds: float | None = None  # that it takes; None: as long as if nothing went wrong
    away_s: float = 0.0  # its worker is lost for so long, starting at its end; inf: for good


_NO_FAULTS: Mapping[tuple[int, int], Fault] = {}


def simulate(
    name: str, policy: Policy, duration: Duration, faults: Mapping[tuple[int, int], Fault] = _NO_FAULTS
) -> SimulatedRun:
    """The timeline of `policy` when request r takes `duration(r, w)` seconds on worker w.

    `faults` says by (request, attempt) which attempts go wrong, and how.
    """
    run = _Run(policy, duration, faults)
    while run.step():
        pass
    if run.num_settled != policy.num_requests:
        raise RuntimeError(f"{name}: {run.num_settled} of {policy.num_requests} requests ran; the policy is stuck")
    makespan = round(run.now, 9)
    idle = 1 - run.busy_s / (makespan * run.num_workers) if makespan > 0 else 0.0
    return SimulatedRun(name, makespan, round(max(idle, 0.0), 9), run.lead, tuple(run.starts), tuple(run.rounds))


_BACK = -1  # in place of a request: the worker is there again


class _Run:
    """A virtual clock, and what ends when."""

    def __init__(self, policy: Policy, duration: Duration, faults: Mapping[tuple[int, int], Fault]) -> None:
        self._policy = policy
        self._duration = duration
        self._faults = faults
        self._tries: dict[int, int] = {}
        self._idle = set(policy.live)
        self._asked: Sequence[int] = list(policy.live)  # nobody else can have become able to start
        self._ends: list[tuple[float, int, int]] = []
        self.num_workers = len(policy.live)
        self.now = self.busy_s = 0.0
        self.num_settled = self.lead = 0
        self.starts: list[tuple[float, int, int]] = []
        self.rounds: list[Round] = []

    def step(self) -> bool:
        """Start what may start, then go on to the next moment at which something ends. False: nothing runs."""
        for worker in self._asked:
            self._start(worker)
        if not self._ends:
            return False
        self.now, news, ended = self._ends[0][0], self._policy.news, []
        while self._ends and self._ends[0][0] == self.now:  # those that end together end before anything starts
            _, worker, request = heapq.heappop(self._ends)
            if request == _BACK:
                self._policy.joined(worker)
            else:
                self._end(worker, request)
            ended.append(worker)
        if self._policy.news == news:
            self._idle.update(ended)
            self._asked = ended
        else:
            self._idle.update(worker for worker in ended if self._policy.is_alive(worker))
            self._asked = sorted(self._idle)
            while (closed := self._policy.take_closed()) is not None:
                self.rounds.append(closed)
        return True

    def _start(self, worker: int) -> None:
        policy = self._policy
        drift = policy.drift(worker)
        request = policy.next(worker)
        if request is None:
            return
        policy.upcoming(worker)  # the real driver sends the next request ahead at this moment
        self._idle.discard(worker)
        self.lead = max(self.lead, drift)
        seconds = self._duration(request, worker)
        if self._faults:
            self._tries[request] = self._tries.get(request, 0) + 1
            fault = self._faults.get((request, self._tries[request]))
            seconds = seconds if fault is None or fault.seconds is None else fault.seconds
        self.busy_s += seconds
        self.starts.append((self.now, worker, request))
        heapq.heappush(self._ends, (self.now + seconds, worker, request))

    def _end(self, worker: int, request: int) -> None:
        policy = self._policy
        fault = self._faults.get((request, self._tries[request])) if self._faults else None
        if fault is not None and fault.away_s:
            policy.lost(worker)
            if fault.away_s < math.inf:
                heapq.heappush(self._ends, (self.now + fault.away_s, worker, _BACK))
        else:
            policy.finished(worker, request)
        if fault is not None and fault.is_retried:
            policy.again(request, worker)
        else:
            policy.settled(request)
            self.num_settled += 1


def lower_bound(num_requests: int, paces: Sequence[float], sizes: Sequence[float] | None = None) -> float:
    """No schedule is shorter, in seconds: worker w needs `paces[w]` s for a request of size 1.

    Exact optimum when all requests are equal; otherwise the fluid bound (all workers busy to the end).
    """
    if not num_requests:
        return 0.0
    if sizes is not None and max(sizes) > min(sizes):
        fluid = math.fsum(sizes) / math.fsum(1 / p for p in paces)
        return round(max(fluid, max(sizes) * min(paces)), 9)
    size = sizes[0] if sizes else 1.0
    ends: list[tuple[float, int]] = [(p * size, w) for w, p in enumerate(paces)]
    heapq.heapify(ends)
    done = [0] * len(paces)
    end = 0.0
    for _ in range(num_requests):  # give each request to whoever would end it first
        end, worker = ends[0]
        done[worker] += 1
        heapq.heapreplace(ends, ((done[worker] + 1) * paces[worker] * size, worker))
    return round(end, 9)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What `editeval simulate` is asked: equal requests on workers of given paces, with or without noise."""

    num_requests: int
    durations: tuple[float, ...]  # seconds per request, one per worker
    cv: float = 0.0  # coefficient of variation of log-normal noise with mean 1, per request
    draws: int = 1
    rotate: bool = False  # the durations move on by one worker every round
    max_drift: int = 1
    seed: int = 0


def run_scenario(scenario: Scenario) -> tuple[float, list[SimulatedRun]]:
    """(lower bound, one timeline per policy), averaged over the draws; every policy sees the same random numbers."""
    rng = random.Random(scenario.seed)
    sigma = math.sqrt(math.log1p(scenario.cv**2))
    # when the slow place rotates, any request may meet the fastest worker: only that is certain
    paces = (min(scenario.durations),) * len(scenario.durations) if scenario.rotate else scenario.durations
    bounds: list[float] = []
    runs: dict[str, list[SimulatedRun]] = {name: [] for name in POLICIES}
    for _ in range(scenario.draws if scenario.cv else 1):
        sizes = [rng.lognormvariate(-sigma * sigma / 2, sigma) for _ in range(scenario.num_requests)]
        duration = _scenario_duration(scenario, sizes if scenario.cv else None)
        bounds.append(lower_bound(scenario.num_requests, paces, sizes if scenario.cv else None))
        for name in POLICIES:
            policy = make_policy(name, scenario.num_requests, range(len(scenario.durations)), scenario.max_drift)
            timeline = simulate(name, policy, duration)
            runs[name].append(replace(timeline, starts=(), rounds=()))  # a million of them are memory
    return statistics.fmean(bounds), [_average(name, timelines) for name, timelines in runs.items()]


def _scenario_duration(scenario: Scenario, sizes: Sequence[float] | None) -> Duration:
    num_workers = len(scenario.durations)

    def duration(request: int, worker: int) -> float:
        turn = request // num_workers if scenario.rotate else 0
        seconds = scenario.durations[(worker - turn) % num_workers]
        return seconds * sizes[request] if sizes else seconds

    return duration


def _average(name: str, timelines: Sequence[SimulatedRun]) -> SimulatedRun:
    return SimulatedRun(
        name,
        statistics.fmean(t.makespan_s for t in timelines),
        statistics.fmean(t.idle_fraction for t in timelines),
        statistics.fmean(t.max_drift for t in timelines),
    )
