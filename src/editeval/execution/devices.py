"""The devices of a machine, dealt to workers; and the environment in which a worker sees its own ones only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from editeval.errors import ConfigError, MachineError
from editeval.machine.gpus import DRIVER_LINES, driver_lines, num_gpus, visible_gpus

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MARK = "ray:"
"""Begins the name of a GPU of a Ray cluster. Which GPU of which node ray:3 is, Ray says when a worker has started."""


def resolve_devices(
    device_ids: Sequence[str] | None, default_device: str, count: Callable[[], int] = num_gpus
) -> tuple[str, ...]:
    """The devices meant: those named, or without names every GPU (a plug-in that wants "cpu" gets one CPU worker).

    `count` says how many GPUs there are.
    """
    if device_ids is not None:
        return tuple(device_ids)
    if default_device == "cpu":
        return ("cpu",)
    return tuple(f"cuda:{i}" for i in range(count()))


def device_problem(where: str, devices: Sequence[str]) -> str | None:
    """One line saying which of `devices` this machine lacks; None if they are all there."""
    wanted = [d for d in devices if d.startswith("cuda")]
    if devices and not wanted:
        return None
    present = num_gpus()
    missing = [d for d in wanted if int(d.removeprefix("cuda:")) >= present]
    if not missing and devices:
        return None
    found = f"{present} GPU{'' if present == 1 else 's'}"
    if not devices:
        return f"{where}: no GPU on this machine; name devices, for instance device_ids: [cpu]"
    return (
        f"{where}: no {', '.join(missing)} on this machine (it has {found}); name devices it has, or device_ids: [cpu]"
    )


def group_devices(where: str, devices: Sequence[str], devices_per_worker: int) -> list[tuple[str, ...]]:
    """One group of devices per worker, in order.

    Raises ConfigError if they do not divide evenly or a GPU is named twice, MachineError if one is not there.
    """
    gpus = [d for d in devices if d.startswith("cuda")]
    twice = sorted({d for d in gpus if gpus.count(d) > 1})
    if twice:
        raise ConfigError(f"{where}: {', '.join(twice)} named twice; one worker touches one model on its own device")
    lacking = device_problem(where, devices)
    if lacking:
        raise MachineError(lacking)
    return deal_devices(where, devices, devices_per_worker)


def deal_devices(where: str, devices: Sequence[str], devices_per_worker: int) -> list[tuple[str, ...]]:
    """`devices` in groups, in order. Raises ConfigError if they do not divide evenly."""
    if len(devices) % devices_per_worker:
        raise ConfigError(f"{where}: {len(devices)} devices cannot be dealt to workers of {devices_per_worker} each")
    return [tuple(devices[i : i + devices_per_worker]) for i in range(0, len(devices), devices_per_worker)]


def worker_environment(devices: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker: it sees its own GPUs only, as cuda:0.., and a CPU worker computes in one thread."""
    import editeval

    result = dict(environ)
    source = str(Path(str(editeval.__file__)).parent.parent)
    result["PYTHONPATH"] = os.pathsep.join(p for p in (source, environ.get("PYTHONPATH")) if p)
    result["PYTHONUNBUFFERED"] = "1"
    gpus = [device.removeprefix("cuda:") for device in devices if device.startswith("cuda")]
    visible = visible_gpus(environ)
    result.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # the driver's numbers, as nvidia-smi and `doctor` show them
    result["CUDA_VISIBLE_DEVICES"] = ",".join(visible[int(g)] if visible else g for g in gpus)
    if gpus:
        result[DRIVER_LINES] = driver_lines(environ)
    else:
        result.update(dict.fromkeys(_ONE_THREAD, "1"))
    return result
