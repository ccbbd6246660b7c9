"""The GPUs of this machine: the one reader of nvidia-smi, of NVML and of CUDA_VISIBLE_DEVICES. Never imports torch.

nvidia-smi is asked once per process, by the parent, which hands the answer to its workers: six workers that each start
nvidia-smi would wait for seconds. What must be true at this very moment (memory, before weights are loaded) torch says
again in the worker. What GPUs do while a run works is asked of NVML (package nvidia-ml-py); nothing without it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Protocol

MIB = 2**20
DRIVER_S = 20.0  # without persistence mode a driver with eight GPUs takes more than ten
DRIVER_LINES = "_EDITEVAL_GPUS"
"""The variable in which a worker finds what its parent got from the driver."""
_FIELDS = (
    *("index", "uuid", "name", "memory.total", "memory.used", "memory.free"),
    *("driver_version", "mig.mode.current"),
)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. Memory is None where the driver does not say (shared memory, some slices)."""

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
    text, why = _listing(os.environ if environ is None else environ)
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
    """Free memory of that GPU, or of the emptiest one that it may be; None if the driver does not say.

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


def driver_lines(environ: Mapping[str, str]) -> str:
    """The value of DRIVER_LINES for workers that this process starts."""
    return _listing(environ)[0]


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


def _listing(environ: Mapping[str, str]) -> tuple[str, str]:
    """(lines of nvidia-smi, why there are none): the parent's, or this process's own."""
    return (environ[DRIVER_LINES], "") if DRIVER_LINES in environ else _ask(environ.get("PATH", ""))


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


# -- samples while a run works -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One GPU at one moment; None where the driver does not say."""

    at: float  # unix seconds
    gpu: str  # the run's name of it: "cuda:0"
    utilisation: float | None  # percent
    memory_mib: float | None
    power_w: float | None
    temperature_c: float | None


class GpuSource(Protocol):
    """Where samples come from."""

    def sample(self) -> list[GpuSample]:
        """One per GPU, now. Never raises: what the driver does not say is None."""
        ...

    def close(self) -> None: ...


def open_source(devices: Sequence[str], environ: Mapping[str, str]) -> GpuSource | None:
    """A source for those of `devices` ("cuda:0") that NVML knows; None without the package, the driver or a GPU."""
    wanted = [device for device in devices if device.startswith("cuda:")]
    if not wanted:
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    source = NvmlSource(pynvml, wanted, environ)
    return source if source.handles else None


class NvmlSource:
    """Asks NVML. The run's cuda:0 is the first GPU that CUDA_VISIBLE_DEVICES of `environ` names."""

    def __init__(self, nvml: ModuleType, devices: Sequence[str], environ: Mapping[str, str]) -> None:
        self._nvml = nvml
        self.handles: dict[str, object] = {}
        for device in devices:
            with contextlib.suppress(nvml.NVMLError):  # one that NVML does not know is not shown
                self.handles[device] = self._handle(driver_name(device, environ))

    def sample(self) -> list[GpuSample]:
        return [self._sample(device, handle) for device, handle in self.handles.items()]

    def close(self) -> None:
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _handle(self, name: str) -> object:
        nvml = self._nvml
        return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdecimal() else nvml.nvmlDeviceGetHandleByUUID(name)

    def _sample(self, device: str, handle: object) -> GpuSample:
        nvml = self._nvml
        return GpuSample(
            at=time.time(),
            gpu=device,
            utilisation=self._ask(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            memory_mib=self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used / 2**20),
            power_w=self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000),
            temperature_c=self._ask(lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))),
        )

    def _ask(self, question: Callable[[], float]) -> float | None:
        try:
            return question()
        except self._nvml.NVMLError:  # a slice of a GPU has fewer figures than a whole one
            return None
