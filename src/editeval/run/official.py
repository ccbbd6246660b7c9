"""Is a number of this run the official one? The one list of what differs, from what the run itself has on record.

A score set says how its judge asked, against how the authors do; the run says which benchmark its samples are of, how
these differ from the published ones, which of them were wanted, and what became of each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from editeval import plugins
from editeval.config.schema import BenchmarkConfig
from editeval.metrics import OfficialMean, OfficialUse
from editeval.reports.data import MICRO, JsonObject
from editeval.reports.markdown import escaped
from editeval.run import results
from editeval.run.counted import Counted
from editeval.run.plan import Plan, ScoreSetPlan
from editeval.run.results import ShownScoreSet
from editeval.store import queries
from editeval.store.records import SampleRow
from editeval.store.run_store import RunStore
from editeval.store.score_sets import official_in, official_use_in
from editeval.store.verify import AGAIN, Problem
from editeval.text import printable
from editeval.types import Benchmark, Subset

FACT = "benchmark_used"
FULL_SET = "full set"
_ASKED_SO = "as its authors ask"
"""What is said of the protocol of a judge that belongs to no benchmark, in place of "official"."""
_BEGINNINGS = tuple(f"**{start}{said}: " for said in ("official", _ASKED_SO) for start in ("", "not "))


@dataclass(frozen=True, slots=True)
class BenchmarkUsed:
    """Which benchmark the samples are of, and how they differ from the published ones."""

    name: str
    title: str = ""  # what its authors call it
    differs: tuple[str, ...] = ()
    compared_by: str = ""  # by what the published samples are known: "counts", or their content


def benchmark_used(config: BenchmarkConfig, benchmark: Benchmark) -> BenchmarkUsed:
    """What there is to say of `benchmark`, which `config` names."""
    name = Path(config.type).name if plugins.is_foreign(config.type) else plugins.short_name(config.type)
    differs = getattr(benchmark, "differs", None)  # of a published one
    title = str(getattr(getattr(benchmark, "card", None), "title", ""))
    if not callable(differs):
        return BenchmarkUsed(name, title)
    compared_by = getattr(benchmark, "compared_by", str)
    return BenchmarkUsed(name, title, tuple(map(str, differs())), str(compared_by()))


def record(config: BenchmarkConfig, benchmark: Benchmark, store: RunStore) -> None:
    """The benchmark is on record in the run from now on."""
    said = json.dumps(asdict(benchmark_used(config, benchmark)), sort_keys=True)
    if store.fact(FACT) != said:
        store.set_fact(FACT, said)


def recorded(store: RunStore) -> BenchmarkUsed | None:
    """The benchmark on record; None in runs of older versions."""
    said = json.loads(store.fact(FACT) or "null")
    return BenchmarkUsed(**{**said, "differs": tuple(said["differs"])}) if said else None


def differences(
    use: OfficialUse, used: BenchmarkUsed | None, subset: Subset | None, num_seeds: int = 1
) -> Iterator[str]:
    """What is known to differ before a single sample is judged."""
    yield from use.differs
    if not use.benchmark:  # the protocol of a judge, which may be asked about any samples
        return
    if used is None:
        yield "data (the run has no record of its benchmark)"
    elif used.name != use.benchmark:
        yield f"benchmark ({used.name} instead of {use.benchmark})"
    elif used.differs:
        more = f"; {len(used.differs) - 3} more" if len(used.differs) > 3 else ""
        yield f"data ({'; '.join(used.differs[:3])}{more})"
    if subset is not None:
        yield f"subset ({subset.num} of {subset.of})"
    if num_seeds > 1:
        yield f"seeds ({num_seeds} edits of each sample instead of 1)"


def expected(plan: Plan, judging: ScoreSetPlan) -> str:
    """In words: whose protocol a judge will ask, and what is known to differ; empty for a protocol of our own."""
    use = judging.known.official_use
    if use is None:
        return ""
    used = benchmark_used(plan.config.benchmark, plan.benchmark)
    differs = list(differences(use, used, plan.subset, plan.num_seeds))
    plain, said = _ASKED_SO, _ASKED_SO
    if use.benchmark:
        plain, said = "official", f"official, if every sample is scored{_by_counts(used)}"
    said = f"not {plain}: differs in: {', '.join(differs)}" if differs else said
    return f"protocol {use.protocol}, {said}"


def claim_of(store: RunStore, shown: Sequence[ShownScoreSet]) -> JsonObject | None:
    """What reports say of the official numbers of the first score set that has any; None: none has.

    The lines are those of all score sets: each names its judge.
    """
    kept, claims = {judging.id: judging.details for judging in store.judgings()}, list[dict[str, Any]]()
    for one in shown:
        details = kept.get(one.id, {})
        use, means = official_use_in(details), official_in(details)
        if use is not None and means:
            claims.append(_claim(store, one, use, means))
    if not claims:
        return None
    main = next((claim for claim in claims if claim["benchmark"]), claims[0])
    return {**main, "lines": [line for claim in claims for line in claim["lines"]]}


def _claim(
    store: RunStore, score_set: ShownScoreSet, use: OfficialUse, means: Sequence[OfficialMean]
) -> dict[str, Any]:
    used = recorded(store)
    common = list(differences(use, used, queries.subset(store), queries.num_seeds(store)))
    rows = list(results.rows(store, (score_set,)))
    parts = list(_parts(rows))
    common += [f"judge ({name} answered instead of {use.judge})" for name in _kept(rows, "answered_by")]
    common += [f"settings (the server takes no {name})" for name in _kept(rows, "sent_without")]
    numbers = [(part, _number(mean, part, score_set.prefix)) for mean in means for part in parts]
    title = used.title if used is not None and used.title and used.name == use.benchmark else use.benchmark
    whole = [one for part, one in numbers if one["name"] == means[0].name and not part.is_within]
    main = [one for one in whole if one["num_scores"]]  # a number of nothing is no number
    differs = dict.fromkeys([*common, *(text for _, one in numbers for text in _missing(one))])
    return {
        "benchmark": use.benchmark,
        "title": title,
        "protocol": use.protocol,
        "judge": use.judge,
        "is_official": bool(use.benchmark and main) and not differs,
        "differs": list(differs),
        "lines": [_line(title, use.judge + _by_counts(used), one, [*common, *_missing(one)]) for one in main]
        if use.benchmark
        else [_asked_line(use, one, common) for one in main],
        "numbers": [one for _, one in numbers],
    }


def _by_counts(used: BenchmarkUsed | None) -> str:
    """The note that the data were compared by the number of samples alone, if they were."""
    return "; data compared by counts" if used is not None and used.compared_by == "counts" else ""


def _kept(rows: Sequence[SampleRow], name: str) -> list[str]:
    """What the replies have under `name`: the models that answered in place of the one asked for; what was not sent."""
    raws = {score.raw for row in rows for score in row.scores.values() if f'"{name}"' in score.raw}
    return sorted({value for raw in raws for value in _under(name, json.loads(raw))})


def _under(name: str, kept: object) -> Iterator[str]:
    for key, value in kept.items() if isinstance(kept, dict) else enumerate(kept) if isinstance(kept, list) else ():
        if key == name:
            yield from map(str, value if isinstance(value, list) else [value])
        else:
            yield from _under(name, value)


class _Part(NamedTuple):
    """Samples of which there is a number of its own: it is published for one language at a time."""

    language: str
    subset: str  # named; "": all samples of the language
    is_within: bool  # of a larger part
    rows: Sequence[SampleRow]


def _parts(rows: Sequence[SampleRow]) -> Iterator[_Part]:
    for language in dict.fromkeys(row.language for row in rows):
        spoken = [row for row in rows if row.language == language]
        names = dict.fromkeys(row.subset for row in spoken)
        if len(names) > 1 or "" in names:
            yield _Part(language, "", False, spoken)
        for name in filter(None, names):
            yield _Part(language, name, len(names) > 1, [row for row in spoken if row.subset == name])


def _number(mean: OfficialMean, part: _Part, prefix: str) -> dict[str, object]:
    scores: dict[str, list[float]] = {}
    num = 0
    for row in part.rows:
        for metric in mean.metrics if mean.covers(row.category) else ():
            state, value = results.entry_of(row, prefix + metric)[2:4]
            if state != "not_applicable":
                num += 1
                scores.setdefault(row.category, []).extend([] if value is None else [value])
    return {
        "name": mean.name,
        "language": part.language,
        "subset": part.subset,
        "value": mean.of(scores),
        "rule": mean.rule,
        "num_scored": sum(map(len, scores.values())),
        "num_scores": num,
    }


def _missing(number: Mapping[str, object]) -> list[str]:
    if number["num_scored"] == number["num_scores"]:
        return []
    said = [f"coverage ({number['num_scored']} of {number['num_scores']} scores)"]
    return said + (["mean (a group has no score)"] if number["value"] is None and number["num_scored"] else [])


def _line(title: str, judge: str, number: Mapping[str, object], differs: Sequence[str]) -> str:
    """`official: GEdit-Bench Avg 6.42 (en, full set; judge gpt-4.1)`, or what differs."""
    where = ", ".join(filter(None, (str(number["language"]), str(number["subset"]) or FULL_SET)))
    name = str(number["name"]).removeprefix(f"{title} ")  # some say whose number it is
    said = f"{title} {name} {_shown(number)} ({where}; judge {judge})"
    return f"not official: {said} differs in: {', '.join(dict.fromkeys(differs))}" if differs else f"official: {said}"


def _shown(number: Mapping[str, object]) -> str:
    return "none" if number["value"] is None else f"{number['value']:.6g}"


def _asked_line(use: OfficialUse, number: Mapping[str, object], differs: Sequence[str]) -> str:
    """`as its authors ask: editscore overall 6.42 (en, 50 of 50 scores; judge ...)`, or what differs."""
    scored = f"{number['num_scored']} of {number['num_scores']} scores"
    where = ", ".join(filter(None, (str(number["language"]), str(number["subset"]), scored)))
    said = f"{use.protocol} {number['name']} {_shown(number)} ({where}; judge {use.judge})"
    return f"not {_ASKED_SO}: {said} differs in: {', '.join(differs)}" if differs else f"{_ASKED_SO}: {said}"


def other_metrics(report: Mapping[str, Any], labels: Sequence[str]) -> Iterator[Problem]:
    """Where the report has another headline, or summaries of other metrics, than the scores that the run shows."""
    told = [one["metric"] for one in report["summaries"] if one["category"] == MICRO]
    for what, said, known in (
        ("headline_metric", report["headline_metric"], next(iter(labels), "")),
        ("summaries of", sorted(told), sorted(labels)),
    ):
        if said != known:
            yield Problem("report", "report.json", f"{what} {said!r}, {known!r} by the ledger")


def _stale_numbers(store: RunStore, told: object) -> Iterator[Problem]:
    """Official numbers of report.json that do not follow from the ledger; an older report may have none."""
    shown = results.shown(store)
    authors = list(results.official(store, shown))
    if told is None or not (told or authors):
        return
    counted = Counted(results.labels(shown), results.scales(store, shown), results.equatings(store, shown))
    for _ in counted.passing(results.rows(store, shown)):
        pass
    known = {_named(one): one["value"] for mean in authors for one in counted.official(*mean)}
    said = {_named(one): one.get("value") for one in told if isinstance(one, dict)} if isinstance(told, list) else {}
    for name in dict.fromkeys([*known, *said]):
        ours, theirs = known.get(name), said.get(name)
        if name not in known or not results.is_equal(theirs, ours):
            yield Problem("report", "report.json", f"official {name[0]} {theirs!r}, {ours!r} by the ledger; {AGAIN}")
            return


def _named(number: Mapping[str, object]) -> tuple[str, str, str]:
    return str(number.get("name")), str(number.get("metrics")), str(number.get("language"))


def stale_claim(store: RunStore) -> Iterator[Problem]:
    """What report.json says of official numbers, where it does not follow from the ledger."""
    path = store.dir / "report.json"
    try:
        run = json.loads(path.read_bytes())["run"]
        said = run.get("official_claim")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # it is not there, or the store has said so
    known = json.loads(json.dumps(claim_of(store, results.shown(store))))
    if said != known and "official_claim" in run:
        ours, theirs = known or {}, said if isinstance(said, dict) else {}
        first = next((name for name in ours or theirs if theirs.get(name) != ours.get(name)), "")
        detail = f"official_claim: {first} {theirs.get(first)!r}, {ours.get(first)!r} by the ledger"
        yield Problem("report", path.name, f"{detail}; {AGAIN}")
    yield from _stale_numbers(store, run.get("official"))
    page = store.dir / "report.md"
    if "official_claim" in run and page.is_file():
        lines = page.read_text(encoding="utf-8", errors="replace").splitlines()
        written = [line for line in lines if line.startswith(_BEGINNINGS)]
        if written != [f"**{escaped(printable(line))}**" for line in (known or {}).get("lines", ())]:
            yield Problem("report", page.name, f"the official line is not that of the ledger; {AGAIN}")
