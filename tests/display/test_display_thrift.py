"""However much there is to show, showing it costs a fixed share of a core, and never so seldom that it looks dead."""

from __future__ import annotations

import time

import pytest

from editeval.display import thrift
from editeval.display.thrift import MAX_REST_S, SHARE, Thrift


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch):
    """spend(seconds): what the processor has done meanwhile."""
    clock = [0.0]
    monkeypatch.setattr(thrift.time, "thread_time", lambda: clock[0])

    def spend(seconds: float) -> None:
        clock[0] += seconds

    return spend


@pytest.mark.parametrize(("spent_s", "rest_s"), [(0.0, 0.5), (0.0005, 0.5), (0.002, 0.002 / SHARE), (9.0, MAX_REST_S)])
def test_what_costs_more_is_done_less_often_within_bounds(spend, spent_s: float, rest_s: float) -> None:
    mine = Thrift(0.5)
    assert mine.rest_s == 0.5
    with mine:
        spend(spent_s)
    assert mine.rest_s == pytest.approx(rest_s)


def test_what_was_dear_once_is_not_rationed_for_ever(spend) -> None:
    mine = Thrift(0.5)
    for cost in (1.0, 0.0):
        with mine:
            spend(cost)
    assert mine.rest_s == 0.5


def test_waiting_is_not_spending() -> None:
    mine = Thrift(0.01)
    with mine:
        time.sleep(0.05)
    assert mine.rest_s < 0.05 / SHARE
