"""Which score sets a run shows, under which labels, and whether a sample is scored, failed or unscored.

The only place that decides this: report, export, view, verify, status, show, score and reparse ask it. It is decided
when something is done to the run, and recorded in its ledger:

- `run` and `retry` show the score sets of the configuration's judges;
- `report --scores NAME` shows others, until the configuration names other judges;
- `report --scale-of JUDGE` shows scores that a bridge carries over to that judge's scale;
- `score` and `reparse` only add score sets; the first one of a run that shows none is shown.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace

from editeval.errors import ConfigError, Reason
from editeval.judges.protocols.protocol import PROTOCOLS, class_of
from editeval.reports.data import scored_value
from editeval.reports.format import score_set_title
from editeval.run.plan import ScoreSetPlan
from editeval.stats.equating import Equating
from editeval.stats.summary import Entry, State, summarise
from editeval.store import queries
from editeval.store.fingerprints import json_params
from editeval.store.ledger_events import ScoreSetsChosen, Stages
from editeval.store.records import SampleRow, ScoreSet, ScoreSetEntry, parsed
from editeval.store.run_store import RunStore
from editeval.store.score_sets import official_in, scales_in
from editeval.store.verify import AGAIN, Problem, reported_ids
from editeval.text import one_line
from editeval.types import Metric, OfficialMean, Summary

TOLERANCE = 1e-9  # of a figure in report.json
EQUATED = "equated by bridge "  # what a score set has in place of a judge's type if its scores went through a bridge
_MIN_PREFIX = 4  # characters of an id that are enough to mean it


@dataclass(frozen=True, slots=True)
class ShownScoreSet:
    """All scores that one judge gave a run under one protocol, and what outputs call them."""

    name: str  # no other score set of the run has it
    id: str
    judge: str  # as the configuration names it
    protocol: str  # empty: the judge follows none
    metrics: tuple[str, ...]  # the first one is its headline
    parent: str = ""  # id of the score set whose replies it reads again; empty: it asked a judge
    prefix: str = ""  # of its metrics' labels; empty for the first one that is shown, unless its scores are equated

    @property
    def labels(self) -> tuple[str, ...]:
        """The metrics as outputs call them."""
        return tuple(self.prefix + metric for metric in self.metrics)

    @property
    def is_equated(self) -> bool:
        """Whether these are another judge's scores, carried over by a bridge."""
        return self.judge.startswith(EQUATED)

    @property
    def judged_in(self) -> str:
        """The id of the score set by whose judge these are, which has the certificates."""
        return self.parent if self.is_equated else self.id

    @property
    def title(self) -> str:
        """`words (openai_chat, protocol rubric, 1f0c...)`: which scores these are."""
        return score_set_title(self.name, self.judge, self.protocol, self.id)


# -- asked ---------------------------------------------------------------------------------------------------------


def shown(store: RunStore) -> tuple[ShownScoreSet, ...]:
    """What every output of this run shows, in order, the headline's first. Empty: its edits are the result."""
    by_id = {found.id: found for found in kept(store)}
    decision = _decision(store)
    return _labelled([by_id[entry.id] for entry in decision.chosen or decision.configured])


def kept(store: RunStore) -> list[ShownScoreSet]:
    """Every score set of the run, in the order in which they were added; those without any score only if decided on.

    Names are unique: of two alike the configured one keeps the name, a later one carries the beginning of its id.
    """
    decision = _decision(store)
    configured = {entry.id for entry in decision.configured}
    decided = {entry.id: ShownScoreSet(**asdict(entry)) for entry in (*(decision.chosen or ()), *decision.configured)}
    there = store.judgings()
    found = [decided.get(judging.id) or _read(store, judging) for judging in there]
    found += [one for one in decided.values() if one.id not in {judging.id for judging in there}]
    return _named([one for one in found if one.metrics], configured)


def configured_ids(store: RunStore) -> dict[str, str]:
    """Judge of the configuration -> id of its score set in this run."""
    return {entry.name: entry.id for entry in _decision(store).configured}


def rows(store: RunStore, score_sets: Sequence[ShownScoreSet] | None = None, label: str = "") -> Iterator[SampleRow]:
    """The wanted samples in order, with the scores of `score_sets` (those shown), or that `label` alone, by label."""
    return store.labelled_rows(prefixes(shown(store) if score_sets is None else score_sets), label)


def prefixes(score_sets: Sequence[ShownScoreSet]) -> dict[str, str]:
    """Score set id -> what its metrics' labels begin with."""
    return {score_set.id: score_set.prefix for score_set in score_sets}


def labels(score_sets: Sequence[ShownScoreSet]) -> tuple[str, ...]:
    """Every metric as outputs call it; the first is the headline. Empty without a score set."""
    return tuple(label for score_set in score_sets for label in score_set.labels)


def scales(store: RunStore, score_sets: Sequence[ShownScoreSet]) -> dict[str, Metric]:
    """Label -> scale of every metric that is not 0-10."""
    told = {judging.id: scales_in(judging.details) for judging in store.judgings()}
    return {one.prefix + name: scale for one in score_sets for name, scale in told.get(one.id, {}).items()}


