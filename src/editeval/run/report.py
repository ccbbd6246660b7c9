"""From the ledger to a Report, and from a Report to files: a pure function of the run directory and the benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

from editeval import plugins
from editeval.certificates.photographic import certificates_in
from editeval.machine.host import boot_id
from editeval.reports import data, markdown, tables
from editeval.reports.badge import (
    Trust,
    certificate_block,
    certificate_line,
    certificate_warnings,
    is_trusted,
    photographic_blocks,
)
from editeval.reports.data import Report
from editeval.reports.i18n import Message
from editeval.reports.site import write
from editeval.run import control_checks, equated, imports, pictures, recorded, results, worth
from editeval.run.counted import Counted
from editeval.run.index import label_of
from editeval.run.official import claim_of
from editeval.run.plan import Plan, hash_of
from editeval.run.planted import planted
from editeval.run.replayed import batches, replayed
from editeval.run.results import ShownScoreSet
from editeval.run.same_inputs import is_same_benchmark
from editeval.run.selection import num_distinct
from editeval.stats.timeline import timeline_of
from editeval.store import connection, lineage, queries
from editeval.store.ledger_events import (
    Event,
    InterpreterUsed,
    Invocation,
    Load,
    Recorded,
    ReportWritten,
    StageBegin,
)
from editeval.store.records import SampleRow
from editeval.store.reused import reused
from editeval.store.run_store import RunStore
from editeval.text import duration

FILES = ("report.json", "samples.jsonl", "scores.csv", "report.md", "report.html")
_Certificates = Mapping[str, Trust]
"""By score set id."""


def build_report(plan: Plan, store: RunStore, score_sets: Sequence[ShownScoreSet] | None = None) -> Report:
    """Everything the run directory says about the wanted samples, ready to be rendered.

    `score_sets`: other ones than the run shows, for somebody who only looks.
    """
    shown = _shown(plan, store) if score_sets is None else tuple(score_sets)
    metrics = results.labels(shown)
    headline = metrics[0] if metrics else ""

    def samples() -> Iterator[SampleRow]:
        return results.rows(store, shown)

    scales = results.scales(store, shown)
    counted = Counted(metrics, scales, results.equatings(store, shown))
    seen = data.survey(counted.passing(samples()), headline, scales.get(headline))
    certificates = _certificates(plan, shown)
    about_judges = certificate_warnings({one.name: certificates[one.id] for one in shown})
    is_same = is_same_benchmark(plan, store)
    worked = timeline_of(store.events(), store.attempts())
    about_bridges, bridges = equated.told(store, shown, counted.entries)
    about = (*about_bridges, *_about_run(plan, store, is_same, worked.set_back_s), *about_judges)
    controls = control_checks.told(store, shown[0], counted) if shown else None
    badge, warnings = _badge(plan, seen, shown, (certificates, controls), about)
    authors = list(results.official(store, shown))
    official = [number for one in authors for number in counted.official(*one)]
    also: dict[str, object] = {"official": official, "official_claim": claim_of(store, shown)}
    also |= {"equated": bridges, "controls": controls}
    also = {name: value for name, value in also.items() if value}
    replays = replayed(store, plan.config.diffusion_model.execution.policy)
    return Report(
        run=_run_block(plan, store, shown, certificates) | {"policy": replays.policy} | also | imports.run_block(store),
        badge=badge,
        warnings=warnings,
        coverage=worth.coverage_block(seen, plan.num_seeds),
        summaries=tuple(counted.summaries()),
        headline_metric=headline,
        statistics=plan.config.evaluation.metrics,
        timing={**imports.timing(worked.seconds, store)}
        | {"cost": replays.cost, "costs": replays.costs, "workers": worked.workers},
        policies=replays.policies,
        batches=batches(store),
        provenance=_provenance(plan, store, shown),
        samples=samples,
        images=pictures.images_of(plan, store, is_same),
        further=pictures.further_of(plan, is_same),
        originals=lineage.files_of_edits(store),
        survey=seen,
        scales=scales,
        authors_names=results.authors_names(shown),
        timeline=worked.chart,
        histories=worked.histories,
        groups=tuple(counted.groups(authors)),
        certificate=certificate_block(certificates[shown[0].id][0] if shown else None),
    )


def _badge(
    plan: Plan,
    seen: data.Survey,
    shown: Sequence[ShownScoreSet],
    tested: tuple[_Certificates, data.JsonObject | None],
    about: Sequence[Message],
) -> tuple[str, tuple[Message, ...]]:
    """(badge, warnings). `tested`: the certificates and the controls of the judges; the headline's decide the badge."""
    certificates, controls = tested
    reads = (one.judge.reads_instruction for one in plan.judgings if shown and one.id == shown[0].judged_in)
    basis = worth.Basis(
        is_control=plan.editor.is_control,
        reads_instruction=next(reads, True),
        is_certified=not shown or is_trusted(*certificates[shown[0].id]),
        is_subset=plan.subset is not None,
    )
    return worth.badge_of(seen, shown[0].name if shown else None, controls, about, basis)


