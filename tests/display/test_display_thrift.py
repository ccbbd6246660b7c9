"""Up to a few hundred workers nothing is slowed down; above, looking costs no more, and is never too seldom."""

from __future__ import annotations

import pytest

from editeval.display.recorder import INTERVAL_S
from editeval.display.session import FRAME_S
from editeval.display.snapshot import FULL_PACE, MAX_REST_S, refresh_interval_s
from editeval.run.status import FRESH_S


@pytest.mark.parametrize("num_workers", [0, 1, 16, FULL_PACE])
def test_runs_of_a_usual_size_are_shown_at_the_full_pace(num_workers: int) -> None:
    assert refresh_interval_s(FRAME_S, num_workers) == FRAME_S
    assert refresh_interval_s(INTERVAL_S, num_workers) == INTERVAL_S


def test_twice_the_workers_are_looked_at_half_as_often() -> None:
    assert refresh_interval_s(FRAME_S, 2 * FULL_PACE) == 2 * FRAME_S
    assert refresh_interval_s(FRAME_S, 512) == pytest.approx(1.28)


def test_a_picture_is_never_so_old_that_status_would_not_show_it() -> None:
    assert refresh_interval_s(INTERVAL_S, 100_000) == MAX_REST_S < FRESH_S - INTERVAL_S
