"""The keys `execution.*` of a stage: each one checked, and against the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from editeval.config import legacy
from editeval.config.record import Resolution
from editeval.config.schema import Execution, Stage
from editeval.config.values import EXECUTION, JUDGE_EXECUTION, is_address, parse, parse_devices, to_json
from editeval.config.yaml_tree import Node, child, merge, placed, problem, quoted
from editeval.errors import ConfigError


def resolve_execution(section: str, node: Node, record: Resolution) -> Execution:
    """What the section says of how its requests meet their devices; what is wrong becomes a problem of the record."""
    judging = legacy.role(section) == "reward_model"
    defaults = Execution(policy="dynamic", batch_size=4) if judging else Execution()
    hints = JUDGE_EXECUTION if judging else EXECUTION
    record.close(f"{section}.execution", node, ("device_ids", *hints))
    given: dict[str, Node] = {}
    values = {}
    for name, below in node.value.items():
        if name in hints:
            with record.problems.collect():
                values[name] = parse(hints[name], below)
                given[name] = below
    ids = child(node, "device_ids")
    devices = record.attempt(None, parse_devices, ids) if ids is not None else None
    execution = dataclasses.replace(defaults, device_ids=devices, **values)
    execution = record.attempt(execution, _with_drift, section, execution, given, record)
    execution = record.attempt(execution, _with_retry, section, execution, given, record)
    execution = record.attempt(execution, _with_address, section, execution, given, record)
    with record.problems.collect():
        _check_interpreter(execution, given)
    if not judging and execution.batch_size != 1:
        what = f"an editor takes one request at a time, got {execution.batch_size}"
        record.problems.add(problem(given["batch_size"], what))
    groups = execution.devices_per_worker
    if devices is not None and len(devices) % groups:
        what = f"{len(devices)} devices cannot be shared out in groups of {groups}"
        record.problems.add(problem(given["devices_per_worker"], what))
    for key, value in to_json(execution).items():
        if key in ("device_ids", *hints):
            record.keep(f"{section}.execution.{key}", value, child(node, key))
    return execution


def _check_interpreter(execution: Execution, given: dict[str, Node]) -> None:
    """Raises ConfigError if the interpreter is named in two ways, or could not be used."""
    if execution.python is not None and not execution.python.strip():
        raise problem(given["python"], "must be the path of a Python interpreter, got nothing")
    own = given.get("python" if execution.python is not None else "requirements")
    if own is not None and own.value and execution.backend == "inprocess":
        raise problem(own, "backend inprocess has no worker processes to run in another interpreter; remove one")
    if not execution.requirements:
        return
    if execution.backend == "ray":
        what = "backend ray runs workers on nodes that have their own environments; name their interpreter in python"
        raise problem(given["requirements"], what)
    if execution.python is not None:
        raise problem(given["requirements"], f"{given['python'].key} names an interpreter as well; keep one")
    for i, requirement in enumerate(execution.requirements):
        if not requirement.strip() or requirement.startswith("-") or "\n" in requirement:
            raise problem(given["requirements"], f"must be a package, got {quoted(requirement)}", (i,))


def _with_drift(section: str, execution: Execution, given: dict[str, Node], record: Resolution) -> Execution:
    """The execution with a max_drift if and only if its policy is bounded_drift (1 if it is not said)."""
    drift, policy = given.get("max_drift"), given.get("policy")
    if execution.policy == "bounded_drift":
        return execution if execution.max_drift is not None else dataclasses.replace(execution, max_drift=1)
    if drift is None or execution.max_drift is None:
        return execution
    if policy is None or drift.rank >= policy.rank:
        raise problem(drift, f"only {section}.execution.policy bounded_drift has one, got policy {execution.policy}")
    record.warnings.append(f"{drift.where}: {drift.key}: has no effect: {policy.where} sets policy {execution.policy}")
    return dataclasses.replace(execution, max_drift=None)


def _with_retry(section: str, execution: Execution, given: dict[str, Node], record: Resolution) -> Execution:
    """The execution with retry at_end only if its policy is batch_sync: the others have no batch to keep open."""
    retry, policy = given.get("retry"), given.get("policy")
    if retry is None or execution.retry == "in_batch" or execution.policy == "batch_sync":
        return execution
    if policy is None or retry.rank >= policy.rank:
        what = f"only {section}.execution.policy batch_sync has batches to put retries behind"
        raise problem(retry, f"{what}, got policy {execution.policy}")
    record.warnings.append(f"{retry.where}: {retry.key}: has no effect: {policy.where} sets policy {execution.policy}")
    return dataclasses.replace(execution, retry="in_batch")


def _with_address(section: str, execution: Execution, given: dict[str, Node], record: Resolution) -> Execution:
    """The execution with a ray_address only if its backend is ray."""
    address, backend = given.get("ray_address"), given.get("backend")
    if address is None or execution.ray_address is None:
        return execution
    if not is_address(execution.ray_address):
        raise problem(address, f"must be host:port of the head of a Ray cluster, got {quoted(execution.ray_address)}")
    if execution.backend == "ray":
        return execution
    if backend is None or address.rank >= backend.rank:
        raise problem(address, f"only {section}.execution.backend ray has one, got backend {execution.backend}")
    record.warnings.append(f"{address.where}: {address.key}: has no effect: {backend.where} sets {execution.backend}")
    return dataclasses.replace(execution, ray_address=None)


def check_one_cluster(path: Path, stages: Sequence[Stage]) -> None:
    """Raises ConfigError if the stages are on two clusters: a process is part of one."""
    remote = [stage for stage in stages if stage.execution.backend == "ray"]
    for stage in remote:
        if stage.execution.ray_address != remote[0].execution.ray_address:
            raise ConfigError(
                f"{path}: {stage.section}.execution.ray_address: one run uses one Ray cluster, and "
                f"{remote[0].section} names another; say the same in both"
            )


def without_batches(execution: Node, batched: Node, record: Resolution) -> Node:
    """Batching is off: one request per call, whatever batch_size says, as in v2."""
    size = child(execution, "batch_size")
    if size is not None and size.value != 1:
        record.warnings.append(f"{size.where}: {size.key or 'batch_size'}: has no effect: {batched.key} is false")
    return merge(execution, placed(execution, dataclasses.replace(batched, value=1), "batch_size"))
