"""A folder benchmark, a local checkpoint and runs of them, for the tests of what a run is made of."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from PIL import Image

from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.images import encode_png
from editeval.run.pipeline import RunResult, evaluate
from editeval.store.run_store import RunStore

NUM_SAMPLES = 10


class Bench:
    """What a test changes between two runs. Samples are called s00, s01, ..."""

    def __init__(self, folder: Path, num_samples: int = NUM_SAMPLES) -> None:
        self.folder = folder
        self.data, self.checkpoint, self.out = folder / "data", folder / "checkpoint", folder / "out"
        self.data.mkdir()
        self.checkpoint.mkdir()
        self.instructions = {f"s{n:02}": f"paint it {n}" for n in range(num_samples)}
        for number, key in enumerate(self.instructions):
            self.paint(key, (number * 8 % 256, 90, 200))
        self.write()
        self.train(1)

    def paint(self, key: str, colour: tuple[int, int, int]) -> None:
        """The source image of `key`: always of the same size in bytes, and with the same time."""
        path = self.data / f"{key}.png"
        path.write_bytes(encode_png(Image.new("RGB", (16, 12), colour)))
        os.utime(path, ns=(10**18, 10**18))

    def write(self) -> None:
        """The manifest."""
        rows = [{"id": key, "image": f"{key}.png", "instruction": text} for key, text in self.instructions.items()]
        (self.data / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def train(self, number: int) -> None:
        """Other weights under the same path: same size, same time."""
        path = self.checkpoint / "model.safetensors"
        path.write_bytes(bytes([number]) * 4096)
        os.utime(path, ns=(10**18, 10**18))

    def tree(self, **changes: Any) -> dict[str, Any]:
        tree: dict[str, Any] = {
            "benchmark": {"type": "image_folder", "params": {"path": str(self.data)}},
            "diffusion_model": {
                "type": "fakes.weighted_editor",
                "params": {"device_ids": ["cpu"], "model_path": str(self.checkpoint)},
                "execution": {"backend": "inprocess"},
            },
            "reward_model": {
                "type": "fakes.fake_judge",
                "params": {"device_ids": ["cpu"]},
                "execution": {"backend": "inprocess", "batch_size": 4},
            },
            "evaluation": {"output_dir": str(self.out)},
            "logging": {"console_output": False},
        }
        for key, value in changes.items():
            *path, last = key.split("__")
            place = tree
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
        return tree

    def config(self, **changes: Any) -> Config:
        """`changes` are dotted keys with __ for dots."""
        return load_mapping(self.tree(**changes), "made", environ={}, allow_code=True)

    def run(self, fresh: bool = False, **changes: Any) -> RunResult:
        return evaluate(self.config(**changes), ["editeval", "run"], fresh=fresh)


def origins(directory: Path) -> dict[str, str]:
    """Sample -> run from which its edit was taken over."""
    with RunStore.read(directory) as store:
        return {edit.sample_id: edit.origin for edit in store.edits()}


def num_edited(directory: Path) -> int:
    """Edits that an editor really made in this run."""
    with RunStore.read(directory) as store:
        return sum(attempt.stage == "edit" for attempt in store.attempts())


def num_judged(directory: Path) -> int:
    with RunStore.read(directory) as store:
        return sum(attempt.stage == "judge" for attempt in store.attempts())


def files_of(result: RunResult) -> dict[str, bytes]:
    """What two runs with equal results have equal."""
    return {name: (result.plan.dir / name).read_bytes() for name in ("samples.jsonl", "scores.csv")}


def log_of(result: RunResult) -> str:
    return result.plan.config.logging.log_file.read_text(encoding="utf-8")
