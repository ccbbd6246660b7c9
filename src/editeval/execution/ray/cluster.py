"""The Ray cluster that this process drives: connecting, what its nodes have, and noticing that it is lost."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any, TypeVar

from editeval.config.values import is_address
from editeval.errors import ClusterLostError, MachineError
from editeval.execution.devices import MARK, resolve_devices
from editeval.execution.ray.actor import NodeReport, check, inspect_node, node_name, source_digest
from editeval.execution.ray.actor import check_hub_model as look_model_up
from editeval.execution.worker_messages import WorkerSpec
from editeval.machine.interpreters import Interpreter
from editeval.machine.versions import to_install
from editeval.types import HubModel

T = TypeVar("T")
OLDEST = (2, 52)
"""Before it, a web page could run code on the cluster through the dashboard (CVE-2025-62593)."""
START = "ray start --head --include-dashboard=false"
JOIN = "ray start --address=HEAD:6379"
HEALTH_CHECK_S = 1.0
"""Pause between two looks whether the head is there, and how long it may take to accept a connection."""
MAX_SILENT = 5  # failed health checks in a row before the head counts as lost
LOOK_S = 300.0
"""How long the nodes may take to say what they have: one that was idle starts a process first, and imports."""


@dataclass(frozen=True, slots=True)
class RayNode:
    """A machine of the cluster. `name` is what `ray start --node-name` said, or its host name."""

    id: str
    name: str
    num_gpus: int


class Cluster:
    """A connection that lasts as long as this process; any thread may use it."""

    def __init__(self, ray: ModuleType, address: str, own_node: str) -> None:
        """Both are host:port, of the head and of this machine's node."""
        self.ray = ray
        self.address = address
        self._endpoints = {"head": address, "own node": own_node}
        self._lost = ""  # which of them
        self._listeners: list[Callable[[ClusterLostError], None]] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True, name="cluster").start()

    def nodes(self) -> list[RayNode]:
        """Those that are alive."""
        self.require()
        return disambiguate([_node(found) for found in self.ray.nodes() if found["alive"]])

    def hosts(self, on_gpus: bool) -> list[RayNode]:
        """The nodes that a worker may come to: with GPUs, those that have one."""
        return [node for node in self.nodes() if node.num_gpus or not on_gpus]

    def num_gpus(self, per_worker: int = 1) -> int:
        """GPUs of all nodes, free or not, that can be dealt to workers; a worker's are all on one node."""
        return sum(node.num_gpus // per_worker for node in self.nodes()) * per_worker

    def require(self) -> None:
        """Raises ClusterLostError if the cluster is lost."""
        if self._lost:
            raise self._error()

    @contextmanager
    def on_loss(self, listener: Callable[[ClusterLostError], None]) -> Iterator[None]:
        """While inside, `listener` is called when the cluster is lost."""
        with self._lock:
            self._listeners.append(listener)
            is_late = bool(self._lost)
        if is_late:
            listener(self._error())
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def on_nodes(self, nodes: Sequence[RayNode], function: Callable[..., T], *arguments: object) -> dict[str, T]:
        """What `function` returns on each node, by the node's name; a node that leaves meanwhile is left out.

        Raises MachineError for one that cannot run it, and if all have left.
        """
        from ray.exceptions import GetTimeoutError, RayError, TaskUnschedulableError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote = self.ray.remote(function)
        calls = {
            node.name: remote.options(
                num_cpus=0, max_retries=1, scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote(*arguments)
            for node in nodes
        }
        found: dict[str, T] = {}
        deadline = time.monotonic() + LOOK_S
        for name, call in calls.items():
            try:
                found[name] = self.ray.get(call, timeout=max(deadline - time.monotonic(), 1.0))
            except TaskUnschedulableError:
                continue  # it is no longer there
            except GetTimeoutError as error:
                raise MachineError(f"node {name}: no answer within {LOOK_S:g} s; look at `ray status`") from error
            except RayError as error:
                raise MachineError(f"node {name}: {_advice(error)}") from error
        if not found:
            raise MachineError(f"the Ray cluster {self.address} has lost all its nodes; look at `ray status`")
        return found

    def _error(self) -> ClusterLostError:
        return ClusterLostError(
            f"the {self._lost} of the Ray cluster {self.address} was lost; what finished is safe: the same command "
            "continues when the cluster is back, and with execution.backend: process it continues without it"
        )

    def _watch(self) -> None:
        silent = dict.fromkeys(self._endpoints, 0)
        while max(silent.values()) < MAX_SILENT:
            time.sleep(HEALTH_CHECK_S)
            for name, endpoint in self._endpoints.items():
                silent[name] = 0 if answers(endpoint) else silent[name] + 1
        with self._lock:
            self._lost = max(silent, key=lambda name: silent[name])
            listeners = list(self._listeners)
        with ExitStack() as calls:  # all of them, even if one raises
            for listener in listeners:
                calls.callback(listener, self._error())


@cache
def connect(address: str | None) -> Cluster:
    """The cluster at `address` (host:port of its head; None: the one that this machine is a node of).

    Raises MachineError if there is none, or it cannot be used.
    """
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # Ray prints what happens to its nodes on our stdout
    try:
        import ray
    except ImportError as error:
        raise MachineError(f"backend ray needs the package ray: {to_install('ray')}") from error
    check_version(metadata.version("ray"))
    named = address or os.environ.get("RAY_ADDRESS", "auto")
    if named != "auto" and not is_address(named):
        raise MachineError(
            f"RAY_ADDRESS must be host:port of the head of a Ray cluster, got {named!r}; {_how_to_start()}"
        )
    if named != "auto" and not answers(named):
        raise MachineError(f"no Ray cluster answers at {named}; {_how_to_start()}")
    with _own_signal_handlers():
        try:
            if not ray.is_initialized():
                ray.init(address=named, log_to_driver=False, logging_level=logging.CRITICAL)
        except (OSError, RuntimeError, ValueError) as error:  # ConnectionError: "auto" found none
            reason = "" if isinstance(error, ConnectionError) else f" ({' '.join(str(error).split())[:300]})"
            raise MachineError(f"this machine is no node of a Ray cluster{reason}; {_how_to_start()}") from error
    context = ray.get_runtime_context()
    own = next(found for found in ray.nodes() if found["NodeID"] == context.get_node_id())
    return Cluster(ray, context.gcs_address, f"{own['NodeManagerAddress']}:{own['NodeManagerPort']}")


def check_version(version: str) -> None:
    """Raises MachineError for a Ray that is open to a known attack."""
    numbers = tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2])
    if numbers < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise MachineError(
            f"ray {version} lets a web page run code on the cluster (CVE-2025-62593); "
            f"pip install 'ray>={wanted}' on every node"
        )


