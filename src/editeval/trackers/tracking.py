"""A run as an experiment of a tracking service: settings, progress, means with intervals, a table, the report's path.

Each service has a thread of its own, which looks at the latest counts every few seconds: no event waits for it, and
none piles up. Whatever a service raises ends its tracking with one line; the run goes on.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from editeval.config.schema import Tracking
from editeval.display.observer import Observer, RequestCompleted, RunFacts, StageFacts
from editeval.errors import ImageError, MachineError
from editeval.images import decode
from editeval.redaction import redacted
from editeval.text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger("editeval")
INTERVAL_S = 5.0
PATIENCE_S = 120.0  # at the end of a run, for what is still to be sent
THUMBNAIL_PX = 256
NUM_SHOWN = 24  # samples with pictures: half the lowest, half the highest


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """What a service is told first. `id` stays the same when the run is continued."""

    id: str
    name: str
    folder: Path  # for what a service keeps on this machine
    config: Mapping[str, object]
    how: Tracking


@dataclass(frozen=True, slots=True)
class TrackedSample:
    """One of the samples that are shown."""

    id: str
    category: str
    instruction: str
    scores: Mapping[str, float | None]
    edit: Path

    def thumbnail(self) -> Image | None:
        """Small; None for an edit that cannot be read."""
        try:
            picture = decode(self.edit.read_bytes())
        except (OSError, ImageError):
            return None
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        return picture


@dataclass(frozen=True, slots=True)
class Ending:
    """What the report says, as a service keeps it."""

    figures: Mapping[str, float] = field(default_factory=dict)  # "overall/macro/mean", ".../low", ".../high"
    facts: Mapping[str, str] = field(default_factory=dict)  # badge, report
    samples: Sequence[TrackedSample] = ()


class Service(Protocol):
    """One tracking service. Every method is called in the same thread, `begin` first, `end` last."""

    def begin(self, run: TrackedRun) -> None: ...
    def log(self, values: Mapping[str, float], step: int) -> None: ...
    def end(self, ending: Ending | None) -> None: ...  # None: the run was interrupted


def service_of(how: Tracking) -> Service:
    module = import_module(f"editeval.trackers.{how.type}_service")
    service: Service = getattr(module, f"{how.type.capitalize()}Service")()
    return service


def check_installed(trackers: Sequence[Tracking]) -> None:
    """Raises MachineError for a service whose library is not there: at the start, not after hours."""
    for how in trackers:
        if find_spec(how.type) is None:
            raise MachineError(f"tracking: {how.type} is not installed here: pip install {how.type}")


class TrackingObserver(Observer):
    """Hands everything on to `inner`, and counts for the services."""

    def __init__(self, inner: Observer) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._counts: dict[str, dict[str, float]] = {}
        self.ending: Ending | None = None

    def values(self) -> tuple[dict[str, float], int]:
        """Every count and running mean so far, and how many outcomes they are of."""
        with self._lock:
            found: dict[str, float] = {}
            for stage, counts in self._counts.items():
                found |= {f"{stage}/{name}": counts[name] for name in ("done", "failed")}
                if counts["scored"]:
                    found[f"{stage}/running_mean"] = counts["sum"] / counts["scored"]
            return found, int(sum(counts["done"] + counts["failed"] for counts in self._counts.values()))

    def run_began(self, run: RunFacts) -> None:
        for stage in run.stages:
            self._count(stage.key, stage.done, stage.failed, [score for *_, score in stage.scores])
        self._inner.run_began(run)

    def stage_began(self, stage: StageFacts) -> None:
        self._inner.stage_began(stage)

    def notice(self, stage: str, kind: str, data: Mapping[str, object]) -> None:
        self._inner.notice(stage, kind, data)

    def settled(self, stage: str, settled: RequestCompleted) -> None:
        failed = len(settled.failures)
        done = settled.num_samples - settled.num_gone - failed
        self._count(stage, done, failed, [score for *_, score in settled.scores])
        self._inner.settled(stage, settled)

    def batch(self, stage: str, index: int, num_batches: int) -> None:
        self._inner.batch(stage, index, num_batches)

    def stage_ended(self, stage: str) -> None:
        self._inner.stage_ended(stage)

    def run_ended(self, exit_code: int) -> None:
        self._inner.run_ended(exit_code)

    def _count(self, stage: str, done: int, failed: int, scores: Sequence[float]) -> None:
        with self._lock:
            counts = self._counts.setdefault(stage, dict.fromkeys(("done", "failed", "scored", "sum"), 0.0))
            counts["done"] += done
            counts["failed"] += failed
            counts["scored"] += len(scores)
            counts["sum"] += math.fsum(scores)


@contextlib.contextmanager
def tracked(
    inner: Observer,
    trackers: Sequence[Tracking],
    about: Callable[[Tracking], TrackedRun],
    make: Callable[[Tracking], Service] = service_of,
) -> Iterator[TrackingObserver]:
    """An observer in place of `inner`, whose services work while inside; its `ending` is told to them at the end."""
    observer = TrackingObserver(inner)
    stop = threading.Event()
    threads = [
        threading.Thread(target=_track, args=(how, about(how), make, observer, stop), name="tracking", daemon=True)
        for how in trackers
    ]
    if not threads:
        yield observer
        return
    with contextlib.redirect_stdout(sys.stderr), _no_input():  # stdout is for results, and nobody is asked anything
        for thread in threads:
            thread.start()
        try:
            yield observer
        finally:
            stop.set()
            _wait_for(trackers, threads)


@contextlib.contextmanager
def _no_input() -> Iterator[None]:
    """While inside, a library that would ask for a key finds no terminal, and fails instead of waiting for ever."""
    before = sys.stdin
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before


def _wait_for(trackers: Sequence[Tracking], threads: Sequence[threading.Thread]) -> None:
    """Until all is sent; no longer than PATIENCE_S for all of them together."""
    until = time.monotonic() + PATIENCE_S
    for how, thread in zip(trackers, threads, strict=True):
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            log.warning("tracking: %s is still sending after %.0f s, and is left alone", how.type, PATIENCE_S)


def _track(
    how: Tracking,
    run: TrackedRun,
    make: Callable[[Tracking], Service],
    observer: TrackingObserver,
    stop: threading.Event,
) -> None:
    try:
        service = make(how)
        service.begin(run)
        sent: dict[str, float] = {}
        while not stop.wait(INTERVAL_S):
            values, step = observer.values()
            if values != sent:
                service.log(values, step)
                sent = values
        service.log(*observer.values())
        service.end(observer.ending)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a library of somebody else's, in its own thread
        what = one_line(redacted(f"{type(error).__name__}: {error}"))
        log.warning("tracking: %s: %s; this run is not tracked any further", how.type, what)
