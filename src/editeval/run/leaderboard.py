"""Runs ranked: a table for every kind of scores that compare, with intervals of means and of places.

Scores compare if benchmark, wanted samples, score set (judge, protocol, prompts, preparation) and metric are the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

from editeval import plugins
from editeval.reports import data
from editeval.reports.data import JsonObject
from editeval.reports.i18n import Message
from editeval.run import index, official, results
from editeval.run.compared_runs import scored_of
from editeval.run.index import RunEntry, checkpoint_of
from editeval.run.plan import hash_of
from editeval.run.recorded import change_of_ledger
from editeval.stats.compare import Scored, compare_all
from editeval.stats.decisions import decide, rank_intervals
from editeval.stats.summary import summarise
from editeval.store.ledger_events import Load
from editeval.store.run_store import RunStore
from editeval.text import printable
from editeval.types import Summary

SCHEMA_VERSION = 1
_AT_WORK = {index.RUNNING: "out_running", index.UNFINISHED: "out_unfinished"}
MAX_RANKED = 40  # runs in a table; pairs grow with the square
FEW_STEPS = 8  # with an adapter, so many steps or fewer are a distilled schedule


@dataclass(frozen=True, slots=True)
class _Run:
    entry: RunEntry
    samples: str  # digest of the wanted ones, texts included
    scores: Mapping[Hashable, Scored]
    summary: Summary | None  # over all samples
    is_equated: bool
    block: JsonObject  # what its row says besides

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Equal for runs whose scores compare."""
        return self.entry.benchmark_id, self.samples, self.entry.score_set, self.entry.metric


def leaderboard(directories: Sequence[Path]) -> JsonObject:
    """The document: {tables: [{benchmark, judge, ..., rows}], left_out: [{run, model, why}]}, JSON values only."""
    usable: list[_Run] = []
    left_out: list[JsonObject] = []
    for entry in index.entries(directories):
        if why := _unusable(entry):
            left_out.append({"run": entry.dir.name, "model": entry.model, "why": why})
        else:
            usable.append(_read(entry))
    groups: dict[tuple[str, str, str, str], list[_Run]] = {}
    for one in usable:
        groups.setdefault(one.key, []).append(one)
    ordered = sorted(groups.values(), key=lambda runs: (runs[0].entry.benchmark, -len(runs), runs[0].entry.score_set))
    tables, main = list[JsonObject](), dict[str, _Run]()
    for runs in ordered:
        first = main.setdefault(runs[0].entry.benchmark, runs[0])
        tables.append(_table(runs, left_out) | {"apart": _apart(runs[0], first)})
    return {"schema_version": SCHEMA_VERSION, "tables": tables, "left_out": left_out}


def _unusable(entry: RunEntry) -> Message | None:
    """Why a run is in no table; None if it is in one."""
    if entry.problem:
        return Message("out_not_readable", (printable(entry.problem),))
    if not entry.score_set:
        return Message("out_no_scores")
    if entry.state in _AT_WORK:
        return Message(_AT_WORK[entry.state], (entry.num_scored, entry.num_samples))
    if not entry.num_scored:
        return Message("out_nothing_scored")
    with RunStore.read(entry.dir) as store:
        return change_of_ledger(store)


def _read(entry: RunEntry) -> _Run:
    with RunStore.read(entry.dir) as store:
        first = results.shown(store)[:1]
        label = first[0].labels[0]
        rows = list(results.rows(store, first))
        found = summarise(
            [results.entry_of(row, label) for row in rows],
            label,
            entry.scale,
            results.equatings(store, first).get(label),
        )
        claim = official.claim_of(store, first)
        return _Run(
            entry=entry,
            samples=hash_of(text for row in rows for text in (row.id, row.instruction)),
            scores=scored_of(rows, label),
            summary=next((one for one in found if one.category == data.MICRO), None),
            is_equated=first[0].is_equated,
            block={
                "engine": _engine(store),
                "flags": list(_flags(store)),
                "official": [printable(line) for line in claim["lines"]] if claim else [],
                "is_official": bool(claim["is_official"]) if claim and claim["benchmark"] else None,
            },
        )


def _table(runs: Sequence[_Run], left_out: list[JsonObject]) -> dict[str, object]:
    newest: dict[str, _Run] = {}
    for one in runs:  # the newest first
        if one.entry.run_id in newest:
            why = Message("out_same_run", (printable(newest[one.entry.run_id].entry.dir.name),))
            left_out.append({"run": one.entry.dir.name, "model": one.entry.model, "why": why})
        else:
            newest[one.entry.run_id] = one
    shown = list(newest.values())
    entry = shown[0].entry
    is_higher = entry.scale.is_higher_better
    places, note = _places(shown, is_higher)

    def order(one: _Run) -> tuple[bool, float, str]:
        mean = one.summary.mean if one.summary else None
        return mean is None, 0.0 if mean is None else -mean if is_higher else mean, one.entry.model

    labels = [one.entry.model for one in shown]
    return {
        "benchmark": entry.benchmark,
        "benchmark_id": entry.benchmark_id,
        "subset": asdict(entry.subset) if entry.subset else None,
        "num_samples": entry.num_samples,
        "num_seeds": entry.num_seeds,
        "judge": entry.judge,
        "protocol": entry.protocol,
        "score_set": entry.score_set,
        "metric": entry.metric,
        "scale": asdict(entry.scale),
        "note": note,
        "rows": [_row(one, places, labels.count(one.entry.model) > 1) for one in sorted(shown, key=order)],
    }


