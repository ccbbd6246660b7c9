"""A run as a Chrome trace, for Perfetto (https://ui.perfetto.dev) or chrome://tracing: a process per stage, a track per
worker with its loads, edits, judgements and failed attempts, batch boundaries as marks, and the GPUs as counters.

Format: JSON object with `traceEvents`; complete events (X) on one track never overlap, as Perfetto demands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from editeval.text import printable

BATCHES = 10_000  # number of the track that shows a stage's batches
GPU_PROCESS = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time. `track` is a worker, or BATCHES. Times in unix seconds."""

    process: int
    track: int
    name: str
    category: str  # load | edit | judge | failed | batch
    started_at: float
    seconds: float
    args: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment; without a track it concerns the whole process."""

    process: int
    track: int | None
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Counter:
    """What a GPU reported at a moment; several values are drawn as one chart each."""

    at: float
    name: str  # of the GPU
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trace:
    """`processes` names them by number, `devices` names the workers by (process, track)."""

    processes: Mapping[int, str]
    devices: Mapping[tuple[int, int], str]
    spans: Sequence[Span]
    marks: Sequence[Mark]
    counters: Sequence[Counter]
    origin: Mapping[str, str]


def write_trace(trace: Trace, out: TextIO) -> None:
    """One event per line."""
    times = [s.started_at for s in trace.spans] + [m.at for m in trace.marks] + [c.at for c in trace.counters]
    zero = min(times, default=0.0)
    out.write('{"displayTimeUnit":"ms","otherData":')
    out.write(_json({**trace.origin, "began_unix_s": f"{zero:.6f}"}) + ',"traceEvents":[\n')
    is_first = True
    for event in _events(trace, zero):
        out.write(("" if is_first else ",\n") + _json(event))
        is_first = False
    out.write("\n]}\n")


def _events(trace: Trace, zero: float) -> Iterator[dict[str, object]]:
    for process, name in trace.processes.items():
        yield {"ph": "M", "name": "process_name", "pid": process, "args": {"name": printable(name)}}
        yield {"ph": "M", "name": "process_sort_index", "pid": process, "args": {"sort_index": process}}
    for (process, track), device in trace.devices.items():
        name = "batches" if track == BATCHES else f"worker {track} {printable(device)}".rstrip()
        yield {"ph": "M", "name": "thread_name", "pid": process, "tid": track, "args": {"name": name}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": process, "tid": track, "args": {"sort_index": track}}
    for span, start_us, duration_us in _apart(trace.spans, zero):
        head = {"ph": "X", "name": printable(span.name), "cat": span.category, "pid": span.process, "tid": span.track}
        colour = {"cname": "terrible"} if span.category == "failed" else {}
        yield head | {"ts": start_us, "dur": duration_us, "args": _args(span.args)} | colour
    for mark in trace.marks:
        scope = {"s": "p", "tid": BATCHES} if mark.track is None else {"s": "t", "tid": mark.track}
        yield {"ph": "i", "name": printable(mark.name), "pid": mark.process, "ts": _us(mark.at - zero)} | scope
    for counter in trace.counters:
        for name, value in counter.values.items():
            head = {"ph": "C", "name": f"{counter.name} {name}", "pid": GPU_PROCESS, "tid": 0}
            yield head | {"ts": _us(counter.at - zero), "args": {name: value}}


def _apart(spans: Sequence[Span], zero: float) -> Iterator[tuple[Span, int, int]]:
    """(span, start, duration in microseconds) in order of start; what overlaps the one before begins when that ends.

    Overlaps are small: a worker's death is timed by its parent, its edits by itself.
    """
    ends: dict[tuple[int, int], int] = {}
    for span in sorted(spans, key=lambda s: (s.started_at, s.seconds)):
        place = (span.process, span.track)
        start = max(_us(span.started_at - zero), ends.get(place, 0))
        end = max(_us(span.started_at + span.seconds - zero), start)
        ends[place] = end
        yield span, start, end - start


def _args(args: Mapping[str, object]) -> dict[str, object]:
    return {key: printable(value) if isinstance(value, str) else value for key, value in args.items()}


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
