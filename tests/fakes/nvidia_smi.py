"""A driver's tool that is a shell script: it lists GPUs, and writes down every time that it is started."""

from __future__ import annotations

from pathlib import Path


def write_driver(folder: Path, count: int, free_mib: int = 143771, script: str = "") -> Path:
    """`folder`/nvidia-smi knows `count` GPUs, or does what `script` says. Returns the file with a line per start."""
    starts, program = folder / "starts", folder / "nvidia-smi"
    gpu = f"NVIDIA H200, 143771, {143771 - free_mib}, {free_mib}, 580.95.05, Disabled"
    listing = "\n".join(f"echo '{i}, GPU-{i}, {gpu}'" for i in range(count))
    program.write_text(f"#!/bin/sh\necho started >> '{starts}'\n{script or listing}\n", encoding="utf-8")
    program.chmod(0o755)
    return starts
