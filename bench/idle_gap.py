"""How long a device waits between two edits: two CPU workers, fake edits of 1 s, real 1024x1024 PNG in and out.

The gap is the time from the end of an edit to the start of the next one on the same worker, as the worker reports them;
decoding, encoding, hashing and disk (a PNG written durably, a ledger row committed) happen behind the edits. Under
batch_sync the next edit waits for the slower one of the batch, and until both PNG have been encoded and received.
Run: `make bench`; with `--ray HOST:PORT` the same on a Ray cluster (`ray start --head`, PYTHONPATH=bench there).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from bench_fakes import machine, sleeper_spec
from editeval.execution.backends import Launch, process_launcher
from editeval.execution.pool import Pool
from editeval.execution.ray import cluster
from editeval.execution.ray.handle import ray_launcher
from editeval.images import BytesImage
from editeval.store.manifest import Manifest, identity
from editeval.store.run_store import RunStore
from editeval.types import Sample

WORKERS, SIZE, LIMIT_MS = 2, 1024, 5.0


def launcher(root: Path, address: str | None) -> Launch:
    """The process backend, or with an address the Ray backend on the processors of that cluster."""
    if address is not None:
        return ray_launcher(cluster.connect(address), lambda worker: root / f"worker{worker}.log", None)
    return process_launcher(lambda worker: root / f"worker{worker}.log")


def gaps_ms(policy: str, requests: int, seconds: float, address: str | None) -> list[float]:
    """Idle milliseconds between consecutive edits of the same worker."""
    keys = [str(i) for i in range(requests)]
    spec, build = sleeper_spec(WORKERS, seconds, SIZE, policy)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        manifest = Manifest("bench", identity("bench", "sleeper", {}, 0))
        with (
            RunStore.open(root / "run", manifest) as store,
            Pool(spec, launcher(root, address)) as pool,
        ):
            store.select(Sample(key, "bench", (BytesImage(b""),), "wait") for key in keys)
            for outcome in pool.run(keys, build):
                assert outcome.value is not None, outcome.error
                store.record_edit(replace(outcome, value=outcome.value.png), seed=0)
                outcomes.append(outcome)
    result = []
    for worker in range(WORKERS):
        mine = sorted((o for o in outcomes if o.worker == worker), key=lambda o: o.started_at)
        result += [1000 * (b.started_at - a.started_at - a.seconds) for a, b in pairwise(mine)]
    return result


def main() -> None:
    """Print the table; exit 1 if round_robin or dynamic has a median above LIMIT_MS."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--ray", metavar="HOST:PORT", help="head of a Ray cluster to run the workers on; no limit then")
    options = parser.parse_args()
    what = f"{options.requests} edits of {options.seconds} s, {SIZE}x{SIZE} PNG, {WORKERS} CPU workers"
    print(f"{'Ray cluster' if options.ray else 'processes'}: {what}; {machine()}")
    print(f"{'policy':15}{'median gap':>13}{'90 %':>12}{'max':>12}")
    worst = 0.0
    for policy in ("round_robin", "dynamic", "batch_sync"):  # the last one waits for encoded results: no limit
        gaps = gaps_ms(policy, options.requests, options.seconds, options.ray)
        median, high = statistics.median(gaps), statistics.quantiles(gaps, n=10)[-1]
        worst = max(worst, median if policy != "batch_sync" else 0.0)
        print(f"{policy:15}{median:>10.2f} ms{high:>9.2f} ms{max(gaps):>9.2f} ms")
    print(f"worst median {worst:.2f} ms" + ("" if options.ray else f", limit {LIMIT_MS} ms"))
    raise SystemExit(worst > LIMIT_MS and not options.ray)


if __name__ == "__main__":
    main()
