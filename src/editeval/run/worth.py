"""What the numbers of a run are worth: coverage, controls and badge, as a report says it and computed again from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from editeval import plugins
from editeval.errors import ConfigError
from editeval.reports import badge as badges
from editeval.reports import data
from editeval.reports.badge import CERTIFIED
from editeval.reports.data import JsonObject
from editeval.reports.i18n import Message
from editeval.run import control_checks, equated, official, results
from editeval.run.counted import Counted
from editeval.stats import rates
from editeval.store import queries
from editeval.store.run_store import RunStore
from editeval.store.verify import AGAIN, Problem

_ANY = data.ANOTHER_BENCHMARK  # for a badge it counts that there is a warning, not which


@dataclass(frozen=True, slots=True)
class Basis:
    """What decides a badge besides scores, controls and warnings."""

    is_control: bool  # the editor is one: `identity`, `target`
    reads_instruction: bool  # the headline's judge does
    is_certified: bool  # no certificate says that this judge must not be trusted
    is_subset: bool


def coverage_block(seen: data.Survey, num_seeds: int) -> JsonObject:
    """The counts, the 95 % intervals of their shares, and whether the mean may be quoted.

    Of several seeds the intervals are those of as many samples as there are: wide enough if those of one fail together.
    """
    counted = {"scored": (seen.num_scored, seen.num_samples), "failed": (seen.num_failed, seen.num_samples)}
    counted["parse_rate"] = (seen.num_answers - seen.num_unparsed, seen.num_answers)
    found = {name: rates.of_share(*(one / num_seeds for one in pair)) for name, pair in counted.items() if pair[1]}
    return {
        **data.coverage_of(seen),
        "intervals": {name: [one.low, one.high] for name, one in found.items()},
        "is_headline": badges.is_headline(seen.num_scored, seen.num_samples),
    }


def badge_of(
    seen: data.Survey, judge: str | None, controls: JsonObject | None, about: Sequence[Message], basis: Basis
) -> tuple[str, tuple[Message, ...]]:
    """(badge, warnings). `judge`: the name of the headline's, None without one; `about`: warnings from elsewhere."""
    is_good = basis.is_certified and control_checks.is_sound(controls, basis.reads_instruction)
    if judge is not None:
        about = (*about, *control_checks.warnings(judge, controls))
    badge, warnings = badges.decide_badge(seen, judge is not None, basis.is_control, about, judge is None or is_good)
    return badge + (data.OF_SUBSET if basis.is_subset else ""), warnings


def stale_figures(store: RunStore) -> Iterator[Problem]:
    """Every figure of report.json that does not follow from the ledger: summaries, official numbers, bridges, worth."""
    yield from results.stale_summaries(store)
    yield from official.stale_claim(store)
    yield from equated.stale_equated(store)
    yield from _stale_worth(store)


def _stale_worth(store: RunStore) -> Iterator[Problem]:
    """Headline, seeds, coverage, controls and badge of report.json that do not follow from the ledger.

    The certificate of a judge and what else is warned of (a bridge, a clock) are not in a ledger: they are taken as
    they are written. Of a plug-in of somebody's own it is not known whether it is a control, or reads the instruction:
    a badge that either gives is right.
    """
    shown = results.shown(store)
    labels, scales = results.labels(shown), results.scales(store, shown)
    try:
        report = json.loads((store.dir / "report.json").read_bytes())
        run, warned, told = report["run"], report["warnings"], (report["badge"], dict(report["coverage"]))
        is_certified = _is_certified(run["judgings"])
        is_part, num_seeds = run.get("subset") is not None, run.get("num_seeds", 1)
        others = list(official.other_metrics(report, labels))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # it is not there, or the store has said so
    yield from others
    counted, headline = Counted(labels, scales, results.equatings(store, shown)), next(iter(labels), "")
    is_subset, known_seeds = queries.subset(store) is not None, queries.num_seeds(store)
    for what, one, ours in (
        ("num_seeds", num_seeds, known_seeds),
        ("being a part of the benchmark", is_part, is_subset),
    ):
        if one != ours:
            yield Problem("report", "report.json", f"{what} {one!r}, {ours!r} by the ledger; {AGAIN}")
    seen = data.survey(counted.passing(results.rows(store, shown)), headline, scales.get(headline))
    controls = control_checks.told(store, shown[0], counted) if shown else None
    yield from _other("controls", run.get("controls"), controls)
    known = coverage_block(seen, known_seeds)
    yield from _other("coverage", told[1], {name: known[name] for name in known if name in told[1]})
    judge = shown[0].name if shown else None
    kinds = _editor(store), _judge(shown[0].judge if shown else "")
    found = []
    for is_control, reads in product(*kinds):
        basis = Basis(is_control, reads, is_certified, is_subset)
        own = badge_of(seen, judge, controls, (), basis)[1]
        about = [_ANY] if len(warned) > len(own) else []
        found.append(badge_of(seen, judge, controls, about, basis)[0] if len(warned) >= len(own) else "")
    if told[0] not in found:
        right = " or ".join(dict.fromkeys(filter(None, found))) or "one with more warnings"
        yield Problem("report", "report.json", f"badge {told[0]!r}, {right!r} by the ledger; {AGAIN}")


def as_written(store: RunStore) -> list[str]:
    """What of report.json no ledger can tell, and why."""
    try:
        judgings = json.loads((store.dir / "report.json").read_bytes())["run"]["judgings"]
        told = [(one["name"], one["certificate"]["verdict"]) for one in judgings]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [
        f"{name}: {verdict!r} is taken as it is written: its certificate is not in it"
        for name, verdict in told
        if verdict
    ]


def _is_certified(judgings: Sequence[Mapping[str, Any]]) -> bool:
    if not judgings:
        return True
    certificate = judgings[0]["certificate"]
    verdicts = [certificate["verdict"], *(one["verdict"] for one in certificate.get("photographic", ()))]
    return all(verdict in (None, CERTIFIED) for verdict in verdicts)


def _editor(store: RunStore) -> Sequence[bool]:
    """Whether the editor is a control; both, if only its code could say so."""
    name = str(store.manifest["identity"].get("editor", ""))
    try:
        return (False, True) if plugins.is_foreign(name) else (bool(plugins.load("editors", name).is_control),)
    except ConfigError:
        return False, True


def _judge(name: str) -> Sequence[bool]:
    try:
        return (True, False) if plugins.is_foreign(name) else (bool(plugins.load("judges", name).reads_instruction),)
    except ConfigError:
        return True, False


def _other(what: str, told: object, known: JsonObject | None) -> Iterator[Problem]:
    ours = json.loads(json.dumps(known))
    if place := _difference(told, ours, what):
        yield Problem("report", "report.json", f"{place} by the ledger; {AGAIN}")


def _difference(told: object, known: object, place: str) -> str:
    """The first place where `told` is not `known`, in words; empty if they are equal but for rounding."""
    if isinstance(known, dict) and isinstance(told, dict):
        names = dict.fromkeys([*known, *told])
        pairs = ((told.get(name), known.get(name), f"{place}.{name}") for name in names)
    elif isinstance(known, list) and isinstance(told, list) and len(known) == len(told):
        pairs = ((one, other, f"{place}[{n}]") for n, (one, other) in enumerate(zip(told, known, strict=True)))
    else:
        return "" if results.is_equal(told, known) else f"{place} {told!r}, {known!r}"
    return next((found for pair in pairs if (found := _difference(*pair))), "")
