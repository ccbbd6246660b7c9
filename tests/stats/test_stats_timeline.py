"""What a Gantt chart is drawn from: who did what when, over several invocations, in bounded size."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from editeval.stats.timeline import MAX_SPANS, PHASES, Timeline, timeline_of
from editeval.store.ledger_events import Event, Recorded, event_of
from editeval.store.records import Attempt
from editeval.types import Failure


def attempt(stage: str, worker: int, start: float, seconds: float, name: str = "a", error: str = "") -> Attempt:
    failure = Failure(error, f"{error} happened") if error else None
    judging = "j" if stage == "judge" else ""
    return Attempt(1, stage, judging, name, 1, worker, "cpu", start, seconds, None, failure)


def event(at: float, kind: str, **data: Any) -> Recorded[Event]:
    return Recorded(1, at, event_of(kind, data))


def load(stage: str, worker: int, start: float, end: float) -> Recorded[Event]:
    judging = "j" if stage == "judge" else ""
    told = {"stage": stage, "judging_id": judging, "worker": worker, "device": "cpu"}
    return event(end, "load", started_at=start, ended_at=end, **told)


def spans(events: list[Recorded[Event]], attempts: list[Attempt]) -> Timeline:
    return timeline_of(events, attempts)


def a_run() -> Timeline:
    """Two workers load for a second, edit for four, a judge loads for one and judges for two."""
    events = [
        event(100.0, "invocation"),
        load("edit", 0, 100.0, 101.0),
        load("edit", 1, 100.5, 101.0),
        event(101.0, "batch", index=1, started_at=101.0, seconds=2.0),
        event(103.0, "batch", index=2, started_at=103.0, seconds=2.0),
        load("judge", 0, 105.0, 106.0),
    ]
    edits = [attempt("edit", n % 2, 101.0 + 2 * (n // 2), 2.0 - n % 2, f"s{n}") for n in range(4)]
    judged = [attempt("judge", 0, 106.0, 2.0, f"s{n}") for n in range(4)]
    return spans(events, [*edits, *judged])


def test_phases_add_up_to_the_whole() -> None:
    timeline = a_run().chart
    phases = timeline["phases"]
    assert phases == {"load_s": 1.0, "edit_s": 4.0, "swap_s": 1.0, "judge_s": 2.0, "both_s": 0.0}
    assert sum(phases.values()) == timeline["seconds"] == 8.0


def test_lanes_say_what_every_worker_did_and_how_long_it_waited() -> None:
    lanes = a_run().chart["lanes"]
    assert [(lane["stage"], lane["worker"], lane["busy_s"], lane["idle_s"], lane["load_s"]) for lane in lanes] == [
        ("edit", 0, 4.0, 0.0, 1.0),
        ("edit", 1, 2.0, 2.0, 0.5),
        ("judge", 0, 2.0, 0.0, 1.0),
    ]
    assert lanes[0]["spans"][1:] == [[1.0, 2.0, "done", 1], [3.0, 2.0, "done", 1]]
    assert len(lanes[2]["spans"]) == 2  # the four samples of a batch are one span


def test_batches_stand_on_the_same_axis() -> None:
    assert a_run().chart["batches"] == [1.0, 3.0]


def test_the_chart_and_the_totals_are_the_same_seconds() -> None:
    found = a_run()
    assert found.seconds == {"wall_s": found.chart["seconds"], **found.chart["phases"]}
    assert [(w["worker"], w["busy_s"], w["idle_s"], w["num_edits"]) for w in found.workers] == [
        (0, 4.0, 0.0, 2),
        (1, 2.0, 2.0, 2),
    ]


def test_starting_the_workers_is_part_of_loading() -> None:
    events = [event(9.0, "invocation"), event(10.0, "stage_begin", stage="edit"), load("edit", 0, 12.0, 13.0)]
    assert spans(events, [attempt("edit", 0, 14.0, 2.0)]).seconds["load_s"] == 4.0


def test_the_time_between_two_judges_is_a_swap_and_not_judging() -> None:
    first, second = attempt("judge", 0, 1.0, 2.0), replace(attempt("judge", 0, 8.0, 3.0), judging_id="other")
    seconds = spans([event(0.0, "invocation")], [first, second]).seconds
    assert (seconds["judge_s"], seconds["swap_s"], seconds["wall_s"]) == (5.0, 5.0, 10.0)


@pytest.mark.parametrize("seed", range(20))
def test_every_second_is_in_exactly_one_phase(seed: int) -> None:
    rng = random.Random(seed)
    events, attempts = [], []
    for begin in (0.0, 1000.0, 2000.0):
        events += [event(begin, "invocation"), event(begin + rng.random(), "stage_begin", stage="edit")]
        events += [load("edit", worker, begin + 1, begin + 1 + rng.random()) for worker in range(2)]
        for n in range(rng.randrange(12)):
            stage = rng.choice(("edit", "judge"))
            attempts.append(attempt(stage, n % 2, begin + 2 + rng.random() * 50, rng.random() * 9, f"{begin} {n}"))
    seconds = spans(events, sorted(attempts, key=lambda one: one.started_at)).seconds
    assert sum(seconds[phase] for phase in PHASES) == pytest.approx(seconds["wall_s"], abs=1e-3)


def test_stages_at_the_same_time_are_told_apart() -> None:
    both = spans([event(0.0, "invocation")], [attempt("edit", 0, 0.5, 9.5), attempt("judge", 0, 4.5, 9.5)])
    phases = both.chart["phases"]
    assert (phases["edit_s"], phases["both_s"], phases["judge_s"], phases["swap_s"]) == (4.0, 5.5, 4.0, 0.0)


def test_the_night_between_two_invocations_is_cut_out_and_marked() -> None:
    events = [event(99.0, "invocation"), event(9_999.0, "invocation")]
    cut = spans(events, [attempt("edit", 0, 100.0, 5.0), attempt("edit", 0, 10_000.0, 5.0, "b")]).chart
    assert cut["seconds"] == 10.0
    assert cut["pauses"] == [{"at": 5.0, "seconds": 9895.0}]
    assert cut["lanes"][0]["spans"] == [[0.0, 5.0, "done", 1], [5.0, 5.0, "done", 1]]
    assert cut["lanes"][0]["idle_s"] == 0.0


def test_failed_attempts_are_kept_by_sample() -> None:
    tried = spans(
        [event(0.0, "invocation")], [attempt("edit", 1, 1.0, 2.0, "x", "oom"), attempt("edit", 0, 3.0, 2.0, "x")]
    )
    (told,) = tried.histories["x"]
    assert (told["reason"], told["worker"], told["message"]) == ("oom", 1, "oom happened")
    assert [span[2] for lane in tried.chart["lanes"] for span in lane["spans"]] == ["done", "failed"]


def test_a_run_in_which_nothing_ran_has_no_timeline() -> None:
    assert spans([event(0.0, "invocation")], []).chart == {}


@pytest.mark.parametrize("count", [10_000, 40_000])
def test_the_size_does_not_grow_with_the_samples(count: int) -> None:
    workers = 4
    seconds = 0.5
    attempts = [attempt("edit", n % workers, 1 + n // workers * seconds, seconds * 0.9, str(n)) for n in range(count)]
    end = count / workers * seconds
    events = [event(0.0, "invocation"), event(0.0, "stage_begin", stage="edit")]
    events += [load("edit", worker, 0.0, 0.0) for worker in range(workers)] + [event(end, "stage_end", stage="edit")]
    timeline = spans(events, attempts).chart
    drawn = sum(len(lane["spans"]) for lane in timeline["lanes"])
    assert MAX_SPANS / 4 < drawn <= 2 * MAX_SPANS
    assert sum(lane["num_requests"] for lane in timeline["lanes"]) == count
    assert sum(span[3] for lane in timeline["lanes"] for span in lane["spans"] if span[2] == "done") == count


def test_what_never_began_is_in_no_lane() -> None:
    assert spans([event(5.0, "invocation")], [attempt("edit", -1, 0.0, 0.0, "x", "bad_source")]).chart == {}


DAY, T0 = 86_400.0, 1_000_000.0


def test_a_clock_that_was_set_back_gives_no_hours_of_editing_and_is_said() -> None:
    events = [event(T0 + 1000.0, "invocation"), load("edit", 0, T0 + 1000.0, T0 + 1001.0)]
    later = [
        event(T0 + 1011.0 - DAY, "stage_end", stage="edit", judging_id=""),
        load("judge", 0, T0 + 1011.0 - DAY, T0 + 1012.0 - DAY),
    ]
    edits = [attempt("edit", 0, T0 + 1001.0 + n - (DAY if n > 4 else 0), 1.0, f"s{n}") for n in range(10)]
    judged = [attempt("judge", 0, T0 + 1012.0 - DAY, 2.0, "s0")]
    steady = spans(
        [
            *events,
            event(T0 + 1011.0, "stage_end", stage="edit", judging_id=""),
            load("judge", 0, T0 + 1011.0, T0 + 1012.0),
        ],
        [
            *(attempt("edit", 0, T0 + 1001.0 + n, 1.0, f"s{n}") for n in range(10)),
            attempt("judge", 0, T0 + 1012.0, 2.0, "s0"),
        ],
    )
    found = spans([*events, *later], [*edits, *judged])
    assert steady.set_back_s == 0 and found.set_back_s == pytest.approx(DAY, abs=15)
    assert found.seconds["wall_s"] == pytest.approx(steady.seconds["wall_s"], abs=2)
    assert found.workers[0]["busy_s"] == 10.0


def test_an_invocation_after_the_clock_was_set_back_adds_its_own_seconds_alone() -> None:
    events = [event(T0 + 1000.0, "invocation"), event(T0 + 1000.5, "stage_begin", stage="edit", judging_id="")]
    again = [
        event(at - DAY, kind, **data)
        for at, kind, data in (
            (T0 + 1020.0, "invocation", {}),
            (T0 + 1020.5, "stage_begin", {"stage": "edit", "judging_id": ""}),
        )
    ]
    edits = [attempt("edit", 0, T0 + 1001.0, 9.0, "a"), attempt("edit", 0, T0 + 1021.0 - DAY, 9.0, "b")]
    found = spans([*events, *again], edits)
    assert found.seconds["wall_s"] < 40 and found.set_back_s > DAY - 60


def test_clocks_of_a_cluster_differ_and_are_left_alone() -> None:
    events = [
        event(T0 + 1000.0, "invocation"),
        event(T0 + 1000.0, "stage_begin", stage="edit", judging_id="", devices=["ray:a"]),
    ]
    edits = [attempt("edit", n % 2, T0 + 1000.0 + n + 100 * (n % 2), 1.0, f"s{n}") for n in range(6)]
    assert spans(events, edits).set_back_s == 0
