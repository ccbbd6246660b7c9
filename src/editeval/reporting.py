"""From the ledger to a Report, and from a Report to files: a pure function of the run directory and the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from editeval.certificates.files import certificate_of
from editeval.errors import ImageError
from editeval.plan import Plan, ShownJudging
from editeval.reports import data, html, markdown, tables
from editeval.reports.certificate import certificate_block, certificate_doubts, certificate_line
from editeval.reports.data import Report, SampleRow
from editeval.stats.spans import spent
from editeval.stats.summary import Entry, summarise
from editeval.store import connection, spans
from editeval.store.records import Row
from editeval.store.run_store import RunStore
from editeval.types import ImageRef, Summary

FILES = ("report.json", "samples.jsonl", "scores.csv", "report.md", "report.html")


def build_report(plan: Plan, store: RunStore) -> Report:
    """Everything the run directory says about the wanted samples, ready to be rendered."""
    metrics = plan.metrics
    headline = metrics[0] if metrics else ""

    def samples() -> Iterator[SampleRow]:
        return (_sample_row(row) for row in labelled_rows(plan, store))

    seen = data.survey(samples(), headline)
    certificates = _certificates(plan)
    doubts = certificate_doubts({judging.name: certificates[judging.id] for judging in plan.shown})
    badge, warnings = data.decide_badge(seen, bool(metrics), plan.editor.is_control, doubts)
    badge += data.OF_SUBSET if plan.subset else ""
    replays = [event["data"] for event in store.events("replay")]
    worked = spans.spans_of(store)
    return Report(
        run=_run_block(plan, store, certificates),
        badge=badge,
        warnings=warnings,
        coverage=data.coverage_of(seen),
        summaries=tuple(_summaries(samples, metrics)),
        headline_metric=headline,
        statistics=plan.config.evaluation.metrics,
        timing=_timing(store, replays),
        policies=_policies(replays),
        batches=_batches(store),
        provenance=_provenance(plan, store),
        samples=samples,
        images=_images(plan),
        survey=seen,
        timeline=worked.timeline,
        histories=worked.histories,
        certificate=certificate_block(certificates.get(plan.judging_id)),
    )


def _certificates(plan: Plan) -> dict[str, dict[str, Any] | None]:
    """By judging; None for one that has none."""
    return {judging.id: certificate_of(plan.config.evaluation.output_dir, judging.id) for judging in plan.shown}


def write_reports(report: Report, directory: Path) -> list[Path]:
    """Every file of FILES, written anew; each is replaced in one step. Raises MachineError for a full disk."""
    with connection.translated(directory):
        return [
            tables.write_report_json(report, directory),
            tables.write_samples_jsonl(report, directory),
            tables.write_scores_csv(report, directory),
            markdown.write_report_md(report, directory),
            html.write_report_html(report, directory),
        ]


def write_embedded(report: Report, directory: Path, path: Path) -> Path:
    """The page of `report.html` with all its data in one file. Raises MachineError if it cannot be written."""
    with connection.translated(path):
        return html.write_embedded_html(report, directory, path)


def labelled_rows(plan: Plan, store: RunStore) -> Iterator[Row]:
    """The wanted samples with the scores of every judging that `plan` shows, under the metrics' labels."""
    if not plan.shown:
        yield from store.rows(None)
        return
    for rows in zip(*(store.rows(judging.id) for judging in plan.shown), strict=True):
        scores = {
            judging.prefix + metric: score
            for judging, row in zip(plan.shown, rows, strict=True)
            for metric, score in row.scores.items()
        }
        yield replace(rows[0], scores=scores)


