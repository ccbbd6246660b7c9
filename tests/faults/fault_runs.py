"""Pools and whole runs around the faulty editor, for the tests of the fault table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editeval.execution.backends import process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Limits
from editeval.images import encode_png
from editeval.types import EditRequest

SOURCE = encode_png(Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)))


def build(key: str) -> EditRequest:
    return EditRequest(key, (SOURCE,), f"edit {key}", seed=int(key))


class FaultRun:
    """One pool of faulty editors: what it says, and the outcome of every request by key."""

    def __init__(self, tmp_path: Path, num_workers: int = 2, limits: Limits | None = None, **params: Any) -> None:
        self.notices: list[PoolEvent] = []
        self.folder = tmp_path
        policy = params.pop("policy", "batch_sync")
        notes = tmp_path / "notes"
        notes.mkdir(exist_ok=True)
        worker = WorkerSpec("editors", "fakes.faulty_editor", {"notes": str(notes)} | params, allow_code=True)
        self.spec = PoolSpec(worker, [("cpu",)] * num_workers, policy, limits=limits or Limits())
        self.launch = process_launcher(lambda index: tmp_path / f"worker{index}.log")

    def pool(self) -> Pool:
        return Pool(self.spec, self.launch, self.notices.append)

    def __call__(self, count: int) -> dict[str, Result]:
        with self.pool() as pool:
            return self.outcomes(pool, count)

    def outcomes(self, pool: Pool, count: int, build: Any = build) -> dict[str, Result]:
        """Every request has exactly one outcome."""
        found = list(pool.run([str(i) for i in range(count)], build))
        assert sorted(o.key for o in found) == sorted(str(i) for i in range(count))
        return {o.key: o for o in found}

    def pids(self) -> list[int]:
        """Of every worker process that ever was ready, in that order."""
        return [n.data["pid"] for n in self.notices if n.kind == "ready"]

    def deaths(self) -> list[str]:
        return [n.data["how"] for n in self.notices if n.kind == "worker_lost"]

    def attempts(self) -> list[Result]:
        """Those that were not the last of their request."""
        return [n.data["outcome"] for n in self.notices if n.kind == "attempt"]


CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model:
  type: fakes.faulty_editor
  params: {device_ids: [cpu, cpu], notes: NOTES}
reward_model: {type: reference, params: {device_ids: [cpu]}}
"""
IDS = tuple(f"{category}/0000" for category in ("physical", "environmental", "cultural", "causal", "referential"))


def config_in(folder: Path, text: str = CONFIG, **params: Any) -> Path:
    """`small.yaml` in `folder`: five drawn scenes and the faulty editor with these parameters."""
    notes = folder / "notes"
    notes.mkdir(exist_ok=True)
    more = "".join(f", {name}: {json.dumps(value)}" for name, value in params.items())
    path = folder / "small.yaml"
    path.write_text(text.replace("notes: NOTES", f"notes: {json.dumps(str(notes))}{more}"), encoding="utf-8")
    return path


def cli(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`editeval ARGUMENTS` as a user types it."""
    command = [sys.executable, "-m", "editeval", *arguments]
    environ = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False)


def samples_in(folder: Path) -> dict[str, dict[str, Any]]:
    """The lines of the latest run's samples.jsonl by id."""
    text = (folder / "outputs" / "latest" / "samples.jsonl").read_text(encoding="utf-8")
    return {row["id"]: row for row in map(json.loads, text.splitlines())}


def report_in(folder: Path) -> dict[str, Any]:
    """The content of the latest run's report.json."""
    found: dict[str, Any] = json.loads((folder / "outputs" / "latest" / "report.json").read_text(encoding="utf-8"))
    return found
