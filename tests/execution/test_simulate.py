"""The virtual clock against exact arithmetic, quadrature, brute force, and the order in which real workers start."""

from __future__ import annotations

import itertools
import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from editeval.execution.backends import process_launcher
from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.simulate import (
    ReplayedRequest,
    Scenario,
    Setting,
    SimulatedRun,
    lower_bound,
    replay,
    run_scenario,
    simulate,
)
from editeval.execution.worker_messages import WorkerSpec
from editeval.images import encode_png
from editeval.types import EditRequest

EQUAL = (2.0,) * 6
ONE_SLOW = (2.0, 2.1, 2.0, 2.0, 2.0, 2.0)
TWO_SLOW = (2.0, 2.1, 2.0, 2.0, 2.1, 2.0)
DURATIONS = st.lists(st.integers(1, 40), min_size=1, max_size=24)


def by_policy(scenario: Scenario) -> tuple[float, dict[str, SimulatedRun]]:
    bound, timelines = run_scenario(scenario)
    assert [t.policy for t in timelines] == list(POLICIES)
    return bound, {t.policy: t for t in timelines}


def makespans(scenario: Scenario) -> list[float]:
    return [t.makespan_s for t in by_policy(scenario)[1].values()]


@pytest.mark.parametrize(
    ("durations", "expected", "bound"),
    [
        # makespans of batch_sync, round_robin, bounded_drift, dynamic
        (EQUAL, [90.0, 90.0, 90.0, 90.0], 90.0),
        (ONE_SLOW, [94.5, 94.5, 94.5, 92.0], 92.0),
        (TWO_SLOW, [94.5, 94.5, 94.5, 92.0], 92.0),
    ],
)
def test_the_deterministic_oracles_are_exact(durations: tuple[float, ...], expected: list[float], bound: float) -> None:
    found_bound, timelines = by_policy(Scenario(270, durations))
    assert [t.makespan_s for t in timelines.values()] == expected
    assert found_bound == bound


@pytest.mark.parametrize(
    ("durations", "synced", "static", "pulled"),
    [
        (EQUAL, 0.0, 0.0, 0.0),
        (ONE_SLOW, 22.5 / 567, 22.5 / 567, 1 - (227 * 2.0 + 43 * 2.1) / (6 * 92.0)),
        (TWO_SLOW, 18 / 567, 18 / 567, 1 - (184 * 2.0 + 86 * 2.1) / (6 * 92.0)),
    ],
)
def test_idle_fractions_are_exact(durations: tuple[float, ...], synced: float, static: float, pulled: float) -> None:
    timelines = by_policy(Scenario(270, durations))[1]
    found = [timelines[name].idle_fraction for name in ("batch_sync", "round_robin", "bounded_drift", "dynamic")]
    assert found == pytest.approx([synced, static, static, pulled], abs=1e-8)


@pytest.mark.parametrize("max_drift", [0, 1, 2, 3, 4])
def test_the_lead_grows_to_the_bound_or_to_what_the_slow_device_loses(max_drift: int) -> None:
    timelines = by_policy(Scenario(270, ONE_SLOW, max_drift=max_drift))[1]
    assert timelines["bounded_drift"].max_drift == min(max_drift, 3)
    assert timelines["batch_sync"].max_drift == 0
    assert timelines["round_robin"].max_drift == 3
    assert by_policy(Scenario(270, EQUAL))[1]["round_robin"].max_drift == 0


@pytest.mark.parametrize("max_drift", [1, 2])
def test_a_slow_device_that_rotates_costs_the_barrier_four_percent(max_drift: int) -> None:
    timelines = by_policy(Scenario(270, ONE_SLOW, rotate=True, max_drift=max_drift))[1]
    assert timelines["batch_sync"].makespan_s == 94.5
    assert timelines["round_robin"].makespan_s == timelines["bounded_drift"].makespan_s == 90.8


def test_fifty_requests_and_the_five_categories_of_v2() -> None:
    assert makespans(Scenario(50, ONE_SLOW)) == [18.9, 18.9, 18.9, 18.0]
    sizes = (50, 50, 70, 50, 50)
    for durations, static, pulled in ((EQUAL, 96.0, 96.0), (ONE_SLOW, 100.8, 96.0), (TWO_SLOW, 100.8, 96.0)):
        per_category = [makespans(Scenario(size, durations)) for size in sizes]
        totals = [sum(column) for column in zip(*per_category, strict=True)]
        assert totals == pytest.approx([static, static, static, pulled])


def test_edges_nothing_to_do_and_one_worker() -> None:
    assert makespans(Scenario(0, EQUAL)) == [0.0] * 4
    assert lower_bound(0, EQUAL) == 0.0
    assert makespans(Scenario(7, (1.5,))) == [10.5] * 4
    assert makespans(Scenario(3, EQUAL)) == [2.0] * 4