def _about_run(plan: Plan, store: RunStore, is_same: bool, set_back_s: float) -> Iterator[Message]:
    """What happened to the run: another benchmark (not `is_same`), edits of others, a clock that was set back."""
    if not is_same:
        yield data.ANOTHER_BENCHMARK
    if others := store.fact(lineage.EDITS_OF_OTHERS):
        yield Message("edits_of_others", (int(others),))
    if set_back_s:
        yield Message("clock_set_back", (duration(set_back_s),))
    yield from _about_sources(plan)


def _about_sources(plan: Plan) -> tuple[Message, ...]:
    """Of several source images our own judge of pixels is shown the first one."""
    num = sum(len(sample.images) > 1 for sample in plan.samples if not sample.repeat_of)
    ours = [one.judge for one in plan.judgings if not plugins.is_foreign(one.stage.type)]
    return (Message("several_sources", (num,)),) if num and not all(one.reads_instruction for one in ours) else ()


def _shown(plan: Plan, store: RunStore) -> tuple[ShownScoreSet, ...]:
    """What the run shows; of one that an older version left before its first score, what its judges will give."""
    shown = results.shown(store)
    return shown if shown or results.is_decided(store) else results.configured_by(plan.judgings)


def _certificates(plan: Plan, shown: Sequence[ShownScoreSet]) -> dict[str, Trust]:
    """By score set: its drawn certificate, if it has one, and the photographic ones."""
    also = {judging.id: judging.known.equal_ids() for judging in plan.judgings}
    folder = plan.config.evaluation.output_dir
    return {one.id: certificates_in(folder, also.get(one.judged_in) or [one.judged_in]) for one in shown}


def publish(plan: Plan, store: RunStore) -> Report:
    """The report of the run; its files are written unless they say exactly this already.

    Not trusted if the machine was started since: pictures are not forced to disk, a power cut may have emptied them.
    """
    report = build_report(plan, store)
    written = store.latest(ReportWritten)
    is_there = written is not None and written.event == state_of(report, plan, store)
    if not is_there or not all((store.dir / name).exists() for name in FILES):
        republish(report, plan, store)
    return report


def republish(report: Report, plan: Plan, store: RunStore) -> None:
    """Every report of the run is written again, and what shaped it is on record."""
    write_reports(report, store.dir)
    store.record_event(state_of(report, plan, store))


def state_of(report: Report, plan: Plan, store: RunStore) -> ReportWritten:
    """Everything that shapes the files: what the report holds, the samples and attempts behind it, who writes them."""
    held = {
        field: getattr(report, field) for field in report.__slots__ if field not in ("samples", "images", "further")
    }
    held["run"] = {**report.run, "dir": str(store.dir.resolve())}  # however it was spelt this time
    return ReportWritten(
        shape=hash_of([tables.to_json(held), *(sample.id for sample in plan.samples)]),
        attempts=queries.num_attempts(store),
        headlines=_headlines(report),
        editeval=metadata.version("editeval"),
        boot=boot_id(),
        **_told_at_once(report),
    )


def _told_at_once(report: Report) -> dict[str, Any]:
    """What `editeval runs` says without another look at the samples."""
    whole, counts = report.headline(data.MICRO), report.coverage
    claim = report.run.get("official_claim")
    return {
        "badge": report.badge,
        "note": whole.interval_note if whole else "",
        "num_samples": counts["num_samples"],
        "num_scored": counts["num_scored" if report.headline_metric else "num_edited"],
        "is_official": bool(claim["is_official"]) if claim and claim["benchmark"] else None,
    }


def _headlines(report: Report) -> dict[str, tuple[float | None, ...]]:
    """[mean, low, high] over all samples of the first metric of every score set, by id: what `status` says at once."""
    whole = {s.metric: (s.mean, s.ci_low, s.ci_high) for s in report.summaries if s.category == data.MICRO}
    return {one["id"]: whole[one["prefix"] + one["metrics"][0]] for one in report.run["judgings"]}


def write_reports(report: Report, directory: Path) -> list[Path]:
    """Every file of FILES, written again; each is replaced in one step. Raises MachineError for a full disk."""
    with connection.translated(directory):
        return [
            tables.write_report_json(report, directory),
            tables.write_samples_jsonl(report, directory),
            tables.write_scores_csv(report, directory),
            markdown.write_report_md(report, directory),
            write.write_report_html(report, directory),
        ]


