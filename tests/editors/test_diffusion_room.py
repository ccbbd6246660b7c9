"""Room for the weights: what the host, a container and the driver of a GPU tell, each in files and tools made here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from editeval.editors.diffusion import loading
from editeval.errors import MachineError
from fakes.nvidia_smi import write_driver

GIB = 2**30
MEMINFO = "MemTotal:       24690000 kB\nMemFree:         1000000 kB\nMemAvailable:   20971520 kB\n"


@pytest.mark.parametrize(("limit", "expected_gib"), [("max\n", 20), ("8589934592\n", 8), ("99999999999999\n", 20)])
def test_a_container_gets_no_more_than_its_limit(limit: str, expected_gib: int, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "max").write_text(limit)
    assert loading.host_bytes(tmp_path / "meminfo", tmp_path / "max") == expected_gib * GIB


def test_a_system_that_does_not_tell_is_no_reason_to_refuse(tmp_path: Path) -> None:
    assert loading.host_bytes(tmp_path / "none", tmp_path / "none") is None


def test_what_cannot_fit_is_one_line_with_both_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_driver(tmp_path, 1, free_mib=20480)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    loading.check_room(20 * GIB, "cuda:0", is_offloaded=False)
    with pytest.raises(
        MachineError, match=r"^diffusion_model\.params\.model_name: the weights take 53\.7 GiB, cuda:0 "
    ):
        loading.check_room(int(53.7 * GIB), "cuda:0", is_offloaded=False)
    with pytest.raises(MachineError, match=r"this machine's memory has .* GiB free; stop other programs"):
        loading.check_room(2**60, "cuda:0", is_offloaded=True)
