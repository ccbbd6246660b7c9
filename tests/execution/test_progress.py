"""The log contract of v2.1 character by character, batches that end in any order, and a clock that is ours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.execution.policy import Round
from editeval.execution.pool_events import Batch, BatchClock, PoolEvent
from editeval.execution.progress import BAR_WIDTH, INTERVAL_S, EditLog, ProgressLine
from editeval.execution.simulate import Fault, ReplayedRequest
from editeval.types import Failure, Outcome


def outcome(
    key: str, worker: int = 0, started_at: float = 0.0, seconds: float = 1.0, is_failed: bool = False
) -> Outcome:
    error = Failure("exception", "no") if is_failed else None
    return Outcome(key, None if is_failed else "value", error, worker, "cpu", 1, started_at, seconds)


def edit_log(num_keys: int, num_workers: int, policy: str = "batch_sync") -> tuple[EditLog, list[str]]:
    lines: list[str] = []
    log = EditLog("MultiGPUQwenImageEdit", [[str(i) for i in range(num_keys)]], num_workers, policy, lines.append)
    return log, lines


def batches_said(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("Batch ")]


def test_the_opening_lines_of_a_synchronised_run_are_those_of_the_document() -> None:
    log, lines = edit_log(270, 6)
    log.begin()
    assert lines == [
        "[MultiGPUQwenImageEdit] Starting batch edit: 270 images on 6 GPUs",
        "  🔄 Batch synchronization: ENABLED ✅",
        "",
        "🔄 Batch synchronization mode:",
        "   - Total batches: 45",
        "   - Batch size: 6 (one task per GPU)",
        "   - All GPUs will stay synchronized at batch boundaries",
        "",
    ]


@pytest.mark.parametrize("policy", ["round_robin", "bounded_drift", "dynamic"])
def test_the_opening_lines_without_synchronisation_say_so(policy: str) -> None:
    log, lines = edit_log(270, 6, policy)
    log.begin()
    named = [] if policy == "round_robin" else [f"   - Policy: {policy}"]
    assert lines == [
        "[MultiGPUQwenImageEdit] Starting batch edit: 270 images on 6 GPUs",
        "  🔄 Batch synchronization: DISABLED ⚠️",
        *named,
        "",
    ]


def batch(number: int, total: int, *members: str, num_workers: int = 6, deferred: tuple[str, ...] = ()) -> PoolEvent:
    """What the pool says when a round is over."""
    began_at = 100.0 * number
    times = began_at, began_at + 2.5, 2.5, 2.5 * number
    over = Batch(number, total, *times, 0, num_workers, num_workers, members, deferred)
    return PoolEvent("batch", {"batch": over})


def test_every_batch_has_its_line_including_the_last() -> None:
    log, lines = edit_log(270, 6)
    for number in range(1, 46):
        log.on_event(batch(number, 45, *(str(6 * (number - 1) + i) for i in range(6))))
    assert batches_said(lines) == [f"Batch {n}/45 done, GPUs synced ✓" for n in range(1, 46)]
    assert lines == batches_said(lines), "and nothing else, as long as nothing happens"


def test_a_batch_is_not_over_because_so_many_outcomes_are_there() -> None:
    log, lines = edit_log(4, 2)
    for i in range(4):
        log.add(outcome(str(i), i % 2))
    assert batches_said(lines) == []


def test_a_worker_that_is_away_or_lost_for_good_has_a_line_and_the_total_follows_the_pool() -> None:
    log, lines = edit_log(8, 3)
    log.on_event(batch(1, 3, "0", "1", "2", num_workers=3))
    told = {"worker": 1, "device": "cuda:1", "how": "lost for good: it died 10 times in a row", "is_lost": True}
    log.on_event(PoolEvent("worker_given_up", told))
    log.on_event(batch(2, 4, "3", "4", num_workers=2))
    log.on_event(batch(3, 4, "5", "6", num_workers=2))
    assert lines == [
        "Batch 1/3 done, GPUs synced ✓",
        "   - Worker 1 on cuda:1 is lost for good: from the next batch on, batches have the size of the 2 workers left",
        "   - Batch 2: 2 of 3 GPUs at work",
        "Batch 2/4 done, GPUs synced ✓",
        "Batch 3/4 done, GPUs synced ✓",
    ]


def test_when_nobody_is_left_no_size_of_batches_is_promised() -> None:
    log, lines = edit_log(8, 1)
    told = {"worker": 0, "device": "cuda:0", "how": "lost for good: it died 10 times in a row", "is_lost": True}
    log.on_event(PoolEvent("worker_given_up", told))
    assert lines == ["   - Worker 0 on cuda:0 is lost for good"]


def test_a_batch_that_a_request_left_names_it_on_one_line() -> None:
    log, lines = edit_log(4, 2)
    over = log.on_event(batch(1, 3, "0", num_workers=2, deferred=("1\n",)))
    assert over is not None and (over.members, over.deferred) == (("0",), ("1\n",))
    assert lines == [
        "   - Batch 1 goes on without what failed in it, to be retried after the last batch: 1\\n",
        "Batch 1/3 done, GPUs synced ✓",
    ]


def test_the_progress_lines_carry_count_percent_elapsed_and_remaining() -> None:
    for name, title in (("batch_sync", "[SYNC] Editing images"), ("round_robin", "[NO-SYNC] Editing images")):
        log, _ = edit_log(270, 6, name)
        assert log.progress.text(0.0) == f"{title}:   0%|{' ' * 20}| 0/270 [00:00<?]"
        log.progress.done = 90
        assert log.progress.text(30.0) == f"{title}:  33%|██████{' ' * 14}| 90/270 [00:30<01:00]"
        log.progress.done, log.progress.failed = 270, 2
        assert log.progress.text(94.5) == f"{title}: 100%|{'█' * 20}| 270/270 [01:34<00:00, 2 failed]"


def test_a_batch_has_the_keys_of_its_requests_and_names_whose_outcome_came_last() -> None:
    clock = BatchClock()
    clock.start()
    clock.last_worker = 1
    keys = [f"s{number}" for number in range(4)]
    first = clock.close(Round(1, 2, 3, 3, (0, 1, 2)), keys)
    assert (first.slowest_worker, first.members, first.deferred) == (1, ("s0", "s1", "s2"), ())
    assert first.ended_at - first.started_at == pytest.approx(first.seconds, abs=1e-6)
    assert first.seconds >= 0 <= first.steady_s
    left = clock.close(Round(2, 3, 3, 3, (), (3,)), keys)
    assert (left.slowest_worker, left.deferred) == (-1, ("s3",)), "no request had an outcome in it"
    assert left.started_at == left.ended_at, "nor was any started"


def test_failures_are_counted_in_the_progress_and_are_no_durations() -> None:
    log, _ = edit_log(4, 2, "round_robin")
    for i in range(4):
        log.add(outcome(str(i), i % 2, seconds=1.0 + i, is_failed=i == 2))
    assert log.history.measured == [ReplayedRequest(0, 0, 1.0), ReplayedRequest(1, 1, 2.0), ReplayedRequest(3, 1, 4.0)]
    assert log.history.failed == {2} and log.history.faults == {(2, 1): Fault(is_retried=False, seconds=3.0)}
    assert (log.progress.done, log.progress.failed) == (4, 1)


def test_nothing_to_do_has_no_batch_and_no_division_by_zero() -> None:
    log, lines = edit_log(0, 6)
    log.begin()
    assert "   - Total batches: 0" in lines
    assert log.progress.text(0.0) == f"[SYNC] Editing images: 100%|{'█' * 20}| 0/0 [00:00<?]"


def test_one_worker_has_batches_of_one() -> None:
    log, lines = edit_log(2, 1)
    log.begin()
    assert lines[0] == "[MultiGPUQwenImageEdit] Starting batch edit: 2 images on 1 GPUs"
    assert "   - Batch size: 1 (one task per GPU)" in lines and "   - Total batches: 2" in lines


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_progress_is_said_at_every_tenth_and_after_every_interval_and_at_no_other_time() -> None:
    now, lines = Clock(), []
    line = ProgressLine("Scoring edits", 50, lines.append, now=now)
    line.begin()
    for _ in range(50):
        now.seconds += 1
        line.add(False)
    assert [text.split()[2] for text in lines] == [
        f"{tenth}%|{'█' * (2 * i)}" + ("|" if i == 10 else "") for i, tenth in enumerate(range(10, 101, 10), 1)
    ]
    lines.clear()
    slow = ProgressLine("Scoring edits", 1000, lines.append, now=now)
    slow.begin()
    for _ in range(300):
        now.seconds += INTERVAL_S / 100
        slow.tick()
    assert len(lines) in (2, 3) and all("0/1000" in text for text in lines)


def test_loading_models_is_no_progress() -> None:
    now, lines = Clock(), []
    line = ProgressLine("Scoring edits", 4, lines.append, now=now)
    now.seconds += 10 * INTERVAL_S
    line.tick()
    assert lines == [], "nothing is said before it begins"
    line.begin()
    now.seconds += 2
    for _ in range(4):
        line.add(False)
    assert lines[-1].endswith("4/4 [00:02<00:00]"), "and the time of loading is not in the elapsed time"


def test_the_elapsed_time_of_an_edit_stage_starts_with_its_opening_lines() -> None:
    log, lines = edit_log(1, 1)
    now = Clock()
    log.progress.now = now
    now.seconds += 500
    log.begin()
    now.seconds += 3
    log.add(outcome("0"))
    assert any(text.endswith("1/1 [00:03<00:00]") for text in lines)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.floats(0, 1e6))
def test_the_bar_always_has_its_width(done: int, total: int, elapsed: float) -> None:
    line = ProgressLine("x", total, lambda _: None)
    line.done = min(done, total)
    bar = line.text(elapsed).split("|")[1]
    assert len(bar) == BAR_WIDTH and set(bar) <= {"█", " "} and bar.rstrip() == bar.replace(" ", "")
    assert (bar.count(" ") == 0) == (line.done == total)
