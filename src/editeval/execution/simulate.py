"""The policies on a virtual clock: what a run takes, and what it would have taken under another policy.

`simulate` drives the very objects that real workers are driven with. `replay` feeds it what was measured in a run.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.policy import IN_BATCH, Policy, Round
from editeval.execution.pool_events import Result

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


Faults = Mapping[tuple[int, int], Fault]
"""(request, attempt) -> what went wrong with it."""
_NO_FAULTS: Faults = {}


def simulate(
    name: str, policy: Policy, duration: Duration, faults: Faults = _NO_FAULTS, is_detailed: bool = True
) -> SimulatedRun:
    """The timeline of `policy` when request r takes `duration(r, w)` seconds on worker w.

    `is_detailed`: with its starts and rounds, which for a million requests are memory.
    """
    run = _Run(policy, duration, faults, is_detailed)
    asked: Sequence[int] = list(policy.live)
    while asked or run.ends:
        run.start(asked)
        asked = run.go_on()
    if run.num_settled != policy.num_requests:
        raise RuntimeError(f"{name}: {run.num_settled} of {policy.num_requests} requests ran; the policy is stuck")
    makespan = round(run.now, 9)
    idle = 1 - run.busy_s / (makespan * run.num_workers) if makespan > 0 else 0.0
    return SimulatedRun(name, makespan, round(max(idle, 0.0), 9), run.lead, tuple(run.starts), tuple(run.rounds))


_BACK = -1  # in place of a request: the worker is there again


class _Run:
    """A virtual clock, and what ends when."""

    def __init__(self, policy: Policy, duration: Duration, faults: Faults, is_detailed: bool) -> None:
        self._policy = policy
        self._duration = duration
        self._faults = faults
        self._is_detailed = is_detailed
        self._tries: dict[int, int] = {}
        self._idle = set(policy.live)
        self.ends: list[tuple[float, int, int]] = []  # heap of (second, worker, request)
        self.num_workers = len(policy.live)
        self.now = self.busy_s = 0.0
        self.num_settled = self.lead = 0
        self.starts: list[tuple[float, int, int]] = []
        self.rounds: list[Round] = []

    def start(self, workers: Sequence[int]) -> None:
        """Those of `workers` start something that may; no other can have become able to."""
        policy = self._policy
        for worker in workers:
            drift = policy.drift(worker)
            request = policy.next(worker)
            if request is None:
                continue
            policy.upcoming(worker)  # the real driver sends the next request ahead at this moment
            self._idle.discard(worker)
            if drift > self.lead:
                self.lead = drift
            seconds = self._duration(request, worker)
            if self._faults:
                self._tries[request] = self._tries.get(request, 0) + 1
                fault = self._faults.get((request, self._tries[request]))
                seconds = seconds if fault is None or fault.seconds is None else fault.seconds
            self.busy_s += seconds
            if self._is_detailed:
                self.starts.append((self.now, worker, request))
            heapq.heappush(self.ends, (self.now + seconds, worker, request))

    def go_on(self) -> Sequence[int]:
        """The next moment at which something ends; returns the workers that may be able to start then."""
        if not self.ends:
            return ()
        policy, ends, ended = self._policy, self.ends, []
        self.now, news = ends[0][0], policy.news
        while ends and ends[0][0] == self.now:  # those that end together end before anything starts
            _, worker, request = heapq.heappop(ends)
            if request == _BACK:
                policy.joined(worker)
            elif self._faults:
                self._end(worker, request)
            else:
                policy.finished(worker, request)
                policy.settled(request)
                self.num_settled += 1
            ended.append(worker)
        if policy.news == news:
            self._idle.update(ended)
            return ended
        self._idle.update(worker for worker in ended if policy.is_alive(worker))
        while (closed := policy.take_closed()) is not None:
            if self._is_detailed:
                self.rounds.append(closed)
        return sorted(self._idle)

    def _end(self, worker: int, request: int) -> None:
        policy = self._policy
        fault = self._faults.get((request, self._tries[request]))
        if fault is not None and fault.away_s:
            policy.lost(worker)
            if fault.away_s < math.inf:
                heapq.heappush(self.ends, (self.now + fault.away_s, worker, _BACK))
        else:
            policy.finished(worker, request)
        if fault is not None and fault.is_retried:
            policy.again(request, worker)
        else:
            policy.settled(request)
            self.num_settled += 1


# -- scenarios: what `editeval simulate` asks --------------------------------------------------------------------------


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
    for _ in range(num_requests):  # give each request to the worker that would end it first
        end, worker = ends[0]
        done[worker] += 1
        heapq.heapreplace(ends, ((done[worker] + 1) * paces[worker] * size, worker))
    return round(end, 9)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Equal requests on workers of given paces, with or without noise."""

    num_requests: int
    durations: tuple[float, ...]  # seconds per request, one per worker
    cv: float = 0.0  # coefficient of variation of log-normal noise with mean 1, per request
    draws: int = 1
    rotate: bool = False  # the durations move on by one worker every round
    max_drift: int = 1
    seed: int = 0


