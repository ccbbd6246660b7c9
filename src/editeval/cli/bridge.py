"""`editeval bridge`: fit the map that carries one judge's scores over to another's scale."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from editeval.cli.console import result_console
from editeval.errors import ConfigError
from editeval.reports.format import format_interval
from editeval.run import anchors as anchored
from editeval.run import bridge as bridges
from editeval.run.bridge import BridgedMetric
from editeval.run.index import find_run
from editeval.stats.equating import RootMeanSquare
from editeval.text import NOTHING, fixed, one_line

_TABLES = (".csv", ".jsonl")
_WEAK = 0.3  # below this correlation a map says little


def bridge(options: argparse.Namespace) -> int:
    """Fit, print the errors of the map, write the file. 0."""
    metrics = _metrics(options.metric)
    tables = [Path(word) for word in options.anchor if word.endswith(_TABLES)]
    if tables and len(tables) < len(options.anchor):
        raise ConfigError("--anchor: name runs, or tables, and not both")
    if tables:
        gathered = anchored.of_tables(tables, options.source, options.target, metrics)
    else:
        runs = [find_run(word, Path(options.output_dir)) for word in options.anchor]
        gathered = anchored.of_runs(runs, options.source, options.target, metrics)
    found = anchored.fitted(gathered)
    names = (re.sub(r"[^\w.-]+", "_", name) for name in (found.source.name, found.target.name))
    path = Path(options.out or f"bridge-{'-to-'.join(names)}.json")
    bridges.write(found, path)
    _tell(found.metrics)
    where = one_line(str(path))
    sys.stdout.write(
        f"bridge {found.short} from {one_line(found.source.name)} to {one_line(found.target.name)}: {where}\n"
        f"To use it: editeval report RUN --scale-of {one_line(found.target.name)} --bridge {where}\n"
    )
    return 0


def _metrics(words: list[str]) -> dict[str, str]:
    """Metric of the judge on whose scale the scores are to be -> that of the other one."""
    return {wanted: given or wanted for wanted, _, given in (word.partition("=") for word in words)}


def _tell(metrics: tuple[BridgedMetric, ...]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("metric", "samples", "editors", "correlation", "error, new sample", "new editor", "mean of one"):
        table.add_column(title, justify="left" if title == "metric" else "right")
    for one in metrics:
        table.add_row(*map(Text, _cells(one)))
    result_console().print(table)
    sys.stdout.writelines(f"! {one_line(line)}\n" for one in metrics for line in _doubts(one))


def _cells(one: BridgedMetric) -> tuple[str, ...]:
    """Errors of a sample are root mean squares; that of the mean of a run like an anchor is half of a 95 % interval."""
    found = one.equating
    counts: dict[str, float] = {}
    for error in found.errors:
        counts[error.category] = counts.get(error.category, 0.0) + error.num / len(found.means)
    total = sum(counts.values()) or 1.0
    shown = found.mean_error({name: num / total for name, num in counts.items()}, counts)
    return (
        one.wanted if one.given == one.wanted else f"{one.given} -> {one.wanted}",
        f"{found.num_samples}",
        f"{len(found.means)}",
        fixed(found.correlation),
        _root(found.new_samples),
        _root(found.new_editor),
        NOTHING if isinstance(shown, str) else f"± {fixed(shown.half_width)}",
    )


def _root(found: RootMeanSquare | None) -> str:
    if found is None:
        return NOTHING
    between = format_interval(found.low, found.high)
    return f"{fixed(found.value)} ({between})" if between else fixed(found.value)


def _doubts(one: BridgedMetric) -> Iterator[str]:
    found = one.equating
    if len(found.means) == 1:
        yield (
            f"{one.wanted}: one editor: how far the judges differ about another editor cannot be measured, so equated "
            "means get no interval; with three editors or more they do"
        )
    elif len(found.means) == 2:
        yield f"{one.wanted}: two editors: intervals are very wide; each further anchor makes them narrower"
    if found.correlation < _WEAK:
        yield f"{one.wanted}: the judges hardly agree (correlation {fixed(found.correlation)}): the map says little"
