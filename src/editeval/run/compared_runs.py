"""What a comparison reads of a run: its scores by sample, who gave them, and what makes two runs differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from editeval.errors import ConfigError, UserError
from editeval.reports.badge import CERTIFIED
from editeval.reports.data import MICRO, JsonObject
from editeval.run import results
from editeval.run.index import has_failed_judge, model_of, name_of
from editeval.run.plan import hash_of
from editeval.run.planted import planted
from editeval.run.recorded import change_of_ledger
from editeval.run.results import ShownScoreSet
from editeval.stats.compare import Scored
from editeval.stats.equating import Equating
from editeval.stats.summary import Entry, summarise
from editeval.store.records import SampleRow
from editeval.store.run_store import RunStore
from editeval.types import Metric, Summary

_MAX_NAMED = 3  # settings of a judge that differ


@dataclass(frozen=True, slots=True)
class RunScores:
    """One metric of one run. A sample is known by (id, instruction); those without the metric are not in it."""

    name: str  # that it was given, or that of its directory
    directory: Path
    model: str
    metric: Metric
    benchmark: str  # fingerprint
    judge: str  # id of the score set
    identity: Mapping[str, object]  # what decides the judge's scores, by name
    certificate: str | None  # verdict that the run's report tells; None: it tells none
    is_equated: bool
    scored: Mapping[Hashable, Scored]
    sources: Mapping[Hashable, str]  # digest of the source image, where it is on record
    entries: Mapping[Hashable, Entry]
    inapplicable: frozenset[Hashable] = frozenset()  # samples that do not have the metric
    bridged: Equating | None = None  # what the scores went through
    is_judge_trusted: bool = True  # False: the judge failed a certificate, or the controls of this run
    planted: float | None = None  # the mean that a simulated editor has by its chances; of its headline alone

    def only(self, keys: Collection[Hashable]) -> RunScores:
        """The same run with these samples alone."""
        kept = {key: one for key, one in self.scored.items() if key in keys}
        return replace(self, scored=kept, planted=self.planted if len(kept) == len(self.scored) else None)

    @property
    def num_seeds(self) -> int:
        """Edits of each sample."""
        return max((one.seed_index for one in self.scored.values()), default=1)

    def samples(self) -> set[str]:
        """Ids of those that it edits."""
        return {one.sample for one in self.scored.values()}

    def categories(self) -> list[str]:
        """In the order of the benchmark."""
        return list(dict.fromkeys(one.category for one in self.scored.values()))

    def parts(self) -> dict[str, dict[Hashable, Scored]]:
        """Its samples by category, in the order of the benchmark."""
        found = dict[str, dict[Hashable, Scored]]()
        for key, one in self.scored.items():
            found.setdefault(one.category, {})[key] = one
        return found

    def block(self, place: tuple[int, int] | None) -> JsonObject:
        """What a comparison says of the run itself; `place`: the best and the worst that it can have."""
        whole = self.summary()
        return {
            "name": self.name,
            "directory": str(self.directory),
            "model": self.model,
            "num_samples": whole.num_samples,
            "num_seeds": self.num_seeds,
            "num_scored": whole.num_scored,
            "coverage": whole.coverage,
            "mean": whole.mean,
            "low": whole.ci_low,
            "high": whole.ci_high,
            "interval_note": whole.interval_note,
            "planted": self.planted,
            "is_judge_trusted": self.is_judge_trusted,
            "best": place[0] if place else None,
            "worst": place[1] if place else None,
        }

    def summary(self) -> Summary:
        """Over all samples of `scored`."""
        entries = [self.entries[key] for key in self.scored]
        return next(
            one for one in summarise(entries, self.metric.name, self.metric, self.bridged) if one.category == MICRO
        )


def read_scores(directory: Path, label: str = "") -> RunScores:
    """The scores of the metric `label` of a run, or of its headline.

    Raises UserError for a run that shows no scores, or changed ones, ConfigError for a metric that it does not show.
    """
    with RunStore.read(directory) as store:
        shown = results.shown(store)
        if not shown:
            raise UserError(f"{directory}: has no scores; `editeval score {directory} CONFIG` judges it")
        known = {name: score_set for score_set in shown for name in score_set.labels}
        if change := change_of_ledger(store):
            raise UserError(f"{directory}: {change}")
        label = label or next(iter(known))
        if label not in known:
            raise ConfigError(f"--metric {label}: {directory.name} shows {', '.join(known)}")
        everything = list(results.rows(store, (known[label],), label))
        states = {row.id: results.state_of(row, label) for row in everything}
        rows = [row for row in everything if states[row.id] != "not_applicable"]
        truth = planted(store, known[label].id, hash_of(row.id for row in everything))
        keys: list[Hashable] = [(row.id, row.instruction) for row in rows]
        made = {edit.sample_id: edit.made.source_sha256 for edit in store.edits() if edit.made}
        return RunScores(
            name=name_of(store) or directory.name,
            directory=directory,
            model=model_of(store.manifest),
            metric=results.scales(store, shown).get(label) or Metric(label),
            benchmark=str(store.manifest["identity"]["benchmark"]),
            judge=known[label].id,
            identity=_identity(store, known[label]),
            certificate=(certificate := _certificate(directory, known[label])),
            is_judge_trusted=certificate in (None, CERTIFIED)
            and not (known[label] == shown[0] and has_failed_judge(store, shown[0])),
            is_equated=known[label].is_equated,
            scored=scored_of(rows, label),
            sources={key: made[row.id] for key, row in zip(keys, rows, strict=True) if row.id in made},
            inapplicable=frozenset(
                (row.id, row.instruction) for row in everything if states[row.id] == "not_applicable"
            ),
            bridged=results.equatings(store, shown).get(label),
            entries={key: results.entry_of(row, label) for key, row in zip(keys, rows, strict=True)},
            planted=truth.mean if truth and label == known[label].labels[0] else None,
        )


def comparable(runs: Sequence[RunScores]) -> list[RunScores]:
    """Without samples that do not have the metric, and called after their directories where one name was given twice.

    That a metric does not apply to a sample whose edit failed, another run alone says.
    """
    times = Counter(run.name for run in runs)
    runs = [replace(run, name=run.directory.name) if times[run.name] > 1 else run for run in runs]
    without = frozenset[Hashable]().union(*(run.inapplicable for run in runs))
    return [run.only(run.scored.keys() - without) for run in runs] if without else runs


def of_common_seeds(runs: Sequence[RunScores]) -> tuple[list[RunScores], list[str]]:
    """(the runs with those seeds of each sample that all have, in words what was left out)."""
    least = min(run.num_seeds for run in runs)
    told = [f"{run.name} has {run.num_seeds} seeds for each sample" for run in runs if run.num_seeds > least]
    kept = [
        run.only([key for key, one in run.scored.items() if one.seed_index <= least]) if run.num_seeds > least else run
        for run in runs
    ]
    counts = "the first of them counts" if least == 1 else f"{least} of them count"
    return kept, [f"{one}; {counts}" for one in told]


def scored_of(rows: Iterable[SampleRow], label: str) -> dict[Hashable, Scored]:
    """The scores of a metric by (id, instruction), without the samples that do not have it."""
    return {
        (row.id, row.instruction): Scored(
            *(row.cluster, results.value_of(row, label), row.category),
            *(row.sample, row.seed_index),
        )
        for row in rows
        if results.state_of(row, label) != "not_applicable"
    }


def headline_scale(directory: Path) -> Metric:
    """The scale of the metric that a run shows first."""
    with RunStore.read(directory) as store:
        shown = results.shown(store)[:1]
        label = next(iter(results.labels(shown)), "")
        return results.scales(store, shown).get(label) or Metric(label)


def _identity(store: RunStore, score_set: ShownScoreSet) -> dict[str, object]:
    """Setting by setting, "params.protocol" among them."""
    details: Mapping[str, object] = next((one.details for one in store.judgings() if one.id == score_set.id), {})
    told: dict[str, object] = {"judge": score_set.judge, "protocol": score_set.protocol}

    def add(name: str, value: object) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{name}.{key}" if name else str(key), inner)
        else:
            told[name] = value

    add("", details.get("identity") or {"params": details.get("params")})
    return told


def _certificate(directory: Path, score_set: ShownScoreSet) -> str | None:
    """As report.json has it; a report that cannot be read tells nothing, and `editeval verify` says why."""
    try:
        judgings = json.loads((directory / "report.json").read_bytes())["run"]["judgings"]
        told = {one["id"]: (one["certificate"] or {}).get("verdict") for one in judgings}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    verdict = told.get(score_set.id)
    return verdict if isinstance(verdict, str) else None


def differences(first: RunScores, second: RunScores) -> Iterator[str]:
    """What makes two runs differ besides their edits, each in words that follow their names."""
    if first.benchmark != second.benchmark:
        yield "are runs of different benchmarks or data"
    mine, theirs = first.scored.keys(), second.scored.keys()
    if first.num_seeds != second.num_seeds and first.samples() == second.samples():
        yield f"have {first.num_seeds} and {second.num_seeds} seeds for each sample"
    elif mine != theirs:
        yield f"cover different samples ({len(mine)} and {len(theirs)}, {len(mine & theirs)} in common)"
    if changed := other_sources(first, second):
        yield f"edited different source images of {len(changed)} of the samples that both have"
    if first.judge != second.judge:
        yield f"were judged differently ({_told(first.identity, second.identity)})"
    elif first.certificate != second.certificate and first.certificate and second.certificate:
        yield f"have different certificates of their judge ({first.certificate} and {second.certificate})"


def other_sources(first: RunScores, second: RunScores) -> set[Hashable]:
    """Samples of both whose source image is another one."""
    both = first.scored.keys() & second.scored.keys() & first.sources.keys() & second.sources.keys()
    return {key for key in both if first.sources[key] != second.sources[key]}


def _told(mine: Mapping[str, object], theirs: Mapping[str, object]) -> str:
    names = [name for name in dict.fromkeys([*mine, *theirs]) if mine.get(name) != theirs.get(name)]
    named = [f"{name} {_short(mine.get(name))} and {_short(theirs.get(name))}" for name in names[:_MAX_NAMED]]
    return "; ".join(named) or "their weights, code or prompts differ"


def _short(value: object) -> str:
    text = str(value if value not in (None, "") else "none")
    return text if len(text) <= 40 else f"{text[:37]}..."
