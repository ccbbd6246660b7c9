"""The lines that a stage writes while it works; those of the edit stage are the log contract of v2.1, to the letter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from editeval.execution.policy import num_rounds
from editeval.execution.pool_events import Batch, PoolEvent, Result
from editeval.execution.simulate import Cost, History, SimulatedRun
from editeval.text import clock, one_line

Say = Callable[[str], None]
BAR_WIDTH = 20
INTERVAL_S = 30.0


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
    """What the edit stage says, and what it measures on the way."""

    def __init__(self, name: str, turns: Sequence[Sequence[str]], num_workers: int, policy: str, say: Say) -> None:
        """`turns`: the keys; those of one begin when all of the one before are through."""
        keys = [key for turn in turns for key in turn]
        self._order = {key: i for i, key in enumerate(keys)}
        self._turns = turns
        self._turn = {key: number for number, turn in enumerate(turns) for key in turn} if len(turns) > 1 else {}
        self._num_batches = 0  # that are over
        self._is_import = False
        self._name = name
        self._num_workers = num_workers
        self._num_left = num_workers  # workers that are not lost for good
        self._num_at_work = num_workers  # in the batch before
        self._is_sync = policy == "batch_sync"
        self._policy = policy
        self._say = say
        self.history = History()
        self.progress = ProgressLine(f"[{'SYNC' if self._is_sync else 'NO-SYNC'}] Editing images", len(keys), say)

    def begin(self, is_import: bool = False) -> None:
        """The opening lines; the clock of the progress line starts. Of an import, nothing is said of GPUs."""
        self._is_import, count = is_import, len(self._order)
        self.progress.begin()
        if is_import:
            self.progress.title = "Reading edits"
            self._say(f"[{self._name}] Reading {count} edits made elsewhere")
            return
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
        self._say(f"   - Total batches: {self._num_batches_of(self._turns, self._num_workers)}")
        self._say(f"   - Batch size: {self._num_workers} (one task per GPU)")
        self._say("   - All GPUs will stay synchronized at batch boundaries")
        self._say("")

    def add(self, outcome: Result) -> None:
        """`outcome` is final."""
        self.history.add(self._order[outcome.key], outcome, is_final=True)
        self.progress.add(outcome.error is not None)

    def on_event(self, event: PoolEvent) -> Batch | None:
        """Returns the batch that is over, if `event` says so."""
        data = event.data
        if event.kind == "batch":
            batch = self._numbered(data["batch"])
            if not self._is_import:
                self._say_batch(batch)
            return batch
        if event.kind == "attempt":
            self.history.add(self._order[data["outcome"].key], data["outcome"], is_final=False)
        elif event.kind == "worker_lost":
            self.history.lost(data["worker"])
        elif event.kind == "ready":
            self.history.back(data["worker"], data["ended_at"])
        elif event.kind == "worker_given_up" and data["is_lost"] and self._is_sync:
            self._num_left -= 1
            gone = f"   - Worker {data['worker']} on {data['device']} is lost for good"
            then = f": from the next batch on, batches have the size of the {self._num_left} workers left"
            self._say(gone + (then if self._num_left else ""))
        return None

    def _numbered(self, batch: Batch) -> Batch:
        """`batch`, numbered and counted over all turns: a pool knows of one turn at a time."""
        self._num_batches += 1
        turn = self._turn.get([*batch.members, *batch.deferred][0], 0)
        later = self._num_batches_of(self._turns[turn + 1 :], batch.num_left or batch.num_workers)
        return replace(batch, index=self._num_batches, total=self._num_batches + batch.total - batch.index + later)

    @staticmethod
    def _num_batches_of(turns: Sequence[Sequence[str]], num_workers: int) -> int:
        return sum(num_rounds(len(turn), num_workers) for turn in turns)

    def _say_batch(self, batch: Batch) -> None:
        if batch.num_workers != self._num_at_work:
            self._num_at_work = batch.num_workers
            self._say(f"   - Batch {batch.index}: {batch.num_workers} of {self._num_workers} GPUs at work")
        if batch.deferred:
            names = ", ".join(map(one_line, batch.deferred))
            left = f"   - Batch {batch.index} goes on without what failed in it"
            self._say(f"{left}, to be retried after the last batch: {names}")
        self._say(f"Batch {batch.index}/{batch.total} done, GPUs synced ✓")


def cost_line(policy: str, cost: Cost, real: Sequence[SimulatedRun], num_edits: int = 0, of_edits: int = 0) -> str:
    """What the chosen policy cost in this run, where its seconds went, and what the others would have taken.

    `real` was replayed with the failures of the run. It is about `num_edits` of the `of_edits` that the run has made.
    """
    took = {t.policy: t.makespan_s for t in real}
    free = took["round_robin"]
    what = "Synchronisation" if policy == "batch_sync" else f"Policy {policy}"
    waits = "barrier" if policy == "batch_sync" else "policy"
    cost_s, alike = _more(cost.policy_s, cost.ideal_s), ""
    if cost.failures_s or free != cost.ideal_s:
        cost_s += f" in normal work, {_more(took[policy] - free, free)} with the failures,"
        alike = ", with the same failures"
    part = f", for {num_edits} of {of_edits} edits" if num_edits < of_edits else ""
    parts = f"{cost.ideal_s:.1f} s round_robin {cost.policy_s:+.1f} s {waits} {cost.failures_s:+.1f} s failures"
    rest = f"{cost.rest_s:+.1f} s rest (encoding, handing over, and what the replay misses)"
    others = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items() if name != policy)
    return (
        f"{what} cost {cost_s} against free-running round robin in this run{part}: measured "
        f"{cost.measured_s:.1f} s = {parts} {rest}; replayed from the measured durations{alike}: {others}"
    )


def _more(seconds: float, of_s: float) -> str:
    return f"{seconds:+.1f} s ({f'{100 * seconds / of_s:+.1f} %' if of_s else '0 %'})"
