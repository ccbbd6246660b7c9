"""What a run passes to its displays. Observers return at once, and nothing they do reaches a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EDIT = "edit"  # key of the edit stage


@dataclass(frozen=True, slots=True)
class StageFacts:
    """One stage before it begins. `total` = done and failed already + what is left to do; counts are samples."""

    key: str  # unique within the run: "edit", "judge reference"
    kind: str  # "edit" | "judge"
    title: str  # name of the model
    total: int
    judging_id: str = ""
    done: int = 0  # of earlier invocations
    failed: int = 0
    devices: tuple[tuple[str, ...], ...] = ()  # one group per worker
    is_synchronised: bool = False
    retry: str = "in_batch"  # or "at_end": whether a batch stays open for what failed in it
    worker_logs: tuple[str, ...] = ()  # one path per worker
    metric: str = ""  # headline of a judge
    scores: tuple[tuple[str, str, float], ...] = ()  # (cluster, sample, headline score) of earlier invocations

    @property
    def score_set(self) -> str:
        """Name of the score set that a judge stage works on."""
        return self.key.removeprefix(f"{self.kind} ") if self.judging_id else ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One invocation before its first stage begins."""

    name: str
    directory: str
    num_samples: int  # of several seeds for each, edits
    stages: tuple[StageFacts, ...]
    num_seeds: int = 1


@dataclass(frozen=True, slots=True)
class RequestCompleted:
    """What one outcome settled: an edit, or a batch of judgements."""

    key: str
    worker: int
    seconds: float
    num_samples: int = 1
    num_gone: int = 0  # samples that turned out to have no edit: there was nothing to judge
    failures: tuple[tuple[str, str, str], ...] = ()  # (sample, reason, message) of those without a value
    scores: tuple[tuple[str, str, float], ...] = ()  # (cluster, sample, headline score) of those with one


class Observer:
    """This one does nothing. Any thread may call a method, also for a stage that was not announced."""

    def run_began(self, run: RunFacts) -> None:
        return

    def stage_began(self, stage: StageFacts) -> None:
        return

    def notice(self, stage: str, kind: str, data: Mapping[str, object]) -> None:
        """An event of the pool of `stage` (`execution.worker_state`); of an attempt: key, worker, reason, message."""
        return

    def settled(self, stage: str, settled: RequestCompleted) -> None:
        return

    def batch(self, stage: str, index: int, num_batches: int) -> None:
        """Every worker is through with batch `index` (from 1)."""
        return

    def stage_ended(self, stage: str) -> None:
        return

    def run_ended(self, exit_code: int) -> None:
        return