def answers(address: str) -> bool:
    """Whether something listens at host:port."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=HEALTH_CHECK_S).close()
    except OSError:
        return False
    return True


def slots(
    device_ids: Sequence[str] | None, default_device: str, per_worker: int, address: str | None
) -> tuple[str, ...]:
    """The devices meant: cuda:3 is ray:3 here, a GPU of the cluster; without names, all GPUs that it has now."""
    names = resolve_devices(device_ids, default_device, lambda: connect(address).num_gpus(per_worker))
    return tuple(name.replace("cuda:", MARK) for name in names)


def lacking(where: str, devices: Sequence[str], devices_per_worker: int, address: str | None) -> str | None:
    """One line saying what of `devices` the cluster has not; None if it has them all."""
    try:
        cluster = connect(address)
    except MachineError as error:
        return f"{where}: {error}"
    present = cluster.num_gpus(devices_per_worker)
    each = "" if devices_per_worker == 1 else f" for workers with {devices_per_worker} on one node each"
    found = f"the Ray cluster {cluster.address} has {present} GPU{'' if present == 1 else 's'}{each}"
    if not devices:
        return f"{where}: {found}; name devices, for instance device_ids: [cpu]"
    missing = [d.removeprefix(MARK) for d in devices if d.startswith(MARK) and int(d.removeprefix(MARK)) >= present]
    return f"{where}: no GPU {', '.join(missing)}: {found}, counted from 0; name those" if missing else None


def survey(where: str, address: str | None, on_gpus: bool, python: str | None, wanted: Sequence[str]) -> Interpreter:
    """The interpreter of workers on the cluster, the same on every node that they may come to.

    Raises MachineError, beginning with `where`, and naming the node that lacks something or differs.
    """
    try:
        cluster = connect(address)
        found = cluster.on_nodes(cluster.hosts(on_gpus), inspect_node, where, python, list(wanted))
    except ClusterLostError:
        raise
    except MachineError as error:
        raise MachineError(f"{where}: {error}") from error
    first_name, first = next(iter(found.items()))
    for name, node in found.items():
        if node["problem"]:
            raise MachineError(f"{node['problem']} (node {name})")
        if node["digest"] != source_digest():
            raise MachineError(f"{where}: node {name} has another editeval than this machine; install the same one")
        libraries = sorted({**first["versions"], **node["versions"]})
        differing = [lib for lib in libraries if _version(first, lib) != _version(node, lib)]
        if differing:
            lib = differing[0]
            have = f"{lib} {_version(first, lib)} on {first_name} and {_version(node, lib)} on {name}"
            raise MachineError(f"{where}: the nodes differ: {have}; an edit must not depend on where it is made")
    return Interpreter(first["python"], first["versions"])


def check_plugin(address: str | None, on_gpus: bool, spec: WorkerSpec) -> None:
    """Raises MachineError for what a node lacks of what `spec` names, and names the node."""
    cluster = connect(address)
    words = spec.kind, spec.type, dict(spec.params), spec.allow_code
    for node, problem in cluster.on_nodes(cluster.hosts(on_gpus), check, *words).items():
        if problem:
            raise MachineError(f"{problem} (node {node})")


def check_hub_model(address: str | None, on_gpus: bool, python: str, model: HubModel) -> str:
    """Why `model` cannot be loaded on some node by `python`, in a line that names the node; empty if it can on all."""
    cluster = connect(address)
    found = cluster.on_nodes(cluster.hosts(on_gpus), look_model_up, python, asdict(model))
    return next((f"{problem} (node {node})" for node, problem in found.items() if problem), "")


def _node(found: dict[str, Any]) -> RayNode:
    return RayNode(found["NodeID"], node_name(found), int(found["Resources"].get("GPU", 0)))


def disambiguate(nodes: Sequence[RayNode]) -> list[RayNode]:
    """The same, with names of their own: containers are often called alike, and answers are kept by name."""
    times = Counter(node.name for node in nodes)
    return [node if times[node.name] == 1 else replace(node, name=f"{node.name} ({node.id[:8]})") for node in nodes]


def _version(node: NodeReport, library: str) -> str:
    return node["versions"].get(library, "(none)")


def _advice(error: Exception) -> str:
    text = str(error)
    if "No module named 'editeval" in text:
        return f"editeval is not installed there; install the wheel of {metadata.version('editeval')} on that node"
    return last_line(error)


def last_line(error: Exception) -> str:
    """Where Ray's errors say what happened: they begin with a traceback, or with a list of names."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def _how_to_start() -> str:
    return f"start one with `{START}`, and on every other machine `{JOIN}`"


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it connects: what this process does on signals stays as it was."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
