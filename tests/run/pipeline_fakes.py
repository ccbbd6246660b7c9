"""Configurations and runs for the tests of the whole pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.run.pipeline import RunResult, evaluate

NUM_PER_CATEGORY = 2
THREADS = {"backend": "inprocess"}
PROCESSES = {"backend": "process"}


def config(output_dir: Path, **changes: Any) -> Config:
    """A small sound configuration: ten drawn scenes, two threads. `changes` are dotted keys with __ for dots."""
    tree: dict[str, Any] = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": NUM_PER_CATEGORY, "size": 64}},
        "diffusion_model": {"type": "identity", "params": {"device_ids": ["cpu", "cpu"]}, "execution": THREADS},
        "reward_model": {"type": "reference", "params": {"device_ids": ["cpu"]}, "execution": THREADS},
        "evaluation": {"output_dir": str(output_dir)},
        "logging": {"console_output": False},
    }
    for key, value in changes.items():
        *path, last = key.split("__")
        place = tree
        for part in path:
            place[part] = place = dict(place.get(part, {}))
        place[last] = value
    return load_mapping(tree, "small", environ={}, allow_code=True)


def fake_editor(tmp_path: Path, devices: int = 2, **params: Any) -> dict[str, Any]:
    """The section diffusion_model with the editor that misbehaves on demand."""
    notes = tmp_path / "notes"
    notes.mkdir(exist_ok=True)
    params = {"device_ids": ["cpu"] * devices, "notes": str(notes)} | params
    return {"type": "fakes.fake_editor", "params": params, "execution": THREADS}


def run(output_dir: Path, fresh: bool = False, **changes: Any) -> RunResult:
    """One finished invocation."""
    return evaluate(config(output_dir, **changes), ["editeval", "test"], fresh=fresh)


def samples_of(result: RunResult) -> list[dict[str, Any]]:
    """The lines of samples.jsonl."""
    text = (result.plan.dir / "samples.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def report_of(result: RunResult) -> dict[str, Any]:
    """The content of report.json."""
    content: dict[str, Any] = json.loads((result.plan.dir / "report.json").read_text(encoding="utf-8"))
    return content


def log_of(result: RunResult) -> str:
    """Everything in the log file."""
    return result.plan.config.logging.log_file.read_text(encoding="utf-8")
