"""The log contract of v2.1 character by character, batches that end in any order, and a clock that is ours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.execution.progress import BAR_WIDTH, INTERVAL_S, EditLog, ProgressLine, clock, cost_line
from editeval.execution.simulate import Measured, Timeline, replay
from editeval.types import Failure, Outcome


def outcome(
    key: str, worker: int = 0, started_at: float = 0.0, seconds: float = 1.0, is_failed: bool = False
) -> Outcome:
    error = Failure("exception", "no") if is_failed else None
    return Outcome(key, None if is_failed else "value", error, worker, "cpu", 1, started_at, seconds)


def edit_log(num_keys: int, num_workers: int, policy: str = "batch_sync") -> tuple[EditLog, list[str]]:
    lines: list[str] = []
    log = EditLog("MultiGPUQwenImageEdit", [str(i) for i in range(num_keys)], num_workers, policy, lines.append)
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


def test_every_batch_has_its_line_including_the_last() -> None:
    log, lines = edit_log(270, 6)
    for i in range(270):
        log.add(outcome(str(i), i % 6))
    assert batches_said(lines) == [f"Batch {n}/45 done, GPUs synced ✓" for n in range(1, 46)]


def test_the_progress_lines_carry_count_percent_elapsed_and_remaining() -> None:
    for name, title in (("batch_sync", "[SYNC] Editing images"), ("round_robin", "[NO-SYNC] Editing images")):
        log, _ = edit_log(270, 6, name)
        assert log.progress.text(0.0) == f"{title}:   0%|{' ' * 20}| 0/270 [00:00<?]"
        log.progress.done = 90
        assert log.progress.text(30.0) == f"{title}:  33%|██████{' ' * 14}| 90/270 [00:30<01:00]"
        log.progress.done, log.progress.failed = 270, 2
        assert log.progress.text(94.5) == f"{title}: 100%|{'█' * 20}| 270/270 [01:34<00:00, 2 failed]"


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 20), st.integers(1, 6))
def test_batches_are_said_once_and_in_order_whatever_the_order_of_the_outcomes(
    data: st.DataObject, num_keys: int, num_workers: int
) -> None:
    log, lines = edit_log(num_keys, num_workers)
    order = data.draw(st.permutations(range(num_keys)))
    completed = []
    for i in order:
        is_failed = data.draw(st.booleans())
        before = set(order[: order.index(i) + 1])
        completed += log.add(outcome(str(i), i % num_workers, is_failed=is_failed))
        done = next((n for n in range(num_keys) if n not in before), num_keys)
        assert len(completed) == (log.num_batches if done == num_keys else done // num_workers)
    assert [batch.index for batch in completed] == list(range(1, log.num_batches + 1))
    assert batches_said(lines) == [f"Batch {b.index}/{log.num_batches} done, GPUs synced ✓" for b in completed]
    assert log.num_batches == -(-num_keys // num_workers)


def test_a_batch_lasts_from_its_first_start_to_its_last_end_and_names_who_was_last() -> None:
    log, _ = edit_log(5, 3)
    assert log.add(outcome("2", 2, started_at=10.1, seconds=2.0)) == []
    assert log.add(outcome("0", 0, started_at=10.0, seconds=2.5, is_failed=True)) == []
    (first,) = log.add(outcome("1", 1, started_at=10.0, seconds=2.0))
    assert (first.index, first.started_at, first.seconds, first.slowest_worker) == (1, 10.0, 2.5, 0)
    assert log.add(outcome("4", 1, started_at=12.5, seconds=1.5)) == []
    (ragged,) = log.add(outcome("3", 0, started_at=12.5, seconds=1.0))
    assert (ragged.index, ragged.started_at, ragged.seconds, ragged.slowest_worker) == (2, 12.5, 1.5, 1)


def test_failures_are_counted_in_the_progress_and_not_measured() -> None:
    log, _ = edit_log(4, 2, "round_robin")
    for i in range(4):
        assert log.add(outcome(str(i), i % 2, seconds=1.0 + i, is_failed=i == 2)) == []
    assert log.measured == [Measured(0, 0, 1.0), Measured(1, 1, 2.0), Measured(3, 1, 4.0)]
    assert (log.progress.done, log.progress.failed) == (4, 1)


def test_nothing_to_do_has_no_batch_and_no_division_by_zero() -> None:
    log, lines = edit_log(0, 6)
    log.begin()
    assert "   - Total batches: 0" in lines and log.num_batches == 0
    assert log.progress.text(0.0) == f"[SYNC] Editing images: 100%|{'█' * 20}| 0/0 [00:00<?]"


def test_one_worker_has_batches_of_one() -> None:
    log, lines = edit_log(2, 1)
    log.begin()
    assert len(log.add(outcome("0"))) == 1 and len(log.add(outcome("1"))) == 1
    assert lines[0] == "[MultiGPUQwenImageEdit] Starting batch edit: 2 images on 1 GPUs"
    assert "   - Batch size: 1 (one task per GPU)" in lines
    assert batches_said(lines) == ["Batch 1/2 done, GPUs synced ✓", "Batch 2/2 done, GPUs synced ✓"]


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00"),
        (94.4, "01:34"),
        (95, "01:35"),
        (59.6, "01:00"),
        (3599.4, "59:59"),
        (3600, "1:00:00"),
        (7295, "2:01:35"),
    ],
)
def test_times_are_minutes_and_seconds_and_from_an_hour_on_hours(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_cost_of_synchronisation_and_of_the_others_is_one_line() -> None:
    timelines = [
        Timeline("batch_sync", 95.8, 0.06, 0),
        Timeline("round_robin", 90.9, 0.01, 2),
        Timeline("bounded_drift", 91.0, 0.01, 1),
        Timeline("dynamic", 90.7, 0.01, 2),
    ]
    assert cost_line("batch_sync", 97.2, timelines) == (
        "Synchronisation cost +4.9 s (+5.4 %) against free-running round robin in this run: "
        "batch_sync 95.8 s (measured 97.2 s); replayed from the measured durations: "
        "round_robin 90.9 s, bounded_drift 91.0 s, dynamic 90.7 s"
    )
    assert cost_line("dynamic", 91.0, timelines).startswith("Policy dynamic cost -0.2 s (-0.2 %) against")
    assert cost_line("round_robin", 91.0, timelines).startswith("Policy round_robin cost +0.0 s (+0.0 %) against")


def test_the_cost_line_of_the_document_s_own_table_is_no_cost_at_all() -> None:
    measured = [Measured(i, i % 6, 2.1 if i % 6 == 1 else 2.0) for i in range(270)]
    line = cost_line("batch_sync", 94.5, replay(measured, 6))
    assert line.startswith("Synchronisation cost +0.0 s (+0.0 %) against free-running round robin in this run")
    assert "batch_sync 94.5 s (measured 94.5 s)" in line and "dynamic 92.0 s" in line
