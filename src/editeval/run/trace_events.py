"""A run's ledger and gpu.csv as a trace: what every worker did when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from editeval.display.recorder import GPU_FILE, read_samples
from editeval.reports.trace import BATCHES, GPU_PROCESS, Counter, Mark, Span, Trace
from editeval.run import results
from editeval.store import barrier
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


def _stage(store: RunStore, data: dict[str, Any]) -> _Stage:
    """Of an event; those of a run with one judge may not say which."""
    judging_id = data.get("judging_id") or ""
    if data["stage"] == "judge" and not judging_id and store.judgings():
        judging_id = store.judgings()[-1].id
    return data["stage"], judging_id


def _devices(store: RunStore, numbers: dict[_Stage, int]) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for event in store.events("stage_begin"):
        process = numbers[_stage(store, event["data"])]
        found |= {(process, worker): device for worker, device in enumerate(event["data"]["devices"])}
    return found


def _loads(store: RunStore, numbers: dict[_Stage, int]) -> Iterator[Span]:
    for event in store.events("load"):
        data = event["data"]
        process = numbers[_stage(store, data)]
        seconds = data["ended_at"] - data["started_at"]
        yield Span(process, data["worker"], "load", "load", data["started_at"], seconds, {"device": data["device"]})


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


def _time(attempt: Attempt) -> tuple[Any, ...]:
    key = attempt.sample_id if attempt.stage == "edit" else attempt.judging_id
    return attempt.stage, key, attempt.worker, attempt.started_at, attempt.seconds


def _span(batch: list[Attempt], numbers: dict[_Stage, int]) -> Span:
    first = batch[0]
    error = next((a.error for a in batch if a.error is not None), None)
    name = first.sample_id if len(batch) == 1 else f"{len(batch)} samples"
    args: dict[str, Any] = {"attempt": first.attempt, "samples": [a.sample_id for a in batch[:MAX_NAMED]]}
    if error is not None:
        args |= {"reason": error.reason, "message": error.message}
    if first.peak_memory_gib is not None:
        args["peak_memory_gib"] = round(first.peak_memory_gib, 3)
    category = "failed" if all(a.error is not None for a in batch) else first.stage
    name = f"{name}: {error.reason}" if category == "failed" and error is not None else name
    process = numbers[(first.stage, first.judging_id)]
    return Span(process, first.worker, name, category, first.started_at, first.seconds, args)


def _batches(store: RunStore) -> Iterator[Span]:
    for event in store.events("batch"):
        data = event["data"]
        told = ("slowest_worker", "num_workers", "num_left", "members", "deferred")
        args = {
            name: data[name][:MAX_NAMED] if name in ("members", "deferred") else data[name]
            for name in told
            if name in data
        }
        yield Span(1, BATCHES, f"batch {data['index']}", "batch", data["started_at"], data["seconds"], args)


def _marks(store: RunStore, numbers: dict[_Stage, int]) -> Iterator[Mark]:
    crossed = barrier.crossed(store)
    num_workers = 0
    for event in store.events():
        data = event["data"]
        if event["kind"] == "stage_begin" and data["stage"] == "edit":
            num_workers = len(data["devices"])
        if event["kind"] == "batch" and event["seq"] not in crossed:
            present = data.get("num_left", data.get("num_workers", num_workers))
            who = "all" if present >= num_workers else f"{present} of {num_workers} workers"
            name = f"{who} synchronised after batch {data['index']}"
            yield Mark(1, None, name, data["started_at"] + data["seconds"])
        elif event["kind"] in ("worker_lost", "worker_given_up"):
            what = f"{event['kind'].replace('_', ' ')}: {data.get('how', '')}"
            yield Mark(numbers[_stage(store, data)], data["worker"], what, event["at"])


def _counters(store: RunStore) -> Iterator[Counter]:
    for sample in read_samples(store.dir / GPU_FILE):
        values = {
            "utilisation %": sample.utilisation,
            "memory MiB": sample.memory_mib,
            "power W": sample.power_w,
            "temperature C": sample.temperature_c,
        }
        yield Counter(sample.at, sample.gpu, {name: value for name, value in values.items() if value is not None})
