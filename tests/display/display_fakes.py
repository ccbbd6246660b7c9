"""A clock that is ours, a run that is told step by step, and GPUs that say what they are told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from editeval.display.observer import RequestCompleted, RunFacts, StageFacts
from editeval.display.tracker import Tracker
from editeval.machine.gpus import GpuSample


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def interval(scores: Sequence[tuple[str, str, float]], metric: str) -> tuple[float, float | None, float | None]:
    values = [value for *_, value in scores]
    mean = sum(values) / len(values)
    return mean, mean - 1, mean + 1


def edit_facts(num_workers: int = 2, total: int = 10, **more: object) -> StageFacts:
    devices = tuple((f"cuda:{i}",) for i in range(num_workers))
    logs = tuple(f"logs/edit-worker{i}.log" for i in range(num_workers))
    facts = {"is_synchronised": True, "devices": devices, "worker_logs": logs, **more}
    return StageFacts("edit", "edit", "Fake", total, **facts)


def judge_facts(total: int = 10, **more: object) -> StageFacts:
    return StageFacts("judge second", "judge", "second", total, devices=(("cpu",),), metric="overall", **more)


def run(*stages: StageFacts, name: str = "demo", num_samples: int = 10) -> RunFacts:
    return RunFacts(name, "outputs/demo", num_samples, stages)


class Told:
    """A tracker that is told a run, and the clock that it looks at."""

    def __init__(self, *stages: StageFacts, **more: object) -> None:
        self.clock = Clock()
        self.is_stopping = False
        self.tracker = Tracker(interval, lambda: self.is_stopping, self.clock)
        self.tracker.run_began(run(*stages, **more))

    def edits(self, key: str, worker: int, seconds: float = 2.0, error: str = "") -> None:
        self.tracker.notice("edit", "started", {"worker": worker, "key": key})
        self.clock.now += seconds
        self.tracker.notice("edit", "finished", {"worker": worker, "key": key})
        failures = ((key, error, f"{error}!"),) if error else ()
        self.tracker.settled("edit", RequestCompleted(key, worker, seconds, failures=failures))


@dataclass
class FakeGpus:
    """A GpuSource: `samples` is what it answers, call after call; the last answer stays."""

    samples: list[list[GpuSample]]
    is_closed: bool = False
    asked: int = field(default=0)

    def sample(self) -> list[GpuSample]:
        self.asked += 1
        return self.samples[min(self.asked, len(self.samples)) - 1]

    def close(self) -> None:
        self.is_closed = True


def gpu(name: str, utilisation: float | None = 97.0, at: float = 1.5) -> GpuSample:
    return GpuSample(at, name, utilisation, 61234.5, 640.25, 60.0)
