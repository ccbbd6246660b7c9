"""What runs on a node of a Ray cluster: the host of one worker process, and the look at what the node has.

A host is a plain class that the driver makes an actor of. What crosses the cluster are dicts of JSON values, and bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from editeval import plugins
from editeval.errors import EditevalError, MachineError, UserError
from editeval.execution.backends import Handle, process_launcher
from editeval.execution.devices import worker_environment
from editeval.execution.transport import Frame, FrameError
from editeval.machine import hub
from editeval.machine.interpreters import PROBE_TIMEOUT_S, inspect, resolved
from editeval.text import one_line
from editeval.types import HubModel

MAX_BYTES = 64 << 20
"""Of blobs that one call carries; a frame that is larger travels alone."""
MAX_LOG = 1 << 20  # bytes of the worker's log that one call carries
_SET_BY_RAY = ("OMP_NUM_THREADS", "PYTHONBREAKPOINT")
"""In its processes after they have begun, unless they are set: one thread would be slow, and rounds otherwise."""


class Place(TypedDict):
    """Where a worker is: the name of its node, and its devices that Ray has dealt to its host."""

    node: str
    devices: list[str]


class Collected(TypedDict):
    """What a worker has said since the last call, and written to its log; `end`: how it ended, or empty."""

    frames: list[Frame]
    log: bytes
    end: str


class NodeReport(TypedDict):
    """The editeval of a node, and the interpreter of its workers; `problem`: why that cannot serve, or empty."""

    digest: str
    python: str
    versions: dict[str, str]
    problem: str


class RayWorkerActor:
    """Starts one worker process on this node and passes its frames. When the host's process ends, so does the worker.

    `deliver` and `collect` may be called at the same time; neither of them twice at once.
    """

    def __init__(self, worker: int, devices: Sequence[str], python: str | None, digest: str) -> None:
        """Raises MachineError if this node has another editeval than the one with `digest`."""
        if digest != source_digest():
            raise MachineError("this node has another editeval than the machine that drives it; install the same one")
        self._said: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()  # None: it has ended
        self._end = ""
        folder = Path(tempfile.mkdtemp(prefix="editeval-"))
        try:
            path = folder / "worker.log"
            # kept: it holds the thread that started the worker, and the worker lives no longer than that thread
            self._launch = process_launcher(lambda _: path, resolved(python) if python else None, node_environment())
            self._handle: Handle = self._launch(worker, devices, self)
            self._log = path.open("rb")
        finally:
            shutil.rmtree(folder)  # both have it open: it goes when they do, however they end

    def on_frame(self, frame: Frame) -> None:
        """What the worker says; called by its handle."""
        self._said.put(frame)

    def on_gone(self, how: str) -> None:
        """The worker has ended; called by its handle."""
        self._end = how
        self._said.put(None)

    def on_broken(self, error: EditevalError) -> None:
        """Never called: a worker that is a process does not need the cluster."""
        self.on_gone(str(error))

    def where(self) -> Place:
        """This node, and the devices of this host."""
        import ray

        node_id = ray.get_runtime_context().get_node_id()
        name = next(node_name(found) for found in ray.nodes() if found["NodeID"] == node_id)
        return {"node": name, "devices": [f"cuda:{number}" for number in ray.get_gpu_ids()] or ["cpu"]}

    def end(self) -> None:
        """The worker is killed; for a driver that can no longer have Ray kill this host."""
        self._handle.kill()

    def deliver(self, frames: Sequence[Frame]) -> None:
        """Hand frames to the worker, in order. Waits while it does not read; `collect` shows if it has ended."""
        with contextlib.suppress(FrameError):
            for header, blobs in frames:
                self._handle.send(header, blobs)

    def collect(self, wait_s: float) -> Collected:
        """What came since, waiting for the first frame. After `end` was returned it must not be called again."""
        frames: list[Frame] = []
        end, size = "", 0
        with contextlib.suppress(queue.Empty):
            said = self._said.get(timeout=wait_s)
            while said is not None:
                frames.append(said)
                size += sum(len(blob) for blob in said[1])
                if size >= MAX_BYTES:
                    break
                said = self._said.get_nowait()
            else:
                end = self._end
        log = self._log.read(-1 if end else MAX_LOG)
        if end:
            self._log.close()
        return {"frames": frames, "log": log, "end": end}


def node_name(found: Mapping[str, object]) -> str:
    """What a node, as ray.nodes() describes it, is called: the name it was started with, or its host's."""
    named = found["NodeName"] != found["NodeManagerAddress"]
    return str(found["NodeName"] if named else found["NodeManagerHostname"])


@cache
def source_digest() -> str:
    """Of every module of the editeval that is imported here: equal digests are equal sources."""
    root = Path(__file__).parent.parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}:{len(data)}:".encode() + data)
    return digest.hexdigest()


def node_environment() -> dict[str, str]:
    """The environment of this process without what Ray sets for its own ones: a worker computes as it does elsewhere.

    CUDA_VISIBLE_DEVICES stays: it names the GPUs that Ray has dealt.
    """
    result = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    given = _given_names()
    return {name: value for name, value in result.items() if name in given or name not in _SET_BY_RAY}


def _given_names() -> frozenset[str]:
    """Variables that this process began with."""
    try:
        pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:  # not Linux: who set them is unknown
        return frozenset(os.environ)
    return frozenset(os.fsdecode(pair.partition(b"=")[0]) for pair in pairs)


def inspect_node(where: str, python: str | None, libraries: Sequence[str]) -> NodeReport:
    """What this node has."""
    try:
        found = inspect(where, python or sys.executable, libraries)
    except MachineError as error:
        return {"digest": source_digest(), "python": "", "versions": {}, "problem": str(error)}
    return {"digest": source_digest(), "python": found.path, "versions": found.versions, "problem": ""}


def check_hub_model(python: str, model: Mapping[str, Any]) -> str:
    """What keeps `model` (the fields of a HubModel) from being loaded here by `python`, in a line; empty if nothing."""
    wanted = HubModel(**model)
    try:
        done = subprocess.run(
            hub.command(python, wanted),
            env=worker_environment((), os.environ),
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
        )
        return str(json.loads(done.stdout)["problem"])
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        why = said[-1] if said else type(error).__name__
        return f"{python} cannot look {wanted.name} up: {one_line(why)}; fix that interpreter, or give a folder"


def check(kind: str, name: str, params: Mapping[str, object], allow_code: bool) -> str:
    """What this node lacks of the plug-in `name` with these parameters, in a line; empty if nothing."""
    try:
        cls = plugins.load(kind, name, allow_code)
        cls.check(plugins.params_of(cls, params))
    except UserError as error:
        return str(error)
    return ""
