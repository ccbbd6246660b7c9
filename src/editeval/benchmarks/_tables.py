"""Rows of Parquet and Arrow files. Pictures stay in their file until they are wanted, all other columns are read first.

A column of pictures holds bytes, structs {bytes, path} as the `datasets` library writes them, paths, or lists of these.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editeval.benchmarks._files import (
    MAX_HASHED_BYTES,
    ImageDirectory,
    fingerprint_files,
    fingerprint_images,
    folder_images,
    is_inside,
)
from editeval.benchmarks._json_stream import JsonRecord
from editeval.benchmarks._records import LEFT_OUT, ROLES, RecordReader, did_you_mean, field_names, read_samples
from editeval.benchmarks._table_files import first_line, opened, refusing
from editeval.errors import BenchmarkError, ImageError, MachineError
from editeval.types import Benchmark, ImageRef, PluginParams, Sample

if TYPE_CHECKING:
    import pyarrow as pa

MAX_TEXT_BYTES = 128 << 20  # of a cell, such as a picture in base64
MAX_NESTED_BYTES = 8 << 20  # of a cell of lists or structs
IMAGE_ROLES = ("image", "reference", "mask", "references")
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.")


@dataclass(frozen=True, slots=True)
class TableImage:
    """A picture in a cell of a table; `index` is its place in a list."""

    path: Path
    column: str
    row: int
    index: int

    def read(self) -> bytes:
        where = f"{self.path}: row {self.row}: {self.column!r}"
        try:
            with refusing(self.path):
                value = opened(self.path).cell(self.column, self.row)
            value = value[self.index] if isinstance(value, list) else value
        except (IndexError, MachineError, BenchmarkError) as error:
            raise ImageError(f"{where}: cannot be read: {first_line(error)}") from error
        value = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(value, bytes):
            raise ImageError(f"{where}: no image; was the file changed after the start?")
        return value


class TableBenchmark(Benchmark):
    """The rows of one or more files as samples; a subclass says which files."""

    def __init__(self, params: PluginParams) -> None:
        super().__init__(params)
        self._samples: tuple[Sample, ...] = ()
        self._fingerprint = ""

    @abstractmethod
    def files(self) -> list[Path]:
        """The files, in order. Raises BenchmarkError for none."""

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            files = self.files()
            self._samples = _load(files, field_names(dict.fromkeys(ROLES, ""), self.params.fields), self.params)
        return iter(self._samples)

    def fingerprint(self) -> str:
        """Hash of the files, of the parameters that decide how they are read, and of the images they name by path.

        Files are hashed whole up to 1 GiB in all. Beyond that their sizes, ends and 4 KiB of every MiB stand for them.
        """
        if not self._fingerprint:
            images = folder_images(self)
            parts = [
                fingerprint_files(self.files(), MAX_HASHED_BYTES),
                sorted(self.params.fields.items()),
                self.params.id_template,
                fingerprint_images(images) if images else "",
            ]
            self._fingerprint = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return self._fingerprint


def complete(files: Sequence[Path], folder: Path) -> list[Path]:
    """`files`. Raises BenchmarkError if one of a set "name-00000-of-00005" is lacking, or leads out of `folder`."""
    root = os.path.realpath(folder)
    if outside := next((file for file in files if not is_inside(os.path.realpath(file), root)), None):
        raise BenchmarkError(f"{outside}: a link that leads out of {folder}; copy the file there")
    sets: dict[tuple[Path, str, int], set[int]] = {}
    for file in files:
        match = _SHARD.match(file.name)
        if match:
            sets.setdefault((file.parent, match[1], int(match[3])), set()).add(int(match[2]))
    for (folder, name, number), found in sets.items():
        absent = [n for n in range(number) if n not in found]
        if absent:
            raise BenchmarkError(
                f"{folder}: {name!r} has {number} files, got {len(found)}: no "
                f"{', '.join(f'{n:05d}' for n in absent[:5])}{', ...' if absent[5:] else ''}; download the rest"
            )
    return list(files)


def _load(files: Sequence[Path], fields: Mapping[str, str], params: Any) -> tuple[Sample, ...]:
    schema = opened(files[0]).schema
    names = _columns(files[0], schema, fields, params.fields)
    reading = _RowReader(files[0], names, ImageDirectory(files[0].parent), params.id_template)
    where = files[0] if len(files) == 1 else files[0].parent
    return read_samples(where, _rows(files, schema, reading), reading)


def _columns(file: Path, schema: pa.Schema, fields: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Role -> column, "" for none. Raises BenchmarkError for a column that is not there, and for one that must be."""
    names = {}
    for role, field in fields.items():
        name = field if role in given else role if role in schema.names else ""
        if name and name not in schema.names and (role in IMAGE_ROLES or name.split(".")[0] not in schema.names):
            hint, known = did_you_mean(name, schema.names), ", ".join(schema.names)
            raise BenchmarkError(
                f"benchmark.params.fields.{role}: {file} has no column {name!r}; {hint}it has: {known}"
            )
        if not name and role in ("image", "instruction"):
            near = did_you_mean(role, schema.names)
            if role == "image":
                near = "".join(f"is it {f.name!r}? " for f in schema if _holds_bytes(f.type))[:200]
            raise BenchmarkError(
                f"{file}: no column {role!r}; {near}name one with benchmark.params.fields.{role}; "
                f"it has: {', '.join(schema.names)}"
            )
        names[role] = name
    return names


