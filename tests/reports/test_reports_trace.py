"""A trace that Perfetto takes: one JSON object, complete events that never overlap on a track, everything named."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.reports.trace import GPU_PROCESS, Counter, Mark, Span, Trace, write_trace


def events(trace: Trace) -> list[dict[str, Any]]:
    out = io.StringIO()
    write_trace(trace, out)
    found = json.loads(out.getvalue())
    assert found["displayTimeUnit"] == "ms"
    return list(found["traceEvents"])


def trace(spans: list[Span], marks: list[Mark] | None = None, counters: list[Counter] | None = None) -> Trace:
    devices = {(s.process, s.track): "cuda:0" for s in spans}
    return Trace({1: "edit"}, devices, spans, marks or [], counters or [], {"run": "demo"})


times = st.floats(1.7e9, 1.7e9 + 1000)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 3), times, st.floats(0, 100)), max_size=40))
def test_no_two_spans_of_a_track_overlap(found: list[tuple[int, int, float, float]]) -> None:
    spans = [Span(process, track, "s", "edit", at, seconds) for process, track, at, seconds in found]
    complete = [event for event in events(trace(spans)) if event["ph"] == "X"]
    assert len(complete) == len(spans)
    assert all(event["ts"] >= 0 and event["dur"] >= 0 for event in complete)
    for place in {(event["pid"], event["tid"]) for event in complete}:
        mine = sorted((e["ts"], e["ts"] + e["dur"]) for e in complete if (e["pid"], e["tid"]) == place)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(mine))


def test_times_are_microseconds_from_the_first_event_on() -> None:
    spans = [Span(1, 0, "a", "edit", 1.7e9 + 2.5, 1.25), Span(1, 0, "b", "failed", 1.7e9 + 4, 0.5)]
    found = events(trace(spans, [Mark(1, None, "batch 1", 1.7e9)]))
    by_name = {event["name"]: event for event in found if event["ph"] in "Xi"}
    assert (by_name["a"]["ts"], by_name["a"]["dur"]) == (2_500_000, 1_250_000)
    assert by_name["b"]["cname"] == "terrible" and "cname" not in by_name["a"]
    assert (by_name["batch 1"]["ts"], by_name["batch 1"]["s"]) == (0, "p")


def test_processes_workers_and_gpus_have_names() -> None:
    counter = Counter(1.7e9, "cuda:0", {"utilisation %": 97.0, "power W": 640.0})
    found = events(trace([Span(1, 3, "a", "edit", 1.7e9, 1.0)], counters=[counter]))
    names = [(e["name"], e["args"]["name"]) for e in found if e["ph"] == "M" and "name" in e["args"]]
    assert names == [("process_name", "edit"), ("thread_name", "worker 3 cuda:0")]
    charts = {e["name"]: e["args"] for e in found if e["ph"] == "C"}
    assert charts == {"cuda:0 utilisation %": {"utilisation %": 97.0}, "cuda:0 power W": {"power W": 640.0}}
    assert all(e["pid"] == GPU_PROCESS for e in found if e["ph"] == "C")


def test_a_run_without_events_is_an_empty_trace() -> None:
    assert [event["ph"] for event in events(trace([]))] == ["M", "M"]


def test_hostile_names_stay_text() -> None:
    hostile = '"},{"ph":"X\u2028\x1b[2J\ud800'
    found = events(trace([Span(1, 0, hostile, "edit", 1.7e9, 1.0, {"message": hostile})]))
    (span,) = [event for event in found if event["ph"] == "X"]
    assert "\x1b" not in span["name"] and span["name"].isprintable()
