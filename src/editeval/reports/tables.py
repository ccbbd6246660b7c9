"""The files that programs read: report.json, samples.jsonl, scores.csv. Complete, or untouched."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias

from editeval import files
from editeval.errors import MachineError
from editeval.files import write_atomic
from editeval.machine.versions import to_install
from editeval.reports.data import GROUPED_BY, NOT_JUDGED, JsonObject, Report, SampleGroup, surveyed
from editeval.store.records import SampleRow
from editeval.text import plain
from editeval.types import Score, Summary

Cell: TypeAlias = "str | int | float | None"
SCHEMA_VERSION = 1
DIGITS = 6  # of a score in samples.jsonl: far below any judge's noise, far above that of summing in another order
_FORMULA = "=+-@\t\r\n\0"
_IN_STRINGS_ONLY = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IGNORED_FIRST = " \u00a0\u200b\u200c\u200d\u2060\ufeff"


def write_report_json(report: Report, directory: Path) -> Path:
    """report.json: everything but the samples. Statistics of nothing are null; there is no NaN."""
    path = directory / "report.json"
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": report.run,
        "badge": report.badge,
        "subset": report.subset,
        "warnings": report.warnings,
        "headline_metric": report.headline_metric,
        "coverage": report.coverage,
        "summaries": _summaries(report.summaries),
        "causes": [dataclasses.asdict(cause) for cause in surveyed(report).causes],
        "timing": report.timing,
        "policies": report.policies,
        "batches": report.batches,
        "statistics": report.statistics,
        **({"groups": [_group(group) for group in report.groups]} if report.groups else {}),
        **({"scales": {m: dataclasses.asdict(scale) for m, scale in report.scales.items()}} if report.scales else {}),
        **({"authors_names": report.authors_names} if report.authors_names else {}),
        "certificate": report.certificate,
        "provenance": report.provenance,
    }
    write_atomic(path, (to_json(document, indent=2) + "\n").encode())
    return path


def _summaries(summaries: Iterable[Summary]) -> list[dict[str, object]]:
    return [{**figures_of(s), "coverage": s.coverage} for s in summaries]


OF_SEEDS = ("num_distinct", "num_distinct_scored", "seed_sd")
"""Figures of a Summary that it has where samples have several seeds."""


def figures_of(summary: Summary) -> dict[str, object]:
    """The fields of a summary; those of seeds where there are several."""
    found = dataclasses.asdict(summary)
    return {name: value for name, value in found.items() if name not in OF_SEEDS or summary.num_distinct is not None}


def _group(group: SampleGroup) -> dict[str, object]:
    official = {"official": group.official} if group.official else {}
    return {"by": group.by, "name": group.name, "summaries": _summaries(group.summaries), **official}


def write_samples_jsonl(report: Report, directory: Path) -> Path:
    """samples.jsonl: one line per sample in benchmark order; equal for equal runs, whatever they took.

    Of a subset every line says so: lines are copied from file to file.
    """
    path = directory / "samples.jsonl"
    protocols = _protocols(report)
    part = {"subset": dataclasses.asdict(report.subset)} if report.subset else {}
    with replacing(path) as file:
        for row in report.samples():
            file.write(to_json(_sample(row, protocols, report) | part) + "\n")
    return path


def write_scores_csv(report: Report, directory: Path) -> Path:
    """scores.csv: one row per sample. Texts that a spreadsheet could run carry a leading apostrophe (`guarded`).

    Of several seeds for each sample there are columns `sample` and `seed_index`, of samples with a language or a named
    subset `language` and `named_subset`; of a subset, such as `--limit` draws, there is a last column, `subset`:
    "5 of 60".
    """
    path = directory / "scores.csv"
    metrics = surveyed(report).metrics
    judges = model_cells(report.run) | judge_cells(report.run.get("judgings") or ())
    groups = [*(SEED_COLUMNS if report.run.get("num_seeds") else ()), *group_columns(report.run)]
    part = [f"{report.subset.num} of {report.subset.of}"] if report.subset else []
    with replacing(path) as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        reasons = (f"{metric}_reason" for metric in metrics)
        further = [*groups, *(["subset"] if part else [])]
        writer.writerow([*_COLUMNS, *map(guarded, (*metrics, *reasons, *judges)), *further])
        for row in report.samples():
            scores = [row.scores.get(metric) for metric in metrics]
            writer.writerow(
                [
                    *(_cell(getattr(row, column)) for column in _COLUMNS),
                    *(_cell(score.value if score else None) for score in scores),
                    *(_cell(_reason(row, score)) for score in scores),
                    *map(_cell, (*judges.values(), *group_cells(row, groups).values())),
                    *part,
                ]
            )
    return path


_COLUMNS = (
    *("position", "id", "category", "cluster", "instruction", "status", "error_reason", "error_message"),
    *("seed", "sha256", "edited_path", "flags"),
)
"""Nothing that varies between equal runs: times, devices and attempts are in the ledger and in report.json."""


def judge_cells(score_sets: Iterable[JsonObject]) -> dict[str, str]:
    """Who gave the scores: the cells `judge` and `protocol` of every row, a pair for each score set that is shown."""
    return {
        f"{one['prefix']}{name}": value
        for one in score_sets
        for name, value in (("judge", f"{one['judge']} ({one['id']})"), ("protocol", str(one["protocol"])))
    }


def model_cells(run: JsonObject) -> dict[str, str]:
    """The cell `model` of every row: what tables call the run."""
    return {"model": str(run["model"])} if run.get("model") else {}


GROUP_COLUMNS = ("language", "named_subset")
"""Of a sample, in files where `subset` says which part of the benchmark was wanted."""


SEED_COLUMNS = ("sample", "seed_index")
"""Of an edit, where each sample has several: which one it is of, and with which of its seeds."""


def group_cells(row: SampleRow, columns: Container[str]) -> dict[str, str | int | None]:
    """The cells of those of SEED_COLUMNS and GROUP_COLUMNS that are among `columns`."""
    values: tuple[str | int, ...] = (row.sample, row.seed_index, row.language, row.subset)
    named = zip((*SEED_COLUMNS, *GROUP_COLUMNS), values, strict=True)
    return {name: value or None for name, value in named if name in columns}


def group_columns(covered: JsonObject) -> list[str]:
    """Those of GROUP_COLUMNS that a run has, given its counts `languages` and `subsets`."""
    return [column for column, by in zip(GROUP_COLUMNS, GROUPED_BY, strict=True) if covered.get(f"{by}s")]


def _protocols(report: Report) -> dict[str, str]:
    """The protocol of every metric that has one, by label."""
    score_sets = report.run.get("judgings") or ()
    return {
        f"{one['prefix']}{m}": str(one["protocol"]) for one in score_sets if one["protocol"] for m in one["metrics"]
    }


def _sample(row: SampleRow, protocols: Mapping[str, str], report: Report) -> dict[str, object]:
    error = None
    if row.error_reason or row.error_message:
        error = {"reason": row.error_reason, "message": row.error_message}
    edit: dict[str, object] = {"status": row.status, "sha256": row.sha256, "seed": row.seed, "error": error}
    if row.id in report.originals:
        name, digest = report.originals[row.id]
        edit |= {"origin": "imported", "file": name or None, "file_sha256": digest or None, "flags": row.flags}
    scores = {metric: _score(row.scores[metric], protocols.get(metric)) for metric in sorted(row.scores)}
    for metric in scores.keys() & report.authors_names.keys():
        if name := report.authors_names[metric].get(row.category, ""):
            scores[metric]["authors_name"] = name
    named = {name: value for name, value in zip(GROUP_COLUMNS, (row.language, row.subset), strict=True) if value}
    seeds = {"sample": row.sample, "seed_index": row.seed_index} if report.run.get("num_seeds") else {}
    return {"id": row.id, **seeds, "category": row.category, **named, "edit": edit, "scores": scores}


def _score(score: Score, protocol: str | None) -> dict[str, object]:
    value = None if score.value is None else round(float(score.value), DIGITS) + 0.0
    return {"value": value, "reason": score.reason or None, "judge": score.judge, "protocol": protocol}


def _reason(row: SampleRow, score: Score | None) -> str:
    if score is not None:
        return score.reason
    return NOT_JUDGED if row.status == "done" else ""


def _cell(value: object) -> Cell:
    """Numbers as numbers, text guarded, nothing for None."""
    if isinstance(value, int | float) or value is None:
        return value
    if isinstance(value, tuple):
        return " ".join(value)
    return guarded(str(value))


def guarded(text: str) -> str:
    """`text`, with a leading apostrophe if a spreadsheet might take it for a formula; `unguarded` takes it off.

    As OWASP advises for `= + - @` and leading tabs and line breaks, full-width forms and invisible first characters
    included; a text that begins with an apostrophe gets a second one, so that nothing is lost.
    """
    plain = unicodedata.normalize("NFKC", text).lstrip(_IGNORED_FIRST)
    risky = text[:1] in tuple(_FORMULA) or plain[:1] in tuple(_FORMULA) or text[:1] == "'"
    safe = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return f"'{safe}" if text and risky else safe


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return text.removeprefix("'")


def to_json(value: object, indent: int | None = None) -> str:
    """JSON that every reader takes: Unicode as itself, but no lone surrogate and no line break other than ours."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=indent)
    return _IN_STRINGS_ONLY.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file (UTF-8, line ends as written) that becomes `path` when the block ends well."""
    with files.replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        try:
            yield text
        finally:
            text.flush()
            text.detach()  # the file underneath is closed, and made durable, by its own block


ROW_GROUP = 5000  # rows in memory at a time


@dataclass(frozen=True, slots=True)
class Flat:
    """A table: the type of every column (int, float or str), and its rows, streamed; None where nothing is known."""

    columns: Mapping[str, type]
    rows: Callable[[], Iterator[Mapping[str, object]]]
    origin: Mapping[str, str]  # which run it is of


def write_csv(flat: Flat, out: TextIO) -> None:
    """Numbers as numbers; texts that a spreadsheet could run carry a leading apostrophe (`tables.guarded`)."""
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([guarded(name) for name in flat.columns])
    for row in flat.rows():
        cells = (row[name] for name in flat.columns)
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])


def write_parquet(flat: Flat, out: BinaryIO) -> None:
    """Texts as they are, typed columns, zstd; `flat.origin` in the metadata. Raises MachineError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MachineError(
            f"export --to parquet: needs the package pyarrow ({error}): {to_install('parquet')}"
        ) from error
    kinds = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    fields = [pa.field(name, kinds[kind]) for name, kind in flat.columns.items()]
    schema = pa.schema(fields, metadata={f"editeval.{key}": value for key, value in flat.origin.items()})
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        group: list[Mapping[str, object]] = []
        for row in flat.rows():
            group.append({name: _text(cell) for name, cell in row.items()})
            if len(group) == ROW_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group = []
        writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _text(cell: object) -> object:
    """Half a surrogate pair is no UTF-8: it is written as its escape."""
    return cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell
