"""Peak memory of the parent process does not grow with the number of samples: whole runs of 100 and of 1,000 edits.

Edit, write, judge and report; 512x512 photo-like images, two CPU workers. Run: `make bench`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from bench_fakes import machine, photo_like
from large_benchmark import measured, with_peak

LIMIT_RATIO = 1.15


def write_config(folder: Path, count: int) -> str:
    """A configuration with `count` samples of four images; returns its file name."""
    images = folder / f"images{count}"
    images.mkdir()
    for i in range(4):
        (images / f"{i}.png").write_bytes(photo_like(512, seed=i))
    rows = [{"id": f"s{i}", "image": f"{i % 4}.png", "instruction": f"Make object {i} red."} for i in range(count)]
    (images / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    config = {
        "benchmark": {"type": "image_folder", "params": {"path": images.name}},
        "diffusion_model": {"type": "identity", "params": {"device_ids": ["cpu", "cpu"]}},
        "reward_model": {"type": "reference", "params": {"device_ids": ["cpu"]}},
        "logging": {"console_output": False},
    }
    (folder / f"run{count}.yaml").write_text(json.dumps(config), encoding="utf-8")
    return f"run{count}.yaml"


def main() -> None:
    """Print the table; exit 1 if ten times the samples take more than LIMIT_RATIO times the memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 1000])
    counts = parser.parse_args().samples
    print(f"whole runs, two CPU workers; {machine()}")
    print(f"{'samples':>8}{'time':>12}{'per sample':>14}{'peak':>10}")
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in counts:
            # without targets nothing can be scored: the run says so with exit code 3
            seconds, peak, _ = measured(with_peak(["run", write_config(folder, count)]), folder, accepted=(0, 3))
            peaks.append(peak)
            print(f"{count:>8}{seconds:>10.1f} s{1000 * seconds / count:>11.1f} ms{peak:>7.0f} MB", flush=True)
    ratio = peaks[-1] / peaks[0]
    print(f"ratio of the peaks {ratio:.2f}, limit {LIMIT_RATIO}")
    raise SystemExit(ratio > LIMIT_RATIO)


if __name__ == "__main__":
    main()
