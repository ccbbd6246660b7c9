"""Runs side by side: how the first one stands to each other, sample by sample, from their ledgers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

from editeval.errors import UserError
from editeval.reports.data import JsonObject
from editeval.reports.site.write import FIRST_FILE
from editeval.run import results
from editeval.run.results import ShownScoreSet
from editeval.stats.compare import Scored, compare
from editeval.stats.intervals import EQUATED
from editeval.store.run_store import RunStore
from editeval.types import Metric

_NO_INTERVAL = {"low": None, "high": None, "interval_note": EQUATED}
Told: TypeAlias = "tuple[list[dict[str, object]], int | None]"
"""A comparison for every run but the first, and the number of samples that all have, if it was asked for."""


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
        metric = metric_of(self._directories[0])
        comparisons = [
            asdict(compare(first, other, metric))
            | (_NO_INTERVAL if _is_equated(blocks[0]) or _is_equated(block) else {})
            | {"is_same_judge": _judged_by(blocks[0]) == _judged_by(block)}
            | {"is_same_part": _covers(blocks[0]) == _covers(block)}
            for other, block in zip(others, blocks[1:], strict=True)
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
        return _headline(store, shown)


def metric_of(directory: Path) -> Metric:
    """The scale of a run's headline."""
    with RunStore.read(directory) as store:
        return _scale(store, results.shown(store)[:1])


def _scale(store: RunStore, shown: Sequence[ShownScoreSet]) -> Metric:
    label = next(iter(results.labels(shown)), "")
    return results.scales(store, shown).get(label) or Metric(label)


def _headline(store: RunStore, shown: Sequence[ShownScoreSet]) -> dict[Hashable, Scored]:
    label = next(iter(results.labels(shown)), "")
    rows = results.rows(store, shown)
    return {(row.id, row.instruction): Scored(row.cluster, results.value_of(row, label)) for row in rows}


def by_scores(directories: Sequence[Path]) -> list[JsonObject]:
    """Every pair of runs, the first less the second, by the headline scores that each shows, on shared samples.

    Raises UserError for a run that shows no scores, for scores of different metrics, and for runs called alike.
    """
    known: dict[str, tuple[ShownScoreSet, Metric, dict[Hashable, Scored]]] = {}
    for directory in directories:
        with RunStore.read(directory) as store:
            shown = results.shown(store)[:1]
            if not shown:
                raise UserError(f"{directory}: has no scores; name a judge of pairs of edits with --judge")
            if directory.name in known:
                raise UserError(f"two runs are called {directory.name}; rename the directory of one")
            known[directory.name] = shown[0], _scale(store, shown), _headline(store, shown)
    found: list[JsonObject] = []
    for (a, (first, metric, mine)), (b, (second, _, theirs)) in combinations(known.items(), 2):
        if first.metrics[0] != second.metrics[0]:
            what = f"{a} shows {first.metrics[0]} and {b} {second.metrics[0]}"
            raise UserError(
                f"{what}; their scores cannot be compared: `editeval report RUN --scores NAME` shows others"
            )
        about = {"a": a, "b": b, "metric": first.metrics[0], "is_same_judge": first.id == second.id}
        found.append(
            about
            | asdict(compare(mine, theirs, metric))
            | (_NO_INTERVAL if first.is_equated or second.is_equated else {})
        )
    return found


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
