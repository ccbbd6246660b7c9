"""Everything that a ledger knows about one sample."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from editeval.store.records import Attempt, Judging
from editeval.store.run_store import RunStore
from editeval.types import Edit, Score


@dataclass(frozen=True, slots=True)
class Dossier:
    """One sample: its texts, its edit, every attempt, and what every judging said."""

    sample_id: str
    category: str
    cluster: str
    instruction: str
    description: str
    position: int | None  # in the latest selection; None: it is not wanted now
    edit: Edit | None
    attempts: tuple[Attempt, ...]
    judgings: tuple[tuple[Judging, tuple[Score, ...]], ...]  # those that have seen it


def matching(store: RunStore, text: str) -> list[str]:
    """Ids that `text` means: the very id, or those that the glob matches, or those that begin with it."""
    ids = sorted(store.ledger.sample_ids())
    if text in ids:
        return [text]
    if any(char in text for char in "*?["):
        return [sample_id for sample_id in ids if fnmatch.fnmatchcase(sample_id, text)]
    return [sample_id for sample_id in ids if text and sample_id.startswith(text)]


def dossier(store: RunStore, sample_id: str) -> Dossier:
    """Raises KeyError for a sample that the run never wanted."""
    found = store.ledger.query(
        "SELECT category, cluster, instruction, description, position FROM samples WHERE id = ?", sample_id
    )
    if not found:
        raise KeyError(sample_id)
    category, cluster, instruction, description, position = found[0]
    scored = ((judging, _scores(store, judging, sample_id)) for judging in store.judgings())
    return Dossier(
        sample_id=sample_id,
        category=category,
        cluster=cluster,
        instruction=instruction,
        description=description,
        position=position,
        edit=store.edit_of(sample_id),
        attempts=tuple(store.attempts(sample_id=sample_id)),
        judgings=tuple((judging, scores) for judging, scores in scored if scores),
    )


def _scores(store: RunStore, judging: Judging, sample_id: str) -> tuple[Score, ...]:
    found = store.ledger.query(
        "SELECT sample_id, judge, metric, value, raw, reason, seconds FROM scores "
        "WHERE judging_id = ? AND sample_id = ? ORDER BY place",
        judging.id,
        sample_id,
    )
    return tuple(Score(*row) for row in found)
