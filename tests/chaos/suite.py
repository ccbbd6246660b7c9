"""All families at the size of a suite, each in a process of its own, and the table of what they showed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaos import durability, layer, planted
from chaos.families import FAMILIES
from chaos.family import Figures, Options

PATIENCE_S = 4 * 3600.0  # `full`, on a busy machine
SUITES = ("short", "full")


def main(name: str, seed: int) -> int:
    """Print the table; 1 if a promise was broken, a figure was missed or a planted bug was not caught."""
    why = layer.missing()
    if why:
        print(f"chaos: skipped: {why}")
        return 0
    began = time.monotonic()
    print(f"chaos {name}, seed {seed}: {machine()}", flush=True)
    is_good = True
    with layer.built() as library, planted.copy_of_source() as source:
        for family in FAMILIES:
            goal = FAMILIES[family].goal(name)
            figures = figures_of(family, Options(goal.num, seed), environment(library, source))
            print(told(family, figures, goal.at_least), flush=True)
            is_good &= not figures.violations and figures.distinct >= goal.at_least
        is_good &= planted.report(library, seed)
        is_good &= durability.report()
        is_good &= replies()
    print(f"chaos {name}: {'everything held' if is_good else 'FAILED'}, {time.monotonic() - began:.0f} s", flush=True)
    return int(not is_good)


def replies() -> bool:
    """Print what the test of generated judge replies counted; True if none was read as what it does not say."""
    test = planted.HERE.parent / "judges" / "test_reply_generated.py"
    path = os.pathsep.join([str(planted.SOURCE), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "slow", str(test)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    counted = next((line for line in done.stdout.splitlines() if "generated replies" in line), done.stdout[-600:])
    print(f"malformed judge replies  {'none wrong' if not done.returncode else 'FAILED'}: {counted}", flush=True)
    return not done.returncode


def environment(library: Path, source: Path) -> dict[str, str]:
    """That of a program under the layer that runs the editeval at `source`."""
    path = os.pathsep.join([str(source), str(planted.HERE.parent)])
    return {**layer.environment(library), "PYTHONPATH": path}


def figures_of(family: str, options: Options, environment: Mapping[str, str]) -> Figures:
    """What the family shows in a process with that environment."""
    command = [sys.executable, "-m", "chaos", family, "--json", "--num", str(options.num), "--seed", str(options.seed)]
    command += ["--first"] if options.is_first_enough else []
    per_core = 1 if options.is_first_enough else FAMILIES[family].per_core  # what the first one ends was done in vain
    command += ["--parallel", str(per_core * len(os.sched_getaffinity(0)))]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=PATIENCE_S)
    try:
        return Figures(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        return Figures(violations=[f"{family}: ended with {done.returncode}: {done.stderr.strip()[-600:]}"])


def subprocess_code(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Exit code of `command`."""
    return subprocess.run(command, env=dict(environment), check=False).returncode


def told(family: str, figures: Figures, at_least: int = 0) -> str:
    """The lines of the table about one family."""
    goal = f" (goal {at_least:,})" if at_least else ""
    details = ", ".join(f"{name} {count}" for name, count in figures.details.items())
    lines = [
        f"{FAMILIES[family].title:24} {figures.distinct:>7,} distinct{goal:15} {len(figures.violations):>4} violations "
        f"{figures.seconds:>5.0f} s ({figures.cpu_s:.0f} s CPU)   {details}"
    ]
    return "\n".join([*lines, *(f"    VIOLATION {text}" for text in figures.violations[:12])])


def machine() -> str:
    """What the figures were measured on."""
    cpus = len(os.sched_getaffinity(0))
    lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    return f"{cpus} cores, {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
