"""`parquet`: Parquet files as the Hugging Face Hub has them, pictures included.

A column of pictures holds bytes, structs {bytes, path}, paths relative to the file, or lists of these. A column plays
the role that it is named after; `fields` says what yours are called. All other columns without bytes are metadata.

Needs pyarrow (the extra `parquet`). Licence: that of your data. Cost: pictures stay in the file
until they are wanted, so 2 GB start in seconds; rows that are asked for in order are read once.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from editeval.benchmarks._tables import TableBenchmark, complete
from editeval.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class ParquetParams:
    """Parameters of `parquet`."""

    path: str = ""
    """A file, a folder of them, or a pattern such as "data/train-*.parquet"; required."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Role -> column; "" switches a role off. Roles: see ROLES in _records.py."""
    id_template: str = ""
    """How ids are made, such as "{task_type}/{key}": columns, {category} and {index}; empty: by `id`."""


class Parquet(TableBenchmark):
    """The rows of Parquet files as samples."""

    Params = ParquetParams

    def files(self) -> list[Path]:
        if not self.params.path:
            raise BenchmarkError(
                "benchmark.params.path: no file given; set it to a Parquet file, a folder or a pattern"
            )
        path = Path(self.params.path).expanduser()
        found = [path] if path.is_file() else sorted(path.rglob("*.parquet") if path.is_dir() else _matching(path))
        if not found:
            raise BenchmarkError(f"benchmark.params.path: no Parquet file {str(path)!r}; check the path")
        if strange := next((file for file in found if not file.is_file()), None):
            raise BenchmarkError(f"{strange}: a pipe, a folder or a broken link, and no Parquet file; remove it")
        return complete(found, _folder_of(path))


def _folder_of(path: Path) -> Path:
    """The folder that holds what `path` names: a file (the user's word, link or not), a folder or a pattern."""
    if path.is_file():
        return path.resolve().parent
    return path if path.is_dir() else next(parent for parent in path.parents if not glob.has_magic(str(parent)))


def _matching(pattern: Path) -> list[Path]:
    return [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207