def run_scenario(scenario: Scenario) -> tuple[float, list[SimulatedRun]]:
    """(lower bound, one timeline per policy), averaged over the draws; every policy sees the same random numbers."""
    # when the slow place rotates, any request may meet the fastest worker: only that is certain
    paces = (min(scenario.durations),) * len(scenario.durations) if scenario.rotate else scenario.durations
    bounds: list[float] = []
    runs: dict[str, list[SimulatedRun]] = {name: [] for name in POLICIES}
    for sizes, duration in draws_of(scenario):
        bounds.append(lower_bound(scenario.num_requests, paces, sizes))
        for name in POLICIES:
            policy = make_policy(name, scenario.num_requests, range(len(scenario.durations)), scenario.max_drift)
            runs[name].append(simulate(name, policy, duration, is_detailed=False))
    return statistics.fmean(bounds), [_average(name, timelines) for name, timelines in runs.items()]


def draws_of(scenario: Scenario) -> Iterator[tuple[Sequence[float] | None, Duration]]:
    """Of each draw: how large the requests are (None: all 1), and what each takes on each worker."""
    rng, sigma = random.Random(scenario.seed), math.sqrt(math.log1p(scenario.cv**2))
    durations, num_workers = scenario.durations, len(scenario.durations)
    for _ in range(scenario.draws if scenario.cv else 1):
        count = scenario.num_requests if scenario.cv else 0
        sizes = [rng.lognormvariate(-sigma * sigma / 2, sigma) for _ in range(count)] or None

        def duration(request: int, worker: int, sizes: Sequence[float] | None = sizes) -> float:
            seconds = durations[(worker - request // num_workers) % num_workers if scenario.rotate else worker]
            return seconds * sizes[request] if sizes else seconds

        yield sizes, duration


def _average(name: str, timelines: Sequence[SimulatedRun]) -> SimulatedRun:
    def mean(figure: Callable[[SimulatedRun], float]) -> float:
        return statistics.fmean(map(figure, timelines))

    return SimulatedRun(
        name, mean(lambda t: t.makespan_s), mean(lambda t: t.idle_fraction), mean(lambda t: t.max_drift)
    )


# -- replays of real runs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplayedRequest:
    """One finished request of a real run: `request` is its place in the order of the run."""

    request: int
    worker: int
    seconds: float


class History:
    """What happened to the requests of a run: what each took, which attempts failed, how long workers were away."""

    def __init__(self) -> None:
        self.measured: list[ReplayedRequest] = []
        self.failed: set[int] = set()  # requests without a value
        self.faults: dict[tuple[int, int], Fault] = {}
        self._last: dict[int, tuple[int, int, float]] = {}  # worker -> (request, attempt, end) of its last attempt
        self._away: set[int] = set()
        self._began_at, self._ended_at = math.inf, -math.inf  # first start of an attempt, last end of one

    @property
    def seconds(self) -> float:
        """From the start of the first attempt to the end of the last one, as `stats.timeline` counts a stage."""
        return max(0.0, self._ended_at - self._began_at)

    @property
    def num_edits(self) -> int:
        """Requests with a final outcome, a value or not."""
        return len(self.measured) + len(self.failed)

    def add(self, request: int, outcome: Result, is_final: bool) -> None:
        """An attempt is over."""
        ended_at = outcome.started_at + outcome.seconds
        self._began_at, self._ended_at = min(self._began_at, outcome.started_at), max(self._ended_at, ended_at)
        if outcome.error is None:
            self.measured.append(ReplayedRequest(request, outcome.worker, outcome.seconds))
        else:
            self.faults[request, outcome.attempt] = Fault(not is_final, outcome.seconds)
            if is_final:
                self.failed.add(request)
        self._last[outcome.worker] = request, outcome.attempt, ended_at

    def lost(self, worker: int) -> None:
        """`worker` died."""
        self._away.add(worker)

    def back(self, worker: int, at: float) -> None:
        """`worker` is ready at `at` (unix seconds)."""
        if worker in self._away and worker in self._last:
            request, attempt, end = self._last[worker]
            fault = self.faults.get((request, attempt), Fault(is_retried=False))
            self.faults[request, attempt] = replace(fault, away_s=max(at - end, 1e-6))
        self._away.discard(worker)

    def close(self, at: float) -> None:
        """The run is over: a worker that is away now did not come back in it."""
        for worker in list(self._away):
            self.back(worker, at)


@dataclass(frozen=True, slots=True)
class Cost:
    """Where the seconds of a run went: measured_s = ideal_s + policy_s + failures_s + rest_s."""

    measured_s: float
    ideal_s: float  # free-running round robin, nothing failing
    policy_s: float  # what the policy adds to that: waiting at the barrier
    failures_s: float  # what failed attempts and lost workers add under this policy
    rest_s: float  # encoding, handing over, and what the replay misses: it may be less than nothing


@dataclass(frozen=True, slots=True)
class Setting:
    """Under what the policies are replayed; `max_drift` is that of bounded_drift, `retry` that of batch_sync."""

    num_workers: int
    max_drift: int | None = None
    retry: str = IN_BATCH


def replay(
    measured: Sequence[ReplayedRequest], setting: Setting, faults: Faults = _NO_FAULTS, failed: Collection[int] = ()
) -> list[SimulatedRun]:
    """What every policy would have taken for the measured requests, with or without `faults`.

    A request that another policy gives to another worker is scaled by the ratio of the two workers' median durations.
    The `failed` ones keep their place, but take no time beyond that of their faults.
    """
    known = {m.request: m for m in measured}
    order = sorted(known.keys() | set(failed))
    if not order:
        return []
    paces = _paces(measured, setting.num_workers)
    own = [(known[r].worker, known[r].seconds) if r in known else (-1, 0.0) for r in order]
    sizes = [seconds / paces[worker] if seconds else 0.0 for worker, seconds in own]
    places = {request: place for place, request in enumerate(order)}
    placed = {(places[r], attempt): fault for (r, attempt), fault in faults.items() if r in places}

    def duration(request: int, worker: int) -> float:
        owner, seconds = own[request]
        return seconds if owner == worker else sizes[request] * paces[worker]

    options = len(order), range(setting.num_workers), setting.max_drift, setting.retry
    return [simulate(name, make_policy(name, *options), duration, placed) for name in POLICIES]


def _paces(measured: Sequence[ReplayedRequest], num_workers: int) -> list[float]:
    by_worker: list[list[float]] = [[] for _ in range(num_workers)]
    for m in measured:
        by_worker[m.worker].append(m.seconds)
    overall = statistics.median(m.seconds for m in measured) if measured else 1.0
    return [max(statistics.median(s) if s else overall, 1e-9) for s in by_worker]


def cost_of(policy: str, measured_s: float, normal: Sequence[SimulatedRun], real: Sequence[SimulatedRun]) -> Cost:
    """How the seconds of a run under `policy` split; `normal` was replayed without its failures, `real` with them."""
    took = {t.policy: t.makespan_s for t in normal}
    with_failures = {t.policy: t.makespan_s for t in real}[policy]
    ideal = took["round_robin"]
    return Cost(measured_s, ideal, took[policy] - ideal, with_failures - took[policy], measured_s - with_failures)
