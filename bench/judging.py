"""Judgements per second by batch size, on transformers and, where it is installed, vLLM; by label and in writing.

The full-size architectures of Qwen3-VL with random weights drawn on the device; nothing is fetched. Each part (a model
on an engine) is a process of its own. Run: `make bench-judge` on a machine with a GPU (an H100 holds both models), or
`make bench-judge-tiny` for the ratios of a tiny model on a CPU: batches against one by one, common beginnings once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import judging_models
import judging_ratios
import judging_table
from bench_fakes import machine
from editeval.judges.chat.messages import NUM_TOKENS
from editeval.judges.chat.params import SamplingParams
from editeval.judges.chat.runner import MAX_THREADS, Call, ProtocolRunner
from editeval.judges.local.generate import EncodedPrompt, LocalModel
from editeval.judges.transformers_vlm import TransformersVlmJudge, TransformersVlmParams
from judging_models import timed

ENGINES = ("transformers", "vllm")
PART_S = 1500.0


class Transformers:
    """The parts of the judge transformers_vlm, one at a time and together."""

    def __init__(self, options: argparse.Namespace, name: str) -> None:
        self.device = "cpu" if options.tiny else "cuda:0"
        start = time.perf_counter()
        self.checkpoint = judging_models.checkpoint(name, self.device)
        self.made_s = time.perf_counter() - start
        self.model = LocalModel(self.checkpoint)
        self.runner = ProtocolRunner("transformers", TransformersVlmParams(protocol="pointwise"), self.model)
        self.requests = judging_models.requests(max(options.batches), options.side)
        self.label = SamplingParams("labels", NUM_TOKENS, is_expected=True)
        self.written = SamplingParams("number", options.reply_tokens)
        self.threads = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1))
        self.ready = self._prepared()

    def _prepared(self) -> list[list[EncodedPrompt]]:
        """The prompts of every request, made on all threads."""
        plans = self.threads.map(self.runner.plan, self.requests)
        return [[prompt for _, _, prompt in plan.asked] for plan in plans]

    def row(self, batch: int) -> dict[str, Any]:
        """What is measured at one batch size: whole judgements, one question by its label, the same one in writing."""
        ready = self.ready[:batch]
        whole = timed(lambda: [self._answers([one[k] for one in ready], self.label) for k in range(3)])
        asked = [one[0] for one in ready]
        label = timed(lambda: self._answers(asked, self.label))
        written = timed(lambda: self._answers(asked, self.written))
        return {"batch": batch, "judgements_s": batch / whole, "prompts_s": batch / label, "replies_s": batch / written}

    def _answers(self, prompts: Sequence[EncodedPrompt], sampling: SamplingParams) -> None:
        replies = self.model.complete([Call((i, "", 0), f"s{i}", p, sampling) for i, p in enumerate(prompts)])
        if any(reply.problem == "oom" for reply in replies) or self.model.fits:
            raise SystemExit(f"a batch of {len(prompts)} does not fit into the device's memory")

    def prepare_s(self) -> tuple[float, float]:
        """Seconds of preparation per judgement: on one thread, and on all of them."""
        some = self.requests[: min(4, len(self.requests))]
        one = timed(lambda: [self.runner.plan(request) for request in some]) / len(some)
        whole = timed(self._prepared)
        return one, whole / len(self.requests)

    def together(self, batch: int) -> float:
        """Judgements per second of the judge itself, which prepares the next batch while one is answered."""
        judge = TransformersVlmJudge(TransformersVlmParams(protocol="pointwise"))
        judge.adopt(self.model)
        batches = [tuple(self.requests[i : i + batch]) for i in range(0, len(self.requests) - batch + 1, batch)]

        def run() -> None:
            judge.prepare(batches[0])
            for i, one in enumerate(batches):
                if i + 1 < len(batches):
                    judge.prepare(batches[i + 1])
                judge.judge(one)

        return len(batches) * batch / timed(run)

    def measure(self, batches: Sequence[int]) -> dict[str, Any]:
        """The part, as the table wants it."""
        rows = [self.row(batch) for batch in batches]
        one_thread, all_threads = self.prepare_s()
        num_threads = min(MAX_THREADS, os.cpu_count() or 1)
        part = {"rows": rows, "prepare_s": all_threads, "num_threads": num_threads}
        lengths = [len(prompt.token_ids) for prompt in self.ready[0]]
        share = one_thread / (one_thread + 1 / rows[0]["judgements_s"])
        part["notes"] = [
            f"tokens of the three prompts: {', '.join(map(str, lengths))}; weights drawn in {self.made_s:.1f} s",
            f"preparation of a judgement on one thread: {1000 * one_thread:.1f} ms, "
            f"{share:.0%} of a judgement that is prepared and answered one by one",
        ]
        if 4 in batches:
            alone = next(row["judgements_s"] for row in rows if row["batch"] == 4)
            rate = self.together(4)
            part["notes"].append(
                f"the whole judge at batch 4, preparing alongside: {rate:.2f} judgements / s, "
                f"{rate / alone:.0%} of the device's own rate"
            )
        if self.device == "cpu":
            part["ratios"] = judging_ratios.ratios(self.checkpoint)
        return part


def part(options: argparse.Namespace, name: str, engine: str) -> dict[str, Any]:
    """One model on one engine, in this process."""
    if engine == "vllm":
        from judging_vllm import Vllm

        return judging_table.finish(Vllm(options, name).measure(options.batches))
    return judging_table.finish(Transformers(options, name).measure(options.batches))


def in_a_process(options: argparse.Namespace, name: str, engine: str, folder: Path) -> dict[str, Any]:
    """The same in a process of its own, so that its memory is free afterwards; one that fails leaves a line."""
    title = f"{judging_models.MODELS[name]} on {engine} {version(engine)}"
    if find_spec(engine) is None:
        return {"title": title, "problem": f"{engine} is not installed here: not measured"}
    print(f"{time.strftime('%H:%M:%S')} {title} ...", file=sys.stderr, flush=True)
    out, log = folder / f"{name}-{engine}.json", folder / f"{name}-{engine}.log"
    command = [sys.executable, __file__, "--part", name, engine, "--json", str(out), "--side", str(options.side)]
    command += ["--batches", ",".join(map(str, options.batches)), "--reply-tokens", str(options.reply_tokens)]
    command += ["--tiny"] * options.tiny
    with log.open("wb") as file:
        try:
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False, timeout=PART_S)
        except subprocess.TimeoutExpired:
            return {"title": title, "problem": f"not done after {PART_S:g} s"}
    if done.returncode:
        return {"title": title, "problem": f"exit code {done.returncode}: {last_line(log)}"}
    return {"title": title, **json.loads(out.read_text("utf-8"))}


def last_line(path: Path) -> str:
    """Of a log, the last error if one is named; what went wrong, usually."""
    lines = [line for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
    return (errors or lines or ["no output"])[-1][:300]


def version(package: str) -> str:
    """Of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def describe_machine(is_tiny: bool) -> list[str]:
    """Hardware, versions, date."""
    lines = [machine(), ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "vllm"))]
    if is_tiny:
        return lines
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return [done.stdout.strip() or "no nvidia-smi", *lines]


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=lambda text: text.split(","), help="8b,30b-a3b; tiny with --tiny")
    parser.add_argument("--engines", type=lambda text: text.split(","), default=list(ENGINES))
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4, 8, 16])
    parser.add_argument("--side", type=int, help="pixels of the pictures; default 1024, tiny 96")
    parser.add_argument("--reply-tokens", type=int, default=128, help="of a written reply")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on the CPU: the numbers mean nothing")
    parser.add_argument("--part", nargs=2, metavar=("MODEL", "ENGINE"), help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write everything there, too")
    options = parser.parse_args()
    options.models = options.models or (["tiny"] if options.tiny else ["8b", "30b-a3b"])
    options.side = options.side or (96 if options.tiny else 1024)
    if unknown := [*(set(options.models) - set(judging_models.MODELS)), *(set(options.engines) - set(ENGINES))]:
        parser.error(f"unknown: {', '.join(unknown)}")
    if options.batches[0] != 1:
        parser.error("--batches: the first must be 1: the others are compared with it")
    return options


def main() -> None:
    """Print the table; exit 1 if a part failed or, on a GPU, a claim was not reached."""
    options = arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    if options.part:
        if options.tiny and options.part[1] == "transformers":
            import torch

            torch.set_num_threads(1)  # on a busy machine two threads wait for each other more than they compute
        options.json.write_text(json.dumps(part(options, *options.part)), "utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = [in_a_process(options, n, e, Path(folder)) for n in options.models for e in options.engines]
    result = {
        "is_tiny": options.tiny,
        "machine": describe_machine(options.tiny),
        "parts": parts,
        "reply_tokens": options.reply_tokens,
    }
    print(judging_table.markdown(result))
    print("\n".join(line for one in parts if "ratios" in one for line in judging_ratios.lines(one["ratios"])))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2), "utf-8")
    missed = not options.tiny and any(not holds for one in parts for _, holds in judging_table.verdicts(one))
    failed = any("problem" in one and "not installed" not in one["problem"] for one in parts)
    raise SystemExit(missed or failed)


if __name__ == "__main__":
    main()
