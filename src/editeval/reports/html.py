"""report.html: one file, no script, nothing fetched; opens from disk and survives being mailed.

Everything from data is escaped by the template engine and made printable on the way; the content security policy
allows the one style sheet (by its hash) and embedded pictures, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from editeval.images import write_atomic
from editeval.reports import charts, figures, gallery
from editeval.reports.data import MICRO, Report, SampleRow, scored_value, surveyed, why_unscored
from editeval.reports.tables import plain


@dataclass(frozen=True, slots=True)
class Card:
    """One sample of the gallery."""

    row: SampleRow
    role: str
    value: str | None
    why: str  # there is no value
    components: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    pictures: tuple[gallery.Picture, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The cards of one category, or those that have no score."""

    title: str
    cards: tuple[Card, ...]


def write_report_html(report: Report, directory: Path) -> Path:
    """report.html with embedded thumbnails of the samples that `gallery.choose` picks."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("editeval.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    assert environment.loader is not None
    css = environment.loader.get_source(environment, "report.css")[0]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    page = environment.get_template("report.html.j2").render(
        css=Markup(css), css_hash=digest, charts=charts, figures=figures, **_view(report, directory)
    )
    path = directory / "report.html"
    write_atomic(path, page.encode())
    return path


def _finalized(value: Any) -> Any:
    """What the template prints: text from data without unprintable characters, our own markup as it is."""
    return figures.printable(value, keep_lines=True) if isinstance(value, str) and not _is_markup(value) else value


def _is_markup(value: str) -> bool:
    return hasattr(value, "__html__")


def _view(report: Report, directory: Path) -> dict[str, Any]:
    """Everything the template looks at."""
    seen = surveyed(report)
    rows = figures.rows_of(report, report.headline_metric)
    return {
        "report": report,
        "seen": seen,
        "name": report.run.get("name") or report.run.get("id") or "run",
        "facts": list(figures.run_facts(report)),
        "whole": report.headline(MICRO),
        "rows": rows,
        "columns": figures.columns(report, rows),
        "strips": [charts.strip(summary, seen) for summary in rows],
        "metrics": figures.metrics_of(report),
        "by_metric": {(s.category, s.metric): s for s in report.summaries},
        "outcome": charts.outcome(seen),
        "times": list(figures.stage_times(report)),
        "policies": charts.policy_rows(report),
        "workers": charts.worker_rows(report),
        "timeline": charts.timeline(report),
        "groups": _groups(report, directory),
        "command": figures.command(report),
        "provenance": _provenance(report.provenance),
    }


def _groups(report: Report, directory: Path) -> list[Group]:
    card = partial(_card, report, directory)
    unscored, by_category = gallery.choose(report)
    title = "Not scored" if report.headline_metric else "Edits"
    groups = [Group(title, tuple(map(card, unscored)))] if unscored else []
    return groups + [Group(category, tuple(map(card, chosen))) for category, chosen in by_category.items()]


def _card(report: Report, directory: Path, chosen: gallery.Chosen) -> Card:
    row = chosen.row
    value = scored_value(row, report.headline_metric)
    others = [score for metric, score in row.scores.items() if metric != report.headline_metric]
    pictures = tuple(gallery.pictures(report, row, directory))
    facts = {
        "size": pictures[0].size or None,
        "seed": row.seed,
        "time": figures.duration(row.seconds) if row.seconds is not None else None,
        "device": row.device,
        "worker": row.worker,
        "attempt": row.attempt if row.attempt != 1 else None,
    }
    return Card(
        row=row,
        role=chosen.role,
        value=None if value is None else figures.number(value),
        why=""
        if value is not None or not report.headline_metric
        else row.error_reason or why_unscored(row, report.headline_metric),
        components=tuple((s.metric, figures.number(s.value) if s.value is not None else s.reason) for s in others),
        facts=tuple((name, str(fact)) for name, fact in facts.items() if fact is not None),
        pictures=pictures,
    )


def _provenance(provenance: Mapping[str, Any]) -> list[tuple[str, bool, Any]]:
    """(title, is a text block, value): the config as YAML, then short facts, then every other mapping."""
    blocks: list[tuple[str, bool, Any]] = []
    facts: list[tuple[str, str]] = []
    for key, value in provenance.items():
        name = str(key).replace("_", " ")
        if key in ("argv", "config") or value is None:
            continue
        if _is_flat(value) and isinstance(value, Mapping):
            blocks.append((name, False, [(str(k), str(plain(v))) for k, v in value.items()]))
        elif _is_flat(value):
            facts.append((name, ", ".join(map(str, value))))
        elif isinstance(value, Mapping | list | tuple):
            blocks.append((name, True, _yaml(value)))
        else:
            facts.append((name, str(value)))
    config = provenance.get("config")
    head = [("config", True, _yaml(config))] if config else []
    return [*head, *([("facts", False, facts)] if facts else []), *blocks]


def _is_flat(value: Any) -> bool:
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else None
    return parts is not None and not any(isinstance(part, Mapping | list | tuple) for part in parts)


def _yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump(plain(value), allow_unicode=True, sort_keys=False, width=100))
