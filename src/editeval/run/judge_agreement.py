"""How far judges and people agree about the edits of runs, and what people would give all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from editeval.errors import UserError
from editeval.run import results
from editeval.run.rating_files import NUMBER, STARS, VERDICT, HumanRating
from editeval.run.results import ShownScoreSet
from editeval.stats import agreement, intervals
from editeval.stats.intervals import Interval
from editeval.stats.prediction_powered import PredictedMean, predicted_mean
from editeval.stats.resampling import Estimate, Places, estimate
from editeval.store.run_store import RunStore
from editeval.text import one_line
from editeval.types import Metric

Floats = NDArray[np.float64]
Key = tuple[str, str]
"""(model, sample)"""
PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judges gave the edits of all runs, higher better, on `scales`; NaN where there is no score."""

    models: tuple[str, ...]
    judges: tuple[str, ...]
    scales: tuple[Metric, ...]
    keys: tuple[Key, ...]
    clusters: tuple[str, ...]
    scores: Floats  # edits x judges


@dataclass(frozen=True, slots=True)
class OrderedPairs:
    """Two models' edits of one sample: how often both sides say the same one is better, ties counted in two ways."""

    num: int
    half: Estimate  # a tie that only one side sees is half right
    calibrated: Estimate  # ties are margins up to the threshold with the most right pairs: an upper bound


@dataclass(frozen=True, slots=True)
class SidesAgree:
    """Two judges, or a judge and people (the mean rating), on the edits that both scored."""

    first: str
    second: str
    num: int
    num_clusters: int
    spearman: Estimate
    within: Estimate | None  # mean over models; None: one model
    kendall: Estimate
    alpha_ordinal: Estimate | None  # None: their scales are not the same
    alpha_interval: Estimate | None
    difference: float | None  # mean of first - second
    difference_interval: Interval | None
    pairs: OrderedPairs | None  # None: no sample that two models have


@dataclass(frozen=True, slots=True)
class RatersAgree:
    """People with each other, on edits that two or more rated."""

    raters: tuple[str, ...]
    num: int
    num_clusters: int
    alpha_ordinal: Estimate
    alpha_interval: Estimate
    with_others: Estimate  # Spearman of a rater and the mean of the others, mean over raters: what a judge can reach


@dataclass(frozen=True, slots=True)
class ModelMean:
    """What people would give all edits of a model, with the help of `judge`."""

    model: str
    judge: str
    mean: PredictedMean


@dataclass(frozen=True, slots=True)
class AgreementFound:
    """All of it. `num_strange`: ratings of edits that no run has; `num_blind`: made without a look at the scores."""

    models: tuple[str, ...]
    metric: str
    kind: str
    num_edits: int
    num_ratings: int
    num_strange: int
    num_other_kind: int
    num_blind: int | None
    sides: tuple[SidesAgree, ...]
    people: RatersAgree | None
    means: tuple[ModelMean, ...]


def agreement_found(
    directories: Sequence[Path], ratings: Sequence[HumanRating], judges: Sequence[str], metric: str
) -> AgreementFound:
    """Every judge with people and with every other judge. Raises UserError where there is nothing to compare."""
    judged = _judged(directories, judges, metric)
    kind, chosen = _of_one_kind(ratings)
    by_edit, num_strange = _by_edit(judged, chosen)
    if chosen and not by_edit:
        raise UserError(f"{chosen[0].where}: sample {chosen[0].sample!r} and all others are in none of the runs")
    people = np.array([_mean(by_edit[key]) if key in by_edit else np.nan for key in judged.keys])
    sides = []
    for n, name in enumerate(judged.judges if by_edit else ()):
        is_same = kind == STARS and replace(judged.scales[n], name="") == Metric("", 1, 5)
        sides.append(_sides(judged, (name, PEOPLE), judged.scores[:, n], people, is_same))
    for a, b in combinations(range(len(judged.judges)), 2):
        is_same = replace(judged.scales[a], name="") == replace(judged.scales[b], name="")
        names = judged.judges[a], judged.judges[b]
        sides.append(_sides(judged, names, judged.scores[:, a], judged.scores[:, b], is_same))
    if not any(one is not None for one in sides):
        what = "one judge and no ratings" if not by_edit else "no edit that both sides scored"
        raise UserError(f"agreement: {what}; judge the runs again with `editeval score`, or name --ratings")
    blind = [one.is_blind for one in chosen if one.is_blind is not None]
    return AgreementFound(
        *(judged.models, metric or "headline", kind, len(judged.keys), len(chosen), num_strange),
        *(len(ratings) - len(chosen), sum(blind) if blind else None),
        tuple(one for one in sides if one is not None),
        _raters(judged, chosen, by_edit),
        tuple(_means(judged, people)) if by_edit else (),
    )


