"""ratings.json of a run: what people think of its edits, beside the scores and never among them.

A rater who has given a name has a file of their own, ratings-NAME.json.

{"schema_version": 1, "run_id": ..., "ratings": {sample id: {verdict, stars, comment, judge_wrong, blind}}}
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from editeval.errors import UserError
from editeval.files import Folder, from_json

NAME, LOCK = "ratings.json", ".ratings.lock"
RATER = re.compile(r"\w[\w.-]{0,39}")
_NAMED = re.compile(rf"ratings-({RATER.pattern})\.json")
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


def name_of(rater: str) -> str:
    """The name of the rater's file. Raises UserError for what is no name."""
    if rater and not RATER.fullmatch(rater):
        raise UserError(f"--rater: must be up to 40 letters, digits, '.', '_' and '-', got {rater!r:.60}")
    return f"ratings-{rater}.json" if rater else NAME


def read(run_dir: Path, rater: str = "") -> dict[str, Rating]:
    """Rating by sample id; empty if there are none. Raises UserError for a file that is no ratings.json."""
    name, folder = name_of(rater), Folder(run_dir)
    if not folder.is_file(name):
        return {}
    try:
        ratings = from_json(folder.read(name, MAX_BYTES))["ratings"]
        return {str(sample_id): checked(rating) for sample_id, rating in ratings.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{run_dir / name}: not a file of ratings: {error}; fix it or move it away") from error


def of_all(run_dir: Path) -> dict[str, dict[str, Rating]]:
    """By rater; "" is who has not given a name."""
    named = [match[1] for name in Folder(run_dir).names("") if (match := _NAMED.fullmatch(name))]
    return {rater: found for rater in ("", *sorted(named)) if (found := read(run_dir, rater))}


def change(run_dir: Path, run_id: str, changes: Mapping[str, object], known: Collection[str], rater: str = "") -> int:
    """How many ratings of this rater there are after `changes` (None: taken back), on disk before this returns.

    Viewers in other processes are waited for: what they wrote is kept. Raises ValueError for a sample that the run does
    not have and for anything that is no rating; then nothing changes.
    """
    with os.fdopen(Folder(run_dir).open(LOCK, os.O_RDWR | os.O_CREAT)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ratings = _changed(read(run_dir, rater), changes, known)
        document = {"schema_version": SCHEMA_VERSION, "run_id": run_id, "ratings": dict(sorted(ratings.items()))}
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1)
        Folder(run_dir).write(name_of(rater), text.encode())
        return len(ratings)


def _changed(ratings: dict[str, Rating], changes: Mapping[str, object], known: Collection[str]) -> dict[str, Rating]:
    for sample_id, rating in changes.items():
        if sample_id not in known:
            raise ValueError(f"no sample {sample_id!r} in this run")
        if rating is None:
            ratings.pop(sample_id, None)
        else:
            ratings[sample_id] = checked(rating)
    return ratings


def checked(rating: object) -> Rating:
    """`rating`, if it is one. Raises ValueError."""
    if not isinstance(rating, dict) or not rating:
        raise ValueError("a rating is an object with at least one entry")
    for name, value in rating.items():
        if name not in _SOUND or not _SOUND[name](value):
            raise ValueError(f"no rating has {name} = {value!r:.100}")
    return rating
