"""Real workers against the simulation: 54 requests of 0.2 s on six worker processes, under every policy.

The makespan is measured from the first start to the last end, as the workers report them, and compared with what
`simulate` says for the very same policy object: the ratio is what the harness adds. Run: `make bench`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from bench_fakes import machine, sleeper_spec
from editeval.execution.backends import process_launcher
from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.pool import Pool
from editeval.execution.simulate import simulate

REQUESTS, WORKERS, SECONDS = 54, 6, 0.2
LIMIT = 1.02
LIMIT_SYNC = 1.04  # of batch_sync: every batch waits until its results have been received


def measure(policy: str, runs: int) -> float:
    """Median makespan of `runs` runs on one pool, in seconds."""
    keys = [str(i) for i in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as folder:
        spec, build = sleeper_spec(WORKERS, SECONDS, size=64, policy=policy)
        with Pool(spec, process_launcher(lambda worker: Path(folder) / f"worker{worker}.log")) as pool:
            spans = []
            for _ in range(runs):
                outcomes = list(pool.run(keys, build))
                assert all(o.error is None for o in outcomes)
                first = min(o.started_at for o in outcomes)
                spans.append(max(o.started_at + o.seconds for o in outcomes) - first)
    return statistics.median(spans)


def main() -> None:
    """Print the table; exit 1 if a policy is more than its limit above its simulation."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    print(f"{REQUESTS} requests of {SECONDS} s on {WORKERS} worker processes, median of {runs} runs; {machine()}")
    print(f"{'policy':15}{'simulated':>12}{'measured':>12}{'ratio':>9}")
    worst = 0.0
    for name in POLICIES:
        expected = simulate(name, make_policy(name, REQUESTS, range(WORKERS)), lambda r, w: SECONDS).makespan_s
        measured = measure(name, runs)
        worst = max(worst, measured / expected / (LIMIT_SYNC if name == "batch_sync" else LIMIT))
        print(f"{name:15}{expected:>10.3f} s{measured:>10.3f} s{measured / expected:>9.4f}")
    print(f"limits: {LIMIT_SYNC} for batch_sync, {LIMIT} for the others; worst ratio {worst:.4f} of its limit")
    raise SystemExit(worst > 1)


if __name__ == "__main__":
    main()