def _judged(directories: Sequence[Path], judges: Sequence[str], metric: str) -> Judged:
    known: dict[str, tuple[ShownScoreSet, ...]] = {}
    keys, clusters, scores, scales = [], [], [], []
    for directory in directories:
        model = directory.name
        if model in known:
            raise UserError(f"two runs are called {model}; rename the directory of one")
        with RunStore.read(directory) as store:
            own = [one for one in results.kept(store) if not one.is_equated]
            chosen = results.meant(store, judges, "--judges") if judges else tuple(own)
            known[model] = chosen = tuple(replace(one, prefix=f"{n}.") for n, one in enumerate(chosen))
            _check_same(known, model)
            wanted = [_metric_of(one, metric, model) for one in chosen]
            labels = [f"{n}.{name}" for n, name in enumerate(wanted)]
            told = results.scales(store, chosen)
            scales = [told.get(label, Metric(name)) for label, name in zip(labels, wanted, strict=True)]
            for row in results.rows(store, chosen):
                keys.append((model, row.id))
                clusters.append(row.cluster)
                values = [results.value_of(row, label) for label in labels]
                scores.append([np.nan if value is None else value for value in values])
    judged = next(iter(known.values()))
    table = np.array(scores, dtype=float).reshape(len(keys), len(judged))
    table *= [1.0 if scale.is_higher_better else -1.0 for scale in scales]
    names = tuple(one.name for one in judged)
    return Judged(tuple(known), names, tuple(scales), tuple(keys), tuple(clusters), table)


def _metric_of(score_set: ShownScoreSet, metric: str, model: str) -> str:
    if metric and metric not in score_set.metrics:
        raise UserError(f"--metric {metric}: {score_set.name} of {model} gives {', '.join(score_set.metrics)}")
    return metric or score_set.metrics[0]


def _check_same(known: dict[str, tuple[ShownScoreSet, ...]], model: str) -> None:
    """Raises UserError unless the judges of the run `model` are those of the first."""
    first, judges = next(iter(known.items()))
    if [one.id for one in judges] != [one.id for one in known[model]]:
        told = [f"{name}: {', '.join(one.title for one in known[name]) or 'no scores'}" for name in (first, model)]
        raise UserError(one_line(f"the runs have other judges; --judges names those of all: {'; '.join(told)}"))


def _of_one_kind(ratings: Sequence[HumanRating]) -> tuple[str, list[HumanRating]]:
    """Tables before stars before verdicts: their values cannot be mixed."""
    for kind in (NUMBER, STARS, VERDICT):
        if chosen := [one for one in ratings if one.kind == kind]:
            return kind, chosen
    return "", []


def _by_edit(judged: Judged, ratings: Sequence[HumanRating]) -> tuple[dict[Key, dict[str, float]], int]:
    """Edit -> rater -> rating, and how many are about an edit that no run has."""
    found: dict[Key, dict[str, float]] = defaultdict(dict)
    names = {model: model for model in judged.models}
    for model in judged.models:  # a run's name without the beginning of its id, where only one is called so
        short = model.rpartition("-")[0]
        if short and sum(other.rpartition("-")[0] == short for other in judged.models) == 1:
            names.setdefault(short, model)
    keys, num_strange = set(judged.keys), 0
    for one in ratings:
        if not one.model and len(judged.models) > 1:
            raise UserError(f"{one.where}: which model's edit? with several runs a column `model` names the run")
        key = names.get(one.model, one.model) if one.model else judged.models[0], one.sample
        if key not in keys:
            num_strange += 1
            continue
        if one.rater in found[key]:
            raise UserError(f"{one.where}: {one.rater or 'a rater without a name'} has rated {one.sample} twice")
        found[key][one.rater] = one.value
    return {key: rated for key, rated in found.items() if rated}, num_strange


