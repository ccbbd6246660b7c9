"""Samples of the GPUs: asked of the driver by the right name, written once a second, read again after a kill."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from display_fakes import FakeGpus, Told, edit_facts, gpu

from editeval.display.observer import RunFacts
from editeval.display.recorder import GPU_COLUMNS, Recorder, append_samples, read_picture, read_samples
from editeval.machine.gpus import GpuSample, NvmlSource, open_source


class FakeNvml:
    """As pynvml: raises NVMLError; knows two GPUs, of which the second is a slice that tells little."""

    class NVMLError(Exception):
        pass

    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        self.asked: list[str] = []

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        self.asked.append(str(index))
        if index > 1:
            raise self.NVMLError("invalid")
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:  # noqa: N802
        self.asked.append(uuid)
        return 1

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        if handle == 1:
            raise self.NVMLError("not supported")
        return SimpleNamespace(gpu=97, memory=50)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=2**30, total=2**36)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return 640_250

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        return 60

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.asked.append("shutdown")


def test_each_figure_is_asked_for_and_what_a_slice_does_not_tell_is_none() -> None:
    source = NvmlSource(FakeNvml(), ["cuda:0", "cuda:1", "cuda:2"], {})
    first, second = source.sample()
    assert (first.gpu, first.utilisation, first.memory_mib, first.power_w) == ("cuda:0", 97.0, 1024.0, 640.25)
    assert (second.gpu, second.utilisation, second.temperature_c) == ("cuda:1", None, 60.0)


def test_without_package_driver_or_gpu_there_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_source(["cpu"], {}) is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert open_source(["cuda:0"], {}) is None


def test_where_the_package_is_but_no_driver_there_is_no_source() -> None:
    pynvml = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert open_source(["cuda:0"], {}) is None
    else:
        source = open_source(["cuda:0"], {})
        assert source is not None and source.sample()[0].memory_mib is not None
        source.close()


def recorded(directory: Path, gpus: FakeGpus) -> Told:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    devices: list[str] = []

    def open_gpus(names: Any, environ: Any) -> FakeGpus:
        devices.extend(names)
        return gpus

    with Recorder(told.tracker, open_gpus) as recorder:
        recorder.begin(RunFacts("demo", str(directory), 10, (edit_facts(),)))
        while gpus.asked < 2:
            time.sleep(0.05)
    assert devices == ["cuda:0", "cuda:1"]
    return told


def test_a_run_writes_a_line_per_gpu_and_second_and_its_picture(tmp_path: Path) -> None:
    gpus = FakeGpus([[gpu("cuda:0"), gpu("cuda:1", None)]])
    told = recorded(tmp_path, gpus)
    text = (tmp_path / "gpu.csv").read_text(encoding="ascii").splitlines()
    assert text[0] == GPU_COLUMNS and text[1] == "1.500,cuda:0,97,61234.5,640.25,60"
    assert text[2] == "1.500,cuda:1,,61234.5,640.25,60"
    assert len(text) == 1 + 2 * gpus.asked and gpus.is_closed
    assert read_samples(tmp_path / "gpu.csv")[:2] == gpus.samples[0]
    shown = read_picture(tmp_path)
    assert shown is not None and shown.workers == told.tracker.picture().workers
    assert {path.name for path in tmp_path.iterdir()} == {"gpu.csv", "live.json"}


def test_a_second_invocation_goes_on_in_the_same_file(tmp_path: Path) -> None:
    append_samples(tmp_path / "gpu.csv", [gpu("cuda:0")])
    append_samples(tmp_path / "gpu.csv", [gpu("cuda:0", at=2.5)])
    append_samples(tmp_path / "gpu.csv", [])
    assert [s.at for s in read_samples(tmp_path / "gpu.csv")] == [1.5, 2.5]


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "gpu.csv"
    append_samples(path, [gpu("cuda:0")])
    with path.open("a", encoding="ascii") as file:
        file.write("2.500,cuda:0,9")
    assert read_samples(path) == [gpu("cuda:0")]
    append_samples(path, [gpu("cuda:0", at=3.5), gpu("cuda:1", at=3.5)])
    assert [(s.at, s.gpu) for s in read_samples(path)] == [(1.5, "cuda:0"), (3.5, "cuda:1")]


def test_a_directory_that_cannot_be_written_ends_the_recorder_and_nothing_else(tmp_path: Path) -> None:
    told = Told(edit_facts())
    with Recorder(told.tracker, lambda devices, environ: None) as recorder:
        recorder.begin(RunFacts("demo", str(tmp_path / "gone"), 10, (edit_facts(),)))
        time.sleep(1.2)
    assert told.tracker.picture().name == "demo"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"workers": 3}', json.dumps({"name": "x", "stages": [{}]})])
def test_a_picture_that_another_version_wrote_is_no_picture(tmp_path: Path, content: str) -> None:
    (tmp_path / "live.json").write_text(content, encoding="utf-8")
    assert read_picture(tmp_path) is None


def test_no_file_is_no_samples(tmp_path: Path) -> None:
    assert read_samples(tmp_path / "gpu.csv") == [] and read_picture(tmp_path) is None
    assert GpuSample(1.0, "cuda:0", None, None, None, None).utilisation is None
