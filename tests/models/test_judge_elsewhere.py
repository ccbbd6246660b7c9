"""The v2.1 recipe in one command: editing here, judging in an interpreter of its own, with another transformers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from judge_fixtures import build
from test_models_production import NUM_IMAGES, ROOT, write_benchmark

from conftest import Folder

pytestmark = [pytest.mark.models, pytest.mark.slow]

OLDER = ROOT / ".venv-models-older" / "bin" / "python"  # made by `make test-versions`
IS_MADE = (ROOT / ".venv-models-older" / ".done").exists()


def test_one_command_edits_here_and_judges_elsewhere(tiny: Folder, tmp_path: Path) -> None:
    judge = build("qwen3_vl", tmp_path / "judge", love_digits="pointwise")
    write_benchmark(tmp_path / "data" / "benchmark.json")
    python = OLDER if IS_MADE else _own_link(tmp_path / "elsewhere" / "python")
    sets = {
        "diffusion_model.params.model_name": str(tiny("qwen_image_edit")),
        "diffusion_model.params.device_ids": "[cpu, cpu]",
        "diffusion_model.params.num_inference_steps": "2",
        "diffusion_model.params.size": "64x64",
        "reward_model.params.model_name": str(judge),
        "reward_model.params.protocol": "pointwise",
        "reward_model.params.dtype": "float32",
        "reward_model.params.device_ids": "[cpu]",
        "reward_model.params.python_path": str(python),  # v2's spelling
    }
    command = [sys.executable, str(ROOT / "main.py"), "--config", str(ROOT / "config_multi_gpu.yaml")]
    command += [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run_dir = (tmp_path / "outputs" / "latest").resolve()
    rows = [json.loads(line) for line in (run_dir / "samples.jsonl").read_text("utf-8").splitlines()]
    assert len([row for row in rows if row["scores"]["overall"]["value"] is not None]) == NUM_IMAGES
    used = json.loads((run_dir / "report.json").read_text("utf-8"))["provenance"]["interpreters"]["reward_model"]
    assert used["python"] == str(python)
    if IS_MADE:
        import transformers

        assert used["versions"]["transformers"] == "5.2.0" != transformers.__version__


def _own_link(link: Path) -> Path:
    """This interpreter and its packages under another path, where `make test-versions` has not made an older one."""
    link.parent.mkdir(parents=True)
    link.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    link.chmod(0o755)
    return link
