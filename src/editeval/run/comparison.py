"""Runs side by side: how they stand to each other, sample by sample, from their ledgers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

from editeval.errors import ConfigError, UserError
from editeval.reports.comparison_tables import sentences
from editeval.reports.data import JsonObject
from editeval.reports.site.write import FIRST_FILE
from editeval.run import results
from editeval.run.compared_runs import (
    RunScores,
    comparable,
    differences,
    headline_scale,
    of_common_seeds,
    other_sources,
    read_scores,
    scored_of,
)
from editeval.stats.compare import Comparison, Scored, compare_all
from editeval.stats.decisions import Decision, decide, rank_intervals
from editeval.stats.intervals import EQUATED
from editeval.store.run_store import RunStore
from editeval.types import Metric

SCHEMA_VERSION = 1
MAX_RUNS = 50
Told: TypeAlias = "tuple[list[dict[str, object]], int | None]"
"""A comparison for every run but the first, and the number of samples that all have, if it was asked for."""


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """What is compared, and what it has to decide."""

    metric: str = ""  # as the runs call it; empty: the headline
    is_intersected: bool = False  # what differs between the runs is a remark and no error
    baseline: Path | None = None  # each other run is compared with it alone
    margin: float | None = None  # in the metric's numbers; needs a baseline


def by_scores(directories: Sequence[Path], plan: ComparisonPlan | None = None) -> JsonObject:
    """The comparison of two runs or more by one metric: comparison.json of scores, and all that is printed.

    Every pair of runs, or each run with the baseline: the difference of their means over the samples that both scored,
    overall (the primary family) and by category (the secondary one). Raises UserError or ConfigError, one line, for
    runs that do not fit, and for a run without scores or without the metric.
    """
    plan = plan or ComparisonPlan()
    places = list(dict.fromkeys(directories))
    if not 2 <= len(places) <= MAX_RUNS:
        what = "takes two runs or more" if len(places) < 2 else f"takes at most {MAX_RUNS} runs at once"
        raise ConfigError(f"compare {what}, got {len(places)}")
    runs, remarks = of_common_seeds(comparable([read_scores(directory, plan.metric) for directory in places]))
    remarks += _fitting(runs, plan)
    if plan.is_intersected:
        common = _common(runs)
        runs = [run.only(common) for run in runs]
    letters = {run.name: _letter(number) for number, run in enumerate(runs)}
    base = next((run for run in runs if run.directory == plan.baseline), None)
    pairs = [(run, base) for run in runs if run is not base] if base else list(combinations(runs, 2))
    metric = runs[0].metric
    overall = _family([(a.scored, b.scored, a.is_equated or b.is_equated) for a, b in pairs], metric)
    scored = {run.name: run.parts() for run in runs}
    has_parts = len(scored[runs[0].name]) > 1
    parts = [(n, name) for n, (a, _) in enumerate(pairs) for name in scored[a.name]] if has_parts else []
    of_parts = [
        (scored[a.name][name], scored[b.name].get(name, {}), a.is_equated or b.is_equated)
        for (a, b), name in ((pairs[n], name) for n, name in parts)
    ]
    by_part = _family(of_parts, metric)
    better = {order for pair, (_, said) in zip(pairs, overall, strict=True) for order in _order(*pair, said)}
    ranks = {} if base else rank_intervals([run.name for run in runs], better)
    told = [
        {
            "a": letters[a.name],
            "b": letters[b.name],
            "planted": None if a.planted is None or b.planted is None else a.planted - b.planted,
            "overall": _row(*overall[number]),
            "categories": [
                {"category": name, **_row(*by_part[at])} for at, (n, name) in enumerate(parts) if n == number
            ],
        }
        for number, (a, b) in enumerate(pairs)
    ]
    document: JsonObject = {
        "schema_version": SCHEMA_VERSION,
        "kind": "scores",
        "metric": asdict(metric),
        "is_intersected": plan.is_intersected,
        "remarks": remarks,
        "families": {"overall": _size(overall), "categories": _size(by_part)},
        "runs": [{"letter": letters[run.name], **run.block(ranks.get(run.name))} for run in runs],
        "pairs": told,
        "gate": _gate(told, metric, plan.margin, all(run.is_judge_trusted for run in runs))
        if plan.margin is not None and base
        else None,
    }
    return {**document, "sentences": list(sentences(document))}


def _fitting(runs: Sequence[RunScores], plan: ComparisonPlan) -> list[str]:
    """What differs between the runs, one line each; raises UserError for it unless that is asked for."""
    names = [run.name for run in runs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"two runs are called {twice[0]}; rename the directory of one")
    first = runs[0]
    for run in runs[1:]:
        if replace(run.metric, name="") != replace(first.metric, name=""):
            what = f"{first.name} scores {first.metric.name} {first.metric.range} and {run.name} {run.metric.range}"
            raise UserError(f"{what}; different scales cannot be compared")
    remarks = list[str]()
    for run in runs[1:]:
        for what in differences(first, run):
            if not plan.is_intersected:
                raise UserError(
                    f"{first.name} and {run.name} {what}; --intersect compares what they share, and says so"
                )
            remarks.append(f"{first.name} and {run.name} {what}")
    if plan.is_intersected and not _common(runs):
        raise UserError(f"--intersect: {' and '.join(names)} have no sample (same id and instruction) in common")
    return remarks


def _common(runs: Sequence[RunScores]) -> set[Hashable]:
    """Samples that all have, of the same source image."""
    common = set(runs[0].scored).intersection(*(run.scored for run in runs))
    return common.difference(*(other_sources(runs[0], run) for run in runs[1:]))


_Sides: TypeAlias = "tuple[Mapping[Hashable, Scored], Mapping[Hashable, Scored], bool]"
"""The samples of two runs, and whether one went through a bridge."""


def _family(sides: Sequence[_Sides], metric: Metric) -> list[tuple[Comparison, Decision]]:
    """Compared and decided together."""
    found = compare_all([side[:2] for side in sides], metric)
    found = [_of_bridge(one) if side[2] else one for one, side in zip(found, sides, strict=True)]
    return list(zip(found, decide(found, metric.is_higher_better), strict=True))


def _of_bridge(one: Comparison) -> Comparison:
    """Without what the samples cannot tell: the bridge's error for each editor."""
    return replace(one, low=None, high=None, interval_note=EQUATED, p=None, p_note=EQUATED, p_floor=None)


