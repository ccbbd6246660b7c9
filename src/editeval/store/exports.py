"""Do report.json and samples.jsonl still say what the ledger says? (Writing them is the reports' business.)"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from editeval.store.records import Row
from editeval.store.run_store import RunStore

_AGAIN = "write it again with `editeval report`"
_TOLERANCE = 1e-6
Prefixes = dict[str, str]  # judging id -> what its metrics' labels begin with


def check(store: RunStore) -> list[tuple[str, str]]:
    """(file, what is wrong) for the exports that are there; empty if one judging of the run fits them all.

    If none does, what is wrong under the one that fits best, the latest of equals.
    """
    told = _told(store.dir / "report.json")
    candidates = [told] if told else [{judging.id: ""} for judging in reversed(store.judgings())]
    fewest: list[tuple[str, str]] | None = None
    for prefixes in candidates or [{}]:
        found = list(_faults(store, prefixes))
        if fewest is None or len(found) < len(fewest):
            fewest = found
        if not fewest:
            break
    return fewest or []


def _told(path: Path) -> Prefixes:
    """The judgings that a report says it shows; none if it is not there, or does not say."""
    try:
        shown = json.loads(path.read_bytes())["run"]["judgings"]
        return {str(judging["id"]): str(judging["prefix"]) for judging in shown}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _rows(store: RunStore, prefixes: Prefixes) -> Iterator[Row]:
    """The wanted samples with the scores of all these judgings, under the labels that reports give them."""
    if not prefixes:
        yield from store.rows(None)
        return
    for rows in zip(*map(store.rows, prefixes), strict=True):
        pairs = zip(prefixes.values(), rows, strict=True)
        yield replace(rows[0], scores={prefix + m: score for prefix, row in pairs for m, score in row.scores.items()})


def _faults(store: RunStore, prefixes: Prefixes) -> Iterator[tuple[str, str]]:
    for name, compare in (("samples.jsonl", _samples_fault), ("report.json", _report_fault)):
        path = store.dir / name
        fault = compare(store, path, prefixes) if path.exists() else None
        if fault is not None:
            yield name, fault


def _samples_fault(store: RunStore, path: Path, prefixes: Prefixes) -> str | None:
    try:
        with path.open(encoding="utf-8") as file:
            for number, (line, row) in enumerate(itertools.zip_longest(file, _rows(store, prefixes)), start=1):
                if line is None or row is None:
                    return f"{'fewer' if line is None else 'more'} lines than wanted samples; {_AGAIN}"
                fault = _line_fault(json.loads(line), row)
                if fault:
                    return f"line {number}: {fault}; {_AGAIN}"
    except (OSError, ValueError, AttributeError) as error:
        return f"cannot be read: {error}; {_AGAIN}"
    return None


def _line_fault(line: dict[str, Any], row: Row) -> str:
    if line.get("id") != row.sample_id:
        return f"sample {line.get('id')!r}, {row.sample_id!r} in the ledger"
    edit = line.get("edit") or {}
    recorded = (row.edit.status, row.edit.sha256) if row.edit else (None, None)
    told = (edit.get("status"), edit.get("sha256")) if edit.get("status") in ("done", "failed") else (None, None)
    if told != recorded:
        return f"edit of {row.sample_id!r} is {told}, {recorded} in the ledger"
    values = {metric: score.get("value") for metric, score in (line.get("scores") or {}).items()}
    if not _agree(_known(values), _known({metric: score.value for metric, score in row.scores.items()})):
        return f"scores of {row.sample_id!r} differ from the ledger"
    return ""


def _known(values: Mapping[str, Any]) -> dict[str, float]:
    return {metric: float(value) for metric, value in values.items() if value is not None}


def _agree(told: Mapping[str, float], recorded: Mapping[str, float]) -> bool:
    return told.keys() == recorded.keys() and all(abs(told[m] - recorded[m]) <= _TOLERANCE for m in told)


def _report_fault(store: RunStore, path: Path, prefixes: Prefixes) -> str | None:
    try:
        summaries = [s for s in _summaries(json.loads(path.read_bytes())) if s.get("category") == "micro"]
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}; {_AGAIN}"
    counts = store.counts(None)
    scored = Counter(
        metric for row in _rows(store, prefixes) for metric, score in row.scores.items() if score.value is not None
    )
    for summary in summaries:
        recorded = (counts.num_wanted, counts.num_failed, scored[str(summary.get("metric"))])
        told = (summary.get("num_samples"), summary.get("num_failed"), summary.get("num_scored"))
        if told != recorded:
            return f"{summary.get('metric')}: (samples, failed, scored) {told}, {recorded} in the ledger; {_AGAIN}"
    return None


def _summaries(report: Any) -> Iterator[dict[str, Any]]:
    found = report.get("summaries") if isinstance(report, dict) else None
    if not isinstance(found, list):
        raise ValueError("it has no list of summaries")
    yield from (summary for summary in found if isinstance(summary, dict))
