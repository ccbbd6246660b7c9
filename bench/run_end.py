"""Seconds from the last edit to the end of a run that judges nothing: fake edits, real 1024x1024 PNG in and out.

Also whether thumbnails, made while the run works, slow it down: with `--seconds 0` the editors need both cores. To
compare with another version of editeval, put its `src` on PYTHONPATH. Run: `python bench/run_end.py`
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_fakes import machine, photo_like

SIZE, LIMIT_S = 1024, 2.0


def configuration(root: Path, num_edits: int, seconds: float) -> Path:
    """A benchmark of `num_edits` different images, and two CPU workers."""
    data = root / "data"
    data.mkdir()
    lines = []
    for number in range(num_edits):
        (data / f"{number}.png").write_bytes(photo_like(SIZE, seed=number))
        lines.append(json.dumps({"id": f"s{number}", "image": f"{number}.png", "instruction": "wait"}))
    (data / "manifest.jsonl").write_text("\n".join(lines), encoding="utf-8")
    path = root / "bench.yaml"
    path.write_text(
        f"benchmark: {{type: image_folder, params: {{path: {data}}}}}\n"
        "diffusion_model:\n  type: sleeper.sleeper\n"
        f"  params: {{device_ids: [cpu, cpu], seconds: {seconds}}}\n"
        "  execution: {policy: round_robin}\n"
        f"evaluation: {{output_dir: {root / 'out'}}}\n",
        encoding="utf-8",
    )
    return path


def measured(num_edits: int, seconds: float) -> tuple[float, float]:
    """(seconds from the first start of an edit to the last end, seconds from there to the end of the process)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = configuration(root, num_edits, seconds)
        places = str(Path(__file__).parent), os.environ.get("PYTHONPATH")
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(place for place in places if place)}
        command = [sys.executable, "-m", "editeval", "run", str(path), "--allow-code"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        ended_at = time.time()
        (ledger,) = (root / "out").glob("bench-*/ledger.sqlite")
        with sqlite3.connect(ledger) as db:
            first, last = db.execute("SELECT min(started_at), max(started_at + seconds) FROM edits").fetchone()
    return last - first, ended_at - last


def main() -> None:
    """Print the table; exit 1 if the end of the slow run takes more than LIMIT_S."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edits", type=int, default=60)
    parser.add_argument("--seconds", type=float, nargs="*", default=[1.0, 0.0])
    options = parser.parse_args()
    print(f"{options.edits} edits, {SIZE}x{SIZE} PNG, 2 CPU workers; {machine()}")
    slowest = 0.0
    for seconds in options.seconds:
        edits_s, end_s = measured(options.edits, seconds)
        slowest = max(slowest, end_s if seconds >= 1.0 else 0.0)
        print(f"edits of {seconds:g} s: {edits_s:7.2f} s of edits, then {end_s:6.2f} s to the end of the run")
    raise SystemExit(slowest > LIMIT_S)


if __name__ == "__main__":
    main()
