"""The lines that a stage writes while it works; those of the edit stage are the log contract of v2.1, to the letter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from editeval.execution.lanes import Result
from editeval.execution.simulate import Measured, Timeline

Say = Callable[[str], None]
BAR_WIDTH = 20
INTERVAL_S = 30.0


@dataclass(frozen=True, slots=True)
class Batch:
    """One round of batch synchronisation that is over. `index` counts from 1 within this invocation."""

    index: int
    started_at: float
    seconds: float
    slowest_worker: int


@dataclass(slots=True)
class ProgressLine:
    """`[SYNC] Editing images:  33%|██████▋   | 90/270 [00:30<01:00]`: at every tenth and every INTERVAL_S."""

    title: str
    total: int
    say: Say
    done: int = 0
    failed: int = 0
    now: Callable[[], float] = time.monotonic
    _began: float | None = None  # None: models are still loading, which is no progress
    _said_at: float = 0.0
    _said_tenth: int = 0

    def begin(self) -> None:
        """The clock runs from here."""
        self._began = self._said_at = self.now()

    def add(self, is_failed: bool) -> None:
        """One more is through."""
        self.done += 1
        self.failed += is_failed
        self.tick()

    def tick(self) -> None:
        """Say where we are, if it is time to."""
        if self._began is None:
            return
        now = self.now()
        tenth = 10 * self.done // self.total if self.total else 10
        if tenth > self._said_tenth or now - self._said_at >= INTERVAL_S:
            self._said_at, self._said_tenth = now, tenth
            self.say(self.text(now - self._began))

    def text(self, elapsed_s: float) -> str:
        """The line after `elapsed_s` seconds."""
        share = self.done / self.total if self.total else 1.0
        full = int(share * BAR_WIDTH)
        remaining = clock(elapsed_s / self.done * (self.total - self.done)) if self.done else "?"
        bar = "█" * full + " " * (BAR_WIDTH - full)
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.title}: {share:4.0%}|{bar}| {self.done}/{self.total} [{clock(elapsed_s)}<{remaining}{failed}]"


class EditLog:
    """What the edit stage says, and what it measures on the way: batches, and durations in the order of the run."""

    def __init__(self, name: str, keys: list[str], num_workers: int, policy: str, say: Say) -> None:
        self._order = {key: i for i, key in enumerate(keys)}
        self._name = name
        self._num_workers = num_workers
        self._is_sync = policy == "batch_sync"
        self._policy = policy
        self._say = say
        self._open: dict[int, list[Result]] = {}  # batch -> its outcomes so far
        self._next_batch = 1
        self.measured: list[Measured] = []
        self.progress = ProgressLine(f"[{'SYNC' if self._is_sync else 'NO-SYNC'}] Editing images", len(keys), say)

    @property
    def num_batches(self) -> int:
        return -(-len(self._order) // self._num_workers)

    def begin(self) -> None:
        """The opening lines; the clock of the progress line starts."""
        self.progress.begin()
        count = len(self._order)
        self._say(f"[{self._name}] Starting batch edit: {count} images on {self._num_workers} GPUs")
        if not self._is_sync:
            self._say("  🔄 Batch synchronization: DISABLED ⚠️")
            if self._policy != "round_robin":
                self._say(f"   - Policy: {self._policy}")
            self._say("")
            return
        self._say("  🔄 Batch synchronization: ENABLED ✅")
        self._say("")
        self._say("🔄 Batch synchronization mode:")
        self._say(f"   - Total batches: {self.num_batches}")
        self._say(f"   - Batch size: {self._num_workers} (one task per GPU)")
        self._say("   - All GPUs will stay synchronized at batch boundaries")
        self._say("")

    def add(self, outcome: Result) -> list[Batch]:
        """Count `outcome`; returns the batches that it completes, in order."""
        position = self._order[outcome.key]
        if outcome.error is None:
            self.measured.append(Measured(position, outcome.worker, outcome.seconds))
        self.progress.add(outcome.error is not None)
        if not self._is_sync:
            return []
        self._open.setdefault(position // self._num_workers + 1, []).append(outcome)
        return self._completed()

    def _completed(self) -> list[Batch]:
        batches = []
        while len(self._open.get(self._next_batch, ())) == self._size_of(self._next_batch) > 0:
            outcomes = self._open.pop(self._next_batch)
            self._say(f"Batch {self._next_batch}/{self.num_batches} done, GPUs synced ✓")
            started_at = min(o.started_at for o in outcomes)
            last = max(outcomes, key=lambda o: o.started_at + o.seconds)
            batches.append(
                Batch(self._next_batch, started_at, last.started_at + last.seconds - started_at, last.worker)
            )
            self._next_batch += 1
        return batches

    def _size_of(self, batch: int) -> int:
        return min(self._num_workers, len(self._order) - (batch - 1) * self._num_workers)


def cost_line(policy: str, actual_s: float, timelines: list[Timeline]) -> str:
    """What the chosen policy cost in this run, and what the others would have taken, in one line."""
    by_name = {t.policy: t for t in timelines}
    others = ", ".join(f"{t.policy} {t.makespan_s:.1f} s" for t in timelines if t.policy != policy)
    own = by_name[policy]
    free = by_name["round_robin"]
    cost = own.makespan_s - free.makespan_s
    share = f"{100 * cost / free.makespan_s:+.1f} %" if free.makespan_s else "0 %"
    what = "Synchronisation" if policy == "batch_sync" else f"Policy {policy}"
    return (
        f"{what} cost {cost:+.1f} s ({share}) against free-running round robin in this run: "
        f"{policy} {own.makespan_s:.1f} s (measured {actual_s:.1f} s); replayed from the measured durations: {others}"
    )


def clock(seconds: float) -> str:
    """`01:35`, or `2:01:35` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
