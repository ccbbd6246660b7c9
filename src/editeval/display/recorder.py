"""For programs. Once a second: what the GPUs do to gpu.csv, and the snapshot to live.json, for `editeval status` in
another shell; with hundreds of workers less often. And events as lines of JSON, where they are asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TextIO

from editeval.display import snapshot as views
from editeval.display.observer import Observer, RequestCompleted, RunFacts, StageFacts
from editeval.display.snapshot import RunSnapshot, refresh_interval_s
from editeval.display.tracker import Tracker
from editeval.files import Folder, StrangeFileError, from_json
from editeval.machine.gpus import GpuSample, GpuSource, open_source
from editeval.text import plain

INTERVAL_S = 1.0
GPU_FILE, LIVE_FILE = "gpu.csv", "live.json"
GPU_COLUMNS = "unix_s,gpu,utilisation_percent,memory_mib,power_w,temperature_c"

OpenSource = Callable[[Sequence[str], Mapping[str, str]], GpuSource | None]


class Recorder:
    """A context manager; its thread begins with the run, whose directory it writes to. A full disk ends it silently:
    the ledger, which is on the same disk, is the one to say so."""

    def __init__(self, tracker: Tracker, open_gpus: OpenSource = open_source) -> None:
        self._tracker = tracker
        self._open_gpus = open_gpus
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Recorder:
        self._tracker.on_run = self.begin
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * INTERVAL_S)

    def begin(self, run: RunFacts) -> None:
        """The run is known: its directory is written to from now on."""
        devices = list(dict.fromkeys(d for stage in run.stages for group in stage.devices for d in group))
        self._thread = threading.Thread(target=self._record, args=(Path(run.directory), devices), daemon=True)
        self._thread.start()

    def _record(self, directory: Path, devices: list[str]) -> None:
        source = self._open_gpus(devices, os.environ)
        try:
            with contextlib.suppress(OSError, StrangeFileError):
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
        """Replaced in one step; not forced to disk: after a power cut no run is live. Returns the number of workers."""
        picture = self._tracker.picture()
        with Folder(path.parent).replacing(path.name, is_durable=False) as file:
            file.write(json.dumps(picture, default=_as_json).encode())
        return len(picture.workers)


def _as_json(value: object) -> object:
    """A dataclass by its fields, one level at a time: `asdict` would copy every second of every worker's history."""
    return {each.name: getattr(value, each.name) for each in fields(value)} if is_dataclass(value) else str(value)


def append_samples(path: Path, samples: Sequence[GpuSample]) -> None:
    """One line per GPU; the head first, in a new file."""
    if not samples:
        return
    descriptor = Folder(path.parent).open(path.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with os.fdopen(descriptor, "a", encoding="ascii") as file:
        if not file.tell():
            file.write(GPU_COLUMNS + "\n")
        file.write("".join(_line(sample) for sample in samples))


def read_samples(path: Path) -> list[GpuSample]:
    """Every whole line of gpu.csv; none without the file. A line cut short by a kill is left out."""
    try:
        text = Folder(path.parent).read(path.name).decode("ascii", "replace")
    except FileNotFoundError:
        return []
    found = (_read(line) for line in text.splitlines(keepends=True)[1:] if line.endswith("\n"))
    return [sample for sample in found if sample is not None]


def read_picture(directory: Path) -> RunSnapshot | None:
    """What a run has shown last; None if it never did, or another version of editeval wrote it."""
    try:
        found = from_json(Folder(directory).read(LIVE_FILE))
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


# -- events ------------------------------------------------------------------------------------------------------------

MAX_WAITING = 10_000  # events
PICTURE_S = 5.0  # between two `picture` events
PATIENCE_S = 2.0


class EventLines(Observer):
    """A context manager: {"event", "at", ...} for everything that it hands on to the tracker, and a `picture`
    every PICTURE_S.

    A slow reader loses events, and gets their number; the run loses nothing.
    """

    def __init__(self, tracker: Tracker, out: TextIO) -> None:
        self._tracker = tracker
        self._out = out
        self._queue: queue.Queue[dict[str, object] | None] = queue.Queue(MAX_WAITING)
        self._num_dropped = 0
        self._num_admitted = 0  # of those dropped, how many the reader knows of
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._write, name="display", daemon=True)

    def __enter__(self) -> EventLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._queue.put(None, timeout=PATIENCE_S)
        except queue.Full:
            return  # the reader does not read
        self._thread.join(PATIENCE_S)

    def run_began(self, run: RunFacts) -> None:
        self._tracker.run_began(run)
        seeds = {"num_seeds": run.num_seeds} if run.num_seeds > 1 else {}
        self._put("run_began", name=run.name, directory=run.directory, num_samples=run.num_samples, **seeds)

    def stage_began(self, stage: StageFacts) -> None:
        self._tracker.stage_began(stage)
        self._put("stage_began", **{k: v for k, v in asdict(stage).items() if k != "scores"})

    def notice(self, stage: str, kind: str, data: Mapping[str, object]) -> None:
        self._tracker.notice(stage, kind, data)
        self._put(kind, stage=stage, **data)

    def settled(self, stage: str, settled: RequestCompleted) -> None:
        self._tracker.settled(stage, settled)
        data: dict[str, object] = asdict(settled)
        data["failures"] = [dict(zip(("sample", "reason", "message"), f, strict=True)) for f in settled.failures]
        data["scores"] = [value for *_, value in settled.scores]
        self._put("settled", stage=stage, **data)

    def batch(self, stage: str, index: int, num_batches: int) -> None:
        self._tracker.batch(stage, index, num_batches)
        self._put("batch", stage=stage, index=index, num_batches=num_batches)

    def stage_ended(self, stage: str) -> None:
        self._tracker.stage_ended(stage)
        self._put("stage_ended", stage=stage)

    def run_ended(self, exit_code: int) -> None:
        self._tracker.run_ended(exit_code)
        self._put("picture", **asdict(self._tracker.picture()))
        self._put("run_ended", exit_code=exit_code)

    def _put(self, event: str, **data: object) -> None:
        try:
            self._queue.put_nowait({"event": event, "at": time.time()} | data)
        except queue.Full:
            with self._lock:
                self._num_dropped += 1

    def _write(self) -> None:
        shown_at = time.monotonic()
        try:
            while True:
                try:
                    event = self._queue.get(timeout=PICTURE_S)
                    if event is None:
                        return
                    self._line(event)
                except queue.Empty:
                    pass
                if time.monotonic() - shown_at >= PICTURE_S:
                    shown_at = time.monotonic()
                    self._line({"event": "picture", "at": time.time()} | asdict(self._tracker.picture()))
                count = self._num_dropped - self._num_admitted
                if count and self._queue.empty():
                    self._num_admitted += count
                    self._line({"event": "dropped", "at": time.time(), "count": count})
        except OSError:  # the reader left: what is still buffered must not trouble the end of the process
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    def _line(self, event: dict[str, object]) -> None:
        self._out.write(json.dumps(plain(event), ensure_ascii=True, allow_nan=False) + "\n")
        self._out.flush()
