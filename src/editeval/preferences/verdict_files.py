"""Verdicts of people on pairs of edits, from files: lines of our own, MMRB2's pairs, ImagenHub's ratings.

own         FILE.jsonl: {"id", "a", "b", "winner"}; the winner is the name of one of the two models, "a", "b" or "tie".
            Besides: "question" (else overall), "cluster" (the source image; else the id)
mmrb2       FILE.json: {"pairs": [{"id", "response_a": {"model_name"}, "response_b", "chosen": "A"}]}; two answers of
            one model are no verdict on models
imagenhub   FOLDER with a .tsv per rater, a column per model, in each cell [SC, PQ]: what a rater gives more wins, equal
            ratings are a tie; questions overall (their product), consistency (SC), quality (PQ)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from editeval.files import from_json
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.imagenhub_ratings import read_ratings
from editeval.stats.elo import PairVerdict

OVERALL = "overall"
_RATINGS = {OVERALL: 2, "consistency": 0, "quality": 1}  # question -> place in a rating
_CHOSEN = {"A": 1.0, "B": 0.0}


@dataclass(frozen=True, slots=True)
class PeoplesVerdict:
    """What one person, or all who were asked together, said about a pair."""

    question: str
    cluster: str  # the source image
    said: PairVerdict


@dataclass(frozen=True, slots=True)
class VerdictFile:
    """All verdicts of a file or folder."""

    layout: str
    sha256: str
    verdicts: tuple[PeoplesVerdict, ...]
    num_left_out: int = 0  # entries that compare a model with itself


def read_verdicts(path: Path) -> VerdictFile:
    """The verdicts in `path`. Raises PublishedDataError for what is none of the layouts, naming file and entry."""
    if path.is_dir():
        return _of_ratings(path)
    clone = Clone(path.parent)
    text = clone.text(path.name)
    digest = hashlib.sha256(text.encode()).hexdigest()
    entries = _mmrb2(path, text) if path.suffix == ".json" else _own(path, text)
    found = list(entries)
    kept = tuple(one for one in found if one.said.a != one.said.b)
    if not kept:
        raise PublishedDataError(f"{path}: has no verdict on two models")
    return VerdictFile("mmrb2" if path.suffix == ".json" else "own", digest, kept, len(found) - len(kept))


def _own(path: Path, text: str) -> Iterator[PeoplesVerdict]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = from_json(line)
            a, b, winner = (_word(entry, name) for name in ("a", "b", "winner"))
            question = _word(entry, "question") if entry.get("question") else OVERALL
            cluster = str(entry.get("cluster") or entry["id"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            what = "must be an object with id, a, b and winner"
            raise PublishedDataError(f"{path}:{number}: {what}: {error!r}") from error
        won = {a: 1.0, b: 0.0}.get(winner, {"a": 1.0, "b": 0.0, "tie": 0.5}.get(winner.lower()))
        if won is None:
            raise PublishedDataError(f"{path}:{number}: winner: must be {a}, {b}, a, b or tie, got {winner[:40]!r}")
        yield PeoplesVerdict(question, cluster, PairVerdict(a, b, won))


def _word(entry: Mapping[str, object], name: str) -> str:
    """Raises TypeError for anything but text: a number is not called like the text that looks like it."""
    found = entry[name]
    if not isinstance(found, str) or not found.strip():
        raise TypeError(f"{name}: must be text, got {found!r:.40}")
    return found


def _mmrb2(path: Path, text: str) -> Iterator[PeoplesVerdict]:
    try:
        pairs = [*from_json(text)["pairs"]]
    except (ValueError, TypeError, KeyError) as error:
        raise PublishedDataError(f"{path}: must be JSON with `pairs`, as MMRB2's benchmark: {error!r}") from error
    for number, entry in enumerate(pairs):
        try:
            key = str(entry["id"] if "id" in entry else entry["pair_id"])
            a, b = (_word(entry[name], "model_name") for name in ("response_a", "response_b"))
            won = _CHOSEN[entry["chosen"]]
        except (TypeError, KeyError, AttributeError) as error:
            what = "must have id, response_a and response_b with model_name, and chosen A or B"
            raise PublishedDataError(f"{path}: pairs[{number}]: {what}: {error!r}") from error
        yield PeoplesVerdict(OVERALL, key.partition(f"_{a}_")[0], PairVerdict(a, b, won))


def _of_ratings(folder: Path) -> VerdictFile:
    clone = Clone(folder)
    names = [name for name in clone.names() if name.endswith(".tsv")]
    if not names:
        raise PublishedDataError(f"{folder}: must hold a .tsv per rater, as ImagenHub's human_ratings/TASK; got none")
    models = read_ratings(clone, "")
    digest = hashlib.sha256("\0".join(clone.text(name) for name in names).encode()).hexdigest()
    found = [
        PeoplesVerdict(
            question, uid, PairVerdict(a, b, (one[place] > other[place]) / 2 + (one[place] >= other[place]) / 2)
        )
        for a, b in combinations(models, 2)
        for uid in models[a].keys() & models[b].keys()
        for one, other in zip(models[a][uid], models[b][uid], strict=True)
        for question, place in _RATINGS.items()
    ]
    return VerdictFile("imagenhub", digest, tuple(sorted(found, key=lambda one: one.cluster)))
