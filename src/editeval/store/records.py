"""What a ledger hands out besides `Edit` and `Score`: rows of a report, attempts, judgings, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from editeval.types import Edit, Failure, Score

CAPPED = "capped"
"""The event of a stage that met a limit on spending; `limit` is the key of the configuration that sets it."""


SUBSET = "subset"
"""The event that says which part of the benchmark is wanted: the fields of `types.Subset`, or none of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One wanted sample with everything that is known about it. `edit` is None while it is pending."""

    sample_id: str
    category: str
    cluster: str  # never empty: a sample without one is its own
    instruction: str
    description: str
    position: int  # place in the latest selection, from 0
    edit: Edit | None
    scores: Mapping[str, Score]  # by metric, the headline first; empty without a judging

    @property
    def status(self) -> str:
        """Of its edit: done | failed | pending."""
        return self.edit.status if self.edit is not None else "pending"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one request, kept for ever. `error` is None if it succeeded."""

    seq: int  # order of recording; gaps and clock jumps mean nothing
    stage: str  # "edit" or "judge"
    judging_id: str  # empty for edits
    sample_id: str
    attempt: int
    worker: int
    device: str
    started_at: float
    seconds: float
    peak_memory_gib: float | None
    error: Failure | None


@dataclass(frozen=True, slots=True)
class ScoreSet:
    """One way of scoring this run. Its id is the caller's fingerprint of judge, parameters and prompts."""

    id: str
    judge: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the wanted samples stand. Scored and unscored refer to the headline metric of one judging."""

    num_wanted: int
    num_edited: int
    num_failed: int
    num_scored: int
    num_unscored: int

    @property
    def num_pending_edits(self) -> int:
        return self.num_wanted - self.num_edited - self.num_failed

    @property
    def num_pending_scores(self) -> int:
        """Edited samples that this judging has not seen."""
        return self.num_edited - self.num_scored - self.num_unscored
