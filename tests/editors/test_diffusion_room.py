"""Room for the weights: what the host, a container and the driver of a GPU tell, each in files and tools made here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from editeval.editors.diffusion import room
from editeval.errors import MachineError

GIB = 2**30
MEMINFO = "MemTotal:       24690000 kB\nMemFree:         1000000 kB\nMemAvailable:   20971520 kB\n"


@pytest.mark.parametrize(("limit", "expected_gib"), [("max\n", 20), ("8589934592\n", 8), ("99999999999999\n", 20)])
def test_a_container_gets_no_more_than_its_limit(limit: str, expected_gib: int, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "max").write_text(limit)
    assert room.host_bytes(tmp_path / "meminfo", tmp_path / "max") == expected_gib * GIB


def test_a_system_that_does_not_tell_is_no_reason_to_refuse(tmp_path: Path) -> None:
    assert room.host_bytes(tmp_path / "none", tmp_path / "none") is None
    assert room.most_free_bytes("cuda:0", {"PATH": str(tmp_path)}) is None


def driver(folder: Path, lines: str) -> dict[str, str]:
    """An environment whose nvidia-smi says `lines`."""
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n/bin/cat <<END\n{lines}\nEND\n")
    (folder / "nvidia-smi").chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("device", "environ", "mib"),
    [
        ("cuda:0", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, 100),
        ("cuda:1", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, 300),
        ("cuda:0", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "2"}, 200),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "GPU-c"}, 200),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "0"}, 300),  # whichever it is, it has no more than that
        ("cuda:0", {}, 300),
    ],
)
def test_free_memory_is_that_gpus_where_it_is_known_which_one_it_is(
    device: str, environ: dict[str, str], mib: int, tmp_path: Path
) -> None:
    told = driver(tmp_path, "0, GPU-a, 100\n1, GPU-b, 300\n2, GPU-c, 200")
    assert room.most_free_bytes(device, told | environ) == mib * 2**20


@pytest.mark.parametrize("lines", ["0, GPU-a, [N/A]", "garbage", ""])
def test_a_driver_that_keeps_it_to_itself_is_no_reason_to_refuse(lines: str, tmp_path: Path) -> None:
    assert room.most_free_bytes("cuda:0", driver(tmp_path, lines)) is None


def test_what_cannot_fit_is_one_line_with_both_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", driver(tmp_path, "0, GPU-a, 20480")["PATH"] + os.pathsep + os.environ["PATH"])
    room.check(20 * GIB, "cuda:0", is_offloaded=False)
    with pytest.raises(
        MachineError, match=r"^diffusion_model\.params\.model_name: the weights take 53\.7 GiB, cuda:0 "
    ):
        room.check(int(53.7 * GIB), "cuda:0", is_offloaded=False)
    with pytest.raises(MachineError, match=r"this machine's memory has .* GiB free; stop other programs"):
        room.check(2**60, "cuda:0", is_offloaded=True)