def equatings(store: RunStore, score_sets: Sequence[ShownScoreSet]) -> dict[str, Equating]:
    """Label -> what the scores went through, of every metric that is equated."""
    kept_by = {judging.id: judging.details.get("bridge", {}) for judging in store.judgings()}
    return {
        one.prefix + metric["wanted"]: parsed(Equating, metric["equating"])
        for one in score_sets
        for metric in kept_by.get(one.id, {}).get("metrics", ())
    }


def official(store: RunStore, score_sets: Sequence[ShownScoreSet]) -> Iterator[tuple[OfficialMean, list[str]]]:
    """Every number that the authors of a score set's questions would print, and the labels of its metrics."""
    told = {judging.id: official_in(judging.details) for judging in store.judgings()}
    for one in score_sets:
        yield from ((mean, [one.prefix + metric for metric in mean.metrics]) for mean in told.get(one.id, ()))


def authors_names(score_sets: Sequence[ShownScoreSet]) -> dict[str, dict[str, str]]:
    """Label -> category -> what the authors of the questions call the metric there, where it has such a name."""
    found: dict[str, dict[str, str]] = {}
    for one in score_sets:
        for category, names in class_of(one.protocol).labels.items() if one.protocol in PROTOCOLS else ():
            for metric, name in names.items():
                found.setdefault(one.prefix + metric, {})[category] = name
    return found


def value_of(row: SampleRow, label: str) -> float | None:
    """The sample's score; None if it has none, and always for an edit that is not done."""
    return scored_value(row, label)


def state_of(row: SampleRow, label: str) -> State:
    """A failed edit is failed; an edit without a score, or not made yet, is unscored, if it can have that score."""
    score = row.scores.get(label)
    if score is not None and score.reason == Reason.NOT_APPLICABLE:
        return "not_applicable"
    if value_of(row, label) is not None:
        return "scored"
    return "failed" if row.status == "failed" else "unscored"


def entry_of(row: SampleRow, label: str) -> Entry:
    """The sample as summaries count it."""
    value = value_of(row, label)
    return row.category, row.cluster, state_of(row, label), value, row.sample


def meant(store: RunStore, words: Sequence[str], flag: str = "--scores") -> tuple[ShownScoreSet, ...]:
    """The score sets that `words` (names, or beginnings of ids) mean, in their order, labelled as they would be shown.

    Raises ConfigError, which calls the words `flag`, for a word that means none or several, and for metrics that would
    have one label.
    """
    known = kept(store)
    found = _labelled(list(dict.fromkeys(_meant(word, known, flag) for word in dict.fromkeys(words))))
    twice = [label for label, count in Counter(labels(found)).items() if count > 1]
    if twice:
        told = " ".join(f"{flag} {one.name}" for one in found)
        raise ConfigError(one_line(f"{told}: two metrics would be called {twice[0]!r}; name them in another order"))
    return found


def stale_summaries(store: RunStore) -> Iterator[Problem]:
    """Figures of report.json that do not follow from the ledger; its counts and samples are checked by the store."""
    path = store.dir / "report.json"
    try:
        report = json.loads(path.read_bytes())
        told = [(("", ""), summary) for summary in report["summaries"]]
        groups = [((str(group["by"]), str(group["name"])), group["summaries"]) for group in report.get("groups", ())]
        told += [(group, summary) for group, summaries in groups for summary in summaries]
        keys = dict.fromkeys((group, str(summary["metric"])) for group, summary in told)
        metrics = dict.fromkeys(metric for _, metric in keys)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # the store has said so
    entries: dict[tuple[tuple[str, str], str], list[Entry]] = {key: [] for key in keys}
    for row in rows(store):  # once, however many figures there are
        by_metric = {metric: entry_of(row, metric) for metric in metrics}
        for ((by, name), metric), found in entries.items():
            if not by or getattr(row, by, None) == name:
                found.append(by_metric[metric])
    known, known_scales, bridged = {}, scales(store, shown(store)), equatings(store, shown(store))
    for (group, metric), found in entries.items():
        for summary in summarise(found, metric, known_scales.get(metric), bridged.get(metric)):
            known[group, metric, summary.category] = asdict(summary)
    for group, summary in told:
        where = f"{summary.get('metric')} of {summary.get('category')}{' in ' if group[0] else ''}{' '.join(group)}"
        now = known.get((group, summary.get("metric"), summary.get("category")), {})
        for name, value in now.items():
            if name not in _unchecked(summary) and not is_equal(summary.get(name), value):
                detail = f"{where}: {name} {summary.get(name)!r}, {value!r} by the ledger; {AGAIN}"
                yield Problem("report", path.name, detail)
                return


_OF_INTERVALS = ("interval_note", "ci_low", "ci_high")


def _unchecked(told: Mapping[str, object]) -> tuple[str, ...]:
    """Figures that an older version did not print, or by another rule: these alone cannot be checked."""
    if "interval_kind" in told:
        return ()
    return (*_OF_INTERVALS, *(field.name for field in fields(Summary) if field.default is not MISSING))


