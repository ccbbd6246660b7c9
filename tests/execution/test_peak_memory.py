"""The peak memory on record is that of the request, not of the process so far."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from editeval.execution.backends import process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.worker_messages import WorkerSpec
from editeval.images import encode_png
from editeval.types import EditRequest

PNG = encode_png(Image.new("RGB", (8, 8), "blue"))


def test_a_small_request_after_a_large_one_has_its_own_peak_over_all_gpus_of_its_worker(tmp_path: Path) -> None:
    gib = ["8 0", "2 0", "0 4"]  # on the first and second GPU

    def build(key: str) -> EditRequest:
        return EditRequest(key, (PNG,), gib[int(key)], 0)

    worker = WorkerSpec("editors", "fakes.allocating_editor", {}, allow_code=True)
    launch = process_launcher(lambda index: tmp_path / f"worker{index}.log")
    with Pool(PoolSpec(worker, [("cpu",)], "round_robin"), launch, lambda notice: None) as pool:
        outcomes = {outcome.key: outcome for outcome in pool.run(["0", "1", "2"], build)}
    assert [outcomes[key].peak_memory_gib for key in "012"] == [9.0, 3.0, 5.0], "weights are 1 GiB"
