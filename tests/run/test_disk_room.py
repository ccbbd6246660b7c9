"""Whether a run will fit on its disk is estimated before the first edit: a warning, and a refusal on the last bytes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pipeline_fakes import config, run

from editeval.errors import MachineError
from editeval.images import FileImage
from editeval.machine import host
from editeval.run import prepare
from editeval.run.pipeline import RunResult, open_store
from editeval.run.plan import Plan, make_plan
from editeval.run.prepare import bytes_needed, check_disk_space
from editeval.store.run_store import RunStore
from editeval.types import Sample

MIB = 1 << 20
LOG = "editeval"


def benchmark(folder: Path, count: int, pixels: np.ndarray) -> Path:
    """`count` samples about one picture each, and the manifest that names them."""
    folder.mkdir()
    lines = []
    for number in range(count):
        Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=1)
        lines.append(json.dumps({"id": f"s{number}", "image": f"{number}.png", "instruction": "nothing"}))
    (folder / "manifest.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def photograph(side: int) -> np.ndarray:
    """As rough as one: soft shapes and the noise of a sensor."""
    generator = np.random.default_rng(0)
    shapes = np.asarray(Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((side, side)))
    return np.clip(shapes + generator.normal(0, 4, shapes.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    data = benchmark(tmp_path / "data", 6, photograph(256))
    return make_plan(config(tmp_path / "out", benchmark={"type": "image_folder", "params": {"path": str(data)}}))


@pytest.fixture
def store(plan: Plan) -> Iterator[RunStore]:
    plan.dir.parent.mkdir(parents=True)
    with open_store(plan) as store:
        store.select(plan.samples)
        yield store


def needed(plan: Plan) -> int:
    return bytes_needed(plan.samples, len(plan.samples))


def test_a_run_that_fits_is_not_spoken_of(plan: Plan, store: RunStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, LOG):
        for free in (needed(plan), 1 << 40, None):
            check_disk_space(plan, store, lambda _, free=free: free)  # type: ignore[misc]
    assert not caplog.records


def test_too_little_room_is_one_warning_with_the_mount_and_both_figures(
    plan: Plan, store: RunStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "RESERVE", 1)
    with caplog.at_level(logging.WARNING, LOG):
        check_disk_space(plan, store, lambda _: MIB // 2)
    (record,) = caplog.records
    line = record.getMessage()
    assert line.startswith(f"{host.mount_point(plan.dir)}: 6 edits and the report need about ")
    assert prepare.shown(needed(plan)) in line and "0.5 MiB are free" in line and "--output-dir" in line


def test_without_the_reserve_a_run_that_needs_more_than_there_is_does_not_begin(plan: Plan, store: RunStore) -> None:
    with pytest.raises(MachineError, match=r"6 edits and the report need about .*0\.5 MiB are free; free some space"):
        check_disk_space(plan, store, lambda _: MIB // 2)


def another_run(plan: Plan) -> RunResult:
    """The same samples, edited and scored."""
    path = plan.benchmark.params.path  # type: ignore[attr-defined]
    return run(plan.dir.parent, fresh=True, benchmark={"type": "image_folder", "params": {"path": path}})


def test_what_is_done_needs_no_room(plan: Plan) -> None:
    done = another_run(plan)
    with RunStore.read(done.plan.dir) as finished:
        check_disk_space(done.plan, finished, lambda _: 0)


def test_the_estimate_is_near_to_what_a_run_takes(plan: Plan) -> None:
    done = another_run(plan)
    taken = sum(path.stat().st_size for path in done.plan.dir.rglob("*") if path.is_file())
    assert 0.5 * taken < needed(plan) < 2 * taken, (needed(plan), taken)


def test_it_takes_no_time_for_100_000_samples(tmp_path: Path, plan: Plan) -> None:
    path = benchmark(tmp_path / "one", 1, photograph(1024)) / "0.png"
    samples = [Sample(f"s{i}", "physical", (FileImage(path),), "nothing", cluster=f"c{i // 3}") for i in range(100_000)]
    large = replace(plan, samples=samples)
    large.dir.parent.mkdir(parents=True, exist_ok=True)
    with open_store(large) as store:
        store.select(samples)
        took = []
        for _ in range(5):
            began = time.process_time()
            with pytest.raises(MachineError, match="100000 edits"):
                check_disk_space(large, store, lambda _: MIB)
            took.append(time.process_time() - began)
    assert min(took) < 0.2, took  # CPU seconds


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """80 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={80 * MIB}", "none", str(place)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root may mount a file system, and only where it is let")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def edit_on(disk: Path, data: Path) -> subprocess.CompletedProcess[str]:
    settings = disk.parent / "run.yaml"
    settings.write_text(
        f"benchmark: {{type: image_folder, params: {{path: {data}}}}}\n"
        "diffusion_model: {type: identity, params: {device_ids: [cpu]}}\n"
        f"evaluation: {{output_dir: {disk / 'out'}}}\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "editeval", "run", str(settings)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_on_a_real_disk_a_run_that_looks_too_big_is_warned_of_and_goes_on(small_disk: Path, tmp_path: Path) -> None:
    """Pictures of one colour: three are estimated at 96 MiB, and take next to nothing."""
    data = benchmark(tmp_path / "data", 3, np.zeros((4096, 4096, 3), np.uint8))
    done = edit_on(small_disk, data)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "are free" in line]
    assert len(warnings) == 1 and f"{small_disk}: 3 edits and the report need about 96." in warnings[0]


def test_on_a_real_disk_that_is_nearly_full_nothing_begins(small_disk: Path, tmp_path: Path) -> None:
    data = benchmark(tmp_path / "data", 3, np.zeros((4096, 4096, 3), np.uint8))
    (small_disk / "filler").write_bytes(bytes(30 * MIB))
    done = edit_on(small_disk, data)
    assert done.returncode == 2 and f"editeval: {small_disk}: 3 edits and the report need about " in done.stderr
    assert not list(small_disk.rglob("*.png"))
