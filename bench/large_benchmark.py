"""100,000 samples: what `--dry-run` and the scan before a resumed run cost, in seconds and in peak memory.

Every measurement is a fresh process. Run: `make bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_fakes import machine, photo_like

LIMIT_S, LIMIT_MB = 5.0, 300.0

SCAN = """
import sys
from pathlib import Path
from editeval.config.load import load_config
from editeval.pipeline import open_store
from editeval.plan import make_plan
plan = make_plan(load_config(Path(sys.argv[1])))
with open_store(plan, ["bench"]) as store:
    store.select(plan.samples)
    print(len(store.pending_edits()), "to edit")
"""


def measured(command: list[str], folder: Path, accepted: tuple[int, ...] = (0,)) -> tuple[float, float, str]:
    """(seconds, peak MB, stdout) of a process of its own."""
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stdout, stderr = process.communicate()
    seconds = time.monotonic() - start
    if process.returncode not in accepted:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{stderr}")
    peak = [line for line in stderr.splitlines() if line.startswith("PEAK_KB ")]
    return seconds, int(peak[-1].split()[1]) / 1024, stdout


def with_peak(arguments: list[str]) -> list[str]:
    """The command that runs Python with `arguments` and reports its own peak memory at the end."""
    report = "import resource,sys;sys.stderr.write(f'PEAK_KB {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\\n')"
    start = f"import atexit;atexit.register(lambda: exec({report!r}))"
    if arguments[0] == "-c":
        return [sys.executable, "-c", start + "\n" + arguments[1], *arguments[2:]]
    code = f"{start}\nimport sys;sys.argv=['editeval',*sys.argv[1:]]\nfrom editeval.cli import main\nmain()"
    return [sys.executable, "-c", code, *arguments]


def write_configs(folder: Path, count: int) -> dict[str, str]:
    """Benchmark name -> configuration file, with `count` samples each."""
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(photo_like(64, seed=1))
    rows = [
        {"id": f"s{i}", "image": "a.png", "instruction": f"Make object {i} red.", "category": f"c{i % 5}"}
        for i in range(count)
    ]
    (folder / "images" / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    benchmarks = {
        "procedural": {"type": "procedural", "params": {"num_per_category": count // 5}},
        "image_folder": {"type": "image_folder", "params": {"path": "images"}},
    }
    files = {}
    for name, benchmark in benchmarks.items():
        model = {"type": "identity", "params": {"device_ids": ["cpu"] * 6}}
        files[name] = f"{name}.yaml"
        (folder / files[name]).write_text(json.dumps({"benchmark": benchmark, "diffusion_model": model}))
    return files


def main() -> None:
    """Print the table; exit 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=100_000)
    count = parser.parse_args().samples
    os.environ.pop("PYTHONDEVMODE", None)
    print(f"{count} samples; limits {LIMIT_S} s and {LIMIT_MB:.0f} MB; {machine()}")
    print(f"{'benchmark':15}{'what':28}{'time':>9}{'peak':>12}")
    is_fine = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for benchmark, file in write_configs(folder, count).items():
            steps = {
                "--dry-run of a new run": ["run", file, "--dry-run"],
                "first scan (fills ledger)": ["-c", SCAN, file],
                "resume scan": ["-c", SCAN, file],
                "--dry-run of that run": ["run", file, "--dry-run"],
            }
            for what, arguments in steps.items():
                seconds, peak, _ = measured(with_peak(arguments), folder)
                is_fine = is_fine and seconds < LIMIT_S and peak < LIMIT_MB
                print(f"{benchmark:15}{what:28}{seconds:>7.2f} s{peak:>9.0f} MB", flush=True)
    raise SystemExit(not is_fine)


if __name__ == "__main__":
    main()
