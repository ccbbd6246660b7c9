"""ImagenHub's ratings by people: a folder per task, a TSV per rater, a column per model, in each cell [SC, PQ].

SC and PQ are 0, 0.5 or 1; O is their geometric mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, pstdev

from editeval.files import from_json
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.published import Recomputed, ResultFormat
from editeval.stats.agreement import fleiss_kappa, krippendorff_alpha

METRICS = ("SC", "PQ", "O")
_LISTED = {"Mask-Guided_IE": (2, 1, 0), "Multi-Subject_IG": (0, 2, 1), "Subject-Driven_IE": (0, 2, 1)}
"""The order in which the authors' disk gave the raters' files, where it was not that of their names."""
Ratings = dict[str, list[tuple[float, float, float]]]
"""By id, one (SC, PQ, O) per rater in the order of the files."""


def read_ratings(clone: Clone, folder: str) -> dict[str, Ratings]:
    """The ratings of the task `folder`, by model."""
    models: dict[str, Ratings] = {}
    names = [name for name in clone.names(folder) if name.endswith(".tsv")]
    for name in names:
        file = f"{folder}/{name}" if folder else name
        for row in clone.table(file, "\t", ("uid",)):
            uid = row.pop("uid")
            for model, cell in row.items():
                models.setdefault(model, {}).setdefault(uid, []).append(_cell(cell, f"{clone.root / file}: {uid}"))
    for ratings in models.values():
        if any(len(rated) != len(names) for rated in ratings.values()):
            raise PublishedDataError(f"{clone.root / folder}: every rater must rate every image once")
    return models


def _cell(cell: str, where: str) -> tuple[float, float, float]:
    try:
        consistency, quality = (float(value) for value in from_json(cell))
    except (ValueError, TypeError) as error:
        raise PublishedDataError(f"{where}: must be [SC, PQ], got {cell[:40]!r}") from error
    if not (0 <= consistency <= 1 and 0 <= quality <= 1):
        raise PublishedDataError(f"{where}: ratings must be 0 to 1, got {cell[:40]!r}")
    return consistency, quality, math.sqrt(consistency * quality)


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """All three published tables."""
    root = "eval/human_ratings"
    tasks = {task: read_ratings(clone, f"{root}/{task}") for task in clone.names(root) if "." not in task}
    if not any(tasks.values()):
        raise PublishedDataError(f"{clone.root / root}: must hold a folder per task with a .tsv per rater, got none")
    for task, models in tasks.items():
        for model, ratings in models.items():
            yield from _of_model(f"{task}/{model}", ratings)


def _of_model(row: str, ratings: Ratings) -> Iterator[Recomputed]:
    raters = list(zip(*ratings.values(), strict=True))
    listed = _LISTED.get(row.partition("/")[0], tuple(range(len(raters))))
    columns = {name: [[rating[i] for rating in rater] for rater in raters] for i, name in enumerate(METRICS)}
    count = len(ratings)
    for name, scores in columns.items():
        yield from _of_raters(row, name, [fmean(given) for given in scores], listed, count)
        if name == "O":
            yield from _of_raters(row, "sum of O", [math.fsum(given) for given in scores], listed, count)
    for column, value in _over_raters(columns).items():
        yield Recomputed("means over the raters", row, column, value, count * len(raters))
    for name, scores in columns.items():
        by_image = [[round(value, 9) for value in image] for image in zip(*scores, strict=True)]
        for column, agreement in (("kappa", fleiss_kappa(by_image)), ("alpha", krippendorff_alpha(by_image))):
            if agreement is not None:
                yield Recomputed("agreement of the raters", row, f"{name} {column}", agreement, count)


def _of_raters(row: str, what: str, values: Sequence[float], listed: Sequence[int], count: int) -> Iterator[Recomputed]:
    for number, value in enumerate(values, 1):
        at = listed[number - 1] if number <= len(listed) else len(values)
        matched = values[at] if at < len(values) else None
        column = f"{what} rater {number}"
        yield Recomputed("means of each rater", row, column, value, count, matched=matched, switch="listing_order")


def _over_raters(columns: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, float]:
    means = {name: [fmean(given) for given in scores] for name, scores in columns.items()}
    sums = fmean([math.fsum(given) for given in columns["O"]])
    spreads = {f"{name} std": pstdev(values) for name, values in means.items()}
    return {name: fmean(values) for name, values in means.items()} | {"sum of O": sums} | spreads


RESULTS = ResultFormat(
    name="imagenhub",
    title="ImagenHub: ratings by three people",
    repository="github.com/TIGER-AI-Lab/ImagenHub",
    commit="439f72c",
    layout="eval/human_ratings/{task}/*.tsv",
    words="people, no judge",
    rule="[SC, PQ] of each cell, O = sqrt(SC * PQ); plain means; Fleiss' kappa; Krippendorff's alpha, ordinal",
    recompute=recompute,
    switches={"listing_order": "raters are numbered as the authors' disk listed their files, not by the files' names"},
)
