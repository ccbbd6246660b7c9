"""`editeval export`: a run in the words of other programs - spreadsheets, data frames, papers, trace viewers."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO, TextIO

from editeval import files
from editeval.certificates.photographic import certificates_in
from editeval.cli.console import run_dirs
from editeval.errors import ConfigError
from editeval.reports.badge import certificate_warnings
from editeval.reports.data import MACRO, MICRO, JsonObject
from editeval.reports.format import group_title, subset_line
from editeval.reports.hub_folder import push, write_eval_results, write_folder
from editeval.reports.junit import write_junit
from editeval.reports.tables import (
    SEED_COLUMNS,
    Flat,
    group_cells,
    group_columns,
    judge_cells,
    model_cells,
    replacing,
    write_csv,
    write_parquet,
)
from editeval.reports.tex import Model, render_tex
from editeval.reports.trace import write_trace
from editeval.reports.vega import write_vega
from editeval.run import results
from editeval.run.index import label_of
from editeval.run.official import claim_of
from editeval.run.recorded import plan_of
from editeval.run.trace_events import trace_of
from editeval.stats.summary import Entry, summarise
from editeval.store import connection, queries
from editeval.store.archive import write_archive
from editeval.store.records import SampleRow
from editeval.store.run_store import RunStore
from editeval.types import Metric, Summary

NAMES = {
    "csv": "samples.csv",
    "parquet": "samples.parquet",
    "md": "summary.md",
    "tex": "table.tex",
    "trace": "trace.json",
    "junit": "junit.xml",
    "vega": "chart.vl.json",
    "hf": "hf",
    "eval-results": "eval_results.yaml",
    "archive": "",  # beside the run directory
}
STDOUT = "-"
_EDIT_COLUMNS = ("seed", "sha256", "width", "height", "worker", "device", "attempt", "started_at", "seconds")
_COLUMNS = (
    *("position", "id", "category", "cluster", "instruction", "description", "status", "error_reason"),
    *("error_message", "edited_path", *_EDIT_COLUMNS, "peak_memory_gib"),
)
_WHOLE = frozenset({"position", "seed", "width", "height", "worker", "attempt"})
_REAL = frozenset({"started_at", "seconds", "peak_memory_gib"})


def export(options: argparse.Namespace) -> int:
    """Write the run as --to says (for a table, several runs) to --output, and say where it is."""
    directories, to, output = run_dirs(options), options.to, options.output
    if len(directories) > 1 and to != "tex":
        raise ConfigError(f"export --to {to}: one run at a time; several make rows of one table with --to tex")
    path = directories[0] / NAMES[to] if output is None else Path(output)
    if to == "archive" and output is None:
        path = directories[0].parent / f"{directories[0].name}.tar"
    if options.push and to != "hf":
        raise ConfigError(f"--push: only with --to hf, got --to {to}")
    if options.task and to != "eval-results":
        raise ConfigError(f"--task: only with --to eval-results, got --to {to}")
    if to == "eval-results" and not options.task:
        raise ConfigError("--to eval-results: add --task OWNER/NAME:TASK_ID, a benchmark of the Hub and a task of it")
    if to == "hf":
        return _hf(directories[0], path, output == STDOUT, options.push)
    if to in _BINARY:
        if output == STDOUT:
            raise ConfigError(f"export --to {to}: not to the terminal; name a file with --output")
        with RunStore.read(directories[0]) as store, connection.translated(path), files.replacing(path) as file:
            _BINARY[to](store, file)
    else:
        with _opened(output, path) as out:
            if to == "eval-results":
                write_eval_results(_report(directories[0]), options.task, out)
            else:
                _WRITERS[to](directories, out, options.allow_code)
    if output != STDOUT:
        sys.stdout.write(f"{path}\n")
    return 0


@contextlib.contextmanager
def _opened(output: str | None, path: Path) -> Iterator[TextIO]:
    """stdout for "-", else a file that becomes `path` when all is written."""
    if output == STDOUT:
        yield sys.stdout
        return
    with connection.translated(path), replacing(path) as file:
        yield file


def _parquet(store: RunStore, out: BinaryIO) -> None:
    write_parquet(flat(store, with_raw=True), out)


_BINARY: dict[str, Callable[[RunStore, BinaryIO], None]] = {"parquet": _parquet, "archive": write_archive}


def _csv(directories: Sequence[Path], out: TextIO, allow_code: bool) -> None:
    del allow_code
    with RunStore.read(directories[0]) as store:
        write_csv(flat(store), out)


def _md(directories: Sequence[Path], out: TextIO, allow_code: bool) -> None:
    from editeval.reports.markdown import render_report_md
    from editeval.run.report import build_report

    with RunStore.read(directories[0]) as store:
        out.write(render_report_md(build_report(plan_of(store, allow_code, is_looking=True), store)))


def _tex(directories: Sequence[Path], out: TextIO, allow_code: bool) -> None:
    del allow_code
    models, metrics = [], []
    benchmarks: dict[str, str] = {}
    for directory in directories:
        with RunStore.read(directory) as store:
            model, metric = _model(store)
            benchmarks.setdefault(str(store.manifest["identity"]["benchmark"]), directory.name)
        models.append(model)
        metrics.append(metric)
    if len(benchmarks) > 1:
        names = " and ".join(benchmarks.values())
        raise ConfigError(f"export --to tex: {names} are runs of different benchmarks; export each by itself")
    if len(set(metrics)) > 1:
        raise ConfigError(f"export --to tex: these runs have different metrics: {', '.join(map(repr, metrics))}")
    origin = f"editeval export {' '.join(d.name for d in directories)} --to tex"
    out.write(render_tex(_told_apart(models, directories), metrics[0], origin))


def _trace(directories: Sequence[Path], out: TextIO, allow_code: bool) -> None:
    del allow_code
    with RunStore.read(directories[0]) as store:
        write_trace(trace_of(store), out)


def _junit(directories: Sequence[Path], out: TextIO, allow_code: bool) -> None:
    del allow_code
    with RunStore.read(directories[0]) as store:
        shown = results.shown(store)
        headline = next(iter(results.labels(shown)), "")
        write_junit(store.dir.name, results.rows(store, shown), headline, out)


def _vega(directories: Sequence[Path], out: TextIO, allow_code: bool) -> None:
    del allow_code
    report = _report(directories[0])
    if not report["headline_metric"]:
        raise ConfigError(f"{directories[0]}: has no scores, so there is no chart; `editeval score` judges it")
    write_vega(report, out)


def _hf(directory: Path, folder: Path, is_stdout: bool, repo: str | None) -> int:
    """A folder; on the Hub only if `repo` is said."""
    if is_stdout:
        raise ConfigError("export --to hf: makes a folder; name it with --output")
    if repo is not None and repo.count("/") != 1:
        raise ConfigError(f"--push: must be owner/name, got {repo!r}")
    report = _report(directory)
    with RunStore.read(directory) as store, connection.translated(folder):
        write_folder(report, results.rows(store, results.shown(store)), directory, folder)
    sys.stdout.write(f"{folder}\n")
    if repo is not None:
        sys.stdout.write(f"{push(folder, repo)}\n")
    return 0


def _report(directory: Path) -> JsonObject:
    try:
        report: JsonObject = json.loads((directory / "report.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{directory}: has no report to read; `editeval report {directory}` writes it") from error
    return report


_WRITERS: dict[str, Callable[[Sequence[Path], TextIO, bool], None]] = {
    "csv": _csv,
    "md": _md,
    "tex": _tex,
    "trace": _trace,
    "junit": _junit,
    "vega": _vega,
}


def flat(store: RunStore, with_raw: bool = False) -> Flat:
    """A row per sample; per metric its value and why there is none, and `with_raw` what the judge said."""
    shown = results.shown(store)
    metrics = results.labels(shown)
    columns: dict[str, type] = {c: int if c in _WHOLE else float if c in _REAL else str for c in _COLUMNS}
    for metric in metrics:
        columns |= {metric: float, f"{metric}_reason": str}
        columns |= {f"{metric}_raw": str} if with_raw else {}
    judges = model_cells({"model": label_of(store)}) | judge_cells([asdict(score_set) for score_set in shown])
    columns |= dict.fromkeys(judges, str)
    origin = {"run": store.dir.name, "run_id": store.manifest["run_id"]}
    subset = queries.subset(store)
    groups = group_columns({f"{by}s": counts for by, counts in queries.covered(store).items()})
    columns |= dict.fromkeys(groups, str)
    if queries.num_seeds(store) > 1:
        columns |= {"sample": str, "seed_index": int}
        groups += SEED_COLUMNS
    part = judges
    if subset is not None:
        columns |= {"subset": str}
        origin |= {"subset": subset_line(subset)}
        part = judges | {"subset": f"{subset.num} of {subset.of}"}

    def cells(row: SampleRow) -> dict[str, object]:
        return _cells(row, columns, metrics) | group_cells(row, groups) | part

    return Flat(columns, lambda: map(cells, results.rows(store, shown)), origin)


def _cells(row: SampleRow, columns: dict[str, type], metrics: Sequence[str]) -> dict[str, object]:
    cells: dict[str, object] = dict.fromkeys(columns) | {name: getattr(row, name) for name in _COLUMNS}
    for metric in metrics:
        score = row.scores.get(metric)
        if score is not None:
            said = {metric: score.value, f"{metric}_reason": score.reason or None, f"{metric}_raw": score.raw}
            cells |= {name: value for name, value in said.items() if name in columns}
    return cells


def _model(store: RunStore) -> tuple[Model, str]:
    """The editor of a run with the summaries of its headline, and the headline's name."""
    shown = results.shown(store)
    if not shown or not any(store.counts(one.id).num_scored for one in shown[:1]):
        raise ConfigError(
            f"{store.dir}: nothing is scored, so there is no table; `editeval status` shows how far it is"
        )
    metric = shown[0].labels[0]
    scale = results.scales(store, shown[:1]).get(metric) or Metric(metric)
    bridged = results.equatings(store, shown[:1]).get(metric)
    covered = queries.covered(store)
    several = [by for by, counts in covered.items() if len(counts) > 1]
    entries: list[Entry] = []
    parts: dict[tuple[str, str], list[Entry]] = {}
    for row in results.rows(store, shown[:1]):
        entries.append(results.entry_of(row, metric))
        for by in several:
            parts.setdefault((by, getattr(row, by)), []).append(entries[-1])
    groups: dict[str, dict[str, Summary]] = {by: {} for by in several}
    for (by, name), part in parts.items():
        found = (s for s in summarise(part, metric, scale, bridged) if s.category in (MACRO, MICRO))
        groups[by] |= {f"{group_title(by, name)}, {s.category}": s for s in found}
    claims = tuple(map(str, (claim_of(store, shown) or {}).get("lines", ())))
    doubts = certificate_warnings({shown[0].title: certificates_in(store.dir.parent, [shown[0].judged_in])})
    model = Model(
        label_of(store),
        {s.category: s for s in summarise(entries, metric, scale, bridged)},
        judge=shown[0].title,
        subset=queries.subset(store),
        scale=scale,
        judging_id=shown[0].id,
        claims=(*claims, *(str(doubt).removesuffix(".") for doubt in doubts)),
        covers=repr((queries.subset(store), covered)),
        groups=groups,
    )
    return model, metric


def _told_apart(models: Sequence[Model], directories: Sequence[Path]) -> list[Model]:
    """Models of one name carry the name of their run as well."""
    names = [model.name for model in models]
    return [
        model if names.count(model.name) == 1 else replace(model, name=f"{model.name} ({directory.name})")
        for model, directory in zip(models, directories, strict=True)
    ]
