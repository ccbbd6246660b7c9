"""What the front end is told about a run, as JSON values: the run, and its samples as rows and details.

A row is what the grid needs of a sample, a detail what only a closer look needs. Both are lists in the order of
ROW and DETAIL: with 25,000 samples the names would be most of the file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editeval.errors import UserError
from editeval.plugins import names_code
from editeval.reports.data import NOT_JUDGED, Report, SampleRow, Survey, scored_value, why_unscored
from editeval.reports.format import command, metrics_of, model_line, planted_line, policy_shares, score_titles
from editeval.reports.i18n import Message
from editeval.reports.site.thumbnails import Pictures, SampleImages
from editeval.reports.tables import plain
from editeval.text import run_command

CHUNK = 500  # samples per file
ROW = (
    *("id", "category", "instruction", "status", "reason", "values", "whys", "seconds", "worker", "attempt"),
    *("source", "target", "edited", "path", "complaints"),
)
LOW = 4  # of 10: a component below it is named as what went wrong
NUM_WORST = 6
COMPLAINTS = (
    *(
        "failed",
        "unscored",
        "pending",
        "black",
        "constant",
        "unchanged",
    ),  # what became of it, and what the ledger flags
    *("missing", "spoilt", "damaged", "low", "size"),
)
_BLAMED = {
    "missing": {"completeness", "following", "instruction_following", "instruction", "success", "sc"},
    "spoilt": {"preservation", "consistency", "overedit", "over_editing"},
    "damaged": {"quality", "perceptual_quality", "naturalness", "pq"},
}
DETAIL = ("cluster", "seed", "device", "sha256", "message", "started_at", "raws", "history")


def run_block(report: Report, seen: Survey, tally: IssueCounts, written_at: float) -> dict[str, Any]:
    """Everything but the samples."""
    provenance = dict(report.provenance)
    return {
        "schema": SCHEMA_VERSION,
        "run": plain(report.run) | {"scores": score_titles(report.run), "made_under": policy_shares(report.run)},
        "benchmark": _benchmark(report),
        "badge": report.badge,
        "model": _both(model_line(report)),
        "planted": _both(planted_line(report)),
        "subset": plain(report.subset),
        "warnings": [_both(warning) for warning in report.warnings],
        "trust": [_both((one.get("certificate") or {}).get("line")) for one in report.run.get("judgings") or ()],
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
        "commands": _commands(report, seen),
        "row": list(ROW),
        "detail": list(DETAIL),
        "complaints": [[why, tally.counts[why]] for why in COMPLAINTS if tally.counts[why]],
        "worst": tally.worst(),
        "has_target": tally.has_target,
        "low": LOW,
        "num_samples": seen.num_samples,
        "chunk": CHUNK,
        "written_at": written_at,
    }


def _both(message: Message | str | None) -> list[str] | str | None:
    """A message in English and in Chinese."""
    return [str(message), message.chinese] if isinstance(message, Message) else message


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
        complaints(row, pictures, metrics),
    ]


def complaints(row: SampleRow, pictures: Pictures, metrics: Sequence[str]) -> list[str]:
    """What is wrong with an edit, as words among COMPLAINTS; `metrics` begins with the headline, if there is one."""
    if row.status != "done":
        return [row.status]
    values = {metric: value for metric in metrics if (value := scored_value(row, metric)) is not None}
    found = ["unscored"] if metrics and metrics[0] not in values else []
    found += row.flags
    source, edited = pictures.source, pictures.edited
    if source and edited and (source.width, source.height) != (edited.width, edited.height):
        found.append("size")
    judge = metrics[0].rpartition(".")[0] if metrics else ""  # that of the headline: whose score counts
    low = {
        metric.rpartition(".")[2]
        for metric, value in values.items()
        if metric.rpartition(".")[0] == judge and value < LOW
    }
    blamed = [why for why, names in _BLAMED.items() if names & low]
    return found + (blamed or (["low"] if metrics and not found and values[metrics[0]] < LOW else []))


@dataclass(slots=True)
class IssueCounts:
    """What a pass over the rows finds: how many have which complaint, and the lowest scores, every category first."""

    counts: Counter[str] = field(default_factory=Counter)
    has_target: bool = False
    _first: dict[str, tuple[float, int, list[Any]]] = field(default_factory=dict)  # category -> its lowest
    _lowest: list[tuple[float, int, list[Any]]] = field(default_factory=list)

    def add(self, row: list[Any], position: int) -> None:
        """`row` as `row_of` made it."""
        told = dict(zip(ROW, row, strict=True))
        self.counts.update(told["complaints"])
        self.has_target |= told["target"] is not None
        value = told["values"][0] if told["values"] else None
        if value is None:
            return
        entry = (value, position, row)
        category = told["category"]
        if category not in self._first or entry[:2] < self._first[category][:2]:
            self._first[category] = entry
        if len(self._lowest) < NUM_WORST or entry[:2] < self._lowest[-1][:2]:
            self._lowest = sorted([*self._lowest, entry], key=lambda e: e[:2])[:NUM_WORST]

    def worst(self) -> list[tuple[int, list[Any]]]:
        """(position, row) of at most NUM_WORST samples: six of one kind would tell less than one of each."""
        chosen: dict[int, list[Any]] = {}
        for _, position, row in [*sorted(self._first.values(), key=lambda e: e[:2]), *self._lowest]:
            if len(chosen) < NUM_WORST:
                chosen.setdefault(position, row)
        return list(chosen.items())


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


def _packed(picture: SampleImages | None) -> list[Any] | None:
    return [picture.stem, picture.extension, picture.width, picture.height] if picture else None


def _benchmark(report: Report) -> str:
    """What two runs must share to be compared sample by sample."""
    identity = report.provenance.get("identity")
    found = identity.get("benchmark") if isinstance(identity, Mapping) else None
    return str(found or report.run.get("benchmark") or "")


def _commands(report: Report, seen: Survey) -> dict[str, str]:
    """What to type: no `retry` where nothing failed, for what is only unfinished is not tried again."""
    where = str(report.run.get("dir") or "latest")
    has_failed = any(cause.reason != NOT_JUDGED for cause in seen.causes)
    needs_consent = names_code(report.provenance.get("config") or {})
    retry = run_command("retry", where, names_code=needs_consent) if has_failed else ""
    return {"again": command(report), "retry": retry, "show": run_command("show", where, names_code=False)}


def _yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump(plain(value), allow_unicode=True, sort_keys=False, width=100)) if value else ""


PLACE = "report/data/run.js"  # in the run directory
SCHEMA_VERSION = 1
_SCRIPT = re.compile(r'ui\.receive\("run", 0, (.*)\);\n', re.DOTALL)


def read_block(run_dir: Path, names_code: bool = False) -> dict[str, Any]:
    """Raises UserError for a run without a report and for a report that another version wrote.

    `names_code`: the run's configuration names code of the user's own; the command that the error names says so.
    """
    path = run_dir / PLACE
    advice = f"`{run_command('report', run_dir, names_code=names_code)}` writes it again"
    try:
        match = _SCRIPT.fullmatch(path.read_text(encoding="utf-8"))
        block = json.loads(match[1]) if match else None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}; {advice}") from error
    if not isinstance(block, dict) or block.get("schema") != SCHEMA_VERSION:
        raise UserError(f"{path}: not a report of this version; {advice}")
    return block
