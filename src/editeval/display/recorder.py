"""Once a second: what the GPUs do to gpu.csv, and the picture to live.json, for `editeval status` in another shell.

With hundreds of workers the picture is written less often than that."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from editeval.display import snapshot as views
from editeval.display.observer import Observer, RunFacts
from editeval.display.rates import refresh_interval_s
from editeval.display.snapshot import RunSnapshot
from editeval.display.tracker import Tracker
from editeval.machine.gpus import GpuSample, GpuSource, open_source

INTERVAL_S = 1.0
GPU_FILE, LIVE_FILE = "gpu.csv", "live.json"
GPU_COLUMNS = "unix_s,gpu,utilisation_percent,memory_mib,power_w,temperature_c"

OpenSource = Callable[[Sequence[str], Mapping[str, str]], GpuSource | None]


class Recorder(Observer):
    """A context manager; its thread begins with the run, whose directory it writes to. A full disk ends it silently:
    the ledger, which is on the same disk, is the one to say so."""

    def __init__(self, tracker: Tracker, open_gpus: OpenSource = open_source) -> None:
        self._tracker = tracker
        self._open_gpus = open_gpus
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * INTERVAL_S)

    def run_began(self, run: RunFacts) -> None:
        devices = list(dict.fromkeys(d for stage in run.stages for group in stage.devices for d in group))
        self._thread = threading.Thread(target=self._record, args=(Path(run.directory), devices), daemon=True)
        self._thread.start()

    def _record(self, directory: Path, devices: list[str]) -> None:
        source = self._open_gpus(devices, os.environ)
        try:
            with contextlib.suppress(OSError):
                due = 0.0
                while not self._stop.wait(INTERVAL_S - time.monotonic() % INTERVAL_S):
                    samples = source.sample() if source else []
                    self._tracker.tick(samples)
                    append_samples(directory / GPU_FILE, samples)
                    if time.monotonic() >= due:
                        num_workers = self._write_picture(directory / LIVE_FILE)
                        due = (
                            time.monotonic() + refresh_interval_s(INTERVAL_S, num_workers) - INTERVAL_S / 2
                        )  # the nearest second
                self._write_picture(directory / LIVE_FILE)
        finally:
            if source is not None:
                source.close()

    def _write_picture(self, path: Path) -> int:
        """Replaced in one step; not forced to disk: after a power cut nobody is live. Returns the number of workers."""
        picture = self._tracker.picture()
        temporary = path.with_name(f"{path.name}.next")  # one name: whoever has the run's lock is alone
        temporary.write_text(json.dumps(picture, default=_as_json), encoding="utf-8")
        temporary.replace(path)
        return len(picture.workers)


def _as_json(value: object) -> object:
    """A dataclass by its fields, one level at a time: `asdict` would copy every second of every worker's history."""
    return {each.name: getattr(value, each.name) for each in fields(value)} if is_dataclass(value) else str(value)


def append_samples(path: Path, samples: Sequence[GpuSample]) -> None:
    """One line per GPU; the head first, in a new file."""
    if not samples:
        return
    with path.open("a", encoding="ascii") as file:
        if not file.tell():
            file.write(GPU_COLUMNS + "\n")
        file.write("".join(_line(sample) for sample in samples))


def read_samples(path: Path) -> list[GpuSample]:
    """Every whole line of gpu.csv; none without the file. A line cut short by a kill is left out."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return []
    found = (_read(line) for line in text.splitlines(keepends=True)[1:] if line.endswith("\n"))
    return [sample for sample in found if sample is not None]


def read_picture(directory: Path) -> RunSnapshot | None:
    """What a run has shown last; None if it never did, or another version of editeval wrote it."""
    try:
        found = json.loads((directory / LIVE_FILE).read_bytes())
        return views.from_json(found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _line(sample: GpuSample) -> str:
    figures = (sample.utilisation, sample.memory_mib, sample.power_w, sample.temperature_c)
    return ",".join([f"{sample.at:.3f}", sample.gpu, *("" if f is None else f"{f:.10g}" for f in figures)]) + "\n"


def _read(line: str) -> GpuSample | None:
    cells = line.rstrip("\n").split(",")
    if len(cells) != len(GPU_COLUMNS.split(",")):
        return None
    try:
        figures = [float(cell) if cell else None for cell in cells[2:]]
        return GpuSample(float(cells[0]), cells[1], *figures)
    except ValueError:
        return None
