"""Workers that start processes of their own, in every way there is: when the run is over, so are all of them.

The end may be that of the run, a death of the worker or of its supervisor, a time limit, an interrupt (the second one
must stop at once) or a kill of the parent.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.family import Family, Figures, Goal, Options, conduct
from chaos.forks import Finding, scratch
from chaos.layer import Layer
from chaos.parent_editor import KINDS, alive, members
from chaos.workload import warm_up
from editeval.cli.console import interruptible
from editeval.config.load import load_mapping
from editeval.run.pipeline import evaluate
from editeval.store.run_store import RunStore

STOPS_S = 2.0
"""How long "once more stops at once" may take, and a family that has lost everybody above it."""
PATIENCE_S = 60.0
ENDS = ("end", "die", "exit", "timeout", "interrupt", "parent", "supervisor")
THEN = {"timeout": "hang", "interrupt": "hang", "parent": "hang", "supervisor": "hang"}
IMPOSSIBLE = {("program", "supervisor"), ("chain", "supervisor")}
"""Nobody who knew of it is left; nothing in its environment says whose it was, or it is gone before one has looked."""
STOPPED = 128 + signal.SIGINT


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of family, and what ends its worker."""

    kind: str
    end: str

    def __str__(self) -> str:
        return f"family {self.kind}, {self.end}"


def plan(seed: int) -> list[Case]:
    """Every kind with every end, in an order of chance; the namespace only where one can be made."""
    kinds = [kind for kind in KINDS if kind != "namespace" or can_unshare()]
    cases = [Case(kind, end) for end, kind in itertools.product(ENDS, kinds) if (kind, end) not in IMPOSSIBLE]
    random.Random(seed).shuffle(cases)
    return cases


def can_unshare() -> bool:
    """Whether this user may make a namespace of process ids."""
    try:
        return subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def trial(case: Case, folder: Path) -> Finding:
    """One run, what ends it, and a look at what is left."""
    parent = os.fork()
    if parent == 0:
        _be_parent(case, folder)
    violations = []
    code = _ended(parent, case, folder)
    if code is None:
        violations.append(f"hangs: not over after {PATIENCE_S:.0f} s")
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
    elif case.end == "interrupt" and code != STOPPED:
        violations.append(f"exit code {code} instead of {STOPPED}")
    if (folder / "error").exists():
        violations.append((folder / "error").read_text())
    family = folder / "family"
    violations += _left(family, STOPS_S if case.end == "parent" else 0.0)
    violations += _wrongly_told(case, folder)
    if not members(family):
        violations.append("nobody noted himself: nothing was shown")
    return Finding(str(case), violations, {"processes started": len(members(family))})


def _be_parent(case: Case, folder: Path) -> None:
    """An invocation as the command line makes it; never returns."""
    code = 1
    try:
        with interruptible() as interrupt:
            code = evaluate(_config(case, folder), ["editeval", "run"], interrupt).exit_code
    except KeyboardInterrupt:
        code = STOPPED
    except BaseException as error:  # noqa: BLE001  told by `trial`
        (folder / "error").write_text(f"{type(error).__name__}: {error}")
    finally:
        os._exit(code)


def _config(case: Case, folder: Path) -> Any:
    script = {"folder": str(folder), "kind": case.kind, "then": THEN.get(case.end, case.end)}
    limits = {"timeout_s": 0.3} if case.end == "timeout" else {}
    tree = {
        "benchmark": {"type": "chaos.tiny_benchmark", "params": {"num_samples": 1}},
        "diffusion_model": {
            "type": "chaos.parent_editor",
            "params": {"device_ids": ["cpu"], **script},
            "execution": {"backend": "process", "max_attempts": 1, **limits},
        },
        "evaluation": {"output_dir": str(folder / "out")},
        "logging": {"console_output": False},
    }
    return load_mapping(tree, "chaos", environ={}, allow_code=True)


def _ended(parent: int, case: Case, folder: Path) -> int | None:
    """Exit code of the parent, to whose worker it happens that ends it; None if it hangs. -9: it was killed."""
    if case.end in ("interrupt", "parent", "supervisor"):
        deadline = time.monotonic() + PATIENCE_S
        while not members(folder / "family") and not (folder / "error").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    if case.end == "parent":
        os.kill(parent, signal.SIGKILL)
    elif case.end == "supervisor":
        for pid in _supervisors(parent):
            os.kill(pid, signal.SIGKILL)
    elif case.end == "interrupt":
        os.kill(parent, signal.SIGINT)
        time.sleep(0.1)
        os.kill(parent, signal.SIGINT)
        return _code(parent, STOPS_S)
    return _code(parent, PATIENCE_S)


def _code(pid: int, patience_s: float) -> int | None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def _supervisors(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    found = [int(pid) for children in tasks for pid in children.read_text().split()]
    return [pid for pid in found if b"execution.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _left(family: Path, patience_s: float) -> Iterator[str]:
    """Members that are alive when they may not be."""
    deadline = time.monotonic() + patience_s
    while (left := alive(family)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in left:
        yield f"process {pid} outlived the run"
        os.kill(pid, signal.SIGKILL)


def _wrongly_told(case: Case, folder: Path) -> Iterator[str]:
    """One death of a worker is one death on record, and one failed attempt."""
    wanted = {
        "die": "its worker died (signal SIGKILL)",
        "supervisor": "its worker died (signal SIGKILL)",
        "exit": "its worker died (exit code 3)",
        "timeout": "no result after 0.3 s; its worker was killed",
    }.get(case.end)
    if wanted is None:
        return
    (run,) = (path for path in (folder / "out").glob("chaos-*") if path.is_dir())
    with RunStore.read(run) as store:
        told = [attempt.error and attempt.error.message for attempt in store.attempts("edit")]
    if told != [wanted]:
        yield f"one death, told as {told}"


def process_families(layer: Layer, options: Options) -> Figures:
    """Workers that start processes of their own, x ends of a run."""
    root = scratch()
    warm_up(root)
    try:
        figures = conduct(plan(options.seed), trial, options)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for name, word in (("survivors", "outlived"), ("hangs", "hangs")):
        figures.details[name] = sum(word in text for text in figures.violations)
    return figures


FAMILY = Family("process families", process_families, Goal(82, 60), Goal(82, 60), num_to_catch=82)
