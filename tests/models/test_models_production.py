"""The production recipe of v2.1, unchanged, on a tiny model: six workers in step, log contract included."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from judge_fixtures import build
from PIL import Image

from conftest import Folder, picture

pytestmark = [pytest.mark.models, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
CATEGORIES = ("物理", "环境", "社会", "因果", "指代")
NUM_IMAGES = 10


def test_the_production_recipe_runs_unchanged_on_six_cpu_workers(tiny: Folder, tmp_path: Path) -> None:
    """Fifty steps, true CFG 4.0, a megapixel, judge included: only the models' places and the devices are others."""
    write_benchmark(tmp_path / "data" / "benchmark.json")
    sets = {
        "diffusion_model.params.model_name": str(tiny("qwen_image_edit")),
        "reward_model.params.model_name": str(build("qwen3_vl", tmp_path / "judge")),
    }
    done = _run(tmp_path, ROOT / "config_multi_gpu.yaml", sets, "--device-ids", ",".join(["cpu"] * 6))
    assert done.returncode == 3, done.stdout + done.stderr  # an untrained judge babbles: nothing is scored
    logs = "\n".join(path.read_text("utf-8") for path in (tmp_path / "outputs" / "logs").glob("*.log"))
    for line in (
        f"[MultiGPUQwenImageEdit] Starting batch edit: {NUM_IMAGES} images on 6 GPUs",
        "  🔄 Batch synchronization: ENABLED ✅",
        "🔄 Batch synchronization mode:",
        "   - Total batches: 2",
        "   - Batch size: 6 (one task per GPU)",
        "   - All GPUs will stay synchronized at batch boundaries",
        "Batch 1/2 done, GPUs synced ✓",
        "Batch 2/2 done, GPUs synced ✓",
        f"[SYNC] Editing images: 100%|████████████████████| {NUM_IMAGES}/{NUM_IMAGES} [",
    ):
        assert line in logs, line
    samples = _samples(tmp_path)
    assert [sample["edit"]["status"] for sample in samples] == ["done"] * NUM_IMAGES
    assert len({sample["edit"]["sha256"] for sample in samples}) == NUM_IMAGES
    assert {sample["scores"]["overall"]["reason"] for sample in samples} <= {"truncated", "unparsable", "degenerate"}
    with Image.open(next(_run_dir(tmp_path).glob("edits/*.png"))) as image:
        assert image.size == (1248, 832), "a megapixel of the source's aspect"


ONE_GPU = """
benchmark: {data_path: data/benchmark.json, categories: [物理, 环境, 社会, 因果, 指代]}
diffusion_model:
  type: qwen_image_edit
  params: {model_name: PLACE, device: cuda, dtype: bfloat16, num_inference_steps: 2, true_cfg_scale: 4.0, seed: 0}
evaluation: {output_dir: outputs}
"""


def test_the_single_gpu_recipe_wants_a_gpu_and_runs_on_the_cpu_where_that_is_asked_for(
    tiny: Folder, tmp_path: Path
) -> None:
    import torch

    write_benchmark(tmp_path / "data" / "benchmark.json")
    config = tmp_path / "one.yaml"
    config.write_text(ONE_GPU.replace("PLACE", str(tiny("qwen_image_edit"))), "utf-8")
    if not torch.cuda.is_available():
        done = _run(tmp_path, config, {})
        assert done.returncode == 2
        line = "diffusion_model.params.device_ids: no cuda:0 on this machine (it has 0 GPUs); name devices it has"
        assert done.stderr.splitlines()[-1].startswith(f"editeval: {line}")
        assert "Loading worker" not in done.stderr
    done = _run(tmp_path, config, {"diffusion_model.params.device": "cpu"})
    assert done.returncode == 0, done.stderr
    assert [sample["edit"]["status"] for sample in _samples(tmp_path)] == ["done"] * NUM_IMAGES
    assert "[QwenImageEdit] Starting batch edit: 10 images on 1 GPUs" in done.stderr


def _run(folder: Path, config: Path, sets: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "main.py"), "--config", str(config), *more]
    command += [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )


def _samples(folder: Path) -> list[dict[str, Any]]:
    lines = (_run_dir(folder) / "samples.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _run_dir(folder: Path) -> Path:
    return (folder / "outputs" / "latest").resolve()


def write_benchmark(path: Path) -> None:
    """Ten records as v2 stored them: the picture as base64 in the JSON."""
    records = [
        {
            "original_image_path": f"sample_{i}.png",
            "subset": CATEGORIES[i % 5],
            "edit_instruction_en": f"make it red, number {i}",
            "original_description_en": "colours",
            "src_img_b64": base64.b64encode(picture(i)).decode(),
        }
        for i in range(NUM_IMAGES)
    ]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(records, ensure_ascii=False), "utf-8")