def test_the_fluid_bound_is_work_over_pace() -> None:
    sizes = [1.0] * 269 + [1.0 + 1e-9]  # no longer all equal: the integer optimum does not apply
    assert lower_bound(270, ONE_SLOW, sizes) == pytest.approx(270 / (5 / 2.0 + 1 / 2.1), abs=1e-6)
    assert lower_bound(270, TWO_SLOW, sizes) == pytest.approx(91.4516129, abs=1e-6)
    assert lower_bound(3, (1.0, 2.0), [1.0, 1.0, 50.0]) == 50.0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_the_integer_bound_is_the_best_of_all_ways_to_share_equal_requests(count: int, paces: list[int]) -> None:
    splits = (s for s in itertools.product(range(count + 1), repeat=len(paces)) if sum(s) == count)
    best = min(max(n * p for n, p in zip(split, paces, strict=True)) for split in splits)
    assert lower_bound(count, [float(p) for p in paces]) == best


@settings(max_examples=60, deadline=None)
@given(DURATIONS, st.integers(1, 5), st.integers(0, 4))
def test_no_policy_beats_the_bound_and_tighter_coupling_is_never_faster(
    durations: list[int], num_workers: int, drift: int
) -> None:
    seconds = [d / 4 for d in durations]
    found = {}
    for name, bound in (("batch_sync", 0), ("bounded_drift", drift), ("round_robin", None)):
        policy = make_policy(name, len(seconds), range(num_workers), bound)
        found[name] = simulate(name, policy, lambda r, w: seconds[r])
    dynamic = simulate("dynamic", make_policy("dynamic", len(seconds), range(num_workers)), lambda r, w: seconds[r])
    spans = [found[name].makespan_s for name in ("batch_sync", "bounded_drift", "round_robin")]
    assert spans == sorted(spans, reverse=True)
    fluid = lower_bound(len(seconds), [1.0] * num_workers, seconds)
    assert min(*spans, dynamic.makespan_s) >= fluid - 1e-9
    assert dynamic.makespan_s <= fluid + max(seconds) + 1e-9, "list scheduling is within one request of the bound"
    rounds = [seconds[i : i + num_workers] for i in range(0, len(seconds), num_workers)]
    assert spans[0] == pytest.approx(sum(max(r) for r in rounds))
    assert spans[2] == pytest.approx(max(sum(seconds[w::num_workers]) for w in range(num_workers)))


def expected_max(num_workers: int, cv: float) -> float:
    """E[max of n log-normal numbers with mean 1], by the trapezoid rule over the quantile of the maximum."""
    sigma = math.sqrt(math.log1p(cv * cv))
    normal = statistics.NormalDist()
    steps = 4000
    points = [(k + 0.5) / steps for k in range(steps)]
    return statistics.fmean(
        math.exp(sigma * normal.inv_cdf(u ** (1 / num_workers)) - sigma * sigma / 2) for u in points
    )


@pytest.mark.parametrize(
    ("num_workers", "cv", "expected"),
    [(2, 0.05, 1.0282), (6, 0.01, 1.0127), (6, 0.05, 1.0646), (6, 0.30, 1.4151), (16, 0.10, 1.1885)],
)
def test_noise_costs_the_barrier_what_the_closed_form_says(num_workers: int, cv: float, expected: float) -> None:
    assert expected_max(num_workers, cv) == pytest.approx(expected, abs=1e-3)
    rounds, draws = 20, 30
    scenario = Scenario(rounds * num_workers, (2.0,) * num_workers, cv=cv, draws=draws, seed=7)
    bound, timelines = by_policy(scenario)
    tolerance = 4 * cv / math.sqrt(rounds * draws)  # a maximum spreads less than one of its numbers
    assert timelines["batch_sync"].makespan_s / (2.0 * rounds) == pytest.approx(expected, abs=tolerance)
    assert bound <= timelines["dynamic"].makespan_s <= timelines["round_robin"].makespan_s + 0.5 * cv * 2.0
    assert timelines["round_robin"].makespan_s <= timelines["bounded_drift"].makespan_s
    assert timelines["bounded_drift"].makespan_s < timelines["batch_sync"].makespan_s


def test_five_percent_noise_costs_the_barrier_five_percent_and_drift_one_next_to_nothing() -> None:
    timelines = by_policy(Scenario(270, EQUAL, cv=0.05, draws=20))[1]
    free = timelines["round_robin"].makespan_s
    assert timelines["batch_sync"].makespan_s / free == pytest.approx(1.054, abs=0.005)
    assert timelines["bounded_drift"].makespan_s / free < 1.002


