"""What this machine has: GPUs as the driver tells it, memory, disks, checkpoints in the Hugging Face cache.

Looks only: nothing is loaded, nothing is asked over the network, and what is not there is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
DRIVER_S = 10.0  # a driver that takes longer has a problem of its own
_FIELDS = ("index", "name", "memory.total", "memory.used", "driver_version", "mig.mode.current")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. Memory is None where the driver does not tell (shared memory, some slices)."""

    index: str
    name: str
    memory_gib: float | None
    used_gib: float | None
    driver: str
    is_split: bool  # MIG mode


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model in the cache."""

    name: str
    size_gib: float
    num_revisions: int
    is_complete: bool  # False: a download was broken off


@dataclass(frozen=True, slots=True)
class Disk:
    """Free space where `path` is, or would be."""

    path: Path
    free_gib: float
    total_gib: float


def gpus(environ: Mapping[str, str]) -> tuple[list[Gpu], str]:
    """(GPUs, why there are none). CUDA_VISIBLE_DEVICES is not applied: these are the machine's."""
    command = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if command is None:
        return [], "no nvidia-smi on the PATH"
    query = [command, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=DRIVER_S, check=False, env=dict(environ))
    except subprocess.TimeoutExpired:
        return [], f"the driver does not answer within {DRIVER_S:g} s; reset it or restart the machine"
    except OSError as error:
        return [], f"nvidia-smi cannot be run: {error.strerror}"
    if done.returncode:
        first = (done.stderr or done.stdout).strip().partition("\n")[0]
        return [], f"nvidia-smi fails: {first[:200] or f'exit code {done.returncode}'}"
    found = [gpu for line in done.stdout.splitlines() if (gpu := _gpu(line)) is not None]
    return found, "" if found else "nvidia-smi lists no GPU"


def facts(found: list[Gpu]) -> dict[str, str]:
    """What rules ask about the GPUs, in the form of versions: how many, whether one is split, the oldest driver."""
    result = {"gpus": str(len(found)), "mig": "1" if any(gpu.is_split for gpu in found) else "0"}
    drivers = sorted((gpu.driver for gpu in found if gpu.driver[:1].isdigit()), key=_numbers)
    return result | ({"driver": drivers[0]} if drivers else {})


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _gpu(line: str) -> Gpu | None:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(_FIELDS):
        return None
    return Gpu(cells[0], cells[1], _gib(cells[2]), _gib(cells[3]), cells[4], cells[5] == "Enabled")


def _gib(mebibytes: str) -> float | None:
    return round(int(mebibytes) / 1024, 1) if mebibytes.isdecimal() else None


def memory_gib() -> tuple[float, float] | None:
    """(total, available) of the host, GiB; None where Linux does not tell."""
    with suppress(OSError, KeyError, ValueError):
        rows = (line.split() for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        kib = {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) > 1}
        return round(kib["MemTotal"] / 2**20, 1), round(kib["MemAvailable"] / 2**20, 1)
    return None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where huggingface-hub keeps checkpoints: HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME or ~/.cache."""
    if environ.get("HF_HUB_CACHE"):
        return Path(environ["HF_HUB_CACHE"]).expanduser()
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]).expanduser() / "hub"
    home = environ.get("XDG_CACHE_HOME") or str(Path("~").expanduser() / ".cache")
    return Path(home) / "huggingface" / "hub"


def checkpoints(folder: Path) -> list[Checkpoint]:
    """Every model in the cache, biggest first. A folder that is missing or cannot be read has none."""
    found = []
    with suppress(OSError):
        for place in sorted(folder.glob("models--*")):
            with suppress(OSError):
                found.append(_checkpoint(place))
    return sorted(found, key=lambda c: -c.size_gib)


def _checkpoint(place: Path) -> Checkpoint:
    sizes = {entry.name: entry.stat().st_size for entry in _entries(place / "blobs")}
    revisions = [entry for entry in _entries(place / "snapshots") if entry.is_dir()]
    partial = any(name.endswith(".incomplete") for name in sizes)
    name = place.name.removeprefix("models--").replace("--", "/")
    return Checkpoint(name, round(sum(sizes.values()) / GIB, 2), len(revisions), bool(revisions) and not partial)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def disk(path: Path) -> Disk | None:
    """The disk that `path` is on, or its nearest parent that exists; None if that cannot be told."""
    for place in (path.absolute(), *path.absolute().parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return Disk(path, round(usage.free / GIB, 1), round(usage.total / GIB, 1))
    return None
