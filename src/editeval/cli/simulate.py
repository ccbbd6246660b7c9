"""`editeval simulate`: what a policy would cost, without a model."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from editeval.errors import ConfigError
from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.simulate import Scenario, draws_of, run_scenario
from editeval.execution.simulate import simulate as simulate_policy
from editeval.files import write_atomic

MAX_DRAWN = 2000
"""Requests of all policies in one picture: more would be lines, not boxes."""


def simulate(options: argparse.Namespace) -> int:
    """Makespan, idle share and largest drift of every policy, as a table or as JSON."""
    scenario = _scenario(options)
    bound, timelines = run_scenario(scenario)
    rows = [
        {"policy": t.policy, "makespan_s": t.makespan_s, "idle_fraction": t.idle_fraction, "max_drift": t.max_drift}
        for t in timelines
    ]
    if options.svg:
        _draw(scenario, options.svg)
    if options.json:
        sys.stdout.write(json.dumps({"lower_bound_s": bound, "policies": rows}) + "\n")
        return 0
    sys.stdout.write(f"{scenario.num_requests} requests on {len(scenario.durations)} workers")
    sys.stdout.write(f", cv {scenario.cv:g}, mean of {scenario.draws} draws\n" if scenario.cv else "\n")
    sys.stdout.write(f"{'policy':15}{'makespan':>12}{'over bound':>12}{'idle':>9}{'drift':>8}\n")
    for t in timelines:
        over = t.makespan_s / bound - 1 if bound else 0.0
        sys.stdout.write(
            f"{t.policy:15}{t.makespan_s:>10.2f} s{over:>12.2%}{t.idle_fraction:>9.2%}{t.max_drift:>8.1f}\n"
        )
    sys.stdout.write(f"{'lower bound':15}{bound:>10.2f} s\n")
    return 0


def _draw(scenario: Scenario, file: str) -> None:
    """The first draw as a picture: for each policy a row per worker, batch boundaries as lines."""
    from editeval.reports.site.charts import timelines

    if scenario.num_requests * len(POLICIES) > MAX_DRAWN:
        most = MAX_DRAWN // len(POLICIES)
        raise ConfigError(f"--svg: draws at most {most} requests, got {scenario.num_requests}; give --requests")
    num_workers = len(scenario.durations)
    _, duration = next(draws_of(scenario))
    blocks = {}
    for name in POLICIES:
        policy = make_policy(name, scenario.num_requests, range(num_workers), scenario.max_drift)
        run = simulate_policy(name, policy, duration)
        ends = {request: start + duration(request, worker) for start, worker, request in run.starts}
        lanes: list[list[tuple[float, float, str, int]]] = [[] for _ in range(num_workers)]
        for start, worker, request in run.starts:
            lanes[worker].append((start, ends[request] - start, "done", 1))
        batches = [max(map(ends.__getitem__, members)) for members in _batches(scenario)] if run.rounds else []
        blocks[f"{name}  {run.makespan_s:.2f} s"] = {
            "lanes": [{"stage": "edit", "spans": spans} for spans in lanes],
            "batches": batches,
        }
    try:
        write_atomic(Path(file), timelines(blocks).encode())
    except OSError as error:
        raise ConfigError(f"--svg {file}: cannot be written: {error.strerror or error}") from error


def _batches(scenario: Scenario) -> list[range]:
    size = len(scenario.durations)
    return [range(i, min(i + size, scenario.num_requests)) for i in range(0, scenario.num_requests, size)]


def _scenario(options: argparse.Namespace) -> Scenario:
    try:
        durations = tuple(float(text) for text in options.durations.split(","))
    except ValueError as error:
        raise ConfigError(f"--durations: seconds separated by commas, got {options.durations!r}") from error
    if not all(0 < d < 1e9 for d in durations):
        raise ConfigError(f"--durations: every duration must be positive, got {options.durations!r}")
    for name, value, least in (("requests", options.requests, 0), ("draws", options.draws, 1)):
        if value < least:
            raise ConfigError(f"--{name}: at least {least}, got {value}")
    if not 0 <= options.cv < 10 or options.max_drift < 0:
        raise ConfigError(f"--cv must be 0 to 10 and --max-drift 0 or more, got {options.cv} and {options.max_drift}")
    return Scenario(
        options.requests, durations, options.cv, options.draws, options.rotate, options.max_drift, options.seed
    )
