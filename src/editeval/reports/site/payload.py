"""What the front end knows about a run, as JSON values: the run, and its samples as rows and details.

A row is what the grid needs of a sample, a detail what only a closer look needs. Both are written as lists in the order
of ROW and DETAIL: with 25,000 samples the names would be most of the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TypeAlias

from editeval.errors import UserError
from editeval.files import Folder, from_json
from editeval.images import FLAGS, FLAGS_OF_FILES
from editeval.plugins import names_code
from editeval.reports.badge import claim_lines, control_lines, official_lines
from editeval.reports.data import NOT_JUDGED, JsonObject, Report, Survey, scored_value, why_unscored
from editeval.reports.format import (
    command,
    group_tables,
    metrics_of,
    model_line,
    planted_line,
    policy_shares,
    scale_words,
    score_titles,
    seeds_line,
)
from editeval.reports.i18n import Message
from editeval.reports.site.thumbnails import Pictures, SampleImages
from editeval.store.records import SampleRow
from editeval.text import as_yaml, plain, run_command
from editeval.types import Metric

CHUNK = 500  # samples per file
MAX_SAMPLES = 100_000_000
LOW = 4  # of 10, on any scale: a component below it is named as what went wrong
NUM_WORST = 6
_WHAT_BECAME_OF_IT = ("failed", "unscored", "pending", *FLAGS, *FLAGS_OF_FILES[:2])  # the last one is `size`
COMPLAINTS = (*_WHAT_BECAME_OF_IT, "missing", "spoilt", "damaged", "low", "size")
_BLAMED = {
    "missing": {"completeness", "following", "instruction_following", "instruction", "success", "sc"},
    "spoilt": {"preservation", "consistency", "overedit", "over_editing"},
    "damaged": {"quality", "perceptual_quality", "naturalness", "pq"},
}
Block: TypeAlias = JsonObject
"""What `run_block` makes, as JSON: of other versions too, so a reader takes nothing in it for granted."""
_GROUPED = {"language": "by_language", "subset": "by_subset"}
DETAIL = ("cluster", "seed", "device", "sha256", "message", "started_at", "raws", "history")


def run_block(report: Report, seen: Survey, tally: IssueCounts, written_at: float) -> Block:
    """Everything but the samples."""
    provenance = report.provenance
    return {
        "schema": SCHEMA_VERSION,
        "run": plain({**report.run, "scores": score_titles(report.run), "made_under": policy_shares(report.run)}),
        "benchmark": _benchmark(report),
        "badge": report.badge,
        "model": _both(model_line(report)),
        "claim": claim_lines(report),
        "official": official_lines(report),
        "planted": _both(planted_line(report)),
        "seeds": _both(seeds_line(report)),
        "controls": [(name, _both(line)) for name, line in control_lines(report.run)],
        "subset": plain(report.subset),
        "warnings": [_both(warning) for warning in report.warnings],
        "trust": [_both((one.get("certificate") or {}).get("line")) for one in report.run.get("judgings") or ()],
        "headline": report.headline_metric,
        "metrics": shown_metrics(report, seen),
        "lower": [metric for metric in shown_metrics(report, seen) if not report.scale(metric).is_higher_better],
        "ends": {metric: _ends(report.scale(metric)) for metric in shown_metrics(report, seen)},
        "authors_names": plain(report.authors_names),
        "coverage": plain(report.coverage),
        "summaries": [plain({**asdict(s), "coverage": s.coverage}) for s in report.summaries],
        "groups": [
            {"title": _GROUPED[by], "summaries": [plain({**asdict(s), "coverage": s.coverage}) for s in summaries]}
            for by, summaries in group_tables(report)
        ],
        "statistics": list(report.statistics),
        "causes": [plain(cause) for cause in seen.causes],
        "histograms": plain(seen.histograms),
        "timing": plain(report.timing),
        "policies": plain(report.policies),
        "timeline": plain(report.timeline),
        "certificate": plain(report.certificate),
        "config": _yaml(provenance.get("config")),
        "provenance": {name: plain(value) for name, value in provenance.items() if name not in ("config", "origins")},
        "commands": _commands(report, seen),
        "row": list(ROW),
        "detail": list(DETAIL),
        "complaints": [[why, tally.counts[why]] for why in COMPLAINTS if tally.counts[why]],
        "worst": tally.worst(),
        "has_target": tally.has_target,
        "low": _low(report.scale(report.headline_metric)),
        "scale": _scale(report, seen),
        "num_samples": seen.num_samples,
        "chunk": CHUNK,
        "written_at": written_at,
    }


def _low(scale: Metric) -> float | None:
    """The score of the headline that is LOW of 10; None where that is no lower bound: open scales, less is better."""
    if scale.low is None or scale.high is None or not scale.is_higher_better:
        return None
    return round(scale.low + (scale.high - scale.low) * LOW / 10, 6)


def _ends(scale: Metric) -> list[float]:
    """The scale's two ends; empty if it has not both."""
    return [] if scale.low is None or scale.high is None else [scale.low, scale.high]


