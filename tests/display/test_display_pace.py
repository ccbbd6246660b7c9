"""The pace is exact where images end together, and falls when nothing comes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.display.snapshot import WINDOW_S, Throughput


@settings(deadline=None)
@given(st.integers(1, 64), st.integers(1, 60), st.floats(0.1, 600))
def test_batches_that_end_together_give_workers_times_sixty_by_seconds(
    workers: int, rounds: int, seconds: float
) -> None:
    pace = Throughput(100.0)
    for number in range(1, rounds + 1):
        for _ in range(workers):
            pace.add(100.0 + number * seconds, 1, seconds)
    now = 100.0 + rounds * seconds
    assert pace.per_minute(now) == pytest.approx(60 * workers / seconds)
    assert pace.eta_s(10 * workers, now) == pytest.approx(10 * seconds)


def test_nothing_is_known_before_the_first_image() -> None:
    assert Throughput(0.0).per_minute(50.0) is None and Throughput(0.0).eta_s(5, 50.0) is None


def test_the_end_is_now_when_nothing_is_left() -> None:
    assert Throughput(0.0).eta_s(0, 50.0) == 0.0


def test_the_pace_of_a_run_that_hangs_falls_towards_zero() -> None:
    pace = Throughput(0.0)
    pace.add(10.0, 1, 10.0)
    assert pace.per_minute(12.0) == pytest.approx(6.0)
    assert pace.per_minute(600.0) == pytest.approx(0.1)


def test_an_old_pace_is_forgotten() -> None:
    pace = Throughput(0.0)
    for number in range(1, 101):
        pace.add(float(number), 1, 1.0)
    for number in range(1, 101):
        pace.add(100.0 + 10 * number, 1, 10.0)
    assert pace.per_minute(1100.0) == pytest.approx(6.0)
    assert WINDOW_S < 1000


def test_the_time_to_the_end_counts_down_between_two_images() -> None:
    pace = Throughput(0.0)
    pace.add(10.0, 1, 10.0)
    assert pace.eta_s(3, 10.0) == pytest.approx(30.0)
    assert pace.eta_s(3, 14.0) == pytest.approx(26.0)
