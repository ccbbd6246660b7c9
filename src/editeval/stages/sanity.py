"""When a judge has gone mad: what its process says in a row is no language any more, as after an error of its device.

A process that does so is replaced, because such a model stays broken. If the fresh one does the same, or it comes to
that again and again, the judge itself is to blame: going on would only burn hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from editeval.types import Score

MAX_IN_A_ROW = 5  # samples of one process without a reply that is language
MAX_RENEWALS = 3  # of one worker in a stage, even if it has scored something in between
NO_LANGUAGE = frozenset({"degenerate", "empty"})


def is_language(scores: Sequence[Score]) -> bool:
    """Whether the headline of a sample was said at all, right or wrong."""
    return scores[0].reason not in NO_LANGUAGE


@dataclass(slots=True)
class Sanity:
    """The last words of one worker. `hear` every sample in order, and `renewed` once a fresh process is ready."""

    num_in_a_row: int = 0
    num_renewals: int = 0
    has_spoken: bool = False  # the present process has said something that is language
    is_waiting: bool = field(default=False)  # for a fresh process; what the old one still says does not count

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