def _places(runs: Sequence[_Run], is_higher_better: bool) -> tuple[dict[str, tuple[int, int]], Message | None]:
    """(directory of the run -> best and worst place, why there are none)."""
    if any(one.is_equated for one in runs):
        return {}, Message("no_places_equated")
    if len(runs) > MAX_RANKED:
        return {}, Message("no_places_many", (MAX_RANKED,))
    pairs = list(combinations(runs, 2))
    found = compare_all([(a.scores, b.scores) for a, b in pairs], runs[0].entry.scale)
    better = set()
    for (a, b), decided in zip(pairs, decide(found, is_higher_better), strict=True):
        if decided.better:
            names = str(a.entry.dir), str(b.entry.dir)
            better.add(names if decided.better == "first" else names[::-1])
    return rank_intervals([str(one.entry.dir) for one in runs], better), None


def _row(run: _Run, places: Mapping[str, tuple[int, int]], is_twice: bool) -> dict[str, object]:
    entry, whole = run.entry, run.summary
    return {
        "place": list(places[str(entry.dir)]) if str(entry.dir) in places else None,
        "model": f"{entry.model} ({entry.dir.name})" if is_twice else entry.model,
        "run": entry.dir.name,
        "run_id": entry.run_id,
        "mean": whole.mean if whole else None,
        "low": whole.ci_low if whole else None,
        "high": whole.ci_high if whole else None,
        "interval_note": whole.interval_note if whole else "",
        "num_scored": whole.num_scored if whole else 0,
        "num_samples": whole.num_samples if whole else entry.num_samples,
        "coverage": whole.coverage if whole else 0.0,
        "badge": entry.badge or ("no report" if entry.is_judge_trusted else data.INVALID_JUDGE),
        "created_at": entry.created_at,
        **run.block,
    }


def _apart(one: _Run, main: _Run) -> Message | None:
    """Why the scores do not compare with those of the benchmark's first table; None for that one."""
    mine, theirs = one.entry, main.entry
    if one.key == main.key:
        return None
    if mine.benchmark_id != theirs.benchmark_id:
        return Message("apart_benchmark")
    if one.samples != main.samples:
        return Message("apart_samples", (_part(mine), _part(theirs)))
    if (mine.judge, mine.protocol) != (theirs.judge, theirs.protocol):
        return Message("apart_judge", (_judged(mine), _judged(theirs)))
    if mine.metric != theirs.metric:
        return Message("apart_metric", (mine.metric, theirs.metric))
    return Message("apart_score_set", (mine.score_set, theirs.score_set))


def _part(entry: RunEntry) -> str:
    of = f" of {entry.subset.of}" if entry.subset else ""
    seeds = f" x {entry.num_seeds} seeds" if entry.num_seeds > 1 else ""
    return f"{entry.num_samples // entry.num_seeds}{of}{seeds}"


def _judged(entry: RunEntry) -> str:
    return f"{entry.judge}, protocol {entry.protocol}" if entry.protocol else entry.judge


def _editor_params(store: RunStore) -> Mapping[str, object]:
    stage = store.manifest["config"].get("diffusion_model")
    params = stage.get("params") if isinstance(stage, Mapping) else None
    return params if isinstance(params, Mapping) else {}


def _loaded(store: RunStore) -> Mapping[str, object]:
    """What the editor said of itself when it was loaded last."""
    facts = [one.event.facts for one in store.events_of(Load) if one.event.stage == "edit"]
    return facts[-1] if facts else {}


def _engine(store: RunStore) -> str:
    """Which program made the edits: the editor, its library and version, its pipeline, where they are on record."""
    kind = plugins.short_name(str(store.manifest["identity"]["editor"]))
    if kind == "imported":
        return "made elsewhere"
    facts, params = _loaded(store), _editor_params(store)
    library = store.manifest["versions"].get("diffusers") if facts.get("pipeline") else None
    server = params.get("dialect") if "base_url" in params or "base_urls" in params else None
    told = [kind, f"diffusers {library}" if library else "", *(facts.get(k) for k in ("pipeline", "dtype")), server]
    return printable(", ".join(str(one) for one in told if one))


def _flags(store: RunStore) -> Iterator[str]:
    """What makes the edits differ from those of the plain checkpoint: adapters, few steps, kernels, rounding."""
    params, facts = _editor_params(store), _loaded(store)
    adapters, steps = params.get("lora"), params.get("num_inference_steps")
    if adapters:
        yield printable(f"LoRA {checkpoint_of({'model': '-', 'lora': adapters}).removeprefix('- + ')}")
    if isinstance(steps, int) and steps <= FEW_STEPS:
        yield f"{steps} steps"
    for name, plain in _PLAIN.items():
        if (value := params.get(name)) not in plain:
            yield printable(f"{name} {value}" if value is not True else name)
    extra = params.get("extra")
    for name, value in extra.items() if isinstance(extra, Mapping) else ():
        yield printable(f"{name} {value}")
    if facts.get("quantization"):
        yield printable(f"quantized {facts['quantization']}")


_PLAIN: Mapping[str, tuple[object, ...]] = {
    "dtype": (None, "bfloat16", "float32"),
    "attention_backend": (None,),
    "compile": (None, False),
    "acceleration": (None, "none"),
    "vae_tiling": (None, False),
}
"""Parameters of an engine, and the values under which it is the plain one."""
