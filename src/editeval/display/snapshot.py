"""What there is to see of a run at one moment: every display, `status` and live.json show this and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from editeval.machine.gpus import GpuSample

T = TypeVar("T")

LOADING, READY, EDITING, JUDGING, ENCODING = "loading", "ready", "editing", "judging", "encoding"
WAITING, BOUNDARY, RESTARTING, DEAD, ENDED, LAST_SEEN = (
    "waiting",
    "at boundary",
    "restarting",
    "dead",
    "ended",
    "last seen",
)

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
    """The picture that `dataclasses.asdict` took apart. Raises TypeError or KeyError for anything else."""
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
