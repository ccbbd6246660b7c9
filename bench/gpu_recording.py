"""What the bench takes down inside the process that edits: latents, token counts, the load; nothing slows the edit.

Both sides use it, the plain loop and editeval's worker, so that both carry the same weight.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any, Self

import numpy as np

import gpu_checkpoint

OUT = "GPU_BENCH_OUT"
"""Environment variable: the folder that takes the records of one part."""

COMPARED = "full"
"""Key of the edit whose latents are kept."""

STATUS = Path("/proc/self/status")


class LoadWatch:
    """Seconds of a load and the host memory that it took: the peak of anonymous pages (files in the cache are not)."""

    def __enter__(self) -> Self:
        import diffusers  # noqa: F401  importing is no loading
        import transformers  # noqa: F401

        self._is_over = threading.Event()
        self._before = self._peak = anonymous_gib()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        synchronize()
        self.seconds = time.perf_counter() - self._start
        self._is_over.set()
        self._thread.join()
        self.host_gib = max(0.0, self._peak - self._before)

    def _watch(self) -> None:
        while not self._is_over.wait(0.02):
            self._peak = max(self._peak, anonymous_gib())


def anonymous_gib() -> float:
    """Host memory of this process that no file backs; 0 where the system does not tell."""
    if not STATUS.is_file():
        return 0.0
    found = re.search(r"RssAnon:\s+(\d+) kB", STATUS.read_text())
    return int(found[1]) / 2**20 if found else 0.0


class Recording:
    """Listens to a pipeline: token counts of a step's passes, the first prediction, the last latents."""

    def __init__(self, pipeline: Any) -> None:
        self.passes: list[dict[str, int]] = []
        self.first_pass: dict[str, Any] = {}
        self._first: Any = None
        self._last: Any = None
        self._num_steps = 0
        self._plain_step = pipeline.scheduler.step
        pipeline.scheduler.step = self._step
        pipeline.transformer.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        if self._num_steps:
            return
        self.first_pass = self.first_pass or dict(kwargs)
        shapes = kwargs["hidden_states"].shape, kwargs["encoder_hidden_states"].shape
        self.passes.append({"latent": shapes[0][1], "text": shapes[1][1]})

    def _step(self, prediction: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._num_steps:
            self._first = prediction
        self._num_steps += 1
        result = self._plain_step(prediction, *args, **kwargs)
        self._last = result[0]
        return result

    def finish(self, key: str) -> None:
        """An edit is over: keep what is compared, and begin again."""
        if key == COMPARED:
            out = Path(os.environ[OUT])
            np.save(out / "first.npy", self._first.float().cpu().numpy())
            np.save(out / "latents.npy", self._last.float().cpu().numpy())
            (out / "passes.json").write_text(json.dumps(self.passes))
        self.passes, self._num_steps = [], 0
        self._first = self._last = None


def begin(pipeline: Any, model_name: str, watch: LoadWatch, worker: int) -> Recording:
    """Fill the weights of a pipeline that was just loaded, note how it loaded, and listen to it."""
    start = time.perf_counter()
    gpu_checkpoint.fill(pipeline, Path(model_name))
    synchronize()
    note = {"load_s": watch.seconds, "host_gib": watch.host_gib, "fill_s": time.perf_counter() - start}
    (Path(os.environ[OUT]) / f"load{worker}.json").write_text(json.dumps(note))
    return Recording(pipeline)


def synchronize() -> None:
    """Everything that was given to the GPU is done."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
