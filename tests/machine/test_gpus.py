"""The one reader of the driver: what it makes of what nvidia-smi says, and that it asks once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from editeval.machine import gpus
from fakes.nvidia_smi import write_driver

REST = "143771, 2048, FREE, 580.95.05, Disabled"


def says(folder: Path, lines: str) -> dict[str, str]:
    """An environment whose nvidia-smi says `lines`."""
    write_driver(folder, 0, script=f"/bin/cat <<END\n{lines}\nEND")
    return {"PATH": str(folder)}


def test_gpus_are_those_the_driver_lists(tmp_path: Path) -> None:
    lines = (
        "0, GPU-a, NVIDIA H200, 143771, 2048, 141723, 580.95.05, Disabled\n"
        "1, GPU-b, Odd, [N/A], [N/A], [N/A], 580.95.05, Enabled\nnoise"
    )
    found, why = gpus.gpus(says(tmp_path, lines))
    assert why == ""
    assert found[0] == gpus.Gpu("0", "GPU-a", "NVIDIA H200", 140.4, 2.0, 141723, "580.95.05", False)
    assert found[1] == gpus.Gpu("1", "GPU-b", "Odd", None, None, None, "580.95.05", True)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'Driver/library version mismatch' >&2; exit 18", "version mismatch"),
        ("exit 0", "lists no GPU"),
        ("echo 'No devices were found'", "lists no GPU"),
    ],
)
def test_a_driver_that_fails_has_no_gpus_and_is_quoted(tmp_path: Path, script: str, why: str) -> None:
    write_driver(tmp_path, 0, script=script)
    found, said = gpus.gpus({"PATH": str(tmp_path)})
    assert found == [] and why in said
    assert gpus.num_gpus({"PATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}) == 0


def test_without_a_driver_that_is_said() -> None:
    assert gpus.gpus({"PATH": "/nowhere"}) == ([], "no nvidia-smi on the PATH")
    assert gpus.num_gpus({"PATH": "/nowhere"}) == 0 and gpus.gpus({})[0] == []


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, 8),
        ("", 0),
        ("-1", 0),
        ("3", 1),
        ("0,1,2", 3),
        (" 0, 5 ", 2),
        ("0,-1,1", 1),
        ("0,99,1", 1),
        ("GPU-0,GPU-5", 2),
        ("NoDevFiles", 1),
    ],
)
def test_visible_gpus_are_counted_as_cuda_counts_them(tmp_path: Path, visible: str | None, expected: int) -> None:
    write_driver(tmp_path, 8)
    environ = {"PATH": str(tmp_path)} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert gpus.num_gpus(environ) == expected


@pytest.mark.parametrize(
    ("device", "visible", "name"),
    [
        ("cuda:1", None, "1"),
        ("cuda:1", "", "1"),
        ("cuda:1", "4,6", "6"),
        ("cuda:1", "4,-1,6", "1"),
        ("cuda:0", " GPU-8a5f , 3", "GPU-8a5f"),
        ("cuda:5", "4,6", "5"),
    ],
)
def test_the_runs_first_gpu_is_the_first_that_cuda_shows(device: str, visible: str | None, name: str) -> None:
    assert gpus.driver_name(device, {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == name


@pytest.mark.parametrize(
    ("device", "environ", "mib"),
    [
        ("cuda:0", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, 100),
        ("cuda:1", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, 300),
        ("cuda:0", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "2"}, 200),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "GPU-c"}, 200),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "0"}, 300),  # whichever it is, it has no more than that
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "MIG-1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, 300),
        ("cuda:0", {}, 300),
    ],
)
def test_free_memory_is_that_gpus_where_it_is_known_which_one_it_is(
    device: str, environ: dict[str, str], mib: int, tmp_path: Path
) -> None:
    free = {"0, GPU-a": "100", "1, GPU-b": "300", "2, GPU-c": "200"}
    lines = "\n".join(f"{name}, NVIDIA H200, {REST.replace('FREE', mib)}" for name, mib in free.items())
    assert gpus.most_free_bytes(device, says(tmp_path, lines) | environ) == mib * 2**20


@pytest.mark.parametrize("lines", [f"0, GPU-a, NVIDIA H200, {REST.replace('FREE', '[N/A]')}", "garbage", ""])
def test_a_driver_that_keeps_it_to_itself_says_nothing_of_free_memory(lines: str, tmp_path: Path) -> None:
    assert gpus.most_free_bytes("cuda:0", says(tmp_path, lines)) is None


def test_the_driver_is_asked_once_and_what_the_parent_heard_comes_first(tmp_path: Path) -> None:
    starts = write_driver(tmp_path, 3)
    environ = {"PATH": str(tmp_path)}
    assert [gpus.num_gpus(environ) for _ in range(5)] == [3] * 5
    told = {gpus.DRIVER_LINES: gpus.driver_lines(environ)} | environ
    assert gpus.num_gpus(told) == 3 and gpus.most_free_bytes("cuda:0", told) == 143771 * 2**20
    assert starts.read_text().count("started") == 1
    gpus.forget()
    assert gpus.num_gpus(environ) == 3 and starts.read_text().count("started") == 2


CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: fakes.roomy_editor, params: {device_ids: [0, 1, 2]}}
reward_model: {type: reference, params: {device_ids: [cpu]}}
"""


def test_a_whole_run_on_three_gpus_starts_nvidia_smi_once(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    starts = write_driver(tmp_path / "bin", 4, free_mib=1234)
    (tmp_path / "gpu.yaml").write_text(CONFIG, encoding="utf-8")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "editeval", "run", "gpu.yaml", "--allow-code"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "outputs" / "latest" / "report.json").read_bytes())
    assert report["provenance"]["models"]["edit"] == {"free_mib": 1234}, "the workers know what the driver said"
    assert starts.read_text().count("started") == 1
