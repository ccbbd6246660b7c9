"""ratings.json of a run: what people think of its edits, beside the scores and never among them.

{"schema_version": 1, "run_id": ..., "ratings": {sample id: {verdict, stars, comment, judge_wrong, blind}}}
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from editeval.errors import UserError
from editeval.files import Folder, from_json

NAME, LOCK = "ratings.json", ".ratings.lock"
MAX_BYTES = 1_000_000_000
SCHEMA_VERSION = 1
MAX_COMMENT = 4000
VERDICTS = ("good", "tie", "bad")
Rating: TypeAlias = Mapping[str, object]
_SOUND: dict[str, Callable[[object], bool]] = {
    "verdict": lambda value: value in VERDICTS,
    "stars": lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 5,
    "comment": lambda value: isinstance(value, str) and 0 < len(value) <= MAX_COMMENT,
    "judge_wrong": lambda value: value is True,
    "blind": lambda value: value is True,
}


def read(run_dir: Path) -> dict[str, Rating]:
    """Rating by sample id; empty if there are none. Raises UserError for a file that is no ratings.json."""
    path, folder = run_dir / NAME, Folder(run_dir)
    if not folder.is_file(NAME):
        return {}
    try:
        ratings = from_json(folder.read(NAME, MAX_BYTES))["ratings"]
        return {str(sample_id): checked(rating) for sample_id, rating in ratings.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of ratings: {error}; fix it or move it away") from error


def change(run_dir: Path, run_id: str, changes: Mapping[str, object], known: Collection[str]) -> dict[str, Rating]:
    """The ratings after `changes` (None: taken back), on disk before this returns.

    Viewers in other processes are waited for: what they wrote is kept. Raises ValueError for a sample that the run does
    not have and for anything that is no rating; then nothing changes.
    """
    with os.fdopen(Folder(run_dir).open(LOCK, os.O_RDWR | os.O_CREAT)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _changed(run_dir, run_id, changes, known)


def _changed(run_dir: Path, run_id: str, changes: Mapping[str, object], known: Collection[str]) -> dict[str, Rating]:
    ratings = read(run_dir)
    for sample_id, rating in changes.items():
        if sample_id not in known:
            raise ValueError(f"no sample {sample_id!r} in this run")
        if rating is None:
            ratings.pop(sample_id, None)
        else:
            ratings[sample_id] = checked(rating)
    document = {"schema_version": SCHEMA_VERSION, "run_id": run_id, "ratings": dict(sorted(ratings.items()))}
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1)
    Folder(run_dir).write(NAME, text.encode())
    return ratings


def checked(rating: object) -> Rating:
    """`rating`, if it is one. Raises ValueError."""
    if not isinstance(rating, dict) or not rating:
        raise ValueError("a rating is an object with at least one entry")
    for name, value in rating.items():
        if name not in _SOUND or not _SOUND[name](value):
            raise ValueError(f"no rating has {name} = {value!r:.100}")
    return rating
