"""What there is to see of a run at one moment: every display, `status` and live.json show this and nothing else.

And its pace: images per minute over the last while, exact for images that end together, as under batch synchronisation.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeVar

from editeval.machine.gpus import GpuSample

T = TypeVar("T")

LOADING, READY, EDITING, JUDGING, ENCODING = "loading", "ready", "editing", "judging", "encoding"
WAITING, BOUNDARY, RESTARTING, DEAD = "waiting", "at boundary", "restarting", "dead"
LAST_SEEN = "last seen"
MAX_HISTORY = 60  # seconds of a worker's history
COMPUTING = frozenset({EDITING, JUDGING})
HOLDING = frozenset({EDITING, JUDGING, ENCODING})
AWAY = frozenset({LOADING, RESTARTING, DEAD})


@dataclass(frozen=True, slots=True)
class ScoreSoFar:
    """The headline metric over the samples scored so far: provisional."""

    metric: str
    mean: float
    low: float | None  # 95 % interval
    high: float | None
    num_scored: int
    score_set: str = ""  # name of the score set


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage. done + failed + left = total; `already` of them were done or failed before this invocation."""

    key: str
    kind: str
    title: str
    state: str  # "waiting" | "loading" | "running" | "ended" | "stopped"
    total: int
    done: int
    failed: int
    retried: int
    already: int
    images_per_min: float | None = None
    eta_s: float | None = None
    batch: int = 0
    num_batches: int = 0
    step: str = ""  # whether the workers are in step, in words; empty where that is not known
    score: ScoreSoFar | None = None

    @property
    def num_left(self) -> int:
        return max(self.total - self.done - self.failed, 0)


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker. `sample` is what it works on, or, where only the ledger is known, what it finished last."""

    stage: str
    worker: int
    device: str
    state: str
    state_s: float | None = None  # for how long
    sample: str = ""
    step: int = 0
    num_steps: int = 0
    seconds_per_image: float | None = None
    done: int = 0
    failed: int = 0
    gpu: GpuSample | None = None  # of several GPUs: mean utilisation, sums, hottest
    history: tuple[int, ...] = ()  # percent, one a second: utilisation, or without a GPU the share spent computing


@dataclass(frozen=True, slots=True)
class FailureView:
    """The last failure, an attempt that was tried again included."""

    stage: str
    sample: str
    reason: str
    message: str
    worker: int | None
    log: str  # path; empty if unknown


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """The whole run."""

    name: str
    directory: str
    num_samples: int
    at: float
    began_at: float
    state: str  # "starting" | "running" | "stopping" | "ended" | ...
    stages: tuple[StageView, ...] = ()
    workers: tuple[WorkerView, ...] = ()
    last_failure: FailureView | None = None
    is_continued: bool = False  # others have worked on the run before: `began_at` is that of the latest invocation
    num_seeds: int = 1  # of each sample; `num_samples` counts all of them


def merged(samples: list[GpuSample]) -> GpuSample | None:
    """Several GPUs of one worker as one row."""
    if len(samples) < 2:
        return samples[0] if samples else None
    loads = [s.utilisation for s in samples if s.utilisation is not None]
    heats = [s.temperature_c for s in samples if s.temperature_c is not None]
    return GpuSample(
        at=samples[0].at,
        gpu="+".join(s.gpu for s in samples),
        utilisation=sum(loads) / len(loads) if loads else None,
        memory_mib=_total([s.memory_mib for s in samples]),
        power_w=_total([s.power_w for s in samples]),
        temperature_c=max(heats, default=None),
    )


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def from_json(found: dict[str, Any]) -> RunSnapshot:
    """The snapshot that the recorder wrote. Raises TypeError or KeyError for anything else."""
    workers = [w | {"gpu": _made(GpuSample, w["gpu"]), "history": tuple(w["history"])} for w in found["workers"]]
    stages = [s | {"score": _made(ScoreSoFar, s["score"])} for s in found["stages"]]
    parts = {
        "stages": tuple(StageView(**s) for s in stages),
        "workers": tuple(WorkerView(**w) for w in workers),
        "last_failure": _made(FailureView, found["last_failure"]),
    }
    return RunSnapshot(**(found | parts))


def _made(kind: type[T], found: dict[str, Any] | None) -> T | None:
    return None if found is None else kind(**found)


# -- pace --------------------------------------------------------------------------------------------------------------

WINDOW_S = 120.0
MIN_ROUNDS = 5  # the window holds at least so many of the longest image


@dataclass(slots=True)
class Throughput:
    """Counts images from `began_at` on (seconds of any clock)."""

    began_at: float
    _ends: deque[tuple[float, int]] = field(default_factory=deque)
    _anchor: float = 0.0  # end of the last image before the window
    _count: int = 0
    _longest_s: float = 0.0

    def __post_init__(self) -> None:
        self._anchor = self.began_at

    def add(self, at: float, count: int, seconds: float) -> None:
        """`count` images ended at `at`; they took `seconds`."""
        self._ends.append((at, count))
        self._count += count
        self._longest_s = max(seconds, 0.9 * self._longest_s)
        oldest = at - max(WINDOW_S, MIN_ROUNDS * self._longest_s)
        while len(self._ends) > 1 and self._ends[0][0] < oldest:
            self._anchor, gone = self._ends.popleft()
            self._count -= gone

    def per_minute(self, now: float) -> float | None:
        """None before the first image. Falls when nothing arrives for longer than the longest image took."""
        if not self._ends:
            return None
        end = self._ends[-1][0]
        if now - end > 1.5 * self._longest_s:
            end = now
        span = end - self._anchor
        return 60.0 * self._count / span if span > 0 else None

    def eta_s(self, num_left: int, now: float) -> float | None:
        """Seconds until `num_left` more have ended, at this pace."""
        rate = self.per_minute(now)
        if num_left == 0:
            return 0.0
        if not rate:
            return None
        waited = min(now - self._ends[-1][0], 1.5 * self._longest_s)
        return max(60.0 * num_left / rate - waited, 0.0)


FULL_PACE = 200  # workers; what a look costs grows with them, so with more of them it is taken less often
MAX_REST_S = 3.0  # a picture older than `status` takes for live would be none


def refresh_interval_s(at_full_pace_s: float, num_workers: int) -> float:
    """Seconds until the next look at `num_workers` workers.

    By their number, not by what the last look happened to cost: on a slow machine, or while log lines are printed, it
    must be seen just as soon that Ctrl-C was pressed.
    """
    return max(at_full_pace_s, min(at_full_pace_s * num_workers / FULL_PACE, MAX_REST_S))