def _order(a: RunScores, b: RunScores, said: Decision) -> list[tuple[str, str]]:
    """[(better, worse)]; empty if that is not decided."""
    return [(a.name, b.name) if said.better == "first" else (b.name, a.name)] if said.better else []


def _row(found: Comparison, said: Decision) -> JsonObject:
    spread = found.spread
    told = None if spread is None else {"sd": spread.sd, "design_effect": spread.effect, "df": spread.df}
    return {**asdict(found), "spread": told, "is_identified": found.is_identified, **asdict(said)}


def _size(family: Sequence[tuple[Comparison, Decision]]) -> int:
    return sum(found.p is not None for found, _ in family)


def _letter(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _gate(pairs: Sequence[JsonObject], metric: Metric, margin: float, is_judge_trusted: bool = True) -> JsonObject:
    """Whether a run may be worse than the baseline by more than `margin`: decided by the interval's bad end.

    The end moves on by what the missing scores could change, to where the scale ends. Equal scores on every sample are
    an interval of 0 alone, where there are enough for a p. Without an interval or an end of the scale nothing is shown,
    and the run does not pass; nor by a judge that is not to be trusted.
    """
    ends = (metric.low, metric.high) if metric.is_higher_better else (metric.high, metric.low)
    found = []
    for pair in pairs:
        one = pair["overall"]
        end, bound = (one["low"], one["lowest"]) if metric.is_higher_better else (one["high"], one["highest"])
        end = 0.0 if one["reason"] == "identical" and one["p"] is not None else end
        counts = (one["first"], one["second"])
        missing = [
            worst for worst, count in zip(ends, counts, strict=True) if count["num_scored"] < count["num_samples"]
        ]
        worst = None if end is None or bound is None or None in missing else end + bound - one["difference"]
        loss = None if worst is None else -worst if metric.is_higher_better else worst
        why = "no_interval" if end is None or bound is None else "no_end" if None in missing else ""
        why = why if is_judge_trusted else "invalid_judge"
        is_regression = loss is None or loss > margin or not is_judge_trusted
        found.append({"run": pair["a"], "worst_end": worst, "why": why, "is_regression": is_regression})
    return {"margin": margin, "runs": found}


class Comparing:
    """How the first run stands to each other one; counted again only when a report has been written since."""

    def __init__(self, directories: Sequence[Path], intersect: bool) -> None:
        self._directories = directories
        self._intersect = intersect
        self._known: tuple[tuple[int, ...], Told] | None = None

    def __call__(self, blocks: Sequence[JsonObject]) -> Told:
        """Of runs whose reports hold `blocks`, in the order of the directories."""
        if len(blocks) < 2:
            return [], None
        written = tuple(map(_written_at, self._directories))
        known = self._known
        if known is None or known[0] != written:
            known = self._known = written, self._counted(blocks)
        return known[1]

    def _counted(self, blocks: Sequence[JsonObject]) -> Told:
        first, *others = (scored(*one) for one in zip(self._directories, blocks, strict=True))
        equated = [_is_equated(block) for block in blocks]
        sides = [
            (one, other, is_equated or is_other)
            for (one, is_equated), (other, is_other) in combinations(zip([first, *others], equated, strict=True), 2)
        ]
        metric = headline_scale(self._directories[0])
        family = _family(sides, metric)[: len(others)]  # of all pairs, as by_scores has them: the first with each other
        comparisons = [
            {
                **_row(*found),
                "is_same_judge": _judged_by(blocks[0]) == _judged_by(block),
                "is_same_part": _covers(blocks[0]) == _covers(block),
            }
            for found, block in zip(family, blocks[1:], strict=True)
        ]
        return comparisons, len(set(first).intersection(*others)) if self._intersect else None


def scored(directory: Path, block: JsonObject) -> dict[Hashable, Scored]:
    """The headline scores of a run's wanted samples, by id and instruction, from its ledger: exact, with clusters.

    Raises UserError if the report on the disk shows other scores than the run.
    """
    with RunStore.read(directory) as store:
        shown = results.shown(store)[:1]
        told, ids = block["run"].get("judging_id"), [score_set.id for score_set in shown]
        if [told] * (told is not None) != ids:
            raise UserError(f"{directory}: its report shows other scores than the run; `editeval report {directory}`")
        label = next(iter(results.labels(shown)), "")
        return scored_of(results.rows(store, shown), label)


def _written_at(directory: Path) -> int:
    """When a report was written, in nanoseconds; 0 while another one takes its place, so that the next look counts."""
    try:
        return (directory / FIRST_FILE).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _covers(block: JsonObject) -> list[object]:
    """The part of its benchmark, the languages and the named subsets; the number of samples in each."""
    subset = block["run"].get("subset") or {}
    return [subset, *(block["run"].get(name) or {} for name in ("languages", "subsets"))]


def _is_equated(block: JsonObject) -> bool:
    """Whether its headline went through a bridge, whose error for each editor no pair of samples shows."""
    return any(str(one["judge"]).startswith(results.EQUATED) for one in (block["run"].get("judgings") or ())[:1])


def _judged_by(block: JsonObject) -> tuple[object, object]:
    return block["headline"], block["run"].get("judging_id")