def write_embedded(report: Report, directory: Path, path: Path) -> Path:
    """The page of `report.html` with all its data in one file. Raises MachineError if it cannot be written."""
    with connection.translated(path):
        return write.write_embedded_html(report, directory, path)


def _run_block(
    plan: Plan, store: RunStore, shown: Sequence[ShownScoreSet], certificates: _Certificates
) -> dict[str, object]:
    config = plan.config
    begun = [recorded.event for recorded in store.events_of(StageBegin) if recorded.event.stage == "edit"]
    truth = planted(store, shown[0].id, hash_of(s.id for s in plan.samples)) if shown else None
    ids = {score_set.id for score_set in shown}
    num_seeds = queries.num_seeds(store)
    return {
        "id": store.manifest["run_id"],
        "name": store.dir.name,
        "dir": str(store.dir),
        "model": label_of(store),
        "created_at": store.manifest["created_at"],
        "editor": config.diffusion_model.requested_type,
        "judge": shown[0].judge if shown else None,
        "judging_id": shown[0].id if shown else None,
        "judgings": [_score_set_block(score_set, certificates[score_set.id]) for score_set in shown],
        "also_kept": [score_set.title for score_set in results.kept(store) if score_set.id not in ids],
        "benchmark": config.benchmark.label,
        "edits_by_policy": recorded.edits_by_policy(store),
        "devices": list(begun[-1].devices) if begun else [],
        "num_samples": len(plan.samples),
        **({"num_seeds": num_seeds, "num_distinct": num_distinct(plan.samples)} if num_seeds > 1 else {}),
        "subset": asdict(plan.subset) if plan.subset else None,
        **{f"{by}s": counts for by, counts in queries.covered(store).items() if counts},
        "num_in_run": queries.num_edits(store),
        "reused": [asdict(one) for one in reused(store)],
        "planted": asdict(truth) if truth else None,
    }


def _score_set_block(score_set: ShownScoreSet, trust: Trust) -> dict[str, object]:
    certificate, photographic = trust
    said = {
        "verdict": certificate["verdict"] if certificate else None,
        "created_at": certificate["created_at"] if certificate else None,
        "line": certificate_line(certificate, photographic),
        **({"photographic": photographic_blocks(photographic)} if photographic else {}),
    }
    return asdict(score_set) | {"metrics": list(score_set.metrics), "certificate": said}


def _provenance(plan: Plan, store: RunStore, shown: Sequence[ShownScoreSet]) -> dict[str, object]:
    manifest = store.manifest
    kept = {judging.id: judging for judging in store.judgings()}
    loads = [recorded.event for recorded in store.events_of(Load)]
    loaded = {(load.stage, load.judging_id): load.facts for load in loads}
    judgings: list[dict[str, object]] = [
        {"id": one.id, "judge": kept[one.id].judge, "details": dict(kept[one.id].details)}
        for one in shown
        if one.id in kept
    ]
    judges = [loaded.get(("judge", one.id), {}) for one in shown if one.id in kept]
    interpreters = {one.event.section: asdict(one.event) for one in store.events_of(InterpreterUsed)}
    warnings = recorded.invocation_of(store).warnings
    return {
        "config": recorded.settings_of(store),
        "origins": recorded.origins_of(store),
        "argv": manifest["argv"],
        "versions": manifest["versions"],
        "host": manifest["host"],
        "identity": manifest["identity"],
        "judging": judgings[0] if judgings else None,
        "judgings": [judging | {"model": facts} for judging, facts in zip(judgings, judges, strict=True)],
        "models": {"edit": loaded.get(("edit", ""), {}), "judge": judges[0] if judges else {}},
        "interpreters": interpreters,
        "reused": [str(one) for one in reused(store)] or None,
        "edits_without_recorded_inputs": queries.num_without_inputs(store) or None,
        "seeds": "first 31 bits of SHA-256 of '<base seed>:<sample id>'; of further seeds the id ends in #2, #3, ...",
        "warnings": list(plan.config.warnings if warnings is None else warnings),
        "invocations": _num_at_work(store.events()),
    }


def _num_at_work(events: Sequence[Recorded[Event]]) -> int:
    """Invocations in which a stage began: one that finds nothing to do changes no report."""
    marks = [one.event for one in events if isinstance(one.event, Invocation | StageBegin)]
    return sum(isinstance(mark, Invocation) and isinstance(then, StageBegin) for mark, then in pairwise(marks))