class _RowReader(RecordReader):
    """Reads rows; `record.value` holds, for a column of pictures, what `_marks` makes of it."""

    is_category_needed = False
    row = 0  # of `record` in its file

    def images(self, where: str, record: JsonRecord, role: str) -> tuple[ImageRef, ...]:
        column = self.names[role]
        found: list[ImageRef] = []
        for index, mark in enumerate(self.listed(record, role)):
            if mark is True:
                found.append(TableImage(self.path, column, self.row, index))
            elif isinstance(mark, str) and mark:
                found.append(self.place.image(where, repr(column), mark))
            elif mark:
                raise BenchmarkError(f"{where}: {column!r} ({role}) holds no images, got {type(mark).__name__}")
        return tuple(found)


def _rows(files: Sequence[Path], schema: pa.Schema, reading: _RowReader) -> Iterator[JsonRecord]:
    """The rows of `files`; points `reading` to the file and row of each."""
    index = 0
    classes = _class_names(schema)
    wanted = {reading.names[role] for role in IMAGE_ROLES}
    plain = [field.name for field in schema if not _holds_bytes(field.type)]
    pictures = [name for name in schema.names if name in wanted and name not in plain]
    for file in files:
        table = opened(file)
        if not table.schema.equals(schema):
            raise BenchmarkError(
                f"{file}: not the columns of {files[0].name}; name files of one kind, such as one split"
            )
        reading.path, reading.place, reading.row = file, ImageDirectory(file.parent), -1
        with refusing(file):
            for batch in table.batches(plain, pictures):
                for name in plain:
                    _check_cells(file, reading.row + 1, name, batch.column(name))
                columns = {n: [_json(classes.get(n), v) for v in batch.column(n).to_pylist()] for n in plain}
                columns |= {n: _marks(batch.column(n)) for n in pictures if n in batch.schema.names}
                for row in range(batch.num_rows):
                    reading.row += 1
                    value = {**dict.fromkeys(pictures, True), **{name: c[row] for name, c in columns.items()}}
                    yield JsonRecord(None, index, value, is_short=False)
                    index += 1


def _check_cells(file: Path, first_row: int, name: str, array: pa.Array) -> None:
    """Raises BenchmarkError for a cell that is no text or list of a benchmark: Python takes far more memory for it."""
    limit = MAX_NESTED_BYTES if array.type.num_fields else MAX_TEXT_BYTES
    if array.nbytes <= limit:
        return
    for row in range(len(array)):
        if (size := array.slice(row, 1).nbytes) > limit:
            what = f"{size:,} bytes, at most {limit:,} are read"
            raise BenchmarkError(
                f"{file}: row {first_row + row}: {name!r}: {what}; shorten it, or leave that column out"
            )


def _marks(array: pa.Array) -> list[object]:
    """What is known of each picture without bytes: True if they are there, else the path, else None; lists of these."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        flat = iter(_marks(array.flatten()))
        return [[next(flat) for _ in range(n or 0)] for n in pc.list_value_length(array).to_pylist()]
    if pa.types.is_struct(kind):
        fields = dict(zip([field.name for field in kind], array.flatten(), strict=True))
        if "bytes" not in fields:  # not read, since all are there
            return [True] * len(array)
        paths = fields["path"].to_pylist() if "path" in fields else [None] * len(array)
        return [mark or path for mark, path in zip(_marks(fields["bytes"]), paths, strict=True)]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return list(array.to_pylist())
    return [bool(length) or None for length in pc.binary_length(array).to_pylist()]


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return True
    return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Column -> the names that its numbers stand for, as the `datasets` library notes them in a file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: list(f["names"]) for name, f in features.items() if isinstance(f, dict) and "names" in f}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _json(names: Sequence[str] | None, value: object) -> object:
    """`value` as JSON has it: classes by name, dates and the like as text."""
    if isinstance(value, list):
        return [_json(names, v) for v in value]
    if isinstance(value, dict):
        return {str(key): _json(None, v) for key, v in value.items()}
    if names is not None and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    is_json = value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_json else LEFT_OUT if isinstance(value, bytes) else str(value)