def test_a_scenario_is_the_same_every_time_and_its_seed_matters() -> None:
    scenario = Scenario(60, EQUAL, cv=0.1, draws=3, seed=1)
    assert run_scenario(scenario) == run_scenario(scenario)
    assert run_scenario(scenario) != run_scenario(Scenario(60, EQUAL, cv=0.1, draws=3, seed=2))


@settings(max_examples=60, deadline=None)
@given(DURATIONS, st.integers(1, 5), st.sampled_from(POLICIES), st.integers(0, 3))
def test_a_replay_of_a_simulated_run_takes_exactly_as_long(
    durations: list[int], num_workers: int, name: str, drift: int
) -> None:
    seconds = [d / 7 for d in durations]
    run = simulate(name, make_policy(name, len(seconds), range(num_workers), drift), lambda r, w: seconds[r])
    measured = [ReplayedRequest(request, worker, seconds[request]) for _, worker, request in run.starts]
    again = {t.policy: t for t in replay(measured, Setting(num_workers, drift))}
    assert (again[name].makespan_s, again[name].starts) == (run.makespan_s, run.starts)
    assert again[name].max_drift == run.max_drift
    fixed = [again[p].makespan_s for p in ("batch_sync", "bounded_drift", "round_robin")]
    assert fixed == sorted(fixed, reverse=True)


def test_a_replay_scales_by_the_pace_of_the_workers() -> None:
    measured = [ReplayedRequest(i, i % 2, (1.0, 2.0)[i % 2]) for i in range(12)]
    found = {t.policy: t.makespan_s for t in replay(measured, Setting(2))}
    assert found == {"batch_sync": 12.0, "round_robin": 12.0, "bounded_drift": 12.0, "dynamic": 8.0}


def test_a_replay_of_nothing_is_nothing_and_gaps_are_closed() -> None:
    assert replay([], Setting(3)) == []
    with_gap = [ReplayedRequest(0, 0, 1.0), ReplayedRequest(5, 1, 1.0), ReplayedRequest(9, 0, 1.0)]
    assert {t.makespan_s for t in replay(with_gap, Setting(2))} == {2.0}


def test_a_policy_that_is_stuck_is_an_error_and_no_timeline() -> None:
    policy = make_policy("round_robin", 4, range(2))
    policy.lost(0), policy.lost(1)
    with pytest.raises(RuntimeError, match="0 of 4 requests ran; the policy is stuck"):
        simulate("round_robin", policy, lambda r, w: 1.0)


UNIT_S = 0.12
UNITS = (1, 4, 3, 4, 4, 4, 1, 4, 2)
"""Chosen so that on three workers no two requests end at the same moment, under any policy that could care."""


def test_real_workers_start_what_the_simulation_says_in_its_order(tmp_path: Path) -> None:
    seconds = [UNIT_S * units for units in UNITS]
    png = encode_png(Image.new("RGB", (8, 8)))
    params = {"slow": {str(i): s for i, s in enumerate(seconds)}}
    spec = PoolSpec(WorkerSpec("editors", "fakes.fake_editor", params, allow_code=True), [("cpu",)] * 3)
    keys = [str(i) for i in range(len(seconds))]
    with Pool(spec, process_launcher(lambda worker: tmp_path / f"{worker}.log")) as pool:
        for name in POLICIES:
            outcomes = {int(o.key): o for o in pool.run(keys, lambda k: EditRequest(k, (png,), "", 0), name)}
            expected = simulate(name, make_policy(name, len(keys), range(3)), lambda r, w: seconds[r])
            assert {r: o.worker for r, o in outcomes.items()} == {r: w for _, w, r in expected.starts}, name
            for (early, _, first), (late, _, second) in itertools.combinations(expected.starts, 2):
                if late - early > UNIT_S / 2:
                    assert outcomes[first].started_at < outcomes[second].started_at, (name, first, second)
            began = min(o.started_at for o in outcomes.values())
            ended = max(o.started_at + o.seconds for o in outcomes.values())
            assert ended - began == pytest.approx(expected.makespan_s, rel=0.25), name


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
def test_the_barrier_is_free_if_one_device_is_slowest_in_every_round_and_only_then(
    rounds: list[tuple[int, int, int]],
) -> None:
    seconds = [float(s) for one in rounds for s in one]
    barrier, free = (
        simulate(name, make_policy(name, len(seconds), range(3)), lambda r, w: seconds[r]).makespan_s
        for name in ("batch_sync", "round_robin")
    )
    assert (barrier == free) is any(all(one[worker] == max(one) for one in rounds) for worker in range(3))
