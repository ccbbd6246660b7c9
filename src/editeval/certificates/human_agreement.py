"""How far a judge and people agree: pairs counted in several ways, with intervals, and rank correlations of ratings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from editeval.stats import agreement, intervals
from editeval.stats.agreement import TIE, credit

CHANCE = 0.5
"""What a judge reaches by tossing coins, where half of a tie is right."""
WRONG, HALF, CALIBRATED = "ties wrong", "ties half", "ties calibrated"
ORDERS = "each order's verdict"
RULES: Mapping[str, str] = {
    WRONG: "a tie that people do not see is wrong",
    HALF: "a tie is half right where only one side sees it",
    CALIBRATED: "ties are margins up to the threshold that gives the most right pairs (arXiv 2305.14324)",
    "ties below 1e-5": "a tie is a difference below 1e-5",
    ORDERS: "each order's readable verdict counts by itself; a judge without orders: ties wrong",
}
"""Ways of counting. Those of data sets are among them by the name that the data set gives."""
_THRESHOLDS = {"ties below 1e-5": 1e-5}
ALL, MEAN = "all", "mean of tasks"


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """What a judge said about one pair in one dimension."""

    dimension: str
    task: str
    cluster: str
    group: str
    metric: str  # by which it was answered
    people: float  # 1: the first is better, 0: the second, 0.5: a tie
    margin: float | None  # how much better the judge finds the first; None: no answer
    reason: str = ""  # why there is none
    orders: tuple[tuple[bool, float], ...] = ()  # of a pairwise judge: (the first edit was image A, image A won)
    is_own_metric: bool = True  # False: the headline stands in for a metric of that dimension


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """What a judge said about one edit that people rated."""

    dimension: str
    editor: str
    cluster: str
    metric: str
    people: float
    judge: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Counting:
    """How the authors of the data count."""

    rule: str
    is_macro: bool
    main: str  # the dimension that decides; empty: all pairs


Clusters = dict[str, list[float]]


def groups_of(pairs: Sequence[PairAnswer], counting: Counting) -> Iterator[dict[str, object]]:
    """For each dimension: all of it, the mean of its tasks, each task."""
    for dimension in dict.fromkeys(pair.dimension for pair in pairs):
        members = [pair for pair in pairs if pair.dimension == dimension]
        tasks: dict[str, list[PairAnswer]] = defaultdict(list)
        for pair in members:
            tasks[pair.task].append(pair)
        scored = [pair for pair in members if pair.margin is not None]
        margins = [pair.margin for pair in scored if pair.margin is not None]
        threshold = agreement.tie_threshold([p.people for p in scored], margins) if scored else 0.0
        yield _group(dimension, ALL, [members], threshold, counting)
        if len(tasks) > 1:
            yield _group(dimension, MEAN, list(tasks.values()), threshold, counting)
            for task in sorted(tasks):
                yield _group(dimension, task, [tasks[task]], threshold, counting)


def _group(
    dimension: str, task: str, parts: Sequence[Sequence[PairAnswer]], threshold: float, counting: Counting
) -> dict[str, object]:
    """The figures of one row; of several `parts` the mean of theirs."""
    members = [pair for part in parts for pair in part]
    scored = [pair for pair in members if pair.margin is not None]
    ways = {way: _counted(parts, way, threshold) for way in dict.fromkeys((WRONG, HALF, CALIBRATED, counting.rule))}
    ties = [pair.margin == 0 for pair in scored]
    return {
        "dimension": dimension,
        "task": task,
        "metric": members[0].metric,
        "num_pairs": len(members),
        "num_scored": len(scored),
        "num_clusters": len({pair.cluster for pair in scored}),
        "ties": sum(ties) / len(ties) if ties else None,
        "threshold": threshold,
        "is_official": counting.is_macro == (task == MEAN) and task in (ALL, MEAN),
        **ways,
    }


def _counted(parts: Sequence[Sequence[PairAnswer]], way: str, threshold: float) -> dict[str, float | None]:
    found: list[Clusters] = []
    for part in parts:
        clusters: Clusters = defaultdict(list)
        for pair in part:
            if credits := list(_credits(pair, way, threshold)):
                clusters[pair.cluster].extend(credits)
        if clusters:
            found.append(clusters)
    return share_of(found)


def _credits(pair: PairAnswer, way: str, threshold: float) -> Iterator[float]:
    if pair.margin is None:
        return
    if way == ORDERS and pair.orders:
        right, num = agreement.readable_verdicts(pair.people, [_for_first(*order) for order in pair.orders])
        yield from [1.0] * right + [0.0] * (num - right)
        return
    limit = threshold if way == CALIBRATED else _THRESHOLDS.get(way, 0.0)
    yield credit(pair.people, pair.margin, TIE if way == HALF else 0.0, limit)


def _for_first(is_first_a: bool, image_a: float) -> float:
    return image_a if is_first_a else 1.0 - image_a


def share_of(parts: Sequence[Clusters]) -> dict[str, float | None]:
    """{value, low, high} of the mean of shares, or of a single one, with a 95 % interval that knows the clusters.

    Where the cluster-robust interval would be too narrow (too few pairs off the commonest value, no variation), it is
    Wilson's with as many trials as there are clusters, as if pairs of a cluster all said the same.
    """
    if not parts:
        return {"value": None, "low": None, "high": None}
    means = [agreement.mean([x for values in part.values() for x in values]) or 0.0 for part in parts]
    value = agreement.mean(means)
    assert value is not None
    found = intervals.interval(parts, means)
    if found.low is not None and found.high is not None:
        return {"value": value, "low": max(0.0, found.low), "high": min(1.0, found.high)}
    total = len(set().union(*parts))
    low, high = agreement.wilson(value * total, total)
    return {"value": value, "low": low, "high": high}


def controls_of(pairs: Sequence[PairAnswer]) -> dict[str, float]:
    """What judges reach that look at nothing."""
    decided = [pair.people for pair in pairs if pair.people != TIE]
    tied = 1 - len(decided) / len(pairs)
    return {
        f"chance, {HALF}": CHANCE,
        f"chance, {WRONG}": CHANCE * (1 - tied),
        "always the first edit, one order": sum(p == 1.0 for p in decided) / len(pairs),
        f"always the first edit, both orders, {WRONG}": tied,
    }


def position_of(pairs: Sequence[PairAnswer]) -> dict[str, object] | None:
    """How often a pairwise judge takes image A, and how often its two orders contradict each other."""
    clusters: Clusters = defaultdict(list)
    both: list[bool] = []
    for pair in pairs:
        clusters_of = [won for _, won in pair.orders if won != TIE]
        if clusters_of:
            clusters[pair.cluster].extend(clusters_of)
        if len(pair.orders) > 1:
            said = {_for_first(*order) for order in pair.orders}
            both.append({0.0, 1.0} <= said)
    if not clusters and not both:
        return None
    first = share_of([clusters] if clusters else [])
    return {
        "first": first["value"],
        "low": first["low"],
        "high": first["high"],
        "num_verdicts": sum(map(len, clusters.values())),
        "contradictions": sum(both) / len(both) if both else None,
        "num_pairs": len(both),
    }


def whole_groups_of(pairs: Sequence[PairAnswer]) -> dict[str, object] | None:
    """Of rankings of several edits: the share in which every pair is right (ties wrong)."""
    groups: dict[str, list[PairAnswer]] = defaultdict(list)
    for pair in pairs:
        if pair.group:
            groups[pair.group].append(pair)
    whole: Clusters = defaultdict(list)
    for members in groups.values():
        margins = [pair.margin for pair in members]
        if None not in margins:
            right = all(credit(pair.people, pair.margin) for pair in members if pair.margin is not None)
            whole[members[0].cluster].append(float(right))
    if not groups:
        return None
    return {
        "num_groups": len(groups),
        "num_scored": sum(map(len, whole.values())),
        **share_of([whole] if whole else []),
    }


def rankings_of(rated: Sequence[RatedAnswer]) -> Iterator[dict[str, object]]:
    """Rank correlation with people in each dimension: within every editor, and over all edits together."""
    for dimension in dict.fromkeys(one.dimension for one in rated):
        members = [one for one in rated if one.dimension == dimension]
        scored = [one for one in members if one.judge is not None]
        editors = {name: _rho([one for one in scored if one.editor == name]) for name in _names(scored)}
        known = [rho for rho in editors.values() if rho is not None]
        low, high = _within_interval(scored)
        yield {
            "dimension": dimension,
            "metric": members[0].metric,
            "num_edits": len(members),
            "num_scored": len(scored),
            "within": agreement.fisher_mean(known),
            "low": low,
            "high": high,
            "as_printed": agreement.tanh_of_mean(known),
            "pooled": _rho(scored),
            "editors": editors,
        }


def _names(answers: Sequence[RatedAnswer]) -> list[str]:
    return sorted({one.editor for one in answers})


def _rho(answers: Sequence[RatedAnswer]) -> float | None:
    people = agreement.without_last_bits([one.people for one in answers])
    judge = agreement.without_last_bits([one.judge for one in answers if one.judge is not None])
    return agreement.spearman(judge, people)


NUM_DRAWS, MIN_FOR_BOOTSTRAP = 400, 50


def _within_interval(scored: Sequence[RatedAnswer]) -> tuple[float | None, float | None]:
    """Percentile interval of Fisher's mean over draws of clusters; none with fewer than MIN_FOR_BOOTSTRAP of them."""
    import numpy as np

    clusters: dict[str, list[RatedAnswer]] = defaultdict(list)
    for one in scored:
        clusters[one.cluster].append(one)
    if len(clusters) < MIN_FOR_BOOTSTRAP:
        return None, None
    listed, random, found = list(clusters.values()), np.random.default_rng(0), []
    for _ in range(NUM_DRAWS):
        drawn = [one for place in random.integers(0, len(listed), len(listed)) for one in listed[place]]
        rhos = [_rho([one for one in drawn if one.editor == name]) for name in _names(drawn)]
        average = agreement.fisher_mean([rho for rho in rhos if rho is not None])
        found += [] if average is None else [average]
    if not found:
        return None, None
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
