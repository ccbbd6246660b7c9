"""For programs: one JSON object per line. A slow reader loses events, and is told how many; the run loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TextIO

from editeval.display.observer import Observer, RequestCompleted, RunFacts, StageFacts
from editeval.display.snapshot import RunSnapshot
from editeval.text import plain

MAX_WAITING = 10_000
PICTURE_S = 5.0  # between two `picture` events
PATIENCE_S = 2.0


class EventLines(Observer):
    """A context manager: {"event", "at", ...} for everything an observer is told, and a `picture` every PICTURE_S."""

    def __init__(self, look: Callable[[], RunSnapshot], out: TextIO) -> None:
        self._look = look
        self._out = out
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(MAX_WAITING)
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
            return  # the reader does not read: nobody to say goodbye to
        self._thread.join(PATIENCE_S)

    def run_began(self, run: RunFacts) -> None:
        self._tell("run_began", name=run.name, directory=run.directory, num_samples=run.num_samples)

    def stage_began(self, stage: StageFacts) -> None:
        self._tell("stage_began", **{k: v for k, v in asdict(stage).items() if k != "scores"})

    def notice(self, stage: str, kind: str, data: Mapping[str, Any]) -> None:
        self._tell(kind, stage=stage, **data)

    def settled(self, stage: str, settled: RequestCompleted) -> None:
        told = asdict(settled)
        told["failures"] = [dict(zip(("sample", "reason", "message"), f, strict=True)) for f in settled.failures]
        told["scores"] = [value for _, value in settled.scores]
        self._tell("settled", stage=stage, **told)

    def batch(self, stage: str, index: int, num_batches: int) -> None:
        self._tell("batch", stage=stage, index=index, num_batches=num_batches)

    def stage_ended(self, stage: str) -> None:
        self._tell("stage_ended", stage=stage)

    def run_ended(self, exit_code: int) -> None:
        self._tell("picture", **asdict(self._look()))
        self._tell("run_ended", exit_code=exit_code)

    def _tell(self, event: str, **data: Any) -> None:
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
                    self._line({"event": "picture", "at": time.time()} | asdict(self._look()))
                count = self._num_dropped - self._num_admitted
                if count and self._queue.empty():
                    self._num_admitted += count
                    self._line({"event": "dropped", "at": time.time(), "count": count})
        except OSError:  # the reader left: what is still buffered must not trouble the end of the process
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    def _line(self, event: dict[str, Any]) -> None:
        self._out.write(json.dumps(plain(event), ensure_ascii=True, allow_nan=False) + "\n")
        self._out.flush()
