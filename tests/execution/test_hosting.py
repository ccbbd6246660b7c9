"""What runs on a node of a cluster, without a cluster: the host of a worker, and what the driver thinks of nodes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from editeval.config.values import is_address
from editeval.errors import MachineError
from editeval.execution.devices import deal_devices
from editeval.execution.ray.actor import RayWorkerActor, check, inspect_node, node_environment, source_digest
from editeval.execution.ray.cluster import RayNode, answers, check_version, connect, disambiguate
from editeval.execution.worker_messages import pack_unit
from editeval.execution.worker_state import Limits, WorkerState
from editeval.images import encode_png
from editeval.types import EditRequest

SOURCE = encode_png(Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)))
Host = Callable[..., "Talk"]


class Talk:
    """A host, and everything that it has said."""

    def __init__(self, notes: Path, **params: Any) -> None:
        self.host = RayWorkerActor(2, ["cpu"], None, source_digest())
        spec = {"kind": "editors", "type": "fakes.fake_editor", "allow_code": True}
        spec["params"] = {"notes": str(notes)} | params
        self.log, self.end = b"", ""
        self.host.deliver([({"spec": spec, "devices": ["cpu"], "worker": 2}, [])])

    def hear(self, kind: str) -> tuple[dict[str, Any], list[bytes]]:
        """The first frame of this kind; or how it ended."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not self.end:
            said = self.host.collect(1.0)
            self.log += said["log"]
            self.end = said["end"]
            for header, blobs in said["frames"]:
                if header["type"] == kind:
                    return header, blobs
        return {}, []

    def edit(self, key: str) -> None:
        request = pack_unit(key, EditRequest(key, (SOURCE,), "red", seed=7))
        self.host.deliver([request, ({"type": "start", "key": key}, [])])


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made: list[Talk] = []

    def make(**params: Any) -> Talk:
        made.append(Talk(tmp_path, **params))
        return made[-1]

    yield make
    for talk in made:
        talk.host.end()
        talk.hear("never")


def test_a_host_passes_frames_both_ways_and_tells_how_its_worker_ended(host: Host) -> None:
    talk = host(kills=["b"])
    assert talk.hear("ready")[0]["pid"] != os.getpid()
    talk.edit("a")
    assert talk.hear("done")[0]["key"] == "a"
    header, (png,) = talk.hear("result")
    assert (header["key"], png[:4]) == ("a", b"\x89PNG")
    talk.edit("b")
    assert talk.hear("result") == ({}, []) and talk.end == "signal SIGKILL"
    assert b"worker 2 on cpu" in talk.log
    talk.edit("c")  # nobody is there: that is not an error of the host, and has been said


def test_a_host_ends_its_worker_when_it_is_told_to(host: Host) -> None:
    talk = host()
    talk.hear("ready")
    talk.host.end()
    talk.hear("never")
    assert talk.end == "signal SIGKILL"


def test_a_host_says_nothing_while_its_worker_does_not(host: Host) -> None:
    talk = host()
    talk.hear("ready")
    start = time.monotonic()
    assert talk.host.collect(0.2) == {"frames": [], "log": b"", "end": ""}
    assert time.monotonic() - start >= 0.2


def test_a_node_with_another_editeval_hosts_nobody() -> None:
    with pytest.raises(MachineError, match="another editeval"):
        RayWorkerActor(0, ["cpu"], None, "0" * 64)


def test_a_workers_environment_is_the_nodes_and_not_rays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray sets these in its processes after they began; the GPUs that it has deal_devices are what must stay."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    given = node_environment()
    monkeypatch.setenv("RAY_JOB_ID", "01")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    if b"OMP_NUM_THREADS=" not in Path("/proc/self/environ").read_bytes():
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert node_environment() == given | {"CUDA_VISIBLE_DEVICES": "3,5"}


def test_a_node_says_what_it_has_and_what_it_lacks(tmp_path: Path) -> None:
    found = inspect_node("here", None, ["pillow", "no-such-package"])
    assert found["problem"] == "" and set(found["versions"]) == {"python", "sqlite", "numpy", "pillow"}
    assert found["digest"] == source_digest()
    assert "here: '/nowhere' is no working Python" in inspect_node("here", "/nowhere", [])["problem"]
    assert check("editors", "identity", {}, False) == ""
    assert "nothing there" in check("editors", "qwen_image_edit", {"model_name": str(tmp_path / "no")}, False)


def test_a_ray_that_is_open_to_a_known_attack_is_refused() -> None:
    for version in ("2.51.9", "1.13.0"):
        with pytest.raises(MachineError, match="CVE-2025-62593"):
            check_version(version)
    for version in ("2.52.0", "2.60.0rc1", "3.0.0.dev0"):
        check_version(version)


def test_without_a_cluster_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not answers("127.0.0.1:1")
    assert is_address("head:6379") and not any(map(is_address, ("ray://head:10001", "local", "head:", ":1")))
    monkeypatch.setitem(__import__("sys").modules, "ray", None)  # as where it is not installed
    with pytest.raises(MachineError, match=r"pip install .ray>="):
        connect("127.0.0.1:1")


class Waiting:
    place, waiting_for = "", "1 free GPU on one node of the Ray cluster head:6379"


class Placed:
    place, waiting_for = "node7:cuda:1", ""


def test_a_lane_is_called_by_its_place_and_says_what_its_start_waited_for() -> None:
    worker = WorkerState(0, ("ray:4", "ray:5"))
    assert worker.own_devices == ["cuda:0", "cuda:1"]
    worker.handle, worker.kill_reason = Waiting(), "start_timeout"  # type: ignore[assignment]
    assert worker.where == "worker 0 on ray:4+ray:5"
    failure = worker.death("killed", Limits(start_timeout_s=9))
    assert failure.message == f"worker not ready after 9 s (it waited for {Waiting.waiting_for}); killed"
    worker.handle = Placed()  # type: ignore[assignment]
    worker.on_process_exit()
    assert worker.device == "node7:cuda:1", "who was lost is told by where it was"


def test_devices_are_dealt_in_order() -> None:
    assert deal_devices("here", ["ray:0", "ray:1", "ray:2", "ray:3"], 2) == [("ray:0", "ray:1"), ("ray:2", "ray:3")]


def test_nodes_that_are_called_alike_are_told_apart() -> None:
    """All are asked what they have, and answers are kept by name."""
    nodes = [
        RayNode("aaaaaaaaaa", "localhost", 1),
        RayNode("bbbbbbbbbb", "localhost", 2),
        RayNode("cccccccccc", "gpu7", 4),
    ]
    assert [node.name for node in disambiguate(nodes)] == ["localhost (aaaaaaaa)", "localhost (bbbbbbbb)", "gpu7"]
    assert [node.num_gpus for node in disambiguate(nodes)] == [1, 2, 4]
