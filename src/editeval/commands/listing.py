"""`editeval list` and `editeval simulate`: what there is, and what it would take."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from editeval import plugins
from editeval.editors.diffusion.families import FAMILIES
from editeval.editors.serving.dialects import DIALECTS
from editeval.errors import ConfigError
from editeval.execution.policies import POLICIES
from editeval.execution.simulate import Scenario, run_scenario

_POLICIES = {
    "batch_sync": "all workers finish a batch before the next one starts (v2.1; enable_batch_sync: true)",
    "round_robin": "request i belongs to worker i mod n; nobody waits (v2.0; enable_batch_sync: false)",
    "bounded_drift": "round robin, but no worker runs more than max_drift requests ahead",
    "dynamic": "an idle worker takes the next request: the shortest run",
}


def show(what: str) -> int:
    """One line per name. Imports no plug-in: the line is the first of its module's docstring."""
    names = list(POLICIES) if what == "policies" else plugins.available(what)
    width = max(map(len, names), default=0)
    for name in names:
        about = _POLICIES[name] if what == "policies" else _first_line(f"editeval.{what}.{name}")
        sys.stdout.write(f"{name:{width}}  {about}\n")
        for line in _variants(name) if what == "editors" else ():
            sys.stdout.write(f"{'':{width}}    {line}\n")
    for name, points in plugins.installed(what).items() if what != "policies" else ():
        packages = ", ".join(str(point.dist and point.dist.name) for point in points)
        sys.stdout.write(f"{name:{width}}  installed by {packages}\n")
    return 0


def _variants(name: str) -> list[str]:
    """What one editor covers, and how far each was tested: pipelines of diffusers, servers of the images API."""
    if name == "diffusers_pipeline":
        rows = FAMILIES.values()
        proven = {True: "tested on tiny models of that class, not with real weights", False: "untested"}
        return [f"family {row.name} ({', '.join(row.pipelines)}): {proven[row.proven]}" for row in rows]
    if name == "openai_images":
        return [f"dialect {dialect}: tested with a scripted server, untested with a real one" for dialect in DIALECTS]
    return []


def _first_line(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def simulate(options: argparse.Namespace) -> int:
    """Makespan, idle share and largest drift of every policy, as a table or as JSON."""
    scenario = _scenario(options)
    bound, timelines = run_scenario(scenario)
    rows = [
        {"policy": t.policy, "makespan_s": t.makespan_s, "idle_fraction": t.idle_fraction, "max_drift": t.max_drift}
        for t in timelines
    ]
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
