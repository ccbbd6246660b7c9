"""Which devices are meant, and which group of them each worker gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from editeval.errors import ConfigError, MachineError
from editeval.machine.gpus import num_gpus

MARK = "ray:"
"""Begins the name of a GPU of a Ray cluster. Which GPU of which node ray:3 is, Ray says when a worker has started."""


def resolve(
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


def problem(where: str, devices: Sequence[str]) -> str | None:
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


def groups(where: str, devices: Sequence[str], devices_per_worker: int) -> list[tuple[str, ...]]:
    """One group of devices per worker, in order.

    Raises ConfigError if they do not divide evenly or a GPU is named twice, MachineError if one is not there.
    """
    gpus = [d for d in devices if d.startswith("cuda")]
    twice = sorted({d for d in gpus if gpus.count(d) > 1})
    if twice:
        raise ConfigError(f"{where}: {', '.join(twice)} named twice; one worker touches one model on its own device")
    lacking = problem(where, devices)
    if lacking:
        raise MachineError(lacking)
    return dealt(where, devices, devices_per_worker)


def dealt(where: str, devices: Sequence[str], devices_per_worker: int) -> list[tuple[str, ...]]:
    """`devices` in groups, in order. Raises ConfigError if they do not divide evenly."""
    if len(devices) % devices_per_worker:
        raise ConfigError(f"{where}: {len(devices)} devices cannot be dealt to workers of {devices_per_worker} each")
    return [tuple(devices[i : i + devices_per_worker]) for i in range(0, len(devices), devices_per_worker)]
