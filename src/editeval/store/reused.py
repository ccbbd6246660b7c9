"""Edits and scores that one run takes over from another: read there, checked, and put on record here with their origin.

Nothing of the other run is taken on trust: its pictures are hashed, and where they lie follows from the sample's id.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from editeval import images
from editeval.files import Folder, StrangeFileError
from editeval.store import connection, directories, queries
from editeval.store.ledger_events import EditsTaken, Reused
from editeval.store.records import insert_edit
from editeval.store.run_store import RunStore, png_size, relative_path
from editeval.types import Edit, Score

_SCORE = "sample_id, judge, metric, value, raw, reason, seconds"


@dataclass(frozen=True, slots=True)
class KeptScores:
    """The scores of one sample in another run, the headline first, and the digest of what the judge was shown."""

    scores: tuple[Score, ...]
    inputs: str


def reusable_edits(other: RunStore, editor_id: str) -> Iterator[Edit]:
    """Edits of `other` that are done and were made by this editor; failed ones never are."""
    return (edit for edit in other.edits(wanted_only=False) if edit.path and edit.made and _is_by(edit, editor_id))


def _is_by(edit: Edit, editor_id: str) -> bool:
    return edit.made is not None and bool(editor_id) and edit.made.editor_id == editor_id


def take_edits(store: RunStore, other: RunStore, edits: Sequence[Edit]) -> list[Edit]:
    """Those of `edits` that are now on record in `store`: files first, all on disk, then the rows.

    One whose picture is missing or altered is left out.
    """
    with connection.translated(store.dir):
        placed = [edit for edit in edits if _place(other.edit_path(edit.sample_id), store, edit)]
        if placed:
            directories.sync(store.edit_path(placed[0].sample_id).parent)
    taken = [replace(edit, path=relative_path(edit.sample_id), origin=other.dir.name) for edit in placed]
    makers = _makers(store, other, taken)
    with store.transaction() as db:
        for edit in taken:
            insert_edit(db, edit, makers.get(edit.sample_id))
    return taken


def _makers(store: RunStore, other: RunStore, taken: Sequence[Edit]) -> dict[str, int]:
    """Of edits of `other` whose making is known, the event in `store` that says how they were made."""
    settings = queries.settings_of_edits(other)
    here = {recorded.event: recorded.seq for recorded in store.events_of(EditsTaken)}
    marks = ", ".join("?" for _ in taken)
    sql = f"SELECT sample_id, invocation FROM edits WHERE sample_id IN ({marks})"
    found: dict[str, int] = {}
    for sample_id, seq in other.query(sql, *(edit.sample_id for edit in taken)):
        if seq in settings:
            made = EditsTaken(other.dir.name, settings[seq])
            here[made] = here.get(made) or store.record_event(made)
            found[sample_id] = here[made]
    return found


def _place(source: Path, store: RunStore, edit: Edit) -> bool:
    """Whether the picture of `edit` is in the store now: a hard link where the file system has them, else a copy."""
    target = store.edit_path(edit.sample_id)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        os.link(source, temporary, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except (OSError, NotImplementedError):  # another file system, another owner, too many links
        data = content_of(source)
        if not _is_right(data, edit):
            return False
        store.folder.write(relative_path(edit.sample_id), data)
        return True
    try:
        if not _is_right(content_of(temporary), edit):
            return False
        temporary.replace(target)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def content_of(path: Path) -> bytes:
    """The bytes of a regular file; nothing for anything else, and for what cannot be read."""
    with contextlib.suppress(OSError, StrangeFileError):
        return Folder(path.parent).read(path.name)
    return b""


def _is_right(data: bytes, edit: Edit) -> bool:
    try:
        return images.sha256(data) == edit.sha256 and png_size(edit.sample_id, data) == (edit.width, edit.height)
    except ValueError:  # no PNG
        return False


def kept_scores(other: RunStore, score_set: str, sample_ids: Sequence[str]) -> dict[str, KeptScores]:
    """The scores that `other` has of these samples, of those alone that have a value for every metric."""
    found: dict[str, KeptScores] = {}
    for sample_id in sample_ids:
        rows = other.query(
            f"SELECT {_SCORE}, inputs FROM scores WHERE judging_id = ? AND sample_id = ? ORDER BY place",
            score_set,
            sample_id,
        )
        try:
            scores = tuple(Score(*row[:-1]) for row in rows)
        except ValueError:  # no score of ours
            continue
        if scores and rows[0][-1] and all(score.value is not None for score in scores):
            found[sample_id] = KeptScores(scores, rows[0][-1])
    return found


def take_scores(store: RunStore, score_set: str, kept: Mapping[str, KeptScores], origin: str) -> None:
    """These scores are on record in `store`, all of them or none."""
    with store.transaction() as db:
        for one in kept.values():
            db.executemany(
                f"INSERT INTO scores (judging_id, place, {_SCORE}, inputs, origin) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                ((score_set, place, *_cells(score), one.inputs, origin) for place, score in enumerate(one.scores)),
            )


def _cells(score: Score) -> tuple[str | float | None, ...]:
    """In the order of _SCORE."""
    return score.sample_id, score.judge, score.metric, score.value, score.raw, score.reason, score.seconds


def taken_edits(store: RunStore) -> dict[str, list[str]]:
    """By run, the wanted samples whose edits were taken over from it."""
    found: dict[str, list[str]] = {}
    for origin, sample_id in store.query(
        "SELECT e.origin, s.id FROM samples s JOIN edits e ON e.sample_id = s.id "
        "WHERE s.position IS NOT NULL AND e.origin <> '' ORDER BY s.position"
    ):
        found.setdefault(origin, []).append(sample_id)
    return found


def num_taken_scores(store: RunStore, origin: str) -> int:
    """Wanted samples with scores, of any judge, that were taken over from the run `origin`."""
    found = store.query(
        "SELECT COUNT(*) FROM samples s WHERE s.position IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM scores c WHERE c.sample_id = s.id AND c.origin = ?)",
        origin,
    )
    return int(found[0][0])


def reused(store: RunStore) -> tuple[Reused, ...]:
    """One entry per run from which something was taken over."""
    return tuple(Reused(run, len(ids), num_taken_scores(store, run)) for run, ids in taken_edits(store).items())
