"""What this machine has: memory, disks, checkpoints in the Hugging Face cache.

Looks only: nothing is loaded, nothing is asked over the network, and what is not there is left out.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 2**30


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
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


def checkpoints(folder: Path) -> list[CheckpointFolder]:
    """Every model in the cache, biggest first. A folder that is missing or cannot be read has none."""
    found = []
    with suppress(OSError):
        for place in sorted(folder.glob("models--*")):
            with suppress(OSError):
                found.append(_checkpoint(place))
    return sorted(found, key=lambda c: -c.size_gib)


def _checkpoint(place: Path) -> CheckpointFolder:
    sizes = {entry.name: entry.stat().st_size for entry in _entries(place / "blobs")}
    revisions = [entry for entry in _entries(place / "snapshots") if entry.is_dir()]
    partial = any(name.endswith(".incomplete") for name in sizes)
    name = place.name.removeprefix("models--").replace("--", "/")
    return CheckpointFolder(name, round(sum(sizes.values()) / GIB, 2), len(revisions), bool(revisions) and not partial)


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


def host() -> dict[str, Any]:
    """Name, system, processor, its logical CPUs (all, and those this process may use) and memory of this machine."""
    return {
        "name": socket.gethostname(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "num_cpus": os.cpu_count(),
        "num_usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ram_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 2),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
