"""Which devices the workers of a run get, and what is wrong with that on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from editeval import plugins
from editeval.config.schema import Config, Stage
from editeval.errors import MachineError
from editeval.execution.backends import deal_devices, device_problem, group_devices, resolve_devices
from editeval.execution.ray import cluster
from editeval.types import Editor, Judge


def stage_devices(stage: Stage, plugin: type[Editor] | type[Judge]) -> list[tuple[str, ...]]:
    """One group of devices per worker of `stage`; on a cluster that has shrunk since it was asked, fewer."""
    names, execution = _device_names(stage, plugin), stage.execution
    if stage.execution.device_ids is None and names == ("cpu",):
        names *= getattr(stage.params, "num_workers", 1)  # servers are devices: one worker each
    where = f"{stage.section}.params.device_ids"
    if execution.backend != "ray":
        return group_devices(where, names, execution.devices_per_worker)
    groups = deal_devices(where, names, execution.devices_per_worker)
    if all(name == "cpu" for name in names):
        return groups
    size = execution.devices_per_worker
    return groups[: max(1, cluster.connect(execution.ray_address).num_gpus(size) // size)]


def _device_names(stage: Stage, plugin: type[Editor] | type[Judge]) -> tuple[str, ...]:
    execution, default = stage.execution, plugin.default_device
    if execution.backend == "ray":
        return cluster.slots(execution.device_ids, default, execution.devices_per_worker, execution.ray_address)
    return resolve_devices(execution.device_ids, default)


def is_on_gpus(stage: Stage) -> bool:
    """Whether its workers want GPUs."""
    if stage.execution.device_ids is not None:
        return any(device != "cpu" for device in stage.execution.device_ids)
    kind = "editors" if stage.section == "diffusion_model" else "judges"
    default = plugins.load(kind, stage.type, allow_code=True).default_device  # it was loaded by consent
    return bool(default != "cpu")


def claims(stage: Stage, plugin: type[Editor] | type[Judge]) -> frozenset[str]:
    """The devices that are taken while `stage` lasts; none if it asks a server."""
    if plugin.is_remote:
        return frozenset()
    return frozenset(_device_names(stage, plugin))


def plugin_of(config: Config, stage: Stage) -> type[Editor] | type[Judge]:
    """The class that `stage` of `config` names."""
    kind = "editors" if stage is config.diffusion_model else "judges"
    plugin: type[Editor] | type[Judge] = plugins.load(kind, stage.type, config.allow_code)
    return plugin


def device_warnings(config: Config, stages: Sequence[Stage] | None = None) -> list[str]:
    """What `check` says about devices that this machine lacks; `run` refuses to start without those of its `stages`."""
    places: dict[str, list[str]] = {}
    for stage in config.stages if stages is None else stages:
        where, _, what = (_lacking(stage, plugin_of(config, stage)) or "").partition(": ")
        if what:
            places.setdefault(what, []).append(where)
    return [f"{', '.join(wheres)}: {what}" for what, wheres in places.items()]


def _lacking(stage: Stage, plugin: type[Editor] | type[Judge]) -> str | None:
    where, execution = f"{stage.section}.params.device_ids", stage.execution
    if execution.backend == "ray":
        try:
            cluster.connect(execution.ray_address)
        except MachineError as error:
            return f"{stage.section}.execution.backend: {error}"
        try:
            names = _device_names(stage, plugin)
        except MachineError as error:
            return f"{where}: {error}"
        return cluster.lacking(where, names, execution.devices_per_worker, execution.ray_address)
    return device_problem(where, _device_names(stage, plugin))
