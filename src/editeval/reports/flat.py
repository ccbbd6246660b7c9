"""One row per sample with everything that the ledger knows, for spreadsheets and data frames: CSV and Parquet.

Unlike scores.csv, which is equal for equal runs, it says when, where and how long.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from editeval.errors import MachineError
from editeval.reports.tables import guarded

ROW_GROUP = 5000  # rows in memory at a time


@dataclass(frozen=True, slots=True)
class Flat:
    """A table: the type of every column (int, float or str), and its rows, streamed; None where nothing is known."""

    columns: Mapping[str, type]
    rows: Callable[[], Iterator[Mapping[str, Any]]]
    origin: Mapping[str, str]  # which run it is of


def write_csv(flat: Flat, out: TextIO) -> None:
    """Numbers as numbers; texts that a spreadsheet could run carry a leading apostrophe (`tables.guarded`)."""
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([guarded(name) for name in flat.columns])
    for row in flat.rows():
        cells = (row[name] for name in flat.columns)
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])


def write_parquet(flat: Flat, path: Path) -> None:
    """Texts as they are, typed columns, zstd; `flat.origin` in the metadata. Raises MachineError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MachineError(
            f"export --to parquet: needs the package pyarrow ({error}): pip install 'editeval[parquet]'"
        ) from error
    kinds = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    fields = [pa.field(name, kinds[kind]) for name, kind in flat.columns.items()]
    schema = pa.schema(fields, metadata={f"editeval.{key}": value for key, value in flat.origin.items()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        group: list[Mapping[str, Any]] = []
        for row in flat.rows():
            group.append({name: _text(cell) for name, cell in row.items()})
            if len(group) == ROW_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group = []
        writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _text(cell: Any) -> Any:
    """Half a surrogate pair is no UTF-8: its escape stands for it."""
    return cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell
