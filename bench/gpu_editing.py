"""Full-size Qwen-Image-Edit on one GPU: a plain diffusers loop, editeval as it comes, editeval with exact acceleration.

Random weights are drawn on the device; nothing is fetched and the checkpoint takes no disk. Each part is a process of
its own, so that its memory is free when it ends. Less than ten minutes on an H200.
Run: `make bench-gpu`, or `python bench/gpu_editing.py --tiny` to see the bench itself work on a CPU.

    --parts a --probe      which attention backend, which way to compile: one forward pass each (some minutes)
    --model plus           Qwen-Image-Edit-2511; --steps 40 is what its authors use
    --checkpoint FOLDER    a real checkpoint instead of random weights
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import gpu_checkpoint
import gpu_flops
import gpu_table
from bench_fakes import machine, photo_like
from editeval.errors import EditevalError
from editeval.execution.backends import process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Limits
from editeval.types import EditRequest, Outcome
from gpu_recording import COMPARED, OUT
from gpu_table import Measured

HERE = Path(__file__).parent
PROMPT = "Make the lamp on the table blue and add a small red car to the left of it."
SEED = 7
PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "editeval")
MEMORY_SLACK = 256 * 2**20
PATIENCE_S = 60.0


class PartFailedError(Exception):
    """A part of the bench has no numbers; the others still have."""


class Bench:
    """The parts of one run. Every part leaves its files in a folder of its own under `root`."""

    def __init__(self, options: argparse.Namespace, root: Path) -> None:
        self.options = options
        self.root = root
        self.device = "cpu" if options.tiny else "cuda:0"
        self.short_steps = 2 if options.tiny else 4
        self.shorts = tuple(f"short{i}" for i in range(2 if options.tiny else 4))
        self.canvas = 256 if options.tiny else 1024
        self.source = root / "source.png"
        self.source.write_bytes(photo_like(1024, seed=1))
        self.folder = options.checkpoint or gpu_checkpoint.write(options.model, root / "checkpoint", options.tiny)
        self.free_s: dict[str, float] = {}  # part -> seconds from its last edit until its memory was free

    def out(self, part: str) -> Path:
        """The folder of a part; the processes that it starts write there."""
        folder = self.root / part
        folder.mkdir(exist_ok=True)
        os.environ[OUT] = str(folder)
        return folder

    def plain(self) -> tuple[Measured, dict[str, Any]]:
        """Part (a), and what only a bare process can tell: the ceiling, the transformer's configuration, the probe."""
        out, o = self.out("a"), self.options
        command = [sys.executable, str(HERE / "gpu_plain.py"), "--folder", str(self.folder), "--out", str(out)]
        command += ["--model", o.model, "--device", self.device, "--source", str(self.source), "--prompt", PROMPT]
        command += ["--seed", str(SEED), "--steps", str(o.steps), "--short-steps", str(self.short_steps)]
        command += ["--num-short", str(len(self.shorts)), "--canvas", str(self.canvas)]
        command += ["--matmul-size", str(256 if o.tiny else 8192)]
        command += ["--tiny"] * o.tiny + ["--probe"] * o.probe
        with (out / "log").open("wb") as log:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        if code:
            raise PartFailedError(f"exit code {code}: {last_line(out / 'log')}")
        told = json.loads((out / "plain.json").read_text())
        times = {name: told[name] for name in ("full_s", "short_s", "besides_ms", "peak_gib")}
        return Measured("a", **times, **self._loaded(out, 0), out=out), told

    def editor(self, part: str, **more: Any) -> Measured:
        """Part (b) or (c): the real editor in a real worker process; `more` are its parameters."""
        out = self.out(part)
        free_before = self.free_memory()
        pool = self._pool(out, 1, more)
        with pool:
            self._run(pool, ["warm"], 2, out)
            (full,) = self._run(pool, [COMPARED], self.options.steps, out)
            shorts = self._run(pool, self.shorts, self.short_steps, out)
        self._await_memory(free_before)
        self.free_s[part] = time.time() - (shorts[-1].started_at + shorts[-1].seconds)
        gaps = [1000 * (after.started_at - before.started_at - before.seconds) for before, after in pairwise(shorts)]
        short_s = statistics.median(outcome.seconds for outcome in shorts)
        peak = None if self.options.tiny else full.peak_memory_gib
        return Measured(
            part, full.seconds, short_s, statistics.median(gaps), **self._loaded(out, 0), peak_gib=peak, out=out
        )

    def parallel_load(self) -> str:
        """One line: two workers that load one after the other, and two that load at the same time."""
        free, needed = self.free_memory(), 2.15 * gpu_checkpoint.num_bytes(self.folder)
        if free is not None and free < needed:
            return f"load_concurrency 2: two copies ({needed / 2**30:.0f} GiB) do not fit on this GPU; not measured"
        seconds = []
        for load_concurrency in (1, 2):
            pool = self._pool(self.out(f"load{load_concurrency}"), 2, {}, load_concurrency)
            start = time.perf_counter()
            with pool:
                seconds.append(time.perf_counter() - start)
            self._await_memory(free)
        return (
            f"two workers ready, on one GPU: {seconds[0]:.1f} s one after the other, {seconds[1]:.1f} s two at a time"
        )

    def _pool(self, out: Path, num_workers: int, more: dict[str, Any], load_concurrency: int = 1) -> Pool:
        dtype = gpu_checkpoint.DTYPES[self.options.tiny]
        params = {"model_name": str(self.folder), "dtype": dtype, "size": f"{self.canvas}x{self.canvas}", **more}
        worker = WorkerSpec("editors", f"gpu_editors.{self.options.model}", params, allow_code=True)
        limits = Limits(load_concurrency=load_concurrency, max_attempts=1)
        spec = PoolSpec(worker, [(self.device,)] * num_workers, "dynamic", limits=limits)
        return Pool(spec, process_launcher(lambda number: out / f"worker{number}.log"))

    def _run(self, pool: Pool, keys: Sequence[str], num_steps: int, out: Path) -> list[Outcome[Any]]:
        """The outcomes of edits of `num_steps` steps, each written to disk as it comes."""
        png = self.source.read_bytes()

        def build(key: str) -> EditRequest:
            return EditRequest(key, (png,), PROMPT, SEED, {"num_inference_steps": num_steps})

        outcomes = []
        for outcome in pool.run(keys, build):
            if outcome.value is None:
                raise PartFailedError(outcome.error.message if outcome.error else "no edit and no reason")
            (out / f"{outcome.key}.png").write_bytes(outcome.value.png)
            outcomes.append(outcome)
        return sorted(outcomes, key=lambda outcome: outcome.started_at)

    def _loaded(self, out: Path, worker: int) -> dict[str, float]:
        told = json.loads((out / f"load{worker}.json").read_text())
        return {"load_s": told["load_s"], "host_gib": told["host_gib"]}

    def free_memory(self) -> int | None:
        """Bytes that nobody holds on the GPU; None without one."""
        if self.options.tiny:
            return None
        import torch

        return int(torch.cuda.mem_get_info(0)[0])

    def _await_memory(self, before: int | None) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while before is not None and (self.free_memory() or 0) < before - MEMORY_SLACK:
            if time.monotonic() > deadline:
                raise PartFailedError(f"the GPU's memory is not free {PATIENCE_S:g} s after the worker's end")
            time.sleep(0.01)


