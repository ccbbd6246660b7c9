"""The GPUs of this machine: the one reader of nvidia-smi, and the one of CUDA_VISIBLE_DEVICES. Never imports torch.

The driver is asked once per process, by the parent, which tells its workers what it heard: six workers that each start
nvidia-smi would wait for seconds. What must be true at this very moment (memory, before weights are loaded) torch says
again in the worker.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

MIB = 2**20
DRIVER_S = 20.0  # without persistence mode a driver with eight GPUs takes more than ten
TOLD = "_EDITEVAL_GPUS"
"""The variable in which a worker finds what its parent has heard from the driver."""
_FIELDS = (
    *("index", "uuid", "name", "memory.total", "memory.used", "memory.free"),
    *("driver_version", "mig.mode.current"),
)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. Memory is None where the driver does not tell (shared memory, some slices)."""

    index: str
    uuid: str
    name: str
    memory_gib: float | None
    used_gib: float | None
    free_mib: int | None
    driver: str
    is_split: bool  # MIG mode


def gpus(environ: Mapping[str, str] | None = None) -> tuple[list[Gpu], str]:
    """(GPUs, why there are none). CUDA_VISIBLE_DEVICES is not applied: these are the machine's."""
    text, why = _heard(os.environ if environ is None else environ)
    found = [gpu for line in text.splitlines() if (gpu := _gpu(line)) is not None]
    return found, "" if found else why or "nvidia-smi lists no GPU"


def num_gpus(environ: Mapping[str, str] | None = None) -> int:
    """GPUs that a worker could use: those the driver lists, or those that CUDA_VISIBLE_DEVICES names, if it is set."""
    environ = os.environ if environ is None else environ
    listed = len(gpus(environ)[0])
    visible = visible_gpus(environ)
    if visible is None or not listed:
        return listed
    return len(list(itertools.takewhile(lambda name: not name.isdecimal() or int(name) < listed, visible)))


def visible_gpus(environ: Mapping[str, str]) -> list[str] | None:
    """What CUDA_VISIBLE_DEVICES names; None without it. As CUDA reads it: what follows the first -1 does not count."""
    names = environ.get("CUDA_VISIBLE_DEVICES")
    if names is None:
        return None
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), (name.strip() for name in names.split(","))))


def driver_name(device: str, environ: Mapping[str, str]) -> str:
    """The index or UUID under which the driver knows a run's `device` ("cuda:0"), if CUDA counts as the driver does."""
    number = device.partition(":")[2] or "0"
    visible = visible_gpus(environ)
    if visible is None or not number.isdecimal() or int(number) >= len(visible):
        return number
    return visible[int(number)]


def most_free_bytes(device: str, environ: Mapping[str, str]) -> int | None:
    """Free memory of that GPU, or of the emptiest one that it may be; None if the driver does not tell.

    CUDA counts GPUs in an order of its own unless CUDA_DEVICE_ORDER is PCI_BUS_ID: then a number means any of them.
    """
    found, _ = gpus(environ)
    free = {gpu: gpu.free_mib for gpu in found if gpu.free_mib is not None}
    if len(free) < len(found):
        return None  # some GPU keeps it to itself: it may be the one
    name = driver_name(device, environ)
    is_sure = name.startswith("GPU-") or environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    named = [mib for gpu, mib in free.items() if is_sure and (gpu.index == name or gpu.uuid.startswith(name))]
    most = max(named or free.values(), default=None)
    return None if most is None else most * MIB


def told(environ: Mapping[str, str]) -> str:
    """The value of TOLD for workers that this process starts."""
    return _heard(environ)[0]


def forget() -> None:
    """The driver is asked again, once: for a process that starts one evaluation after another."""
    _ask.cache_clear()


def facts(found: list[Gpu]) -> dict[str, str]:
    """What rules ask about the GPUs, in the form of versions: how many, whether one is split, the oldest driver."""
    result = {"gpus": str(len(found)), "mig": "1" if any(gpu.is_split for gpu in found) else "0"}
    drivers = sorted((gpu.driver for gpu in found if gpu.driver[:1].isdigit()), key=_numbers)
    return result | ({"driver": drivers[0]} if drivers else {})


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _heard(environ: Mapping[str, str]) -> tuple[str, str]:
    """(lines of nvidia-smi, why there are none): the parent's, or this process's own."""
    return (environ[TOLD], "") if TOLD in environ else _ask(environ.get("PATH", ""))


@lru_cache(maxsize=8)
def _ask(path: str) -> tuple[str, str]:
    command = shutil.which("nvidia-smi", path=path)
    if command is None:
        return "", "no nvidia-smi on the PATH"
    query = [command, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=DRIVER_S, check=False)
    except subprocess.TimeoutExpired:
        return "", f"the driver does not answer within {DRIVER_S:g} s; reset it or restart the machine"
    except OSError as error:
        return "", f"nvidia-smi cannot be run: {error.strerror}"
    if done.returncode:
        first = (done.stderr or done.stdout).strip().partition("\n")[0]
        return "", f"nvidia-smi fails: {first[:200] or f'exit code {done.returncode}'}"
    return done.stdout, ""


def _gpu(line: str) -> Gpu | None:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(_FIELDS):
        return None
    index, uuid, name, total, used, free, driver, mig = cells
    free_mib = int(free) if free.isdecimal() else None
    return Gpu(index, uuid, name, _gib(total), _gib(used), free_mib, driver, mig == "Enabled")


def _gib(mebibytes: str) -> float | None:
    return round(int(mebibytes) / 1024, 1) if mebibytes.isdecimal() else None
