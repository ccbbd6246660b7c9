"""From the ledger to a Report, and from a Report to files: a pure function of the run directory and the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

from editeval.certificates.certificate import certificate_of
from editeval.errors import ImageError
from editeval.machine.host import boot_id
from editeval.reports import data, markdown, tables
from editeval.reports.data import Report, SampleRow
from editeval.reports.judge_trust import certificate_block, certificate_line, certificate_warnings
from editeval.reports.site import write
from editeval.run import recorded, results
from editeval.run.plan import Plan, hash_of
from editeval.run.planted import planted
from editeval.run.replayed import replayed
from editeval.run.results import ShownScoreSet
from editeval.stats.summary import Entry, summarise
from editeval.stats.timeline import timeline_of
from editeval.store import connection, queries
from editeval.store.records import Row
from editeval.store.reused import reused
from editeval.store.run_store import RunStore
from editeval.types import ImageRef, Summary

FILES = ("report.json", "samples.jsonl", "scores.csv", "report.md", "report.html")
_Certificates = Mapping[str, dict[str, Any] | None]
"""By score set id; None for one that has none."""


def build_report(plan: Plan, store: RunStore, score_sets: Sequence[ShownScoreSet] | None = None) -> Report:
    """Everything the run directory says about the wanted samples, ready to be rendered.

    `score_sets`: other ones than the run shows, for somebody who only looks.
    """
    shown = _shown(plan, store) if score_sets is None else tuple(score_sets)
    metrics = results.labels(shown)
    headline = metrics[0] if metrics else ""

    def samples() -> Iterator[SampleRow]:
        return map(_sample_row, results.rows(store, shown))

    counted = _Counted(metrics)
    seen = data.survey(counted.passing(samples()), headline)
    certificates = _certificates(plan, shown)
    about_judges = certificate_warnings({one.name: certificates[one.id] for one in shown})
    badge, warnings = data.decide_badge(seen, bool(metrics), plan.editor.is_control, about_judges)
    badge += data.OF_SUBSET if plan.subset else ""
    replays = replayed(store, plan.config.diffusion_model.execution.policy)
    worked = timeline_of(store.events(), store.attempts())
    return Report(
        run=_run_block(plan, store, shown, certificates) | {"policy": replays.policy},
        badge=badge,
        warnings=warnings,
        coverage=data.coverage_of(seen),
        summaries=tuple(counted.summaries()),
        headline_metric=headline,
        statistics=plan.config.evaluation.metrics,
        timing={**worked.seconds, "cost": replays.cost, "costs": replays.costs, "workers": worked.workers},
        policies=replays.policies,
        batches=_batches(store),
        provenance=_provenance(plan, store, shown),
        samples=samples,
        images=_images(plan),
        survey=seen,
        timeline=worked.chart,
        histories=worked.histories,
        certificate=certificate_block(certificates[shown[0].id] if shown else None),
    )


def _shown(plan: Plan, store: RunStore) -> tuple[ShownScoreSet, ...]:
    """What the run shows; of one that an older version left before its first score, what its judges will give."""
    shown = results.shown(store)
    return shown if shown or results.is_decided(store) else results.configured_by(plan.judgings)


def _certificates(plan: Plan, shown: Sequence[ShownScoreSet]) -> dict[str, dict[str, Any] | None]:
    """By score set; None for one that has none."""
    also = {judging.id: judging.known.equal_ids() for judging in plan.judgings}
    folder = plan.config.evaluation.output_dir
    found = {one.id: [certificate_of(folder, known) for known in also.get(one.id) or [one.id]] for one in shown}
    return {key: next((one for one in certificates if one), None) for key, certificates in found.items()}


class _Counted:
    """The entries of every metric, gathered in one pass over the samples."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self._entries: dict[str, list[Entry]] = {metric: [] for metric in metrics}

    def passing(self, samples: Iterator[SampleRow]) -> Iterator[SampleRow]:
        """`samples`, each counted on its way."""
        for row in samples:
            for metric, entries in self._entries.items():
                entries.append(results.entry_of(row, metric))
            yield row

    def summaries(self) -> Iterator[Summary]:
        for metric, entries in self._entries.items():
            yield from summarise(entries, metric)


def publish(plan: Plan, store: RunStore) -> Report:
    """The report of the run; its files are written unless they say exactly this already.

    Not trusted if the machine was started since: pictures are not forced to disk, a power cut may have emptied them.
    """
    report = build_report(plan, store)
    written = store.events("report")
    is_there = written and written[-1]["data"] == state_of(report, plan, store)
    if not is_there or not all((store.dir / name).exists() for name in FILES):
        republish(report, plan, store)
    return report


def republish(report: Report, plan: Plan, store: RunStore) -> None:
    """Every report of the run is written again, and what shaped it is on record."""
    write_reports(report, store.dir)
    store.record_event("report", state_of(report, plan, store))


def state_of(report: Report, plan: Plan, store: RunStore) -> dict[str, Any]:
    """Everything that shapes the files: what the report holds, the samples and attempts behind it, who writes them."""
    held = {field: getattr(report, field) for field in report.__slots__ if field not in ("samples", "images")}
    held["run"] = {**report.run, "dir": str(store.dir.resolve())}  # however it was spelt this time
    return {
        "shape": hash_of([tables.to_json(held), *(sample.id for sample in plan.samples)]),
        "attempts": queries.num_attempts(store),
        "headlines": _headlines(report),
        "editeval": metadata.version("editeval"),
        "boot": boot_id(),
    }


