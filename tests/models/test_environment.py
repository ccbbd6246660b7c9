"""`execution.requirements` with the real uv: another version of one library for a stage, built once, then reused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.models, pytest.mark.slow]

PROBE_S = 120.0
OTHER = "12.0.0" if metadata.version("pillow") != "12.0.0" else "11.3.0"


def environ_of(folder: Path) -> dict[str, str]:
    """This environment's tools first, and a cache of its own for what editeval builds."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(folder / "cache")}


def run(folder: Path, name: str, requirements: list[str]) -> tuple[dict[str, Any], list[Any], float]:
    """(provenance, scores by sample, seconds) of one whole run."""
    execution = {"execution": {"requirements": requirements}} if requirements else {}
    config = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 2, "size": 64}},
        "diffusion_model": {"type": "simulated", "params": {"device_ids": ["cpu"], "chances": {}}},
        "reward_model": {"type": "reference", "params": {"device_ids": ["cpu"]}, **execution},
        "evaluation": {"output_dir": str(folder / name)},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config), "utf-8")
    command = [sys.executable, "-m", "editeval", "run", str(folder / f"{name}.yaml"), "--allow-code"]
    begin = time.monotonic()
    done = subprocess.run(
        command, env=environ_of(folder), capture_output=True, text=True, timeout=500, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
    latest = folder / name / "latest"
    lines = (latest / "samples.jsonl").read_text("utf-8").splitlines()
    values = [(row["id"], {k: v["value"] for k, v in row["scores"].items()}) for row in map(json.loads, lines)]
    return json.loads((latest / "report.json").read_text("utf-8"))["provenance"], values, time.monotonic() - begin


def lacking(folder: Path) -> str:
    """Why uv cannot install anything here; nothing if it can."""
    try:
        command = ["uv", "pip", "install", "--dry-run", "--python", sys.executable, f"pillow=={OTHER}"]
        done = subprocess.run(
            command, env=environ_of(folder), capture_output=True, text=True, timeout=PROBE_S, check=False
        )
    except FileNotFoundError:
        return "uv is not installed"
    except subprocess.TimeoutExpired:
        return f"uv had no answer from its index within {PROBE_S:g} s"
    return "" if done.returncode == 0 else f"uv cannot reach an index: {' '.join(done.stderr.split())[:200]}"


def test_a_judge_with_its_own_requirements_gives_the_same_scores_and_is_built_once(tmp_path: Path) -> None:
    why = lacking(tmp_path)
    if why:
        pytest.skip(why)
    environments = tmp_path / "cache" / "editeval" / "environments"
    _, expected, _ = run(tmp_path, "here", [])
    assert not environments.exists()
    provenance, scores, first_s = run(tmp_path, "first", [f"pillow=={OTHER}"])
    assert scores == expected and len(scores) == 10
    assert all(score["overall"] is not None for _, score in scores)
    used = provenance["interpreters"]["reward_model"]
    (built,) = [path for path in environments.iterdir() if path.is_dir()]
    assert used["python"] == str(built / "bin" / "python")
    assert used["versions"]["pillow"] == OTHER
    mark = (built / "editeval.json").read_bytes()
    again, scores, second_s = run(tmp_path, "second", [f" pillow=={OTHER}"])
    assert scores == expected and again["interpreters"]["reward_model"]["python"] == used["python"]
    assert (built / "editeval.json").read_bytes() == mark, "it was not built again"
    print(f"first run {first_s:.1f} s, second {second_s:.1f} s")
