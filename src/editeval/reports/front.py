"""What the front end is told about a run, as JSON values: the run, and its samples as rows and details.

A row is what the grid needs of a sample, a detail what only a closer look needs. Both are lists in the order of
ROW and DETAIL: with 25,000 samples the names would be most of the file.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from editeval.reports.data import Report, SampleRow, Survey, scored_value, why_unscored
from editeval.reports.figures import command, metrics_of
from editeval.reports.pictures import Picture, Pictures
from editeval.reports.tables import plain

SCHEMA_VERSION = 1
CHUNK = 500  # samples per file
ROW = (
    *("id", "category", "instruction", "status", "reason", "values", "whys", "seconds", "worker", "attempt"),
    *("source", "target", "edited", "path", "flags"),
)
DETAIL = ("cluster", "seed", "device", "sha256", "message", "started_at", "raws", "history")


def run_block(report: Report, seen: Survey, num_samples: int, written_at: float) -> dict[str, Any]:
    """Everything but the samples."""
    provenance = dict(report.provenance)
    return {
        "schema": SCHEMA_VERSION,
        "run": plain(report.run),
        "benchmark": _benchmark(report),
        "badge": report.badge,
        "warnings": list(report.warnings),
        "headline": report.headline_metric,
        "metrics": shown_metrics(report, seen),
        "coverage": plain(report.coverage),
        "summaries": [plain(s) | {"coverage": s.coverage} for s in report.summaries],
        "statistics": list(report.statistics),
        "causes": [plain(cause) for cause in seen.causes],
        "histograms": plain(seen.histograms),
        "timing": plain(report.timing),
        "policies": plain(report.policies),
        "batches": len(report.batches),
        "timeline": plain(report.timeline),
        "certificate": plain(report.certificate),
        "config": _yaml(provenance.pop("config", None)),
        "origins": plain(provenance.pop("origins", {})),
        "provenance": plain(provenance),
        "commands": _commands(report),
        "row": list(ROW),
        "detail": list(DETAIL),
        "num_samples": num_samples,
        "chunk": CHUNK,
        "written_at": written_at,
    }


def shown_metrics(report: Report, seen: Survey) -> list[str]:
    """Every metric of which there is a score or a summary, the headline first."""
    known = dict.fromkeys([*metrics_of(report), *seen.metrics])
    return [metric for metric in known if metric]


def row_of(row: SampleRow, pictures: Pictures, metrics: list[str]) -> list[Any]:
    """In the order of ROW. A missing score is None, and its reason stands in `whys`."""
    values = [scored_value(row, metric) for metric in metrics]
    whys = [_why(row, metric) if value is None else "" for metric, value in zip(metrics, values, strict=True)]
    return [
        row.id,
        row.category,
        row.instruction,
        row.status,
        row.error_reason,
        [None if value is None else round(value, 4) for value in values],
        whys if any(whys) else None,
        None if row.seconds is None else round(row.seconds, 4),
        row.worker,
        row.attempt,
        _packed(pictures.source),
        _packed(pictures.target),
        _packed(pictures.edited),
        row.edited_path,
        list(pictures.flags) or None,
    ]


def detail_of(row: SampleRow, report: Report) -> list[Any]:
    """In the order of DETAIL."""
    raws = {metric: score.raw for metric, score in row.scores.items() if score.raw}
    history = plain(list(report.histories.get(row.id, ())))
    told = (row.cluster, row.seed, row.device, row.sha256, row.error_message, row.started_at)
    return [*told, raws or None, history or None]


def _why(row: SampleRow, metric: str) -> str:
    if row.status != "done":
        return ""
    score = row.scores.get(metric)
    return score.reason if score is not None else why_unscored(row, metric)


def _packed(picture: Picture | None) -> list[Any] | None:
    return [picture.stem, picture.extension, picture.width, picture.height] if picture else None


def _benchmark(report: Report) -> str:
    """What two runs must share to be compared sample by sample."""
    identity = report.provenance.get("identity")
    found = identity.get("benchmark") if isinstance(identity, Mapping) else None
    return str(found or report.run.get("benchmark") or "")


def _commands(report: Report) -> dict[str, str]:
    where = str(report.run.get("dir") or "")
    retry = f"editeval retry {shlex.quote(where)}" if where else "editeval retry"
    return {"again": command(report), "retry": retry, "view": retry.replace(" retry", " view", 1)}


def _yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump(plain(value), allow_unicode=True, sort_keys=False, width=100)) if value else ""
