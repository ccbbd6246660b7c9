"""`editeval doctor`: what this machine has, and which known-bad combinations are on it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from editeval.machine import gpus, host, hub, interpreters, known_issues, versions
from editeval.machine.gpus import Gpu

BROKEN = 2
LITTLE_GIB = 5.0  # of free disk: a thousand edits of a megapixel take about two
_MARKS = {"broken": "BROKEN", "corrected": "ok", "advice": "advice"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that doctor says."""

    versions: Mapping[str, str]
    gpus: list[Gpu]
    why_no_gpu: str
    memory_gib: tuple[float, float] | None  # total, available
    cache: Path
    checkpoints: list[hub.CheckpointFolder]
    disks: list[host.Disk]
    environments: list[interpreters.Environment]  # made for execution.requirements
    problems: list[known_issues.KnownIssue]

    @property
    def exit_code(self) -> int:
        """2 if something is broken, else 0."""
        return BROKEN if any(problem.severity == "broken" for problem in self.problems) else 0


def doctor(options: argparse.Namespace) -> int:
    """Print the diagnosis. Loads nothing and asks nothing over the network. Returns the exit code."""
    found = diagnose(Path(options.output_dir), os.environ)
    if options.json:
        sys.stdout.write(json.dumps(_as_json(found), indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found)) + "\n")
    return found.exit_code


def diagnose(output_dir: Path, environ: Mapping[str, str]) -> Diagnosis:
    """What there is on this machine now."""
    found = versions.installed()
    found_gpus, why_no_gpu = gpus.gpus(environ)
    facts = {**found, **versions.build_of(found.get("torch", "")), **gpus.facts(found_gpus)}
    cache = hub.cache_folder(environ)
    disks = [disk for path in (output_dir, cache) if (disk := host.disk(path)) is not None]
    return Diagnosis(
        versions=found,
        gpus=found_gpus,
        why_no_gpu=why_no_gpu,
        memory_gib=host.memory_gib(),
        cache=cache,
        checkpoints=hub.checkpoints(cache),
        disks=disks,
        environments=interpreters.known(interpreters.folder(environ)),
        problems=known_issues.problems(facts),
    )


def _as_json(found: Diagnosis) -> dict[str, Any]:
    return {
        "schema": 1,
        "system": platform.platform(),
        "versions": dict(found.versions),
        "gpus": [asdict(gpu) for gpu in found.gpus],
        "why_no_gpu": found.why_no_gpu,
        "memory_gib": found.memory_gib,
        "cache": str(found.cache),
        "checkpoints": [asdict(checkpoint) for checkpoint in found.checkpoints],
        "disks": [asdict(disk) | {"path": str(disk.path)} for disk in found.disks],
        "environments": [
            {
                "path": str(e.path),
                "requirements": list(e.requirements),
                "built_at": e.built_at,
                "complete": e.is_complete,
            }
            for e in found.environments
        ],
        "problems": [asdict(problem) for problem in found.problems],
    }


def _lines(found: Diagnosis) -> list[str]:
    lines = [f"system       {platform.platform()}, {os.cpu_count()} CPUs{_memory(found.memory_gib)}"]
    lines += [f"gpu {gpu.index:8} {_gpu(gpu)}" for gpu in found.gpus] or [f"gpu          none: {found.why_no_gpu}"]
    own = {name: version for name, version in found.versions.items() if name in ("editeval", "python", "sqlite")}
    lines.append("versions     " + ", ".join(f"{name} {version}" for name, version in own.items()))
    libraries = [f"{name} {version}" for name, version in found.versions.items() if name not in own]
    for start in range(0, len(libraries), 5):
        lines.append("             " + ", ".join(libraries[start : start + 5]))
    for disk in found.disks:
        little = "; LITTLE SPACE" if disk.free_gib < LITTLE_GIB else ""
        lines.append(f"disk         {disk.free_gib:g} of {disk.total_gib:g} GiB free for {disk.path}{little}")
    lines.append(f"checkpoints  {len(found.checkpoints) or 'none'} in {found.cache}")
    lines += [f"             {_checkpoint(checkpoint)}" for checkpoint in found.checkpoints]
    if found.environments:
        lines.append(f"environments {len(found.environments)} in {found.environments[0].path.parent}")
        lines += [f"             {_environment(environment)}" for environment in found.environments]
    counts = {severity: sum(p.severity == severity for p in found.problems) for severity in known_issues.SEVERITIES}
    lines.append("combinations " + ", ".join(f"{count} {severity}" for severity, count in counts.items()))
    for problem in found.problems:
        lines.append(f"  [{_MARKS[problem.severity]}] {problem.name}: {problem.found}")
        lines.append(f"      {problem.what}")
        lines.append(f"      -> {problem.remedy}")
    return lines


def _environment(environment: interpreters.Environment) -> str:
    what = (
        ", ".join(environment.requirements) if environment.is_complete else "HALF-BUILT: made again when it is needed"
    )
    return f"{environment.path.name}  {what}"


def _memory(memory_gib: tuple[float, float] | None) -> str:
    return f", {memory_gib[0]:g} GiB memory ({memory_gib[1]:g} available)" if memory_gib else ""


def _gpu(gpu: Gpu) -> str:
    memory = f"{gpu.memory_gib:g} GiB" if gpu.memory_gib is not None else "memory unknown"
    used = f", {gpu.used_gib:g} GiB in use" if gpu.used_gib is not None else ""
    return f"{gpu.name}, {memory}{used}, driver {gpu.driver}{', MIG mode' if gpu.is_split else ''}"


def _checkpoint(checkpoint: hub.CheckpointFolder) -> str:
    revisions = f", {checkpoint.num_revisions} revisions" if checkpoint.num_revisions > 1 else ""
    return (
        f"{checkpoint.name}  {checkpoint.size_gib:g} GiB{revisions}{'' if checkpoint.is_complete else ', INCOMPLETE'}"
    )
