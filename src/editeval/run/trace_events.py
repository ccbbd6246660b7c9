"""A run's ledger and gpu.csv as a trace: what every worker did when."""

from __future__ import annotations

from collections.abc import Iterator

from editeval.display.recorder import GPU_FILE, read_samples
from editeval.reports.trace import BATCHES, GPU_PROCESS, Counter, Mark, Span, Trace
from editeval.run import results
from editeval.store import barrier
from editeval.store.ledger_events import BatchEnd, Load, StageBegin, StageEvent, WorkerGivenUp, WorkerLost
from editeval.store.records import Attempt
from editeval.store.run_store import RunStore

MAX_NAMED = 20  # samples of a judge's batch that are named
_Stage = tuple[str, str]
"""(stage, judging id): a process of the trace."""


def trace_of(store: RunStore) -> Trace:
    """Everything that the ledger has a time for."""
    processes = _processes(store)
    numbers = {stage: number for number, stage in enumerate(processes, start=1)}
    spans = [*_loads(store, numbers), *_attempts(store, numbers), *_batches(store)]
    devices = _devices(store, numbers) | ({(1, BATCHES): ""} if any(s.track == BATCHES for s in spans) else {})
    counters = list(_counters(store))
    names = {numbers[stage]: name for stage, name in processes.items()}
    return Trace(
        processes=names | ({GPU_PROCESS: "GPUs"} if counters else {}),
        devices=devices,
        spans=spans,
        marks=list(_marks(store, numbers)),
        counters=counters,
        origin={"run": store.dir.name, "run_id": store.manifest["run_id"]},
    )


def _processes(store: RunStore) -> dict[_Stage, str]:
    known = {judging.id: f"judge {judging.judge}" for judging in store.judgings()}
    known |= {one.id: f"judge {one.title}" for one in results.kept(store)}
    return {("edit", ""): "edit", **{("judge", judging_id): name for judging_id, name in known.items()}}


def _stage(store: RunStore, event: StageEvent) -> _Stage:
    """Of an event; those of a run with one judge may not say which."""
    judging_id = event.judging_id
    if event.stage == "judge" and not judging_id and store.judgings():
        judging_id = store.judgings()[-1].id
    return event.stage, judging_id


def _devices(store: RunStore, numbers: dict[_Stage, int]) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for recorded in store.events_of(StageBegin):
        process = numbers[_stage(store, recorded.event)]
        found |= {(process, worker): device for worker, device in enumerate(recorded.event.devices)}
    return found


def _loads(store: RunStore, numbers: dict[_Stage, int]) -> Iterator[Span]:
    for load in (recorded.event for recorded in store.events_of(Load)):
        process, seconds = numbers[_stage(store, load)], load.ended_at - load.started_at
        yield Span(process, load.worker, "load", "load", load.started_at, seconds, {"device": load.device})


def _attempts(store: RunStore, numbers: dict[_Stage, int]) -> Iterator[Span]:
    """A span per edit; the judgements of one batch, which share their time, are one span."""
    batch: list[Attempt] = []
    for attempt in store.attempts():
        if batch and _time(attempt) != _time(batch[0]):
            yield _span(batch, numbers)
            batch = []
        batch.append(attempt)
    if batch:
        yield _span(batch, numbers)


def _time(attempt: Attempt) -> tuple[str | int | float, ...]:
    key = attempt.sample_id if attempt.stage == "edit" else attempt.judging_id
    return attempt.stage, key, attempt.worker, attempt.started_at, attempt.seconds


def _span(batch: list[Attempt], numbers: dict[_Stage, int]) -> Span:
    first = batch[0]
    error = next((a.error for a in batch if a.error is not None), None)
    name = first.sample_id if len(batch) == 1 else f"{len(batch)} samples"
    args: dict[str, object] = {"attempt": first.attempt, "samples": [a.sample_id for a in batch[:MAX_NAMED]]}
    if error is not None:
        args |= {"reason": error.reason, "message": error.message}
    if first.peak_memory_gib is not None:
        args["peak_memory_gib"] = round(first.peak_memory_gib, 3)
    category = "failed" if all(a.error is not None for a in batch) else first.stage
    name = f"{name}: {error.reason}" if category == "failed" and error is not None else name
    process = numbers[(first.stage, first.judging_id)]
    return Span(process, first.worker, name, category, first.started_at, first.seconds, args)


def _batches(store: RunStore) -> Iterator[Span]:
    for batch in (recorded.event for recorded in store.events_of(BatchEnd)):
        args: dict[str, object] = {
            "slowest_worker": batch.slowest_worker,
            "num_workers": batch.num_workers,
            "num_left": batch.num_left,
            "members": None if batch.members is None else batch.members[:MAX_NAMED],
            "deferred": None if batch.deferred is None else batch.deferred[:MAX_NAMED],
        }
        known = {name: value for name, value in args.items() if value is not None}
        yield Span(1, BATCHES, f"batch {batch.index}", "batch", batch.started_at, batch.seconds, known)


def _marks(store: RunStore, numbers: dict[_Stage, int]) -> Iterator[Mark]:
    crossed = barrier.crossed(store)
    num_workers = 0
    for recorded in store.events():
        event = recorded.event
        if isinstance(event, StageBegin) and event.stage == "edit":
            num_workers = len(event.devices)
        if isinstance(event, BatchEnd) and recorded.seq not in crossed:
            present = next((n for n in (event.num_left, event.num_workers) if n is not None), num_workers)
            who = "all" if present >= num_workers else f"{present} of {num_workers} workers"
            yield Mark(1, None, f"{who} synchronised after batch {event.index}", event.started_at + event.seconds)
        elif isinstance(event, WorkerLost | WorkerGivenUp):
            what = f"{event.kind.replace('_', ' ')}: {event.how}"
            yield Mark(numbers[_stage(store, event)], event.worker, what, recorded.at)


def _counters(store: RunStore) -> Iterator[Counter]:
    for sample in read_samples(store.dir / GPU_FILE):
        values = {
            "utilisation %": sample.utilisation,
            "memory MiB": sample.memory_mib,
            "power W": sample.power_w,
            "temperature C": sample.temperature_c,
        }
        yield Counter(sample.at, sample.gpu, {name: value for name, value in values.items() if value is not None})
