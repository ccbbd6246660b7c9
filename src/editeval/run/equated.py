"""Scores on another judge's scale: a score set of its own, made of another one's scores and a bridge.

It is called after the judge on whose scale it is, every label of its metrics begins with that name, and what it went
through is kept with it, so that each score and interval can be computed again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice

from editeval.errors import ConfigError, MistakesError
from editeval.reports.i18n import Message
from editeval.run import bridge as bridges
from editeval.run import results
from editeval.run.bridge import Bridge
from editeval.run.results import ShownScoreSet
from editeval.stats.equating import Equating
from editeval.stats.summary import Entry
from editeval.store import manifest
from editeval.store.records import Details, SampleRow
from editeval.store.run_store import RunStore
from editeval.store.score_sets import recorded_scales
from editeval.store.verify import AGAIN, Problem
from editeval.text import fixed, share
from editeval.types import Outcome, Score

_PAGE = 256
_SAME = 1e-9


def equate(store: RunStore, bridge: Bridge, scale_of: str, words: Sequence[str]) -> str:
    """The id of the score set that holds the run's scores on the scale of `scale_of`; made, or brought up to date.

    `words`: what --scores names, for a bridge that does not know its judge by id. Raises ConfigError, a line for each
    reason, if the bridge does not lead from any of the run's judges to that one, or not as far as their scores go.
    """
    if scale_of not in filter(None, (bridge.target.name, bridge.target.id)):
        raise ConfigError(
            f"--scale-of {scale_of}: bridge {bridge.short} leads from {bridge.source.name} to {bridge.target.name}"
        )
    parent = _parent(store, bridge, words)
    _check_reach(store, bridge, parent)
    set_id = manifest.run_id({"parent": parent.id, "bridge": bridge.digest})[:16]
    store.add_judging(set_id, "equated", _details(bridge, parent))
    made = {row.id: row.scores for row in store.rows(set_id)}
    due = [row for row in _carried(store, bridge, parent.id) if not _are_same(row.scores, made[row.id])]
    store.forget_scores(set_id, [row.id for row in due if made[row.id]])
    rows = iter(row for row in due if row.scores)
    while page := list(islice(rows, _PAGE)):
        store.record_score_batch(set_id, [(list(row.scores.values()), _outcome(row.id)) for row in page])
    return set_id


def _parent(store: RunStore, bridge: Bridge, words: Sequence[str]) -> ShownScoreSet:
    """Whose scores are carried over."""
    known = [one for one in results.kept(store) if not one.is_equated]
    if not bridge.source.id:
        if len(words) != 1:
            raise ConfigError(
                f"--scores: bridge {bridge.short} was fitted on a table and knows {bridge.source.name} by name alone; "
                "name the score set that holds its scores"
            )
        parent = results.meant(store, words)[0]
        if parent.is_equated:
            raise ConfigError(f"--scores {words[0]}: these went through a bridge already; name a judge's own scores")
        return parent
    if words:
        raise ConfigError(f"--scores: bridge {bridge.short} knows which score set it is for; leave --scores out")
    found = next((one for one in known if one.id == bridge.source.id), None)
    if found is None:
        listed = ", ".join(f"{one.name} ({one.id})" for one in known) or "none"
        version = ": another version of the judge or its protocol" if _has_name(known, bridge) else ""
        raise ConfigError(
            f"--bridge: it is for the scores of {bridge.source.name} ({bridge.source.id}), the run has {listed}"
            f"{version}; judge the run with that one, or fit a bridge with this one"
        )
    return found


def _has_name(known: Sequence[ShownScoreSet], bridge: Bridge) -> bool:
    return bridge.source.name in [one.name for one in known]


def _check_reach(store: RunStore, bridge: Bridge, parent: ShownScoreSet) -> None:
    """Raises ConfigError where the anchors say nothing of these scores."""
    mistakes = []
    rows = list(store.rows(parent.id))
    if foreign := {row.language for row in rows} - {*bridge.languages, ""} if bridge.languages else set():
        mistakes.append(ConfigError(f"--bridge: no anchor has samples in the language {', '.join(sorted(foreign))}"))
    for one in bridge.metrics:
        if one.given not in parent.metrics:
            mistakes.append(
                ConfigError(f"--bridge: it is for {one.given}, {parent.name} gives {', '.join(parent.metrics)}")
            )
            continue
        values = [value for row in rows if (value := results.value_of(row, one.given)) is not None]
        if why := one.equating.refusal(values):
            hint = "a bridge with anchors like this run would do, or one without this metric"
            mistakes.append(ConfigError(f"--bridge: {one.given}: {why}; {hint}"))
        elif (
            not {row.category for row in rows} & {error.category for error in one.equating.errors}
            and len(one.equating.means) > 1
        ):
            mistakes.append(ConfigError(f"--bridge: {one.given}: no anchor has samples of any of the run's categories"))
    if mistakes:
        raise MistakesError(mistakes) if len(mistakes) > 1 else mistakes[0]


def _details(bridge: Bridge, parent: ShownScoreSet) -> Details:
    """What the run keeps of it: the bridge itself is among it."""
    details: Details = {
        "name": f"equated-{bridge.target.name}",
        "requested_type": f"{results.EQUATED}{bridge.short}",
        "params": {},
        "parent": parent.id,
        "scales": recorded_scales({one.wanted: one.scale for one in bridge.metrics}),
        "bridge": bridge.as_json(),
    }
    if bridge.official:
        details["official"] = [asdict(replace(mean, name=f"{mean.name}, equated")) for mean in bridge.official]
    if bridge.official_use:
        said = f"scores (equated from {bridge.source.name} by bridge {bridge.short})"
        details["official_use"] = asdict(replace(bridge.official_use, differs=(*bridge.official_use.differs, said)))
    return details


def _carried(store: RunStore, bridge: Bridge, parent_id: str) -> Iterator[SampleRow]:
    """Every sample with its scores on the other scale, as they have to be; none where the judge has not answered."""
    for row in store.rows(parent_id):
        yield replace(row, scores=_scores(row, bridge) if row.scores else {})


def _scores(row: SampleRow, bridge: Bridge) -> dict[str, Score]:
    found = {}
    for one in bridge.metrics:
        given = row.scores.get(one.given)
        if given is not None:
            value = None if given.value is None else one.equating.map(given.value)
            found[one.wanted] = Score(row.id, "equated", one.wanted, value, reason=given.reason)
    return found


def _are_same(wanted: Mapping[str, Score], made: Mapping[str, Score]) -> bool:
    if wanted.keys() != made.keys():
        return False
    pairs = [(score, made[metric]) for metric, score in wanted.items()]
    return all(
        (one.value is None) == (two.value is None)
        and one.reason == two.reason
        and abs((one.value or 0.0) - (two.value or 0.0)) <= _SAME
        for one, two in pairs
    )


def _outcome(sample_id: str) -> Outcome[str]:
    return Outcome(sample_id, "equated", None, 0, "cpu", 1, 0.0, 0.0)  # no work of the run: it has no time


# -- told ----------------------------------------------------------------------------------------------------------


def told(
    store: RunStore, shown: Sequence[ShownScoreSet], entries: Mapping[str, Sequence[Entry]]
) -> tuple[list[Message], list[dict[str, object]]]:
    """What a report says of equated scores among `shown`: sentences, and the block `run.equated` of report.json.

    `entries`: of every label.
    """
    messages, blocks = list[Message](), list[dict[str, object]]()
    details = {one.id: one.details for one in store.judgings()}
    for one in shown:
        if not one.is_equated:
            continue
        bridge = bridges.of_json(details[one.id]["bridge"])
        metrics = {
            metric.wanted: _measured(metric.equating, entries[one.prefix + metric.wanted]) for metric in bridge.metrics
        }
        outside = _outside(store, bridge, one.parent)
        errors = tuple(_error(name, measured) for name, measured in metrics.items())
        num = len(bridge.metrics[0].equating.means)
        messages.append(Message("equated", (bridge.target.name, bridge.short, bridge.source.name, num, errors)))
        messages += [Message("equated_outside", (name, share(part))) for name, part in outside.items() if part]
        if bridge.source.id == "":
            messages.append(Message("equated_by_name", (bridge.source.name,)))
        benchmarks = {anchor.benchmark for anchor in bridge.anchors}
        if bridge.source.id and store.manifest["identity"]["benchmark"] not in benchmarks:
            messages.append(Message("equated_elsewhere"))
        judges = {"from": bridge.source.name, "to": bridge.target.name, "parent": one.parent}
        known = {name: {**measured, "share_outside": outside[name]} for name, measured in metrics.items()}
        blocks.append({"id": one.id, "bridge": bridge.digest, **judges, "metrics": known})
    return messages, blocks


def _measured(equating: Equating, entries: Sequence[Entry]) -> dict[str, float | str | None]:
    """Half of the 95 % interval of the map alone, over all samples; the map's errors of single samples."""
    counts: dict[str, int] = {}
    for category, _, state, *_ in entries:
        if state == "scored":
            counts[category] = counts.get(category, 0) + 1
    total = sum(counts.values()) or 1
    error = equating.mean_error({name: count / total for name, count in counts.items()}, counts)
    rms = equating.new_editor or equating.new_samples
    half = None if isinstance(error, str) else error.half_width
    return {"map_half_width": half, "note": error if isinstance(error, str) else "", "rms_of_a_sample": rms.value}


