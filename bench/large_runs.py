"""CPU and wall time of `compare` on large runs, and of `runs` on many: `python bench/large_runs.py`; prints Markdown.

Ten runs of 10,000 samples (three metrics, two samples to a source image, 11 categories) are written through the store,
so that they are sealed, and each command is a fresh process. A thousand runs are copies of a small one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench_fakes import machine, photo_like
from editeval.config.load import load_config
from editeval.run.pipeline import open_store
from editeval.run.plan import make_plan
from targets import Targets

JUDGING = "j" * 16
METRICS = ("overall", "completeness", "preservation")
COMPARE_S, RUNS_S = 10.0, 2.0  # of CPU time, start of the interpreter and all


def write_benchmark(folder: Path, num: int) -> None:
    folder.mkdir()
    (folder / "a.png").write_bytes(photo_like(64, seed=1))
    rows = (
        f'{{"id": "s{i}", "image": "a.png", "instruction": "Make object {i} red.", "category": "c{i // 2 % 11}", '
        f'"cluster": "image{i // 2}"}}'
        for i in range(num)
    )
    (folder / "manifest.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_run(config: Path, number: int, num: int) -> Path:
    """A run whose edits and scores are on record and sealed, as `run` leaves it; there are no pictures."""
    plan = make_plan(load_config(config))
    chance = np.random.default_rng(number)
    images = np.repeat(chance.normal(0, 1.2, -(-num // 2)), 2)[:num]
    values = np.clip(6 + 0.05 * number + images + chance.normal(0, 2, num), 0, 10)
    ids = [sample.id for sample in plan.samples]
    with open_store(plan, ["bench"]) as store:
        store.select(plan.samples)
        store.add_judging(JUDGING, "reference", {"name": "reference"})
        with store.transaction() as db:
            db.executemany(
                "INSERT INTO edits (sample_id, status, path, sha256, width, height, seed, worker, device, started_at, "
                "seconds, attempt, flags) VALUES (?, 'done', ?, ?, 64, 64, 1, 0, 'cpu', 1e9, 1.0, 1, '')",
                ((i, f"edits/{n}.png", hashlib.sha256(i.encode()).hexdigest()) for n, i in enumerate(ids)),
            )
            for place, metric in enumerate(METRICS):
                db.executemany(
                    "INSERT INTO scores (judging_id, sample_id, place, judge, metric, value, raw, reason, seconds) "
                    "VALUES (?, ?, ?, 'reference', ?, ?, 'said', '', 0.1)",
                    ((JUDGING, i, place, metric, float(x)) for i, x in zip(ids, values, strict=True)),
                )
    return plan.dir


def measured(arguments: list[str], folder: Path, accepted: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of the command in a process of its own."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "editeval", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode not in accepted:
        raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr}{done.stdout}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"| `editeval {arguments[0]}` | {cpu:.1f} | {wall:.1f} |", flush=True)
    return cpu, wall


def large(folder: Path, num_runs: int, num_samples: int, targets: Targets) -> None:
    write_benchmark(folder / "data", num_samples)
    names = []
    for number in range(num_runs):
        config = folder / f"model{number}.yaml"
        config.write_text(
            f"benchmark: {{type: image_folder, params: {{path: {folder / 'data'}}}}}\n"
            f"diffusion_model: {{type: identity, params: {{seed: {number}}}}}\n"
            f"evaluation: {{name: model{number}, output_dir: {folder / 'runs'}}}\n",
            encoding="utf-8",
        )
        names.append(str(write_run(config, number, num_samples)))
    print(f"\n{num_runs} runs of {num_samples:,} samples; {machine()}; load {os.getloadavg()[0]:.0f}\n")
    print("| command | CPU s | wall s |\n|:--|--:|--:|")
    cpu, _ = measured(["compare", *names], folder)
    targets.check(
        f"compare, {num_runs} runs of {num_samples:,} samples: {COMPARE_S:g} s of CPU time; {cpu:.1f}", cpu < COMPARE_S
    )


def many(folder: Path, num_runs: int, targets: Targets) -> None:
    config = folder / "small.yaml"
    config.write_text(
        "benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}\ndiffusion_model: {type: simulated}\n"
    )
    place = folder / "small"
    measured(["run", "small.yaml", "--display", "none", "--set", f"evaluation.output_dir={place}"], folder, (0, 3))
    (made,) = (one.parent for one in place.glob("small-*/manifest.json"))
    for number in range(num_runs - 1):
        copy = place / f"copy{number:04d}"
        copy.mkdir()
        for one in made.iterdir():
            if one.is_file():
                shutil.copy2(one, copy)
    cpu, _ = measured(["runs", str(place)], folder)
    targets.check(f"runs, {num_runs:,} runs: {RUNS_S:g} s of CPU time; {cpu:.1f}", cpu < RUNS_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10, metavar="N")
    parser.add_argument("--samples", type=int, default=10_000, metavar="N")
    parser.add_argument("--runs", type=int, default=1000, metavar="N")
    options, targets = parser.parse_args(), Targets("bench/large_runs.py")
    with tempfile.TemporaryDirectory() as place:
        large(Path(place), options.models, options.samples, targets)
        many(Path(place), options.runs, targets)
    sys.exit(targets.print())


if __name__ == "__main__":
    main()
