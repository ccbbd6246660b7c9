"""What `editeval simulate` costs on a large cluster: CPU seconds per policy, one draw of noise. Limit: 60 s in all.

Run: `python bench/simulate.py`, each policy on one core of one process.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import time

from bench_fakes import machine
from editeval.execution.policies import POLICIES, make_policy
from editeval.execution.simulate import simulate

LIMIT_S = 60.0
SECONDS, CV, SEED = 2.0, 0.05, 0  # of a request; noise between requests


def main() -> None:
    """Print the table; exit 1 above LIMIT_S."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=4096)
    options = parser.parse_args()
    chance, sigma = random.Random(SEED), math.sqrt(math.log1p(CV**2))
    seconds = [SECONDS * chance.lognormvariate(-sigma * sigma / 2, sigma) for _ in range(options.requests)]
    print(f"{options.requests:,} requests on {options.workers:,} workers; {machine()}")
    print(f"{'policy':<15}{'makespan':>12}{'CPU':>9}")
    whole = 0.0
    for name in POLICIES:
        begun = time.process_time()
        policy = make_policy(name, options.requests, range(options.workers))
        run = simulate(name, policy, lambda request, worker: seconds[request], is_detailed=False)
        took = time.process_time() - begun
        whole += took
        print(f"{name:<15}{run.makespan_s:>10.1f} s{took:>7.1f} s", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"all: {whole:.1f} s of CPU (limit {LIMIT_S:g} s), {peak:.0f} MiB")
    raise SystemExit(whole > LIMIT_S)


if __name__ == "__main__":
    main()
