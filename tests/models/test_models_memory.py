"""Weights go straight to their place: loading a checkpoint takes no second copy of it in host memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.models, pytest.mark.slow]

BENCH = Path(__file__).parents[2] / "bench"
LARGER = {"num_layers": 12, "attention_head_dim": 64, "num_attention_heads": 8, "axes_dims_rope": (16, 24, 24)}
SLACK_MIB = 64.0  # configurations, tokenizers, what the allocator keeps
LOAD = """
import json, sys
sys.path.append(sys.argv[3])
from diffusers import AutoencoderKLQwenImage, QwenImageEditPipeline, QwenImageTransformer2DModel  # code is no weight
from editeval import plugins
from gpu_recording import LoadWatch
cls = plugins.load("editors", "qwen_image_edit")
editor = cls(cls.Params(model_name=sys.argv[1], dtype=sys.argv[2]))
with LoadWatch() as watch:
    editor.load("cpu")
parts = [getattr(editor._engine.pipeline, name) for name in ("transformer", "vae", "text_encoder")]
weights = sum(p.numel() * p.element_size() for part in parts for p in part.parameters())
print(json.dumps({"weights": weights / 2**20, "peak": 1024 * watch.host_gib}))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """437 MiB of weights in float32, on no disk."""
    if str(BENCH) not in sys.path:
        sys.path.append(str(BENCH))
    import gpu_checkpoint

    folder = tmp_path_factory.mktemp("memory") / "larger"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_checkpoint, "TINY_TRANSFORMER", gpu_checkpoint.TINY_TRANSFORMER | LARGER)
        return gpu_checkpoint.write("v1", folder, is_tiny=True)


def loaded_mib(folder: Path, dtype: str) -> tuple[float, float]:
    """(MiB of the weights, MiB of memory that loading took at its peak, mapped files not counted)."""
    command = [sys.executable, "-c", LOAD, str(folder), dtype, str(BENCH)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    return told["weights"], told["peak"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells mapped memory from memory of one's own")
@pytest.mark.parametrize(("dtype", "copies"), [("float32", 0), ("bfloat16", 1)])
def test_loading_takes_no_second_copy_in_host_memory(dtype: str, copies: int, checkpoint: Path) -> None:
    weights, peak = loaded_mib(checkpoint, dtype)
    assert weights > 200
    assert peak < copies * weights + SLACK_MIB  # as stored: mapped from the file; converted: the one that stays