def _sample_row(row: Row) -> SampleRow:
    edit = row.edit
    error = edit.error if edit else None
    return SampleRow(
        id=row.sample_id,
        category=row.category,
        instruction=row.instruction,
        cluster=row.cluster,
        position=row.position,
        status=edit.status if edit else "pending",
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


def _summaries(samples: Callable[[], Iterator[SampleRow]], metrics: tuple[str, ...]) -> Iterator[Summary]:
    for metric in metrics:
        yield from summarise((_entry(row, metric) for row in samples()), metric)


def _entry(row: SampleRow, metric: str) -> Entry:
    """A failed edit is failed; an edit without a score, or not made yet, is unscored."""
    value = data.scored_value(row, metric)
    if value is not None:
        return row.category, row.cluster, "scored", value
    return row.category, row.cluster, "failed" if row.status == "failed" else "unscored", None


def _run_block(plan: Plan, store: RunStore, certificates: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    config = plan.config
    begun = [event["data"] for event in store.events("stage_begin") if event["data"]["stage"] == "edit"]
    return {
        "id": store.manifest["run_id"],
        "name": store.dir.name,
        "dir": str(store.dir),
        "created_at": store.manifest["created_at"],
        "editor": config.diffusion_model.requested_type,
        "judge": plan.shown[0].judge if plan.shown else None,
        "judging_id": plan.shown[0].id if plan.shown else None,
        "judgings": [_judging_block(judging, certificates[judging.id]) for judging in plan.shown],
        "benchmark": config.benchmark.type,
        "policy": _policy_used(plan, store),
        "devices": begun[-1]["devices"] if begun else [],
        "num_samples": len(plan.samples),
        "subset": asdict(plan.subset) if plan.subset else None,
        "num_in_run": sum(1 for _ in store.edits(wanted_only=False)),
    }


def _judging_block(judging: ShownJudging, certificate: dict[str, Any] | None) -> dict[str, Any]:
    trust = {
        "verdict": certificate["verdict"] if certificate else None,
        "created_at": certificate["created_at"] if certificate else None,
        "line": certificate_line(certificate),
    }
    return asdict(judging) | {"metrics": list(judging.metrics), "certificate": trust}


def _policy_used(plan: Plan, store: RunStore) -> str:
    """The policy under which the edits were made; of several invocations the last one's that made any."""
    replays = store.events("replay")
    return str(replays[-1]["data"]["policy"] if replays else plan.config.diffusion_model.execution.policy)


def _timing(store: RunStore, replays: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds over all invocations: all in all, per stage, for loading models, between the stages, and per worker."""
    window = sum(r["actual_s"] for r in replays)
    workers: dict[int, dict[str, Any]] = {}
    for edit in store.edits(wanted_only=False):  # as the window does: an earlier selection's work was no idling
        worker = workers.setdefault(
            edit.worker, {"worker": edit.worker, "device": edit.device, "busy_s": 0.0, "num_edits": 0}
        )
        worker["busy_s"] += edit.seconds
        worker["num_edits"] += 1
    for worker in workers.values():
        worker["idle_s"] = max(window - worker["busy_s"], 0.0)
    return {**asdict(spent(store.events())), "workers": [workers[index] for index in sorted(workers)]}


def _policies(replays: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """What each policy would have taken; an interrupted run's parts are added up."""
    total: dict[str, dict[str, Any]] = {}
    for part in replays:
        for timeline in part["policies"]:
            row = total.setdefault(timeline["policy"], {"makespan_s": 0.0, "idle_s": 0.0, "max_drift": 0})
            row["makespan_s"] += timeline["makespan_s"]
            row["idle_s"] += timeline["idle_fraction"] * timeline["makespan_s"]
            row["max_drift"] = max(row["max_drift"], timeline["max_drift"])
    return tuple(
        {
            "policy": name,
            "makespan_s": row["makespan_s"],
            "idle_fraction": row["idle_s"] / row["makespan_s"] if row["makespan_s"] else 0.0,
            "max_drift": row["max_drift"],
        }
        for name, row in total.items()
    )


def _batches(store: RunStore) -> tuple[dict[str, Any], ...]:
    """Every batch of every invocation, numbered on."""
    events = store.events("batch")
    return tuple(event["data"] | {"index": number} for number, event in enumerate(events, start=1))


def _provenance(plan: Plan, store: RunStore) -> dict[str, Any]:
    manifest = store.manifest
    kept = {judging.id: judging for judging in store.judgings()}
    loaded = {(e["data"]["stage"], e["data"]["judging_id"]): e["data"].get("facts", {}) for e in store.events("load")}
    judgings = [
        {"id": j.id, "judge": kept[j.id].judge, "details": dict(kept[j.id].details)} for j in plan.shown if j.id in kept
    ]
    judges = [loaded.get(("judge", judging["id"]), {}) for judging in judgings]
    interpreters = {event["data"]["section"]: event["data"] for event in store.events("interpreter")}
    return {
        "config": dict(plan.config.resolved),
        "origins": dict(plan.config.origins),
        "argv": manifest["argv"],
        "versions": manifest["versions"],
        "host": manifest["host"],
        "identity": manifest["identity"],
        "judging": judgings[0] if judgings else None,
        "judgings": [judging | {"model": facts} for judging, facts in zip(judgings, judges, strict=True)],
        "models": {"edit": loaded.get(("edit", ""), {}), "judge": judges[0] if judges else {}},
        "interpreters": interpreters,
        "seeds": "first 31 bits of SHA-256 of '<base seed>:<sample id>'",
        "warnings": list(plan.config.warnings),
        "invocations": len(store.events("invocation")),
    }


def _images(plan: Plan) -> Callable[[str], tuple[bytes | None, bytes | None]]:
    samples: Mapping[str, Any] = {sample.id: sample for sample in plan.samples}

    def images(sample_id: str) -> tuple[bytes | None, bytes | None]:
        sample = samples.get(sample_id)
        if sample is None:
            return None, None
        return _bytes(sample.image), _bytes(sample.reference)

    return images


def _bytes(ref: ImageRef | None) -> bytes | None:
    """Encoded bytes for the gallery; None for a picture that cannot be had (its sample failed for that reason)."""
    try:
        return ref.read() if ref is not None else None
    except ImageError:
        return None
