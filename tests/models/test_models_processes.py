"""Two transformers and a U-Net through the process backend: the same pixels as here, on one worker and on two."""

from __future__ import annotations

import queue
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from model_cases import edited, loaded, params, request
from PIL import Image

from conftest import Folder, picture
from editeval import load_editor
from editeval.errors import EditBatchError, MachineError
from editeval.execution.backends import process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.worker_messages import WorkerSpec, pack_unit
from editeval.execution.worker_state import Limits
from editeval.types import EditRequest

pytestmark = [pytest.mark.models, pytest.mark.slow]

SEED = 3


def through_processes(name: str, folder: Path, num_workers: int, num_images: int) -> list[Image.Image | None]:
    """The edits of `num_images` pictures on worker processes."""
    _, chosen = params(name, folder)
    given = {key: getattr(chosen, key) for key in ("model_name", "dtype", "num_inference_steps", "size")}
    kind = "multi_gpu_qwen_image_edit" if name == "qwen_image_edit" else name
    kind = kind if kind.startswith(("multi_gpu", "qwen_image_edit")) else "diffusers_pipeline"
    pictures = [picture(1 + i) for i in range(num_images)]
    with load_editor(kind, device_ids=["cpu"] * num_workers, **given) as editor:
        return editor.batch_edit(pictures, ["make it red"] * num_images, seed=SEED)


@pytest.mark.parametrize("name", ["qwen_image_edit", "flux2_klein", "instruct_pix2pix"])
def test_a_worker_process_gives_the_same_pixels(
    name: str, tiny: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    num_workers = 2 if name == "qwen_image_edit" else 1
    results = through_processes(name, tiny(name), num_workers, 2)
    editor = loaded(name, tiny(name))
    for i, result in enumerate(results):
        here = edited(editor, request(seed=SEED + i, image=1 + i))
        assert result is not None
        assert result.tobytes() == here.tobytes(), f"image {i} differs between processes"


def test_a_worker_says_in_one_line_what_is_wrong_with_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MachineError, match=r"diffusion_model.params.model_name: .*nothing there"):
        load_editor("qwen_image_edit", device_ids=["cpu"], model_name=str(tmp_path / "absent"))


def test_a_broken_image_fails_alone(tiny: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"model_name": str(tiny("flux2_klein")), "dtype": "float32", "num_inference_steps": 1, "size": "96x64"}
    with load_editor("diffusers_pipeline", device_ids=["cpu"], **given) as editor:
        with pytest.raises(EditBatchError) as caught:
            editor.batch_edit([picture(1), b"no image"], ["a", "b"])
        reasons = [outcome.error.reason if outcome.error else "" for outcome in caught.value.outcomes]
    assert reasons == ["", "bad_source"]


class Listener:
    """Keeps the headers of everything that a worker says."""

    def __init__(self) -> None:
        self.headers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def on_frame(self, frame: Any) -> None:
        self.headers.put(frame[0])

    def on_gone(self, how: str) -> None:
        self.headers.put({"type": "gone", "how": how})

    def until(self, kind: str) -> list[dict[str, Any]]:
        """What it said before it said `kind`, and that."""
        said: list[dict[str, Any]] = []
        while not said or said[-1]["type"] != kind:
            said.append(self.headers.get(timeout=120))
            assert said[-1]["type"] not in ("gone", "load_failed"), said[-1]
        return said


def klein(folder: Path) -> WorkerSpec:
    """A worker with a model whose steps are quick."""
    _, chosen = params("flux2_klein", folder, size="64x64")
    return WorkerSpec("editors", "diffusers_pipeline", asdict(chosen))


def test_denoising_steps_reach_the_parent_a_few_times_a_second(tiny: Folder, tmp_path: Path) -> None:
    listener = Listener()
    handle = process_launcher(lambda worker: tmp_path / "worker.log")(0, ["cpu"], listener)
    try:
        handle.send({"spec": asdict(klein(tiny("flux2_klein"))), "devices": ["cpu"], "worker": 0})
        listener.until("ready")
        handle.send(*pack_unit("a", request(num_inference_steps=60)))
        handle.send({"type": "start", "key": "a"})
        *progress, done = listener.until("done")
    finally:
        handle.stop()
    assert "error" not in done
    assert {header["type"] for header in progress} == {"progress"}
    assert {header["num_steps"] for header in progress} == {60}
    steps = [header["step"] for header in progress]
    assert steps == sorted(set(steps))
    assert 2 <= len(steps) <= done["seconds"] / 0.25 + 1


def test_an_edit_that_makes_steps_is_not_taken_for_one_that_hangs(tiny: Folder, tmp_path: Path) -> None:
    limits = Limits(stall_s=3.0, max_attempts=1)
    spec = PoolSpec(klein(tiny("flux2_klein")), [("cpu",)], "dynamic", limits=limits)

    def build(key: str) -> EditRequest:
        return request(key, num_inference_steps=1000)

    with Pool(spec, process_launcher(lambda worker: tmp_path / "worker.log")) as pool:
        (outcome,) = pool.run(["a"], build)
    assert outcome.error is None
    assert outcome.seconds > limits.stall_s, "it must take longer than a hang may"
