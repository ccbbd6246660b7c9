"""What the benches share: an editor that only takes time, and the description of the machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from editeval.execution.pool import PoolSpec
from editeval.execution.worker_messages import WorkerSpec
from editeval.images import decode, encode_png
from editeval.machine.host import host
from editeval.types import Editor, EditRequest, Progress


@dataclass(frozen=True)
class SleeperParams:
    """`seconds` per edit."""

    seconds: float = 1.0


class Sleeper(Editor):
    """Decodes the source, waits as long as a device would compute, returns a picture of the source's size."""

    Params = SleeperParams
    params: SleeperParams
    default_device = "cpu"

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        start = time.perf_counter()
        image = decode(request.images[0])
        time.sleep(max(0.0, self.params.seconds - (time.perf_counter() - start)))
        progress(1, 1)
        return image


def photo_like(size: int, seed: int) -> bytes:
    """A PNG of size x size that compresses like a photograph: smooth shading with fine noise."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 180, size)[:, None, None] + np.linspace(0, 60, size)[None, :, None]
    noise = rng.normal(0, 6, (size, size, 3))
    return encode_png(Image.fromarray(np.clip(ramp + noise, 0, 255).astype(np.uint8)))


def sleeper_spec(workers: int, seconds: float, size: int, policy: str) -> tuple[PoolSpec, Callable[[str], EditRequest]]:
    """A pool of sleepers on CPU workers, and the requests to give it."""
    os.environ["PYTHONPATH"] = os.pathsep.join(
        p for p in (str(Path(__file__).parent), os.environ.get("PYTHONPATH")) if p
    )
    png = photo_like(size, seed=0)

    def build(key: str) -> EditRequest:
        return EditRequest(key, (png,), "wait", seed=0)

    worker = WorkerSpec("editors", "sleeper.sleeper", {"seconds": seconds}, allow_code=True)
    return PoolSpec(worker, [("cpu",)] * workers, policy), build


def machine() -> str:
    """This machine and today, in one phrase."""
    here = host()
    return (
        f"{here['num_usable_cpus']} cores ({here['cpu']}), {here['ram_gib']:.0f} GiB, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )
