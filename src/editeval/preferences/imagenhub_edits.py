"""ImagenHub's edits of its text-guided task, with the ratings of three people: [SC, PQ] each, O = sqrt(SC * PQ).

The folder holds the raters' files (`*_rater1.tsv`, ...), which are in the authors' repository, and the pictures, which
are not: `input/` and a folder per model, each with `{uid}`, and `dataset_lookup.json` with the instructions, all as the
authors' own run leaves them. A uid is sample_{image}_{turn}: edits of one image share a cluster.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from editeval.benchmarks._files import ImageDirectory
from editeval.errors import BenchmarkError
from editeval.preferences.human_data import RatedEdit, ShownEdit
from editeval.reproduce.clone import Clone
from editeval.reproduce.imagenhub_ratings import METRICS, read_ratings

TASK = "Text-Guided_IE"
LOOKUP = "dataset_lookup.json"
_RATER = f"{TASK}_rater1.tsv"


def edits_in(place: Path) -> list[RatedEdit]:
    """Every rated edit. Raises BenchmarkError without ratings, pictures or instructions."""
    clone = Clone(place)
    ratings = read_ratings(clone, _folder_of(place, _RATER))
    folder = _folder_of(place, LOOKUP)
    told = _instructions(clone, f"{folder}/{LOOKUP}".lstrip("/"))
    pictures = ImageDirectory(place / folder)
    found = []
    for model, rated in ratings.items():
        for uid, given in rated.items():
            where = f"{place}: {model}/{uid}"
            if uid not in told:
                raise BenchmarkError(f"{where}: no instruction in {LOOKUP}; copy the file of the same run")
            source, edited = (pictures.image(where, "uid", f"{name}/{uid}") for name in ("input", model))
            means = {name: fmean(one[i] for one in given) for i, name in enumerate(METRICS)}
            shown = ShownEdit((source,), told[uid], edited, model)
            found.append(RatedEdit(f"{model}/{uid}", shown, means, cluster=uid.rpartition("_")[0] or uid))
    return found


def _folder_of(place: Path, name: str) -> str:
    """Where below `place` the file `name` is, relative to it; the least deep one."""
    found = sorted(place.rglob(name), key=lambda path: (len(path.parts), path))
    if not found:
        what = "no instructions and pictures: " if name == LOOKUP else "no ratings: "
        raise BenchmarkError(f"--path {place}: {what}no {name} in it; see docs/certificate.md for what belongs there")
    return "" if found[0].parent == place else found[0].parent.relative_to(place).as_posix()


def _instructions(clone: Clone, name: str) -> dict[str, str]:
    """By uid."""
    told = {uid: entry.get("instruction") for uid, entry in clone.records(name).items()}
    return {uid: words for uid, words in told.items() if isinstance(words, str)}