def _sides(judged: Judged, names: Key, first: Floats, second: Floats, is_same_scale: bool) -> SidesAgree | None:
    """None where fewer than two edits have both."""
    both = np.flatnonzero(~np.isnan(first) & ~np.isnan(second))
    if len(both) < 2:
        return None
    a, b = first[both], second[both]
    sign = 1.0 if names[0] == PEOPLE or judged.scales[judged.judges.index(names[0])].is_higher_better else -1.0
    clusters = [judged.clusters[n] for n in both]
    models = np.array([judged.models.index(judged.keys[n][0]) for n in both])

    def of(measure: Callable[[Floats, Floats], float | None]) -> Estimate:
        return estimate(lambda at: measure(a[at], b[at]), clusters)

    def within(at: Places) -> float | None:
        parts = [at[models[at] == model] for model in range(len(judged.models))]
        found = [agreement.spearman(a[part], b[part]) for part in parts]
        return agreement.fisher_mean([value for value in found if value is not None])

    def alpha(is_ordinal: bool) -> Estimate | None:
        measure = lambda x, y: agreement.krippendorff_alpha(np.stack([x, y], axis=1), is_ordinal)  # noqa: E731
        return of(measure) if is_same_scale else None

    told = _difference(sign * (a - b), clusters) if is_same_scale else (None, None)
    return SidesAgree(
        *names,
        len(both),
        len(set(clusters)),
        spearman=of(agreement.spearman),
        within=estimate(within, clusters) if len(judged.models) > 1 else None,
        kendall=of(agreement.kendall_tau_b),
        alpha_ordinal=alpha(is_ordinal=True),
        alpha_interval=alpha(is_ordinal=False),
        difference=told[0],
        difference_interval=told[1],
        pairs=_ordered(judged, both, a, b),
    )


def _difference(values: Floats, clusters: Sequence[str]) -> tuple[float, Interval]:
    by_cluster: dict[str, list[float]] = defaultdict(list)
    for cluster, value in zip(clusters, values, strict=True):
        by_cluster[cluster].append(float(value))
    mean = float(values.mean())
    return mean, intervals.interval([by_cluster], [mean])


def _ordered(judged: Judged, both: Places, a: Floats, b: Floats) -> OrderedPairs | None:
    """`b` is taken for what is right."""
    by_sample: dict[str, list[int]] = defaultdict(list)
    for place, n in enumerate(both):
        by_sample[judged.keys[n][1]].append(place)
    pairs = np.array([pair for places in by_sample.values() for pair in combinations(places, 2)], dtype=int)
    if not len(pairs):
        return None
    margins, right = (side[pairs[:, 0]] - side[pairs[:, 1]] for side in (a, b))
    people, margins = 0.5 + 0.5 * np.sign(np.round(right, 9)), np.round(margins, 9)
    credits = 1 - np.abs(people - (0.5 + 0.5 * np.sign(margins)))
    clusters = [judged.clusters[both[first]] for first, _ in pairs]
    half = estimate(lambda at: float(credits[at].mean()), clusters, kind="share")
    calibrated = estimate(lambda at: agreement.calibrated_share(people[at], margins[at]), clusters, kind="share")
    return OrderedPairs(len(pairs), half, calibrated)


def _raters(judged: Judged, ratings: Sequence[HumanRating], by_edit: dict[Key, dict[str, float]]) -> RatersAgree | None:
    """None where nobody rated what another one did."""
    raters = sorted({one.rater for one in ratings})
    places = [n for n, key in enumerate(judged.keys) if len(by_edit.get(key, ())) > 1]
    if not places:
        return None
    table = np.array([[by_edit[judged.keys[n]].get(rater, np.nan) for rater in raters] for n in places])
    clusters = [judged.clusters[n] for n in places]

    def with_others(at: Places) -> float | None:
        found = []
        for column in range(len(raters)):
            rows = table[at][~np.isnan(table[at, column])]
            others = np.delete(rows, column, axis=1)
            kept = ~np.isnan(others).all(axis=1)
            found.append(agreement.spearman(rows[kept, column], np.nanmean(others[kept], axis=1)))
        return agreement.mean([value for value in found if value is not None])

    def alpha(is_ordinal: bool) -> Estimate:
        return estimate(lambda at: agreement.krippendorff_alpha(table[at], is_ordinal), clusters)

    about = tuple(raters), len(places), len(set(clusters))
    return RatersAgree(*about, alpha(is_ordinal=True), alpha(is_ordinal=False), estimate(with_others, clusters))


def _means(judged: Judged, people: Floats) -> list[ModelMean]:
    """For each model and judge, from edits that the judge scored."""
    found = []
    for model in judged.models:
        for n, judge in enumerate(judged.judges):
            own = [i for i, key in enumerate(judged.keys) if key[0] == model and not np.isnan(judged.scores[i, n])]
            rated = [i for i in own if not np.isnan(people[i])]
            others = [(judged.clusters[i], float(judged.scores[i, n])) for i in own if np.isnan(people[i])]
            if rated:
                known = [(judged.clusters[i], float(people[i]), float(judged.scores[i, n])) for i in rated]
                found.append(ModelMean(model, judge, predicted_mean(known, others)))
    return found


def _mean(rated: dict[str, float]) -> float:
    return sum(rated.values()) / len(rated)