def _error(metric: str, measured: Mapping[str, float | str | None]) -> Message:
    half = measured["map_half_width"]
    return (
        Message("equated_error", (metric, fixed(half)))
        if isinstance(half, float)
        else Message("equated_unknown", (metric,))
    )


def _outside(store: RunStore, bridge: Bridge, parent_id: str) -> dict[str, float]:
    """By metric of the target: the share of the scores that the anchors do not cover."""
    rows = list(store.rows(parent_id))
    found = {}
    for one in bridge.metrics:
        values = [value for row in rows if (value := results.value_of(row, one.given)) is not None]
        found[one.wanted] = one.equating.share_outside(values)
    return found


def stale_equated(store: RunStore) -> Iterator[Problem]:
    """Equated scores that do not follow from the bridge and the scores that it was given, and what a report says."""
    sets = {one.id: one for one in store.judgings()}
    for one in results.kept(store):
        if not one.is_equated:
            continue
        try:
            bridge = bridges.of_json(sets[one.id].details["bridge"])
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            yield Problem("ledger", store.path.name, f"{one.title}: its bridge cannot be read: {error}")
            continue
        if one.id != manifest.run_id({"parent": one.parent, "bridge": bridge.digest})[:16]:
            yield Problem("ledger", store.path.name, f"{one.title}: its bridge is not the one that it is named after")
            continue
        made = {row.id: row.scores for row in store.rows(one.id)}
        wrong = [row.id for row in _carried(store, bridge, one.parent) if not _are_same(row.scores, made[row.id])]
        if wrong:
            said = f"{len(wrong)} samples, {wrong[0]!r} first, are not what bridge {bridge.short} makes of the scores"
            advice = f"`editeval report RUN --scale-of {bridge.target.name} --bridge FILE` makes them again"
            yield Problem("ledger", store.path.name, f"{one.title}: {said}; {advice}")
    yield from _stale_block(store)


def _stale_block(store: RunStore) -> Iterator[Problem]:
    path = store.dir / "report.json"
    try:
        said = json.loads(path.read_bytes())["run"].get("equated", [])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # it is not there, or the store has said so
    shown = results.shown(store)
    if not said and not any(one.is_equated for one in shown):
        return
    entries: dict[str, list[Entry]] = {label: [] for label in results.labels(shown)}
    for row in results.rows(store, shown):
        for label, found in entries.items():
            found.append(results.entry_of(row, label))
    known = json.loads(json.dumps(told(store, shown, entries)[1]))
    if said != known:
        yield Problem("report", path.name, f"what it says of equated scores does not follow from the ledger; {AGAIN}")
