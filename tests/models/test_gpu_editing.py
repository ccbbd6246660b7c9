"""What only a GPU can show: same bytes twice, the right device, life after an out-of-memory error. `make test-gpu`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gpu_witness import HALF, TOO_MUCH
from model_cases import edited, loaded, params, request

from conftest import Folder, picture
from editeval.execution.backends import process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Limits
from editeval.machine.gpus import visible_gpus
from editeval.types import Editor, EditRequest, Outcome

pytestmark = [pytest.mark.models, pytest.mark.gpu]

DEVICE = "cuda:0"
QWEN = ("qwen_image_edit", "qwen_image_edit_plus")


@pytest.fixture(autouse=True)
def cuda() -> Iterator[Any]:
    """torch, with a GPU; without one the tests of this file are skipped and say why. Leaves no limit behind."""
    torch = pytest.importorskip("torch", reason="pip install -r requirements/models.txt")
    if not torch.cuda.is_available():
        pytest.skip(f"needs an NVIDIA GPU; torch {torch.__version__} sees none")
    yield torch.cuda
    torch.cuda.set_per_process_memory_fraction(1.0, 0)
    torch.cuda.empty_cache()


def on_gpu(name: str, folder: Path, **more: Any) -> Editor:
    """That editor, on the first GPU."""
    cls, chosen = params(name, folder, **more)
    editor = cls(chosen)
    editor.load(DEVICE)
    return editor


def witnesses(
    folder: Path, devices: list[str], instructions: dict[str, str], max_attempts: int = 1
) -> dict[str, Outcome[Any]]:
    """The outcomes, by key, of requests with these instructions given to workers on `devices`."""
    spec = PoolSpec(
        WorkerSpec("editors", "models.gpu_witness", {}, allow_code=True),
        [(device,) for device in devices],
        "round_robin",
        limits=Limits(max_attempts=max_attempts),
    )

    def build(key: str) -> EditRequest:
        return EditRequest(key, (picture(1),), instructions[key], 0)

    with Pool(spec, process_launcher(lambda worker: folder / f"{worker}.log")) as pool:
        return {outcome.key: outcome for outcome in pool.run(list(instructions), build)}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("name", QWEN)
def test_the_same_request_gives_the_same_bytes_twice(name: str, dtype: str, tiny: Folder) -> None:
    editor = on_gpu(name, tiny(name), dtype=dtype)
    first, second = edited(editor, request()), edited(editor, request())
    editor.unload()
    again = edited(on_gpu(name, tiny(name), dtype=dtype), request())
    assert first.tobytes() == second.tobytes() == again.tobytes()
    assert np.asarray(first).std() > 1, "a flat picture proves nothing"


@pytest.mark.parametrize("name", QWEN)
def test_a_seed_means_the_same_noise_on_gpu_and_cpu(name: str, tiny: Folder) -> None:
    here, there = edited(on_gpu(name, tiny(name)), request()), edited(loaded(name, tiny(name)), request())
    other = edited(loaded(name, tiny(name)), request(seed=4))
    difference, noise = mean_difference(here, there), mean_difference(other, there)
    assert difference < 0.05 * noise, "rounding may differ, the noise must not"


def mean_difference(a: Any, b: Any) -> float:
    return float(np.abs(np.asarray(a).astype(float) - np.asarray(b).astype(float)).mean())


def test_unloading_gives_the_memory_back(tiny: Folder, cuda: Any) -> None:
    allocated = []
    for _ in range(2):  # the first round also pays for workspaces that the libraries keep
        editor = on_gpu(QWEN[0], tiny(QWEN[0]))
        edited(editor, request())
        loaded_bytes = cuda.memory_allocated(0)
        editor.unload()
        allocated.append(cuda.memory_allocated(0))
    assert allocated[0] == allocated[1] < loaded_bytes


def test_the_edit_after_an_out_of_memory_error_is_the_same(tiny: Folder, cuda: Any) -> None:
    editor = on_gpu(QWEN[0], tiny(QWEN[0]))
    want = edited(editor, request())
    cuda.empty_cache()
    used = cuda.memory_allocated(0) / cuda.get_device_properties(0).total_memory
    cuda.set_per_process_memory_fraction(used + 1e-6, 0)
    with pytest.raises(cuda.OutOfMemoryError):
        edited(editor, request())
    cuda.set_per_process_memory_fraction(1.0, 0)
    assert edited(editor, request()).tobytes() == want.tobytes()


def test_an_out_of_memory_error_fails_its_own_request_with_that_reason(tmp_path: Path) -> None:
    wanted = {"a": HALF, "b": TOO_MUCH, "c": HALF}
    outcomes = witnesses(tmp_path, [DEVICE], wanted, max_attempts=2)
    error = outcomes["b"].error
    assert error is not None
    assert error.reason == "oom"
    assert [outcomes[key].error for key in "ac"] == [None, None]


def test_every_worker_sees_its_own_gpu_only_and_calls_it_the_first(tmp_path: Path, cuda: Any) -> None:
    count = cuda.device_count()
    names = visible_gpus(os.environ) or [str(i) for i in range(count)]
    outcomes = witnesses(tmp_path, [f"cuda:{i}" for i in range(count)], {str(i): "tell" for i in range(count)})
    for outcome in outcomes.values():
        assert outcome.error is not None
        visible = names[int(outcome.device.removeprefix("cuda:"))]
        assert outcome.error.message.endswith(f"visible {visible!r}, 1 seen, mine is cuda:0")


def test_a_cpu_worker_sees_no_gpu(tmp_path: Path) -> None:
    error = witnesses(tmp_path, ["cpu"], {"a": "tell"})["a"].error
    assert error is not None
    assert error.message.endswith("visible '', 0 seen, mine is cpu")
