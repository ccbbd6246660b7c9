"""What a run would have taken under another policy, and without its failures: replayed from what really happened."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.policy import Policy
from editeval.execution.rounds import IN_BATCH
from editeval.execution.simulate import Fault, SimulatedRun, simulate
from editeval.execution.worker_state import Result

Faults = Mapping[tuple[int, int], Fault]
"""(request, attempt) -> what went wrong with it."""


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
        """The run is over: whoever is away now did not come back in it."""
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
    measured: Sequence[ReplayedRequest], setting: Setting, faults: Faults | None = None, failed: Collection[int] = ()
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
    placed = {(places[r], attempt): fault for (r, attempt), fault in (faults or {}).items() if r in places}

    def duration(request: int, worker: int) -> float:
        owner, seconds = own[request]
        return seconds if owner == worker else sizes[request] * paces[worker]

    def policy(name: str) -> Policy:
        return make_policy(name, len(order), range(setting.num_workers), setting.max_drift, setting.retry)

    return [simulate(name, policy(name), duration, placed) for name in POLICIES]


def cost_of(policy: str, measured_s: float, normal: Sequence[SimulatedRun], real: Sequence[SimulatedRun]) -> Cost:
    """How the seconds of a run under `policy` split; `normal` was replayed without its failures, `real` with them."""
    took = {t.policy: t.makespan_s for t in normal}
    with_failures = {t.policy: t.makespan_s for t in real}[policy]
    ideal = took["round_robin"]
    return Cost(measured_s, ideal, took[policy] - ideal, with_failures - took[policy], measured_s - with_failures)


def _paces(measured: Sequence[ReplayedRequest], num_workers: int) -> list[float]:
    by_worker: list[list[float]] = [[] for _ in range(num_workers)]
    for m in measured:
        by_worker[m.worker].append(m.seconds)
    overall = statistics.median(m.seconds for m in measured) if measured else 1.0
    return [max(statistics.median(s) if s else overall, 1e-9) for s in by_worker]
