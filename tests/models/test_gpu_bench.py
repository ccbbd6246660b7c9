"""The GPU bench runs from end to end on tiny models, and its arithmetic is that of the machine it times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.append(str(BENCH))  # as when `python bench/gpu_editing.py` runs

import gpu_checkpoint  # noqa: E402
import gpu_flops  # noqa: E402
import gpu_plain  # noqa: E402
import gpu_table  # noqa: E402

pytestmark = pytest.mark.models

FULL = {
    "patch_size": 2,
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 60,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 3584,
}
SMALL = {**FULL, "num_layers": 3, "attention_head_dim": 16, "num_attention_heads": 4, "joint_attention_dim": 48}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(BENCH.parent / "src")}
    command = [sys.executable, str(BENCH / "gpu_editing.py"), "--tiny", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("zero_cond_t", [False, True])
def test_the_flops_are_those_that_torch_counts(zero_cond_t: bool) -> None:
    import torch
    from diffusers import QwenImageTransformer2DModel
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    config = {**SMALL, "zero_cond_t": zero_cond_t}
    transformer = QwenImageTransformer2DModel(**config, axes_dims_rope=(8, 4, 4)).eval()
    tokens = gpu_flops.Tokens(latent=2 * 12 * 12, text=50)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, sdpa_kernel(SDPBackend.MATH):  # the fused one of a CPU is not counted
        transformer(
            hidden_states=torch.randn(1, tokens.latent, 64),
            encoder_hidden_states=torch.randn(1, tokens.text, 48),
            timestep=torch.tensor([0.5]),
            img_shapes=[[(1, 12, 12), (1, 12, 12)]],
            return_dict=False,
        )
    assert gpu_flops.forward_flops(config, tokens) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_the_flops_of_the_full_model_are_those_of_the_arithmetic() -> None:
    tokens = gpu_flops.Tokens(latent=8192, text=1400)
    assert 60 * gpu_flops.block_flops(3072, 9592) == pytest.approx(198.2e12, rel=1e-3)
    assert gpu_flops.edit_flops(FULL, [tokens, tokens], 50) == pytest.approx(19.82e15, rel=5e-3)


@pytest.mark.parametrize("model", ["v1", "plus"])
def test_a_full_size_checkpoint_takes_no_disk(model: str, tmp_path: Path) -> None:
    folder = gpu_checkpoint.write(model, tmp_path / "full", is_tiny=False)
    occupied = sum(512 * path.stat().st_blocks for path in folder.rglob("*"))
    transformer = sum(path.stat().st_size for path in folder.glob("transformer/*.safetensors"))
    assert transformer == pytest.approx(2 * 20.430e9, rel=1e-3)  # bfloat16
    assert gpu_checkpoint.num_bytes(folder) == pytest.approx(57.7e9, rel=1e-2)
    assert occupied < 4e6


def test_turning_in_real_numbers_is_turning_in_complex_ones() -> None:
    import torch
    from diffusers.models.transformers.transformer_qwenimage import apply_rotary_emb_qwen

    x = torch.randn(1, 7, 3, 16)
    turns = torch.polar(torch.ones(7, 8), torch.randn(7, 8))
    want = apply_rotary_emb_qwen(x, turns, use_real=False)
    assert torch.allclose(gpu_plain.rotate_real(x, turns), want, rtol=0, atol=1e-6)
    in_half = gpu_plain.rotate_real(x.bfloat16(), turns)
    assert in_half.dtype == torch.bfloat16


def measured(part: str, full_s: float, short_s: float, out: Path) -> gpu_table.Measured:
    return gpu_table.Measured(part, full_s, short_s, 0.0, 1.0, 0.0, None, out)


def test_fewer_steps_are_extrapolated_from_two_points_and_say_so(tmp_path: Path) -> None:
    tokens = [gpu_flops.Tokens(8192, 1400)] * 2
    work = gpu_table.Work(20, 4, 50, tokens, dict(FULL), matmul=800e12)
    row = gpu_table.row(measured("a", 21.0, 5.0, tmp_path), work, None)  # a second a step, one besides
    assert row["seconds"] == pytest.approx(51.0)
    assert row["of_matmul"] == pytest.approx(19.82e15 / 51 / 800e12, rel=5e-3)
    assert "(extrapolated)" in gpu_table._cell(row, "seconds", "{:.1f}")


def test_latents_that_are_not_finite_are_no_comparison(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1.0, np.nan]))
    np.save(tmp_path / "b.npy", np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="not finite"):
        gpu_table.relative(tmp_path / "a.npy", tmp_path / "b.npy")


def test_the_harness_share_is_what_passes_between_two_edits(tmp_path: Path) -> None:
    one = gpu_table.Measured("b", 9.0, 1.0, 1000.0, 1.0, 0.0, None, tmp_path)
    assert gpu_table.harness_share(one, {"seconds": 9.0}).endswith("1000.0 ms, 10.00% of the time")


def test_without_a_gpu_the_bench_says_so_in_one_line() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    environment = {**os.environ, "PYTHONPATH": str(BENCH.parent / "src")}
    command = [sys.executable, str(BENCH / "gpu_editing.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "sees no GPU" in line and "--tiny" in line


@pytest.mark.slow
def test_the_whole_bench_runs_on_tiny_models(tmp_path: Path) -> None:
    done = run("--probe", "--json", str(tmp_path / "result.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert gpu_table.MEANINGLESS in done.stdout
    result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
    assert list(result["rows"]) == ["a", "b", "c"]
    assert result["rows"]["b"]["latents_error"] == 0.0, "our default is the plain loop, rightly conditioned"
    assert result["rows"]["b"]["pixel_difference"] == 0
    assert 0 < result["rows"]["c"]["latents_error"] < 1e-4
    for told in ("two at a time", "of the time", "from the last edit to memory free, (c)", "TFLOP/s", "of matmul"):
        assert told in done.stdout
    assert [row["error"] < 1e-5 for row in result["probe"] if "ms" in row].count(False) == 0
    assert any("compiled" in row["variant"] and "real" in row["variant"] and "ms" in row for row in result["probe"])


@pytest.mark.slow
def test_the_bench_knows_plus_and_a_part_that_fails_leaves_a_line(tmp_path: Path) -> None:
    done = run("--model", "plus", "--parts", "a,b")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "QwenImageEditPlusPipeline" in done.stdout
    assert "(b) editeval, default |" in done.stdout
    done = run("--parts", "b", "--checkpoint", str(tmp_path / "absent"))
    assert done.returncode == 1
    assert "(b) editeval, default: " in done.stdout
    assert "nothing there" in done.stdout
