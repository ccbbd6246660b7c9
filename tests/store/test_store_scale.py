"""100,000 samples are selected and resumed within seconds and little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_100_000_samples_cost_little_time_and_memory(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(Path(__file__).with_name("store_child.py")),
        "scale",
        str(tmp_path / "run"),
        "100000",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    figures = json.loads(done.stdout)
    for phase in ("first", "again"):
        assert figures[phase]["pending"] == 100_000
        assert figures[phase]["cpu_s"] < 3, figures
        assert figures[phase]["extra_mib"] < 100, figures
