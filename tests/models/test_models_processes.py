"""Every proven family through the process backend: the same pixels as in this process, on one worker and on two."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_cases import FAMILIES, edited, loaded, params, request
from PIL import Image

from conftest import Folder, picture
from editeval import load_editor
from editeval.errors import EditBatchError, MachineError

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


@pytest.mark.parametrize("name", FAMILIES)
def test_a_worker_process_gives_the_same_pixels(
    name: str, tiny: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # logs go to ./outputs
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
