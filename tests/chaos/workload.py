"""The run that is broken again and again: small, quick, and with everything in it that a run has."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos import tiny_editor
from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.errors import UserError
from editeval.run.pipeline import evaluate
from editeval.store.run_store import RunStore

BATCH = 2
SEED = 7


@dataclass(frozen=True)
class Workload:
    """What is run, and where. `folder` holds `out` (the output directory) and `script` (see tiny_editor)."""

    folder: Path
    num_samples: int = 8
    num_workers: int = 1
    policy: str = "batch_sync"
    backend: str = "inprocess"
    limits: Mapping[str, float] = field(default_factory=dict)
    is_moody: bool = True
    overlap: bool = False  # judging begins while editing goes on
    has_weights: bool = False  # the editor has a checkpoint, in the folder `checkpoint`
    changed: int = -1  # number of the sample whose instruction is another one
    number: int = 0  # of the run that is meant, from 1, in the order of their beginnings; 0: the only one

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def script(self) -> Path:
        return self.folder / "script"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def runs(self) -> list[Path]:
        """Every run directory that is complete, in the order of their beginnings."""
        found = [path for path in self.out.glob("chaos-*") if (path / "manifest.json").exists()]
        return sorted(found, key=lambda path: json.loads((path / "manifest.json").read_bytes())["created_at"])

    @property
    def run(self) -> Path:
        """The run directory that is meant."""
        if self.number:
            return self.runs[self.number - 1]
        (found,) = (path for path in self.out.glob("chaos-*") if path.is_dir())
        return found

    def train(self, weights: bytes) -> None:
        """These are the weights of the checkpoint, under the same path and with the same time."""
        self.checkpoint.mkdir(exist_ok=True)
        path = self.checkpoint / "weights.bin"
        path.write_bytes(weights)
        os.utime(path, ns=(10**18, 10**18))

    def prepare(self, fates: Mapping[str, list[str]] | None = None) -> Workload:
        """The script is there; nothing has been attempted yet."""
        self.script.mkdir(parents=True)
        (self.script / "fates.json").write_text(json.dumps(dict(fates or {})))
        return self

    def config(self) -> Config:
        execution = {"backend": self.backend, "policy": self.policy, **self.limits}
        devices = ["cpu"] * self.num_workers
        tree: dict[str, Any] = {
            "benchmark": {
                "type": "chaos.tiny_benchmark",
                "params": {"num_samples": self.num_samples, "changed": self.changed},
            },
            "diffusion_model": {
                "type": "chaos.tiny_editor",
                "params": {"device_ids": devices, "seed": SEED, "script": str(self.script)}
                | ({"checkpoint": str(self.checkpoint)} if self.has_weights else {}),
                "execution": execution,
            },
            "reward_model": {
                "type": "chaos.tiny_judge",
                "params": {"device_ids": devices, "is_moody": self.is_moody},
                "execution": {**execution, "batch_size": BATCH, "overlap": self.overlap},
            },
            "evaluation": {"output_dir": str(self.out)},
            "logging": {"console_output": False},
        }
        return load_mapping(tree, "chaos", environ={}, allow_code=True)

    def invoke(self) -> str:
        """One invocation, as the command line makes it. The line that a user error would print; empty if it ended well.

        Anything else that is raised is a bug, and stays one.
        """
        logging.raiseExceptions = True
        try:
            result = evaluate(self.config(), ["editeval", "run"])
        except UserError as error:
            return f"{type(error).__name__}: {error}"
        return "" if result.exit_code == 3 else f"exit code {result.exit_code}"  # two samples always fail

    def executions(self) -> list[str]:
        """Every attempt at an edit, in order, whatever became of it; acknowledged records as "ack STAGE ID"."""
        path = self.script / "executions"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def acknowledging(tell: Callable[[str], None]) -> None:
    """From now on `tell` hears of every record of this process that has returned; nothing else changes."""

    def told(name: str, names: Callable[..., list[str]]) -> None:
        original = getattr(RunStore, name)

        @functools.wraps(original)
        def wrapped(store: RunStore, *args: Any, **options: Any) -> Any:
            result = original(store, *args, **options)
            for text in names(*args):
                tell(text)
            return result

        setattr(RunStore, name, wrapped)

    told("record_edit", lambda outcome, *_: [f"edit {outcome.key}"])
    told("record_score_batch", lambda _, batch: [f"judge {outcome.key}" for _, outcome in batch])


def to_script(work: Workload) -> Callable[[str], None]:
    """Acknowledgements go to the script folder, where a kill does not reach them."""
    return lambda text: tiny_editor.note(str(work.script), f"ack {text}")


def warm_up(folder: Path) -> None:
    """Pay once, before the forks, for what every run of this process would pay for: imports, and the versions of what
    is installed, which `machine.versions` keeps."""
    Workload(folder / "warm", num_samples=13).prepare().invoke()  # few samples would leave the statistics cold
