"""The production recipe of v2.1, unchanged, on a tiny model: six workers in step, log contract included."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Folder, picture

pytestmark = [pytest.mark.models, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
CATEGORIES = ("物理", "环境", "社会", "因果", "指代")
NUM_IMAGES = 10


def test_the_production_recipe_runs_unchanged_on_six_cpu_workers(tiny: Folder, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "data" / "benchmark.json")
    done = _run(tmp_path, tiny("qwen_image_edit"))
    assert done.returncode == 0, done.stdout + done.stderr
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
        f"| {NUM_IMAGES}/{NUM_IMAGES} [",
    ):
        assert line in logs, line
    samples = [json.loads(line) for line in (_run_dir(tmp_path) / "samples.jsonl").read_text("utf-8").splitlines()]
    assert [sample["edit"]["status"] for sample in samples] == ["done"] * NUM_IMAGES
    assert len({sample["edit"]["sha256"] for sample in samples}) == NUM_IMAGES


def _run(folder: Path, model: Path) -> subprocess.CompletedProcess[str]:
    sets = {
        "diffusion_model.params.model_name": str(model),
        "diffusion_model.params.device_ids": "[cpu, cpu, cpu, cpu, cpu, cpu]",
        "diffusion_model.params.num_inference_steps": "2",
        "diffusion_model.params.size": "64x64",
        "diffusion_model.execution.load_concurrency": "2",
        "reward_model": "null",
    }
    command = [sys.executable, str(ROOT / "main.py"), "--config", str(ROOT / "config_multi_gpu.yaml")]
    command += [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


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
