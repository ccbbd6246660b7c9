"""Policy, pool and log together under batch synchronisation, with random failures, deaths and returns.

Every run is checked twice: by the order of events, which needs no clock, and by the times that a ledger would hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import pytest
from random_workers import World

from editeval.execution.dispatch import Dispatcher
from editeval.execution.policy import RETRIES, BatchSync, Policy
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.pool_events import Batch, PoolEvent, Result
from editeval.execution.progress import EditLog
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Limits, WorkerState
from editeval.store.barrier import crossed
from editeval.store.ledger_events import BatchEnd, Event, Invocation, Recorded
from editeval.store.records import Attempt
from editeval.types import EditRequest

NUM_REQUESTS = 60
KEYS = [f"s{number}" for number in range(NUM_REQUESTS)]
MAX_ATTEMPTS = 3
MAX_TICKS = 1000
SPEC = WorkerSpec("editors", "random")
LIMITS = Limits(max_attempts=MAX_ATTEMPTS)


def build(key: str) -> EditRequest:
    return EditRequest(key, (b"",), "change it", 0)


@dataclass
class Record:
    """What a ledger would hold of a run, and what was said."""

    num_workers: int
    lines: list[str] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    outcomes: list[Result] = field(default_factory=list)
    tried: list[Result] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.log = EditLog("Editor", [KEYS], self.num_workers, "batch_sync", self.lines.append)

    def hear(self, thing: Result | PoolEvent) -> None:
        if isinstance(thing, PoolEvent):
            self.kinds[thing.kind] += 1
            assert self.kinds["tick"] < MAX_TICKS, "it is stuck"
            batch = self.log.on_event(thing)
            self.batches += [batch] if batch else []
            self.tried += [thing.data["outcome"]] if thing.kind == "attempt" else []
        else:
            self.outcomes.append(thing)
            self.tried.append(thing)
            self.log.add(thing)

    # what `crossed` reads of a run

    def events(self) -> list[Recorded[Event]]:
        ends = [BatchEnd(**asdict(batch)) for batch in self.batches]
        return [Recorded(0, 0.0, Invocation()), *(Recorded(n, end.over_at, end) for n, end in enumerate(ends, start=1))]

    def attempts(self, stage: str) -> Iterator[Attempt]:
        for seq, o in enumerate(self.tried):
            times = o.started_at, o.seconds, None, o.error
            yield Attempt(seq, stage, "", o.key, o.attempt, o.worker, o.device, *times)


def faults_of(record: Record, world: World) -> Iterator[str]:
    """Everything in which the rounds overlap, or in which log, events and outcomes disagree."""
    yield from crossed(record).values()  # type: ignore[arg-type]
    if Counter(o.key for o in record.outcomes) != Counter(KEYS):
        yield "not one outcome per request"
    if Counter(key for batch in record.batches for key in batch.members) != Counter(KEYS):
        yield "the batches do not hold every request once"
    said = [line for line in record.lines if line.startswith("Batch ")]
    if said != [f"Batch {b.index}/{b.total} done, GPUs synced ✓" for b in record.batches]:
        yield f"the log says {said}"
    if [b.index for b in record.batches] != list(range(1, record.batches[-1].total + 1)):
        yield f"batches {[(b.index, b.total) for b in record.batches]}"
    yield from _overlaps(record, world)


def _overlaps(record: Record, world: World) -> Iterator[str]:
    tries: Counter[str] = Counter()
    over = 0
    for batch in record.batches:
        began, ended = [], [over]
        for key in (*batch.deferred, *batch.members):
            last = tries[key] + 1 if key in batch.deferred else None  # one attempt, or all that are left
            began += world.starts.get(key, [])[tries[key] : last]
            ended += world.ends.get(key, [])[tries[key] : last]
            tries[key] += 1
        if began and min(began) < over:
            yield f"batch {batch.index} began before the one before was over"
        over = max(ended)


def through_pool(seed: int, retry: str, num_workers: int, fault_rate: float = 1.0) -> tuple[Record, World]:
    """A run as the edit stage makes it."""
    world, record = World(seed, fault_rate, is_one_cursed=seed % 5 == 0 and num_workers > 1), Record(num_workers)
    spec = PoolSpec(SPEC, [("cpu",)] * num_workers, "batch_sync", None, retry, LIMITS)
    with Pool(spec, world.launch, record.hear) as pool:
        for outcome in pool.run(KEYS, build):
            record.hear(outcome)
    world.end()
    return record, world


def seeds(first: int, count: int) -> Iterator[tuple[int, str, int]]:
    """(seed, retry, number of workers)."""
    for seed in range(first, first + count):
        yield seed, RETRIES[seed % 2], 1 + seed % 7


def violations(first: int, count: int) -> tuple[list[str], Counter[str]]:
    found, kinds = [], Counter[str]()
    for seed, retry, num_workers in seeds(first, count):
        record, world = through_pool(seed, retry, num_workers)
        found += [f"seed {seed}, {retry}: {fault}" for fault in faults_of(record, world)]
        kinds += record.kinds
    return found, kinds


def test_no_batch_begins_before_the_one_before_has_its_final_outcomes_whatever_fails() -> None:
    found, kinds = violations(1, 20)
    assert not found
    assert min(kinds[kind] for kind in ("attempt", "worker_lost", "worker_given_up", "batch")) > 0


@pytest.mark.slow
def test_five_hundred_runs_with_random_failures_have_no_violation() -> None:
    found, kinds = violations(1000, 500)
    assert not found
    assert kinds["attempt"] > 3000 and kinds["worker_lost"] > 2000 and kinds["worker_given_up"] >= 50


class EarlyBarrier(BatchSync):
    """What the barrier was once: it opens when the devices are done, whatever comes of the results."""

    def finished(self, worker: int, request: int) -> None:
        super().finished(worker, request)
        self._open.discard(request)
        self._close_if_over()


class Forgetful(BatchSync):
    """A failed request leaves its batch as under at_end, and no batch says so."""

    def _put_back(self, request: int, worker: int) -> None:
        self._open.discard(request)
        self._late.append(request)
        self._close_if_over()


def through_dispatcher(policy: Policy, seed: int) -> list[str]:
    world, record = World(seed), Record(len(policy.live))
    dispatcher = Dispatcher(SPEC, [WorkerState(w, ("cpu",)) for w in policy.live], world.launch, LIMITS)
    dispatcher.load(record.hear)
    dispatcher.work(policy, KEYS, build, record.hear)
    dispatcher.end()
    world.end()
    return list(faults_of(record, world))


@pytest.mark.parametrize("policy", [EarlyBarrier, Forgetful])
def test_a_policy_that_opens_early_is_found_by_order_and_by_times(policy: type[BatchSync]) -> None:
    found = [fault for seed in range(5) for fault in through_dispatcher(policy(NUM_REQUESTS, range(4)), seed)]
    assert any("began before the one before was over" in fault for fault in found), "by order"
    assert any(" before batch " in fault or " after batch " in fault or "in another" in fault for fault in found)
    assert not [f for seed in range(5) for f in through_dispatcher(BatchSync(NUM_REQUESTS, range(4)), seed)]
