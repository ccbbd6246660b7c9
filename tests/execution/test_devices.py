"""Devices on machines that we do not have: a driver that is a shell script, and CUDA_VISIBLE_DEVICES in every form."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from editeval.errors import ConfigError, MachineError
from editeval.execution.devices import device_problem, group_devices, resolve_devices, worker_environment
from editeval.machine.gpus import forget
from fakes.nvidia_smi import write_driver

Driver = Callable[..., None]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """driver(n): nvidia-smi lists n GPUs; driver(n, visible): and CUDA_VISIBLE_DEVICES is set."""

    def install(count: int, visible: str | None = None) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        write_driver(folder, count)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        forget()

    return install


def test_without_names_an_editor_gets_every_gpu_and_a_cpu_editor_one_cpu(driver: Driver) -> None:
    driver(3)
    assert resolve_devices(None, "cuda") == ("cuda:0", "cuda:1", "cuda:2")
    assert resolve_devices(None, "cpu") == ("cpu",)
    assert resolve_devices(["cpu", "cpu"], "cuda") == ("cpu", "cpu")
    assert resolve_devices([], "cuda") == ()
    driver(8, "5,6")
    assert resolve_devices(None, "cuda") == ("cuda:0", "cuda:1")


def test_a_missing_device_is_named_in_one_line_with_what_there_is(driver: Driver) -> None:
    driver(1)
    assert device_problem("diffusion_model.params.device_ids", ["cuda:0"]) is None
    line = device_problem("diffusion_model.params.device_ids", ["cuda:0", "cuda:1", "cuda:7", "cpu"])
    assert line == (
        "diffusion_model.params.device_ids: no cuda:1, cuda:7 on this machine (it has 1 GPU); "
        "name devices it has, or device_ids: [cpu]"
    )
    driver(2, "1")
    assert "(it has 1 GPU)" in str(device_problem("x", ["cuda:1"])), "what CUDA_VISIBLE_DEVICES hides is not there"
    driver(0)
    assert "(it has 0 GPUs)" in str(device_problem("x", ["cuda:0"]))
    assert device_problem("x", []) == "x: no GPU on this machine; name devices, for instance device_ids: [cpu]"


def test_cpu_workers_need_no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert device_problem("x", ["cpu", "cpu"]) is None
    assert group_devices("x", ["cpu", "cpu"], 1) == [("cpu",), ("cpu",)]


def test_devices_are_dealt_to_workers_in_order(driver: Driver) -> None:
    driver(6)
    names = [f"cuda:{i}" for i in range(6)]
    assert group_devices("x", names, 1) == [(name,) for name in names]
    assert group_devices("x", names, 2) == [tuple(names[:2]), tuple(names[2:4]), tuple(names[4:])]
    assert group_devices("x", names, 6) == [tuple(names)]
    with pytest.raises(ConfigError, match="x: 6 devices cannot be dealt to workers of 4 each"):
        group_devices("x", names, 4)
    with pytest.raises(ConfigError, match="x: cuda:1 named twice"):
        group_devices("x", ["cuda:1", "cpu", "cpu", "cuda:1"], 1)
    with pytest.raises(MachineError, match=r"x: no cuda:6 on this machine \(it has 6 GPUs\)"):
        group_devices("x", ["cuda:6"], 1)


@pytest.mark.parametrize(
    ("devices", "visible", "expected"),
    [
        (["cuda:0"], None, "0"),
        (["cuda:2"], None, "2"),
        (["cuda:2", "cuda:3"], None, "2,3"),
        (["cuda:0"], "5,6", "5"),
        (["cuda:1", "cuda:0"], "5, 6", "6,5"),
        (["cuda:1"], "GPU-aaa,GPU-bbb", "GPU-bbb"),
        (["cpu"], "5,6", ""),
        (["cpu"], None, ""),
    ],
)
def test_a_worker_sees_its_own_gpus_only(devices: list[str], visible: str | None, expected: str) -> None:
    environ = {"HOME": "/home/somebody"} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    found = worker_environment(devices, environ)
    assert found["CUDA_VISIBLE_DEVICES"] == expected
    assert found["HOME"] == "/home/somebody" and found["PYTHONUNBUFFERED"] == "1"


def test_a_cpu_worker_computes_in_one_thread_and_a_gpu_worker_as_it_likes() -> None:
    environ = {"OMP_NUM_THREADS": "7"}
    cpu, gpu = worker_environment(["cpu"], environ), worker_environment(["cuda:0"], environ)
    assert [cpu[name] for name in THREADS] == ["1"] * 4
    assert gpu["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in gpu
    assert environ == {"OMP_NUM_THREADS": "7"}


def test_a_worker_finds_editeval_before_anything_else_on_the_path() -> None:
    first, *rest = worker_environment(["cpu"], {"PYTHONPATH": "/a:/b"})["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "editeval" / "types.py").is_file() and rest == ["/a", "/b"]
    assert worker_environment(["cpu"], {})["PYTHONPATH"] == first and first in map(str, sys.path)


def test_a_gpu_has_the_number_that_the_driver_gives_it() -> None:
    assert worker_environment(["cuda:1"], {})["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    chosen = worker_environment(["cuda:1"], {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    assert chosen["CUDA_DEVICE_ORDER"] == "FASTEST_FIRST", "unless somebody wants another order"
