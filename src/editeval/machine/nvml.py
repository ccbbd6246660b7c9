"""What the GPUs of a run do, asked of the driver once a second (NVML, package nvidia-ml-py); nothing without it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from editeval.machine.gpus import driver_name


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One GPU at one moment; None where the driver does not tell."""

    at: float  # unix seconds
    gpu: str  # the run's name of it: "cuda:0"
    utilisation: float | None  # percent
    memory_mib: float | None
    power_w: float | None
    temperature_c: float | None


class GpuSource(Protocol):
    """Where samples come from."""

    def sample(self) -> list[GpuSample]:
        """One per GPU, now. Never raises: what the driver does not tell is None."""
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

    def __init__(self, nvml: Any, devices: Sequence[str], environ: Mapping[str, str]) -> None:
        self._nvml = nvml
        self.handles: dict[str, Any] = {}
        for device in devices:
            with contextlib.suppress(nvml.NVMLError):  # one that NVML does not know is not shown
                self.handles[device] = self._handle(driver_name(device, environ))

    def sample(self) -> list[GpuSample]:
        return [self._sample(device, handle) for device, handle in self.handles.items()]

    def close(self) -> None:
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _handle(self, name: str) -> Any:
        if name.isdecimal():
            return self._nvml.nvmlDeviceGetHandleByIndex(int(name))
        return self._nvml.nvmlDeviceGetHandleByUUID(name)

    def _sample(self, device: str, handle: Any) -> GpuSample:
        nvml = self._nvml
        return GpuSample(
            at=time.time(),
            gpu=device,
            utilisation=self._ask(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            memory_mib=self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used / 2**20),
            power_w=self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000),
            temperature_c=self._ask(
                lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            ),
        )

    def _ask(self, question: Callable[[], float]) -> float | None:
        try:
            return question()
        except self._nvml.NVMLError:  # a slice of a GPU tells less than a whole one
            return None
