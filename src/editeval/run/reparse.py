"""Kept replies of a judge, read again: another threshold, or the parser and aggregation of today. No model is asked."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, islice

from editeval.config.legacy import canonical
from editeval.errors import ConfigError
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from editeval.run.plan import Plan
from editeval.run.same_inputs import is_same_benchmark
from editeval.run.selection import with_repeats
from editeval.store import fingerprints, manifest, queries
from editeval.store.fingerprints import judge_request
from editeval.store.records import Details, Json, SampleRow, ScoreSet
from editeval.store.run_store import RunStore
from editeval.store.score_sets import details_of, official_use_in, recorded_scales
from editeval.text import fixed
from editeval.types import JudgeRequest, Outcome, Sample, Score

log = logging.getLogger("editeval")
_PAGE = 256
_SAME = 1e-9  # two readings of one reply that differ by less are equal


@dataclass(frozen=True, slots=True)
class Reparse:
    """How the replies of a judging are read. `id` is that of the judging that comes of it."""

    parent: ScoreSet
    protocol: str
    min_label_mass: float
    match_published: tuple[str, ...] = ()  # switches of the protocol
    samples: Mapping[str, Sample] = field(default_factory=dict, repr=False)  # of the benchmark, where they decide

    @property
    def loaded(self) -> protocols.Protocol:
        """The protocol in the words of the run."""
        return _loaded(self.parent.details.get("params", {}), self.protocol, self.match_published)

    @property
    def id(self) -> str:
        parts = {
            "parent": self.parent.id,
            "protocol": self.protocol,
            "code": protocols.fingerprint(self.loaded),
            "min_label_mass": self.min_label_mass,
        }
        return manifest.run_id(parts)[:16]

    @property
    def name(self) -> str:
        """That of the parent, with a mark."""
        return f"{self.parent.details.get('name', self.parent.judge)}-reparsed"


@dataclass(frozen=True, slots=True)
class ChangedScore:
    """Scores of one metric that another reading changes in one way, with the first sample as an example."""

    metric: str
    what: str
    count: int
    example_id: str
    before: str
    after: str


def reparse_of(
    parent: ScoreSet,
    protocol: str | None,
    min_label_mass: float | None,
    match_published: Sequence[str] | None = None,
) -> Reparse:
    """How to read `parent` again; what is None stays as it was. Raises ConfigError if its replies do not allow it."""
    params = parent.details.get("params", {})
    asked = str(params.get("protocol"))
    if asked not in protocols.PROTOCOLS or "min_label_mass" not in params:
        raise ConfigError(
            f"judging {parent.id}: the judge {parent.judge!r} keeps no replies that could be read again; "
            "`editeval score RUN CONFIG` asks a judge again"
        )
    wanted = protocol or asked
    told = params.get("match_published")
    before = tuple(map(str, told)) if isinstance(told, list | tuple) else ()
    switches = (before if wanted == asked else ()) if match_published is None else tuple(match_published)
    if _asked(_loaded(params, wanted, switches)) != _asked(_loaded(params, asked, before)):
        flag = f"--protocol {wanted}" if wanted != asked else f"--match-published {' '.join(switches)}".rstrip()
        raise ConfigError(
            f"{flag}: asks other questions than {asked} did, so the kept replies do not answer them; "
            "`editeval score RUN CONFIG` asks them"
        )
    mass = params["min_label_mass"] if min_label_mass is None else min_label_mass
    if not isinstance(mass, int | float) or not 0.0 <= mass <= 1.0:
        raise ConfigError(f"--min-label-mass: must be between 0 and 1, got {mass}")
    return Reparse(parent, wanted, float(mass), switches)


def _loaded(params: Json, name: str, switches: Sequence[str]) -> protocols.Protocol:
    """The protocol called `name`; if it is that of a judge with `params`, in the words that were in use."""
    if name != params.get("protocol"):
        return protocols.load(name, match_published=switches)
    return protocols.as_recorded({**params, "match_published": list(switches)})


def _asked(protocol: protocols.Protocol) -> list[tuple[str, str | None, tuple[str | protocols.ShownImage, ...]]]:
    """What a protocol asks of any kind of sample, less the form of the answer: that is a matter of reading."""
    asked = (question for request in protocol.examples() for question in protocol.questions(request))
    return [(question.name, question.system, question.parts) for question in asked]


def with_samples(reading: Reparse, store: RunStore, plan_of: Callable[[], Plan]) -> Reparse:
    """`reading` with what a published protocol reads of a sample besides its texts: only the data set has it.

    Raises UserError if the data are not there, or are not those that were judged.
    """
    if reading.loaded.default_settings is None:
        return reading
    plan = plan_of()
    if not is_same_benchmark(plan, store):
        raise ConfigError(
            f"protocol {reading.protocol}: which questions apply is decided by the benchmark's data, and these are not "
            "the data that were judged; put those back, or judge again: `editeval score RUN CONFIG`"
        )
    everything = list(plan.benchmark)
    repeated = with_repeats(everything, everything, queries.most_seeds(store))
    return replace(reading, samples={sample.id: sample for sample in repeated})


def changes(store: RunStore, reading: Reparse, also: Iterable[SampleRow] = ()) -> tuple[list[ChangedScore], int]:
    """What another reading would change, `also` in those rows, most frequent first, and of how many scores."""
    found: dict[tuple[str, str], ChangedScore] = {}
    total = 0
    others = ((row, _read(row, reading.loaded, reading)) for row in also)
    for row, scores in chain(_read_rows(store, reading), others):
        for after in scores:
            total += 1
            before = row.scores.get(after.metric)
            what = _what(before, after)
            if what:
                old = found.get((after.metric, what))
                first = old or ChangedScore(after.metric, what, 0, row.id, _said(before), _said(after))
                counted = (first.count + 1, first.example_id, first.before, first.after)
                found[after.metric, what] = ChangedScore(after.metric, what, *counted)
    return sorted(found.values(), key=lambda change: (-change.count, change.metric, change.what)), total


def keep(store: RunStore, reading: Reparse) -> None:
    """The scores of another reading are a judging of their own, that names its parent.

    What is there already stays, unless the parent was asked again since.
    """
    parent = reading.parent
    read_as = {"protocol": reading.protocol, "min_label_mass": reading.min_label_mass}
    params = {**parent.details.get("params", {}), **read_as}
    if "match_published" in params or reading.match_published:
        params["match_published"] = list(reading.match_published)
    details: Details = {**parent.details, "name": reading.name, "params": params, "parent": parent.id}
    wanted = reading.loaded
    details["scales"] = recorded_scales(wanted.scales)
    details["official"] = [asdict(one) for one in wanted.official]
    if reading.protocol != parent.details.get("params", {}).get("protocol"):
        details.pop("official_use", None)  # it said how the other protocol was asked
    elif use := official_use_in(details):
        details["official_use"] = asdict(use.with_switches(reading.match_published))
    store.add_judging(reading.id, parent.judge, details)
    if outdated := list(_outdated(store, reading)):
        store.forget_scores(reading.id, outdated)
    pending = set(store.pending_scores(reading.id))
    fresh = ((row, scores) for row, scores in _read_rows(store, reading) if row.id in pending)
    while page := list(islice(fresh, _PAGE)):
        store.record_score_batch(reading.id, [(scores, _outcome(row.id)) for row, scores in page])


def adopt(plan: Plan, store: RunStore) -> None:
    """Scores of a judge that asks what it asked, and reads the replies in a new way, come from the replies kept there.

    May be cut short at any moment: the next start goes on.
    """
    for judging in plan.judgings:
        parent = next((one for one in store.judgings() if one.id == judging.known.parent), None)
        if parent is None:
            continue
        reading = replace(reparse_of(parent, None, None), samples={sample.id: sample for sample in plan.samples})
        store.add_judging(judging.id, parent.judge, details_of(judging.name, judging.stage, judging.known))
        fingerprints.record(store, fingerprints.recorded(store, "judge", parent.id), "judge", judging.id)
        kept = queries.kept_inputs(store, judging.id, parent.id)
        shown = {key: inputs for key, inputs in kept.items() if inputs is not None}
        rows, protocol, num = (row for row in store.rows(parent.id) if row.id in kept), reading.loaded, 0
        while page := list(islice(rows, _PAGE)):
            batch = []
            for row in page:
                with contextlib.suppress(ConfigError):  # other questions were asked about it: the judge is asked
                    batch.append((_read(row, protocol, reading), _outcome(row.id)))
            store.record_score_batch(judging.id, batch, inputs=shown)
            num += len(batch)
        if num:
            log.info("Judge %s: the replies of %d samples are read in a new way: nothing is asked", judging.name, num)


def _outdated(store: RunStore, reading: Reparse) -> Iterator[str]:
    """Samples whose kept scores of this reading are not those of the replies that the parent has by now."""
    protocol = reading.loaded
    for row, had in zip(store.rows(reading.parent.id), store.rows(reading.id), strict=True):
        if had.scores and [*had.scores.values()] != (_read(row, protocol, reading) if row.scores else []):
            yield row.id


def _outcome(sample_id: str) -> Outcome[str]:
    return Outcome(sample_id, "read again", None, 0, "cpu", 1, time.time(), 0.0)


def _read_rows(store: RunStore, reading: Reparse) -> Iterator[tuple[SampleRow, list[Score]]]:
    """Every row that the parent has judged, and its scores under the other reading."""
    protocol = reading.loaded
    for row in store.rows(reading.parent.id):
        if row.scores:
            yield row, _read(row, protocol, reading)


def _read(row: SampleRow, protocol: protocols.Protocol, reading: Reparse) -> list[Score]:
    """The scores of one row; what has no reply (the model was never asked, or failed) stays without a score."""
    replies = _replies(row.scores)
    some = next(iter(row.scores.values()))
    if not replies:
        return [Score(row.id, some.judge, m, None, some.raw, some.reason) for m in protocol.metrics]
    sample = reading.samples.get(row.id)
    if sample is not None:
        sample = replace(sample, category=canonical(sample.category))
        request = judge_request(sample, [b""] * len(sample.images), b"", None)
    else:  # the form of an answer depends on neither pictures nor prompts
        metadata = {"category": canonical(row.category)}
        request = JudgeRequest(row.id, (b"",), b"", row.instruction, prompt=("", ""), metadata=metadata)
    names = [question.name for question in protocol.questions(request)]
    if sorted(names) != sorted(replies):
        raise ConfigError(
            f"{row.id}: kept are the replies to {', '.join(sorted(replies))}, and this editeval asks "
            f"{', '.join(sorted(names)) or 'nothing'}; read them with the version that asked, or judge again"
        )
    return protocols.scores(protocol, some.judge, request, replies, reading.min_label_mass)


def _replies(scores: Mapping[str, Score]) -> dict[str, Reply]:
    found: dict[str, Reply] = {}
    for score in scores.values():
        try:
            found |= protocols.kept_replies(score.raw)
        except (json.JSONDecodeError, AttributeError):  # the message of a failure: nobody replied
            continue
    return found


def _what(before: Score | None, after: Score) -> str:
    """In what way the two differ; empty if they agree."""
    if before is None:
        return "new metric"
    if before.value is None or after.value is None:
        if before.value is None and after.value is None:
            return f"reason {before.reason} -> {after.reason}" if before.reason != after.reason else ""
        return f"now scored, was {before.reason}" if before.value is None else f"now unscored: {after.reason}"
    return "another value" if abs(before.value - after.value) > _SAME else ""


def _said(score: Score | None) -> str:
    if score is None:
        return "-"
    return score.reason if score.value is None else fixed(score.value)