def _scale(report: Report, seen: Survey) -> dict[str, object]:
    """Of the headline: where its axis begins and ends, and its words; an open end is as far as the scores reach."""
    scale = report.scale(report.headline_metric)
    low, high = scale.axis(seen.lowest, seen.highest)
    is_open = scale.low is None and scale.high is None
    return {"low": low, "high": high, "words": scale_words(scale), "is_open": is_open}


def _both(message: Message | str | None) -> list[str] | str | None:
    """A message in English and in Chinese."""
    return [str(message), message.chinese] if isinstance(message, Message) else message


def shown_metrics(report: Report, seen: Survey) -> list[str]:
    """Every metric of which there is a score or a summary, the headline first."""
    known = dict.fromkeys([*metrics_of(report), *seen.metrics])
    return [metric for metric in known if metric]


@dataclass(frozen=True, slots=True)
class GridRow:
    """A sample in the grid. A missing value is None, and its reason is in `whys`."""

    id: str
    category: str
    instruction: str
    status: str
    reason: str | None
    values: list[float | None]  # of the metrics, the headline first
    whys: list[str] | None
    seconds: float | None
    worker: int | None
    attempt: int | None
    source: list[str | int] | None
    target: list[str | int] | None
    edited: list[str | int] | None
    path: str | None
    complaints: list[str]
    notes: dict[str, str] | None  # by role, why a picture is not shown
    further: list[list[str | int]] | None  # [role, ...picture] of sources after the first and of references

    def cells(self) -> list[object]:
        """In the order of ROW."""
        return [getattr(self, name) for name in ROW]


ROW = tuple(one.name for one in fields(GridRow))


def row_of(
    row: SampleRow, pictures: Pictures, metrics: list[str], scales: Mapping[str, Metric] | None = None
) -> GridRow:
    values = [scored_value(row, metric) for metric in metrics]
    is_done = row.status == "done"
    whys = [why_unscored(row, m) if is_done and v is None else "" for m, v in zip(metrics, values, strict=True)]
    return GridRow(
        id=row.id,
        category=row.category,
        instruction=row.instruction,
        status=row.status,
        reason=row.error_reason,
        values=[None if value is None else round(value, 4) for value in values],
        whys=whys if any(whys) else None,
        seconds=None if row.seconds is None else round(row.seconds, 4),
        worker=row.worker,
        attempt=row.attempt,
        source=_packed(pictures.source),
        target=_packed(pictures.target),
        edited=_packed(pictures.edited),
        path=None if "edited" in pictures.notes else row.edited_path,
        complaints=complaints(row, pictures, metrics, scales),
        notes=pictures.notes or None,
        further=[[role, *(_packed(image) or ())] for role, image in pictures.further] or None,
    )


def complaints(
    row: SampleRow, pictures: Pictures, metrics: Sequence[str], scales: Mapping[str, Metric] | None = None
) -> list[str]:
    """What is wrong with an edit, as words among COMPLAINTS; `metrics` begins with the headline, if there is one."""
    if row.status != "done":
        return [row.status]
    values = {metric: value for metric in metrics if (value := scored_value(row, metric)) is not None}
    found = ["unscored"] if metrics and metrics[0] not in values else []
    found += [flag for flag in row.flags if flag in COMPLAINTS]
    source, edited = pictures.source, pictures.edited
    if source and edited and (source.width, source.height) != (edited.width, edited.height):
        found.append("size")

    def is_low(metric: str, value: float) -> bool:
        goodness = ((scales or {}).get(metric) or Metric(metric)).goodness(value)
        return goodness is not None and goodness < LOW

    judge = metrics[0].rpartition(".")[0] if metrics else ""  # that of the headline: whose score counts
    low = {
        metric.rpartition(".")[2]
        for metric, value in values.items()
        if metric.rpartition(".")[0] == judge and is_low(metric, value)
    }
    blamed = [why for why, names in _BLAMED.items() if names & low]
    return found + (blamed or (["low"] if metrics and not found and is_low(metrics[0], values[metrics[0]]) else []))