def last_line(path: Path) -> str:
    """Of a log; what went wrong, usually."""
    lines = [line for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no output"


def version(package: str) -> str:
    """Of an installed package; one that only lies on the path says so."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def describe_machine(is_tiny: bool) -> list[str]:
    """Hardware, driver, versions, date."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    if is_tiny:
        return [machine(), versions]
    import torch

    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    gpu = done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else torch.cuda.get_device_name(0)
    return [gpu, f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}; {versions}", machine()]


def check_gpu() -> None:
    """Exits with 2 and one line unless torch sees a GPU."""
    import torch

    if not torch.cuda.is_available():
        print(
            f"bench: torch {torch.__version__} sees no GPU; `editeval doctor` tells what there is, and --tiny shows on "
            "a CPU that the bench works",
            file=sys.stderr,
        )
        raise SystemExit(2)


def measure(bench: Bench) -> dict[str, Any]:
    """Every part that was asked for; one that fails leaves a line instead of numbers."""
    measured: dict[str, Measured] = {}
    problems: dict[str, str] = {}
    told: dict[str, Any] = {}
    loading = ""
    for part in bench.options.parts:
        print(f"{time.strftime('%H:%M:%S')} part {part} ...", file=sys.stderr, flush=True)
        try:
            if part == "a":
                measured["a"], told = bench.plain()
            elif part == "b":
                measured["b"] = bench.editor("b")
            elif part == "c":
                measured["c"] = bench.editor("c", acceleration="exact")
            else:
                loading = bench.parallel_load()
        except (PartFailedError, EditevalError) as error:
            problems[part] = " ".join(str(error).split())
        print(measured.get(part, problems.get(part, loading)), file=sys.stderr, flush=True)  # if time runs out
    return report(bench, measured, told, problems) | {"loading": loading}


def report(
    bench: Bench, measured: dict[str, Measured], told: dict[str, Any], problems: dict[str, str]
) -> dict[str, Any]:
    """Everything that `gpu_table.markdown` prints, and that --json keeps."""
    o = bench.options
    size = f"{bench.canvas}x{bench.canvas}"
    result: dict[str, Any] = {
        "is_tiny": o.tiny,
        "model": o.model,
        "title": f"### {gpu_checkpoint.PIPELINES[o.model]}, {size}, {o.meant_steps} steps, true CFG 4.0",
        "machine": describe_machine(o.tiny),
        "rows": {},
        "problems": problems,
        "notes": [],
        "probe": told.get("probe", []),
    }
    if "a" not in measured:
        return result | {"notes": ["without part (a) there is nothing to compare with"]}
    passes = gpu_table.load_passes(measured["a"].out)
    work = gpu_table.Work(o.steps, bench.short_steps, o.meant_steps, passes, told["config"], told["matmul"])
    rows: dict[str, dict[str, Any]] = {}
    for part, one in measured.items():
        try:
            rows[part] = gpu_table.row(one, work, measured["a"] if part != "a" else None)
        except ValueError as error:  # latents that are not numbers: its times mean nothing
            problems[part] = str(error)
    result["rows"] = rows
    tokens = " and ".join(f"{p.joint} ({p.latent} latent, {p.text} text)" for p in passes)
    one_pass = gpu_flops.forward_flops(told["config"], passes[0]) / 1e12
    result["notes"] = [
        f"matmul of {256 if o.tiny else 8192}^3 in this run: {told['matmul'] / 1e12:.3f} TFLOP/s",
        f"tokens of the passes of a step: {tokens}; {one_pass:.4g} TFLOP the first, {work.flops() / 1e15:.4g} PFLOP "
        "an edit",
        *(gpu_table.harness_share(measured[part], row) for part, row in rows.items()),
        *(f"from the last edit to memory free, ({part}): {seconds:.1f} s" for part, seconds in bench.free_s.items()),
    ]
    if o.steps != o.meant_steps:
        result["notes"].append(f"extrapolated to {o.meant_steps} steps from edits of {o.steps} and {bench.short_steps}")
    result["verdicts"] = gpu_table.verdicts(rows)
    return result


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(gpu_checkpoint.PIPELINES), default="v1")
    parser.add_argument("--steps", type=int, help="steps that are really run; the table is for --meant-steps")
    parser.add_argument("--meant-steps", type=int, help="default 50; tiny: those that are run")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=["a", "b", "c", "load"])
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU: the numbers mean nothing")
    parser.add_argument("--json", type=Path, help="write everything there, too")
    options = parser.parse_args()
    default = 6 if options.tiny else 50
    options.steps = options.steps or options.meant_steps or default
    options.meant_steps = options.meant_steps or (options.steps if options.tiny else default)
    if unknown := set(options.parts) - {"a", "b", "c", "load"}:
        parser.error(f"--parts: a, b, c and load, got {', '.join(sorted(unknown))}")
    if options.steps < 5:
        parser.error(f"--steps: at least 5, got {options.steps}")
    return options


def main() -> None:
    """Print the table; exit 1 if something failed, or was not reached on a GPU."""
    options = arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    if not options.tiny:
        check_gpu()
    else:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # one small block: its compiler needs no helpers
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in (str(HERE), os.environ.get("PYTHONPATH")) if p)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Bench(options, Path(folder)))
    if result["loading"]:
        result["notes"].append(result["loading"])
    missed = False
    for text, is_reached in [] if options.tiny else result.get("verdicts", []):
        result["notes"].append(f"{'reached' if is_reached else 'MISSED'}: {text}")
        missed = missed or not is_reached
    print(gpu_table.markdown(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2), "utf-8")
    raise SystemExit(missed or bool(result["problems"]))


if __name__ == "__main__":
    main()
