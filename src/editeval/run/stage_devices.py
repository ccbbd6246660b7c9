"""The plug-in of a stage, and the devices on which its workers run."""

from __future__ import annotations

from collections.abc import Sequence

from editeval import plugins
from editeval.config.schema import Config, Stage
from editeval.errors import MachineError
from editeval.execution.devices import deal_devices, device_problem, group_devices, resolve_devices
from editeval.execution.ray import cluster
from editeval.types import Editor, Judge

PluginClass = type[Editor] | type[Judge]


def plugin_of(config: Config, stage: Stage) -> PluginClass:
    """The class that `stage` of `config` names."""
    plugin: PluginClass = plugins.load(kind_of(stage), stage.type, config.allow_code)
    return plugin


def kind_of(stage: Stage) -> str:
    """Of its plug-in: "editors" or "judges"."""
    return "editors" if stage.section == "diffusion_model" else "judges"


def stage_devices(stage: Stage, plugin: PluginClass) -> list[tuple[str, ...]]:
    """One group of devices per worker of `stage`; fewer on a cluster that has shrunk since it was last asked."""
    names, execution = _device_names(stage, plugin), stage.execution
    if execution.device_ids is None and names == ("cpu",):
        names *= getattr(stage.params, "num_workers", 1)  # servers are devices: one worker each
    where, size = f"{stage.section}.params.device_ids", execution.devices_per_worker
    if execution.backend != "ray":
        return group_devices(where, names, size)
    groups = deal_devices(where, names, size)
    if all(name == "cpu" for name in names):
        return groups
    return groups[: max(1, cluster.connect(execution.ray_address).num_gpus(size) // size)]


def _device_names(stage: Stage, plugin: PluginClass) -> tuple[str, ...]:
    execution, default = stage.execution, plugin.default_device
    if execution.backend == "ray":
        return cluster.slots(execution.device_ids, default, execution.devices_per_worker, execution.ray_address)
    return resolve_devices(execution.device_ids, default)


def is_on_gpus(stage: Stage, plugin: PluginClass) -> bool:
    """Whether its workers need GPUs."""
    if stage.execution.device_ids is not None:
        return any(device != "cpu" for device in stage.execution.device_ids)
    return bool(plugin.default_device != "cpu")


def devices_in_use(stage: Stage, plugin: PluginClass) -> frozenset[str]:
    """The devices that `stage` holds while it lasts; none if it asks a server."""
    return frozenset() if plugin.is_remote else frozenset(_device_names(stage, plugin))


def device_warnings(config: Config, stages: Sequence[Stage] | None = None) -> list[str]:
    """What `check` says about devices that this machine lacks; `run` refuses to start without those of its `stages`."""
    places: dict[str, list[str]] = {}
    for stage in config.stages if stages is None else stages:
        where, _, what = (_missing_devices(stage, plugin_of(config, stage)) or "").partition(": ")
        if what:
            places.setdefault(what, []).append(where)
    return [f"{', '.join(wheres)}: {what}" for what, wheres in places.items()]


def _missing_devices(stage: Stage, plugin: PluginClass) -> str | None:
    where, execution = f"{stage.section}.params.device_ids", stage.execution
    if execution.backend != "ray":
        return device_problem(where, _device_names(stage, plugin))
    try:
        cluster.connect(execution.ray_address)
    except MachineError as error:
        return f"{stage.section}.execution.backend: {error}"
    try:
        names = _device_names(stage, plugin)
    except MachineError as error:
        return f"{where}: {error}"
    return cluster.lacking(where, names, execution.devices_per_worker, execution.ray_address)