@dataclass(slots=True)
class IssueCounts:
    """What a pass over the rows finds: how many have which complaint, and the worst scores, every category first."""

    is_higher_better: bool = True  # of the headline
    counts: Counter[str] = field(default_factory=Counter)
    has_target: bool = False
    _first: dict[str, _Scored] = field(default_factory=dict)  # category -> its worst
    _worst: list[_Scored] = field(default_factory=list)

    def add(self, row: GridRow, position: int) -> None:
        self.counts.update(row.complaints)
        self.has_target |= row.target is not None
        value = row.values[0] if row.values else None
        if value is None:
            return
        entry = (value if self.is_higher_better else -value, position, row)
        if row.category not in self._first or entry[:2] < self._first[row.category][:2]:
            self._first[row.category] = entry
        if len(self._worst) < NUM_WORST or entry[:2] < self._worst[-1][:2]:
            self._worst = sorted([*self._worst, entry], key=_order)[:NUM_WORST]

    def worst(self) -> list[tuple[int, list[object]]]:
        """(position, cells) of at most NUM_WORST samples: six of one kind say less than one of each."""
        by_place = {place: row for _, place, row in [*sorted(self._first.values(), key=_order), *self._worst]}
        return [(place, row.cells()) for place, row in by_place.items()][:NUM_WORST]


_Scored: TypeAlias = tuple[float, int, GridRow]


def _order(scored: _Scored) -> tuple[float, int]:
    return scored[:2]


def detail_of(row: SampleRow, report: Report) -> list[object]:
    """In the order of DETAIL."""
    raws = {metric: score.raw for metric, score in row.scores.items() if score.raw}
    history = plain(list(report.histories.get(row.id, ())))
    known = (row.cluster, row.seed, row.device, row.sha256, row.error_message, row.started_at)
    return [*known, raws or None, history or None]


def _packed(picture: SampleImages | None) -> list[str | int] | None:
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


def _yaml(value: object) -> str:
    return as_yaml(plain(value), width=100) if value else ""


PLACE = "report/data/run.js"  # in the run directory
SCHEMA_VERSION = 1
MAX_BYTES = 256_000_000  # of one file of data
_SCRIPT = re.compile(rb'ui\.receive\("([a-z]+)", ([0-9]+), (.*)\);\n', re.DOTALL)


def script(kind: str, number: int, text: str) -> bytes:
    """A file of data for a page on a disk, which may load scripts and nothing else; `text` is script-safe JSON."""
    return f'ui.receive("{kind}", {number}, {text});\n'.encode()


def data_of(run_dir: Path, kind: str, number: int) -> bytes:
    """The JSON in a file of data, which may be a stranger's: it is read, and never run. Raises ValueError, OSError."""
    name = kind if kind == "run" else f"{kind}-{number}"
    match = _SCRIPT.fullmatch(Folder(run_dir).read(f"report/data/{name}.js", MAX_BYTES))
    if match is None or (match[1].decode(), int(match[2])) != (kind, number):
        raise ValueError("not a file of data")
    return match[3]


def read_block(run_dir: Path, names_code: bool = False, is_own: bool = True) -> Block:
    """Raises UserError for a run without a report and for a report that another version wrote.

    `names_code`: the run's configuration names code of the user's own; the command that the error names says so.
    `is_own`: False for a run that may be a stranger's: what to type is not theirs to say.
    """
    path = run_dir / PLACE
    advice = f"`{run_command('report', run_dir, names_code=names_code)}` writes it again"
    try:
        block: dict[str, object] = from_json(data_of(run_dir, "run", 0))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}; {advice}") from error
    is_known = isinstance(block, dict) and block.get("schema") == SCHEMA_VERSION and block.get("chunk") == CHUNK
    if not is_known or block.get("num_samples") not in range(MAX_SAMPLES):
        raise UserError(f"{path}: not a report of this version; {advice}")
    if not is_own:
        block["commands"] = {"again": "", "retry": "", "show": run_command("show", run_dir, names_code=False)}
    return block