def _headlines(report: Report) -> dict[str, list[float | None]]:
    """[mean, low, high] over all samples of the first metric of every score set, by id: what `status` says at once."""
    whole = {s.metric: [s.mean, s.ci_low, s.ci_high] for s in report.summaries if s.category == data.MICRO}
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


def _sample_row(row: Row) -> SampleRow:
    edit = row.edit
    error = edit.error if edit else None
    return SampleRow(
        id=row.sample_id,
        category=row.category,
        instruction=row.instruction,
        cluster=row.cluster,
        position=row.position,
        status=row.status,
        sha256=edit.sha256 if edit else None,
        seed=edit.seed if edit else None,
        error_reason=error.reason if error else None,
        error_message=error.message if error else None,
        seconds=edit.seconds if edit else None,
        device=edit.device if edit else None,
        worker=edit.worker if edit else None,
        attempt=edit.attempt if edit else None,
        edited_path=edit.path if edit else None,
        flags=edit.flags if edit else (),
        scores=row.scores,
        started_at=edit.started_at if edit else None,
        width=edit.width if edit else None,
        height=edit.height if edit else None,
    )


def _run_block(
    plan: Plan, store: RunStore, shown: Sequence[ShownScoreSet], certificates: _Certificates
) -> dict[str, Any]:
    config = plan.config
    begun = [event["data"] for event in store.events("stage_begin") if event["data"]["stage"] == "edit"]
    ids = {score_set.id for score_set in shown}
    return {
        "id": store.manifest["run_id"],
        "name": store.dir.name,
        "dir": str(store.dir),
        "created_at": store.manifest["created_at"],
        "editor": config.diffusion_model.requested_type,
        "judge": shown[0].judge if shown else None,
        "judging_id": shown[0].id if shown else None,
        "judgings": [_score_set_block(score_set, certificates[score_set.id]) for score_set in shown],
        "also_kept": [score_set.title for score_set in results.kept(store) if score_set.id not in ids],
        "benchmark": config.benchmark.label,
        "edits_by_policy": recorded.edits_by_policy(store),
        "devices": begun[-1]["devices"] if begun else [],
        "num_samples": len(plan.samples),
        "subset": asdict(plan.subset) if plan.subset else None,
        "num_in_run": queries.num_edits(store),
        "reused": [asdict(one) for one in reused(store)],
        "planted": planted(store, shown[0].id, hash_of(s.id for s in plan.samples)) if shown else None,
    }


def _score_set_block(score_set: ShownScoreSet, certificate: dict[str, Any] | None) -> dict[str, Any]:
    trust = {
        "verdict": certificate["verdict"] if certificate else None,
        "created_at": certificate["created_at"] if certificate else None,
        "line": certificate_line(certificate),
    }
    return asdict(score_set) | {"metrics": list(score_set.metrics), "certificate": trust}


def _batches(store: RunStore) -> tuple[dict[str, Any], ...]:
    """Every batch of every invocation, numbered on; which requests were in it, the ledger knows."""
    return tuple(_batch(number, event["data"]) for number, event in enumerate(store.events("batch"), start=1))


def _batch(number: int, data: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("started_at", "seconds", "slowest_worker", "num_workers", "deferred")
    members = {"num_requests": len(data["members"])} if "members" in data else {}
    return {"index": number} | members | {name: data[name] for name in kept if name in data}


def _provenance(plan: Plan, store: RunStore, shown: Sequence[ShownScoreSet]) -> dict[str, Any]:
    manifest = store.manifest
    kept = {judging.id: judging for judging in store.judgings()}
    loaded = {(e["data"]["stage"], e["data"]["judging_id"]): e["data"].get("facts", {}) for e in store.events("load")}
    judgings = [
        {"id": one.id, "judge": kept[one.id].judge, "details": dict(kept[one.id].details)}
        for one in shown
        if one.id in kept
    ]
    judges = [loaded.get(("judge", judging["id"]), {}) for judging in judgings]
    interpreters = {event["data"]["section"]: event["data"] for event in store.events("interpreter")}
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
        "edits_without_recorded_inputs": sum(1 for e in store.edits() if e.path and e.made is None) or None,
        "seeds": "first 31 bits of SHA-256 of '<base seed>:<sample id>'",
        "warnings": list(recorded.invocation_of(store).get("warnings", plan.config.warnings)),
        "invocations": _num_at_work(store.events()),
    }


def _num_at_work(events: Sequence[Mapping[str, Any]]) -> int:
    """Invocations in which a stage began: one that finds nothing to do changes no report."""
    kinds = [event["kind"] for event in events if event["kind"] in ("invocation", "stage_begin")]
    return sum(kind == "invocation" and then == "stage_begin" for kind, then in pairwise(kinds))


def _images(plan: Plan) -> Callable[[str], tuple[bytes | None, bytes | None]]:
    samples: Mapping[str, Any] = {sample.id: sample for sample in plan.samples}

    def images(sample_id: str) -> tuple[bytes | None, bytes | None]:
        sample = samples.get(sample_id)
        if sample is None:
            return None, None
        return _bytes(sample.image), _bytes(sample.reference)

    return images


def _bytes(ref: ImageRef | None) -> bytes | None:
    """Encoded bytes for the gallery; None for a picture that cannot be read (its sample failed for that reason)."""
    try:
        return ref.read() if ref is not None else None
    except ImageError:
        return None