def is_equal(told: object, known: object) -> bool:
    if isinstance(told, int | float) and isinstance(known, int | float):
        return math.isclose(told, known, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return told == known


# -- decided -------------------------------------------------------------------------------------------------------


def configured_by(judgings: Sequence[ScoreSetPlan]) -> tuple[ShownScoreSet, ...]:
    """The score sets of a configuration's judges."""
    return _labelled(
        [
            ShownScoreSet(j.name, j.id, j.stage.requested_type, _protocol(json_params(j.stage.params)), j.metrics)
            for j in judgings
        ]
    )


def configure(store: RunStore, judgings: Sequence[ScoreSetPlan]) -> None:
    """The run's configuration has these judges. What `report --scores` chose stays while they are the same."""
    wanted = _entries(configured_by(judgings))
    before = _decision(store)
    is_same = [entry.id for entry in before.configured] == [entry.id for entry in wanted]
    _decide(store, ScoreSetsChosen(wanted, before.chosen if is_same else None))


def choose(store: RunStore, words: Sequence[str]) -> tuple[ShownScoreSet, ...]:
    """From now on the run shows the score sets that `words` mean. Raises ConfigError as `meant` does."""
    chosen = meant(store, words)
    _decide(store, ScoreSetsChosen(_decision(store).configured, _entries(chosen)))
    return chosen


def adopt(store: RunStore, score_sets: Sequence[ShownScoreSet]) -> None:
    """`score_sets` are new: a run that shows none shows them from now on, any other stays as it is."""
    if score_sets and not shown(store):
        _decide(store, ScoreSetsChosen(_decision(store).configured, _entries(score_sets)))


def _decide(store: RunStore, decision: ScoreSetsChosen) -> None:
    if not is_decided(store) or decision != _decision(store):
        store.record_event(decision)


def is_decided(store: RunStore) -> bool:
    """False for a run that only versions without this rule have touched."""
    return store.latest(ScoreSetsChosen) is not None


def _decision(store: RunStore) -> ScoreSetsChosen:
    latest = store.latest(ScoreSetsChosen)
    return latest.event if latest else _decision_before(store)


def _decision_before(store: RunStore) -> ScoreSetsChosen:
    """Of a run that is not decided: the judges of its latest invocation; what its report shows, if that is other."""
    known = {judging.id: judging for judging in store.judgings()}
    announced = store.latest(Stages)
    ids = [str(stage.get("judging_id")) for stage in announced.event.stages] if announced else list(known)
    configured = [one for i in ids if i in known and (one := _read(store, known[i])).metrics]
    reported = reported_ids(store.dir)
    is_other = reported and known.keys() >= set(reported) and reported != [one.id for one in configured]
    chosen = _entries([_read(store, known[score_set_id]) for score_set_id in reported]) if is_other else None
    return ScoreSetsChosen(_entries(configured), chosen)


# -- read ----------------------------------------------------------------------------------------------------------


def _read(store: RunStore, judging: ScoreSet) -> ShownScoreSet:
    details = judging.details
    return ShownScoreSet(
        name=str(details.get("name", judging.judge)),
        id=judging.id,
        judge=str(details.get("requested_type", judging.judge)),
        protocol=_protocol(details.get("params", {})),
        metrics=queries.metrics(store, judging.id),
        parent=str(details.get("parent", "")),
    )


def _entries(found: Sequence[ShownScoreSet]) -> tuple[ScoreSetEntry, ...]:
    """As a decision names them."""
    return tuple(ScoreSetEntry(o.name, o.id, o.judge, o.protocol, o.metrics, o.parent) for o in found)


def _protocol(params: Mapping[str, object]) -> str:
    return str(params.get("protocol") or "")


def _named(found: Sequence[ShownScoreSet], first: set[str]) -> list[ShownScoreSet]:
    """`found` with unique names; those in `first` have theirs before anybody else."""
    taken: set[str] = set()
    names: dict[str, str] = {}
    for score_set in sorted(found, key=lambda one: one.id not in first):
        name = score_set.name if score_set.name not in taken else f"{score_set.name}-{score_set.id[:6]}"
        taken.add(name)
        names[score_set.id] = name
    return [replace(score_set, name=names[score_set.id]) for score_set in found]


def _labelled(score_sets: Sequence[ShownScoreSet]) -> tuple[ShownScoreSet, ...]:
    labelled = enumerate(score_sets)
    return tuple(replace(one, prefix=f"{one.name}." if place or one.is_equated else "") for place, one in labelled)


def _meant(word: str, known: Sequence[ShownScoreSet], flag: str) -> ShownScoreSet:
    exact = [one for one in known if word in (one.name, one.id)]
    found = exact or [one for one in known if len(word) >= _MIN_PREFIX and one.id.startswith(word)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{one.name} ({one.id})" for one in (found or known)) or "none"
    what = "means several" if found else "no such score set"
    raise ConfigError(one_line(f"{flag} {word}: {what}; the run has {listed}"))
