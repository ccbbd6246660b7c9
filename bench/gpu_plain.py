"""The part of the GPU bench without editeval's harness, in a process of its own: the loop that a user would write.

Also here, because it needs the bare pipeline: the ceiling (a large matrix product) and the probe, which times one
forward pass of the transformer under every exact acceleration. Started by gpu_editing.py; writes plain.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from editeval.editors.diffusion import checkpoint
from editeval.editors.diffusion.patches import tell_token_types, without_torchvision
from gpu_checkpoint import DTYPES, PIPELINES
from gpu_recording import COMPARED, LoadWatch, Recording, begin, synchronize

BACKENDS = ("native", "_native_flash", "_native_cudnn", "_native_efficient", "_flash_3_hub")
PROBE_REPEATS = 5


def load(options: argparse.Namespace) -> tuple[Any, Recording]:
    """The stock pipeline on its device, as the documentation of diffusers loads it, with a listener."""
    import diffusers
    import torch

    cls = getattr(diffusers, PIPELINES[options.model])
    index = checkpoint.read_index(str(options.folder), None)
    more, _ = without_torchvision(options.folder, index)  # nothing where torchvision is installed
    with LoadWatch() as watch:
        pipeline = cls.from_pretrained(
            options.folder,
            dtype=getattr(torch, DTYPES[options.tiny]),
            device_map="cuda" if options.device.startswith("cuda") else options.device,
            **more,
        )
    tell_token_types(pipeline.text_encoder)  # transformers >= 5.3: without it there is nothing to compare with
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, begin(pipeline, str(options.folder), watch, 0)


def edit_once(pipeline: Any, options: argparse.Namespace, num_steps: int) -> tuple[float, Image.Image]:
    """(seconds from picture to picture, the edit)."""
    import torch

    source = Image.open(options.source).convert("RGB")
    start = time.perf_counter()
    image = pipeline(
        image=source,
        prompt=options.prompt,
        negative_prompt=" ",
        true_cfg_scale=4.0,
        num_inference_steps=num_steps,
        width=options.canvas,
        height=options.canvas,
        generator=torch.Generator("cpu").manual_seed(options.seed),
    ).images[0]
    return time.perf_counter() - start, image


def plain_loop(pipeline: Any, recording: Recording, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of one whole edit, of short ones, and what a round of the loop takes besides: open, edit, save."""
    edit_once(pipeline, options, 2)  # warm up: handles, plans, caches
    recording.finish("warm")
    full, image = edit_once(pipeline, options, options.steps)
    recording.finish(COMPARED)
    image.save(options.out / "full.png")
    shorts, rounds = [], []
    for number in range(options.num_short):
        begun = time.perf_counter()
        seconds, image = edit_once(pipeline, options, options.short_steps)
        image.save(options.out / f"short{number}.png")
        rounds.append(time.perf_counter() - begun)
        shorts.append(seconds)
        recording.finish("short")
    besides = [1000 * (whole - seconds) for whole, seconds in zip(rounds, shorts, strict=True)]
    return {"full_s": full, "short_s": statistics.median(shorts), "besides_ms": statistics.median(besides)}


def matmul_flops_per_s(device: str, size: int) -> float:
    """The rate of a product of two matrices of random bfloat16 (CPU: float32), the median of ten after three."""
    import torch

    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2.0 * size**3 / median_seconds(lambda: a @ b, 10, 3)


def median_seconds(work: Callable[[], Any], repeats: int, warmups: int) -> float:
    """Of one call; the device is idle before and after it."""
    times = []
    for number in range(warmups + repeats):
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        if number >= warmups:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def probe(pipeline: Any, arguments: dict[str, Any], is_tiny: bool) -> list[dict[str, Any]]:
    """One row per exact acceleration: milliseconds of a forward pass and its relative error against the first row."""
    import torch

    transformer = pipeline.transformer
    rows: list[dict[str, Any]] = []
    reference: list[Any] = []

    def take(name: str, backend: str) -> None:
        try:
            transformer.set_attention_backend(backend)
            with torch.no_grad():
                output = transformer(**arguments)[0]
                seconds = median_seconds(lambda: transformer(**arguments), PROBE_REPEATS, 1)
        except (AttributeError, ImportError, RuntimeError, ValueError, OSError) as error:
            rows.append({"variant": name, "problem": " ".join(str(error).split())[:80]})
            return
        reference.append(output)
        rows.append({"variant": name, "ms": 1000 * seconds, "error": relative(output, reference[0])})

    for backend in BACKENDS[:3] if is_tiny else BACKENDS:
        take(f"eager, {backend}", backend)
    usable = [row["variant"].removeprefix("eager, ") for row in rows if "ms" in row and "flash_3" not in row["variant"]]
    fastest = min((row for row in rows if "ms" in row), key=lambda row: row["ms"])["variant"].removeprefix("eager, ")
    with real_rotation():
        take(f"eager, {fastest}, rotation in real numbers", fastest)
    how = {"fullgraph": True} | ({"backend": "eager"} if is_tiny else {})  # traced, not compiled: it is quick
    for dynamic in (True, None):
        torch._dynamo.reset()
        transformer.compile_repeated_blocks(dynamic=dynamic, **how)
        for backend in usable if dynamic else [fastest]:
            take(f"compiled (dynamic={dynamic}), {backend}", backend)
    with real_rotation():
        torch._dynamo.reset()
        transformer.compile_repeated_blocks(dynamic=True, **how)
        take(f"compiled (dynamic=True), {fastest}, rotation in real numbers", fastest)
    return rows


def relative(a: Any, b: Any) -> float:
    """||a - b|| / ||b||."""
    return float((a.float() - b.float()).norm() / b.float().norm())


class real_rotation:  # noqa: N801  a context manager, read like a function
    """While it lasts, Qwen's rotary embedding multiplies in real numbers: the compiler cannot fuse complex ones."""

    def __enter__(self) -> None:
        from diffusers.models.transformers import transformer_qwenimage as module

        self._module = module
        self._before = module.apply_rotary_emb_qwen
        module.apply_rotary_emb_qwen = rotate_real

    def __exit__(self, *error: object) -> None:
        self._module.apply_rotary_emb_qwen = self._before


def rotate_real(x: Any, turns: Any, use_real: bool = False) -> Any:
    """`x` (batch, tokens, heads, channels), its neighbouring channels turned by `turns` (tokens, channels / 2)."""
    import torch

    del use_real
    cos, sin = (part[:, None, :] for part in torch.view_as_real(turns).unbind(-1))
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2).type_as(x)


def arguments() -> argparse.Namespace:
    """Everything comes from gpu_editing.py."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("folder", "source", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("model", "device", "prompt"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("seed", "steps", "short-steps", "num-short", "canvas", "matmul-size"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--probe", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Measure, and write plain.json into the folder of this part."""
    import torch

    options = arguments()
    matmul = matmul_flops_per_s(options.device, options.matmul_size)
    pipeline, recording = load(options)
    result = plain_loop(pipeline, recording, options)
    is_gpu = options.device.startswith("cuda")
    result["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30 if is_gpu else None
    result["matmul"] = max(matmul, matmul_flops_per_s(options.device, options.matmul_size))  # of a warm GPU, too
    result["config"] = {k: v for k, v in pipeline.transformer.config.items() if not k.startswith("_")}
    result["probe"] = probe(pipeline, recording.first_pass, options.tiny) if options.probe else []
    (options.out / "plain.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
