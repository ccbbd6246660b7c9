"""A Ray cluster of some nodes on this machine, with GPUs that are only counted, and runs of editeval on it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEMORY = 80 * 2**20  # of a node's object store; Ray takes no less
QUICK = {  # a node that is silent for two seconds is dead
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 500,
    "health_check_failure_threshold": 3,
}
NUM_PER_CATEGORY = 6
NUM_SAMPLES = 5 * NUM_PER_CATEGORY
GPUS = ["0", "1", "2", "3"]


class Machines:
    """Nodes by name; the head has no GPU and is not among them."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.nodes: dict[str, Any] = {}
        self._count = 0

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, num_gpus: int = 2, **environment: str) -> str:
        """A new node, and its name, as soon as the head knows it."""
        name = f"n{self._count}"
        self._count += 1
        self.nodes[name] = self.cluster.add_node(
            num_cpus=1,
            num_gpus=num_gpus,
            object_store_memory=MEMORY,
            node_name=name,
            env_vars=environment or None,
        )
        return name

    def kill(self, name: str, is_sudden: bool = True) -> None:
        """As if somebody had pulled its plug; not sudden: Ray's own processes go, and workers live a little longer."""
        node = self.nodes.pop(name)
        processes = descendants(node.all_processes["raylet"][0].process.pid)
        self.cluster.remove_node(node, allow_graceful=False)
        for pid, command in processes.items():
            if is_sudden or "Agent" in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def kill_head(self) -> None:
        """The process that knows all nodes is gone, and with it the head's own node; the other nodes go on."""
        processes = descendants(self.cluster.head_node.all_processes["raylet"][0].process.pid)
        self.cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def machines(num_nodes: int = 2) -> Iterator[Machines]:
    """A head and so many nodes of two GPUs each. Their workers find the fakes."""
    from ray.cluster_utils import Cluster

    head = {
        "num_cpus": 1,
        "num_gpus": 0,
        "object_store_memory": MEMORY,
        "include_dashboard": False,
        "_system_config": QUICK,
    }
    os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        found = Machines(cluster)
        for _ in range(num_nodes):
            found.add()
        yield found
    finally:
        cluster.shutdown()


def write_config(folder: Path, address: str | None, judge: dict[str, Any] | None = None, **editor: Any) -> Path:
    """`small.yaml` in `folder`: drawn scenes and the fake editor, on the cluster at `address` (None: in processes)."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / "notes"
    notes.mkdir(exist_ok=True)
    devices: list[Any] = ["cpu", "cpu"] if address is None else [0, 1, 2, 3]
    where = {"max_attempts": 20} | ({} if address is None else {"backend": "ray", "ray_address": address})
    judging = judge or {"type": "reference"}
    tree = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": NUM_PER_CATEGORY, "size": 64}},
        "diffusion_model": {
            "type": "fakes.fake_editor",
            "params": {"device_ids": devices, "notes": str(notes)} | editor,
            "execution": where,
        },
        "reward_model": judging | {"execution": {**where, "device_ids": devices[:2]}},
        "evaluation": {"output_dir": str(folder / "outputs")},
    }
    path = folder / "small.yaml"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def finished(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`editeval WORDS` as a user types it, with --allow-code."""
    command = [sys.executable, "-m", "editeval", *words, "--allow-code"]
    environ = {**os.environ, **environment}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def bytes_of(folder: Path) -> dict[str, str]:
    """Hashes of everything of the latest run that must not depend on where it was made, or on what broke on the way."""
    run = folder / "outputs" / "latest"
    paths = [run / "samples.jsonl", run / "scores.csv", *sorted((run / "edits").glob("*.png"))]
    assert len(paths) == NUM_SAMPLES + 2
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


class LiveRun:
    """`editeval run` in a process of its own, and what it says while it works."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "editeval", "run", str(config), "--allow-code", "--display", "plain"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_working(self) -> bool:
        """A stage has begun, and neither ended nor has the next one begun to load."""
        begun = [i for i, line in enumerate(self.lines) if "Starting batch edit" in line or "] Scoring " in line]
        ended = [i for i, line in enumerate(self.lines) if "100%|" in line]
        return bool(begun) and (not ended or ended[-1] < begun[-1])

    def places(self, since: int = 0) -> list[str]:
        """Nodes on which a worker has become ready, from this line on."""
        found = [re.search(r"Worker \d+ on (\w+):cuda:\d+ ready", line) for line in self.lines[since:]]
        return [match[1] for match in found if match]

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Some line has `text` in it."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert self.process.poll() is None and time.monotonic() < deadline, f"{text!r} is not in\n{self.text}"
            time.sleep(0.05)

    def ended(self, seconds: float = 90.0) -> int:
        """The exit code, when it has ended."""
        try:
            code = self.process.wait(seconds)
        finally:
            self.process.kill()
        self._reader.join(60)
        return code


def descendants(pid: int) -> dict[int, str]:
    """Command lines of the processes that a process has started, and those have, by process id."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
    found: dict[int, str] = {}
    wanted = {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted}
        found |= {child: commands[child] for child in wanted}
    return found


def workers_on_this_machine() -> set[int]:
    """Process ids of the workers that run in this environment's interpreter."""
    own = f"{sys.executable}\0-P\0-m\0editeval.execution.supervisor".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and (entry / "cmdline").read_bytes().startswith(own):
                found.add(int(entry.name))
    return found


def wait_until_gone(pids: set[int]) -> None:
    """None of these processes is left."""
    deadline = time.monotonic() + 60
    while left := pids & workers_on_this_machine():
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.1)
