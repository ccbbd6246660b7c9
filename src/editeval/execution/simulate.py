"""The policies on a virtual clock: what a run takes, what it would have taken under another policy.

`simulate` drives the very objects that real workers are driven with. `replay` feeds it the durations measured in a run.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from editeval.execution.policies import POLICIES, Policy, make_policy

Duration = Callable[[int, int], float]
"""duration(request, worker) in seconds."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One simulated run. `max_drift` is the largest lead with which any request was started."""

    policy: str
    makespan_s: float
    idle_fraction: float
    max_drift: float
    starts: tuple[tuple[float, int, int], ...] = ()  # (second, worker, request), in order


@dataclass(frozen=True, slots=True)
class Measured:
    """One finished request of a real run: `request` is its place in the order of the run."""

    request: int
    worker: int
    seconds: float


def simulate(name: str, policy: Policy, duration: Duration) -> Timeline:
    """The timeline of `policy` when request r takes `duration(r, w)` seconds on worker w."""
    workers = list(policy.live)
    waiting = list(workers)
    ending: list[tuple[float, int, int]] = []
    starts: list[tuple[float, int, int]] = []
    now = busy = 0.0
    lead = 0
    asked = list(workers)
    while True:
        for worker in asked:
            drift = policy.drift(worker)
            request = policy.next(worker)
            if request is None:
                continue
            policy.upcoming(worker)  # the real driver sends the next request ahead at this moment
            waiting.remove(worker)
            lead = max(lead, drift)
            seconds = duration(request, worker)
            busy += seconds
            starts.append((now, worker, request))
            heapq.heappush(ending, (now + seconds, worker, request))
        if not ending:
            break
        now, floor, ended = ending[0][0], policy.floor(), []
        while ending and ending[0][0] == now:  # those that end together end before anything starts
            _, worker, request = heapq.heappop(ending)
            policy.finished(worker, request)
            insort(waiting, worker)
            ended.append(worker)
        asked = list(waiting) if policy.floor() != floor else ended  # nobody else can have been released
    if len(starts) != policy.num_requests:
        raise RuntimeError(f"{name}: {len(starts)} of {policy.num_requests} requests ran; the policy is stuck")
    makespan = round(now, 9)
    idle = 1 - busy / (makespan * len(workers)) if makespan > 0 else 0.0
    return Timeline(name, makespan, round(max(idle, 0.0), 9), lead, tuple(starts))


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


def run_scenario(scenario: Scenario) -> tuple[float, list[Timeline]]:
    """(lower bound, one timeline per policy), averaged over the draws; every policy sees the same random numbers."""
    rng = random.Random(scenario.seed)
    sigma = math.sqrt(math.log1p(scenario.cv**2))
    # when the slow place rotates, any request may meet the fastest worker: only that is certain
    paces = (min(scenario.durations),) * len(scenario.durations) if scenario.rotate else scenario.durations
    bounds: list[float] = []
    runs: dict[str, list[Timeline]] = {name: [] for name in POLICIES}
    for _ in range(scenario.draws if scenario.cv else 1):
        sizes = [rng.lognormvariate(-sigma * sigma / 2, sigma) for _ in range(scenario.num_requests)]
        duration = _scenario_duration(scenario, sizes if scenario.cv else None)
        bounds.append(lower_bound(scenario.num_requests, paces, sizes if scenario.cv else None))
        for name in POLICIES:
            policy = make_policy(name, scenario.num_requests, range(len(scenario.durations)), scenario.max_drift)
            runs[name].append(simulate(name, policy, duration))
    return statistics.fmean(bounds), [_average(name, timelines) for name, timelines in runs.items()]


def _scenario_duration(scenario: Scenario, sizes: Sequence[float] | None) -> Duration:
    num_workers = len(scenario.durations)

    def duration(request: int, worker: int) -> float:
        turn = request // num_workers if scenario.rotate else 0
        seconds = scenario.durations[(worker - turn) % num_workers]
        return seconds * sizes[request] if sizes else seconds

    return duration


def _average(name: str, timelines: Sequence[Timeline]) -> Timeline:
    return Timeline(
        name,
        statistics.fmean(t.makespan_s for t in timelines),
        statistics.fmean(t.idle_fraction for t in timelines),
        statistics.fmean(t.max_drift for t in timelines),
    )


def replay(measured: Sequence[Measured], num_workers: int, max_drift: int | None = None) -> list[Timeline]:
    """What every policy would have taken for the measured requests.

    A request that another policy gives to another worker is scaled by the ratio of the two workers' median durations.
    """
    if not measured:
        return []
    order = sorted(measured, key=lambda m: m.request)
    paces = _paces(order, num_workers)
    sizes = [m.seconds / paces[m.worker] for m in order]
    own = [(m.worker, m.seconds) for m in order]

    def duration(request: int, worker: int) -> float:
        owner, seconds = own[request]
        return seconds if owner == worker else sizes[request] * paces[worker]

    return [simulate(name, make_policy(name, len(order), range(num_workers), max_drift), duration) for name in POLICIES]


def _paces(measured: Sequence[Measured], num_workers: int) -> list[float]:
    overall = statistics.median(m.seconds for m in measured)
    by_worker: list[list[float]] = [[] for _ in range(num_workers)]
    for m in measured:
        by_worker[m.worker].append(m.seconds)
    return [max(statistics.median(s) if s else overall, 1e-9) for s in by_worker]
