"""When a judge has gone mad: what its process says in a row is no language any more, as after an error of its device.

A process that does so is replaced, because such a model stays broken. If the fresh one does the same, or it comes to
that again and again, the judge itself is to blame: going on would only burn hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from editeval.errors import MachineError
from editeval.execution.pool import Pool
from editeval.execution.pool_events import PoolEvent, Result
from editeval.run.plan import ScoreSetPlan
from editeval.types import Score

MAX_IN_A_ROW = 5  # samples of one process without a reply that is language
MAX_RENEWALS = 3  # of one worker in a stage, even if it has scored something in between
NO_LANGUAGE = frozenset({"degenerate", "empty"})


def is_language(scores: Sequence[Score]) -> bool:
    """Whether the headline of a sample was said at all, right or wrong."""
    return scores[0].reason not in NO_LANGUAGE


@dataclass(slots=True)
class DegenerateReplyGuard:
    """The last words of one worker. `hear` every sample in order, and `renewed` once a fresh process is ready."""

    num_in_a_row: int = 0
    num_renewals: int = 0
    has_spoken: bool = False  # the present process has said something that is language
    is_waiting: bool = False  # for a fresh process; what the old one still says does not count

    def hear(self, is_said: bool) -> str:
        """What to do after one more sample: "renew" the process, "stop" the stage, or nothing ("")."""
        if self.is_waiting:
            return ""
        if is_said:
            self.num_in_a_row, self.has_spoken = 0, True
            return ""
        self.num_in_a_row += 1
        if self.num_in_a_row < MAX_IN_A_ROW:
            return ""
        if self.num_renewals == MAX_RENEWALS or (self.num_renewals and not self.has_spoken):
            return "stop"
        self.is_waiting = True
        self.num_renewals += 1
        return "renew"

    def renewed(self) -> None:
        """A fresh process is ready, whatever became of the old one."""
        self.num_in_a_row, self.has_spoken, self.is_waiting = 0, False, False


class DegenerateReplyWatch:
    """What is thought of each worker of one judge. Servers are left alone: they are somebody else's processes."""

    def __init__(self, judging: ScoreSetPlan, what_is_kept: str) -> None:
        """`what_is_kept` ends the line that stops the stage."""
        self._section = judging.stage.section
        self._is_remote = judging.judge.is_remote
        self._what_is_kept = what_is_kept
        self._workers: defaultdict[int, DegenerateReplyGuard] = defaultdict(DegenerateReplyGuard)

    def notice(self, notice: PoolEvent) -> None:
        """Of all that the pool says, fresh processes matter."""
        if notice.kind == "ready":
            self._workers[notice.data["worker"]].renewed()

    def hear(self, outcome: Result, pool: Pool | None) -> None:
        """A process that says nothing more is replaced. Raises MachineError if that did not help."""
        if self._is_remote:
            return
        what = f"{MAX_IN_A_ROW} samples in a row without a reply that is language"
        for scores in outcome.value or ():
            verdict = self._workers[outcome.worker].hear(is_language(scores))
            if verdict == "stop":
                raise MachineError(
                    f"{self._section}: worker {outcome.worker} on {outcome.device}: {what}, in a fresh process too; "
                    f"see its log, then change the model, its dtype or the device; {self._what_is_kept}"
                )
            if verdict == "renew" and pool is not None:
                pool.renew(outcome.worker, what)
