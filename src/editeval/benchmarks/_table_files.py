"""Open Parquet and Arrow files: all columns without pictures in order, and one cell at a time.

Anything is read in small batches: a row group may be larger than the memory of this machine.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from editeval.errors import BenchmarkError, MachineError
from editeval.machine.versions import to_install

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH_BYTES = 4 << 20  # decoded at a time, unless one row has more
_KEPT_BYTES = 32 << 20  # of the rows read last, for each column and file
_MAX_BATCH_ROWS = 1024
_MAX_REPEATED = 1 << 30  # bytes of a batch, if every row had all that its column chunk holds
_MAX_VALUES = 100_000_000  # of a column in one row group: as a run of equal ones, a billion take a kilobyte of the file


class Table(Protocol):
    """An open file of rows."""

    schema: pa.Schema

    def batches(self, plain: Sequence[str], pictures: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows with these columns; of `pictures` no more than it takes to know where there is one."""
        ...

    def cell(self, column: str, row: int) -> object:
        """One value, as Python has it."""
        ...


def opened(path: Path) -> Table:
    """The file at `path` as it is now. Raises BenchmarkError for one that is no table, MachineError without pyarrow."""
    with refusing(path):
        found = path.stat()
        return _open(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=16)
def _open(path: Path, changed: int, size: int) -> Table:
    """`changed` and `size` are here for the cache: another content, another file."""
    del changed
    with path.open("rb") as file:
        head = file.read(6)
        file.seek(max(0, size - 4))
        tail = file.read(4)
    if path.suffix == ".arrow":
        return _ArrowTable(path, is_stream=head != b"ARROW1")
    if head[:4] != b"PAR1":
        raise BenchmarkError(f"{path}: not a Parquet file, begins with {head!r}; a Git LFS pointer, or another format?")
    if tail != b"PAR1":
        raise BenchmarkError(f"{path}: no Parquet footer at its end, half a download?; download it again")
    return _ParquetTable(path)


class _ArrowTable:
    """An Arrow file, mapped: what is not looked at takes no memory."""

    def __init__(self, path: Path, is_stream: bool) -> None:
        import pyarrow as pa

        source = pa.memory_map(str(path))
        self._table = (pa.ipc.open_stream(source) if is_stream else pa.ipc.open_file(source)).read_all()
        self.schema = self._table.schema

    def batches(self, plain: Sequence[str], pictures: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self._table.select([*plain, *pictures]).to_batches(max_chunksize=_MAX_BATCH_ROWS)

    def cell(self, column: str, row: int) -> object:
        return self._table.column(column)[row].as_py()


class _ParquetTable:
    """A Parquet file. Threads take turns: the reader of a column has one place."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._path = path
        self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        self.schema = self._file.schema_arrow
        groups = (self._file.metadata.row_group(g).num_rows for g in range(self._file.num_row_groups))
        self._starts = list(accumulate(groups, initial=0))
        self._columns: dict[str, _ColumnReader] = {}
        self._lock = threading.Lock()

    def batches(self, plain: Sequence[str], pictures: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for group in range(self._file.num_row_groups):
            leaves = self._leaves(group, plain)
            for name in pictures:
                leaves |= self._leaves_without_bytes(group, name)
            yield from self.read(group, leaves)

    def read(self, group: int, leaves: Mapping[str, int]) -> Iterator[pa.RecordBatch]:
        """The rows of a group, few at a time. `leaves`: name -> bytes in this group."""
        num_rows = self._starts[group + 1] - self._starts[group]
        fitting = _BATCH_BYTES * num_rows // max(1, sum(leaves.values()))
        repeated = _MAX_REPEATED // max(1, max(leaves.values(), default=1))  # the file may hold one value for all rows
        size = max(1, min(_MAX_BATCH_ROWS, fitting, repeated))
        yield from self._file.iter_batches(size, row_groups=[group], columns=list(leaves), use_threads=False)

    def cell(self, column: str, row: int) -> object:
        with self._lock:
            if column not in self._columns:
                self._columns[column] = _ColumnReader(self, column)
            return self._columns[column].cell(row)

    def rows(self, column: str, row: int) -> tuple[int, int, Iterator[pa.RecordBatch]]:
        """The group of `row`: its first row, the row after its last, and its values of `column`."""
        group = bisect.bisect_right(self._starts, row) - 1
        return self._starts[group], self._starts[group + 1], self.read(group, self._leaves(group, [column]))

    def _leaves(self, group: int, names: Sequence[str]) -> dict[str, int]:
        return {chunk.path_in_schema: chunk.total_uncompressed_size for chunk in self._chunks(group, names)}

    def _leaves_without_bytes(self, group: int, name: str) -> dict[str, int]:
        """Those that tell which rows have a picture: by the file's own count of empty values often none at all."""
        everything = self._leaves(group, [name])
        light = {leaf: size for leaf, size in everything.items() if leaf.endswith(".path")}
        heavy = [chunk for chunk in self._chunks(group, [name]) if chunk.path_in_schema not in light]
        is_known = all(c.statistics is not None and c.statistics.null_count == 0 for c in heavy)
        is_list = self.schema.field(name).type.num_fields == 1 and not light
        return everything if not is_known or is_list else light

    def _chunks(self, group: int, names: Sequence[str]) -> list[pq.ColumnChunkMetaData]:
        about = self._file.metadata.row_group(group)
        chunks = [about.column(i) for i in range(about.num_columns)]
        found = [c for c in chunks if any(c.path_in_schema == n or c.path_in_schema.startswith(f"{n}.") for n in names)]
        if huge := next((c for c in found if c.num_values > _MAX_VALUES), None):
            what = (
                f"{huge.path_in_schema!r}: {huge.num_values:,} values in a row group, at most {_MAX_VALUES:,} are read"
            )
            raise BenchmarkError(f"{self._path}: {what}; leave that column out")
        return found


class _ColumnReader:
    """Values of a column by row: cheap in order and for the rows read last, else from the start of the row's group."""

    def __init__(self, table: _ParquetTable, column: str) -> None:
        self._table = table
        self._column = column
        self._kept: deque[tuple[int, pa.Array]] = deque()
        self._next, self._end = 0, 0  # rows that `_batches` still gives
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def cell(self, row: int) -> object:
        for start, values in self._kept:
            if start <= row < start + len(values):
                return values[row - start].as_py()
        if not self._next <= row < self._end:
            self._next, self._end, self._batches = self._table.rows(self._column, row)
        while self._next <= row:
            values = next(self._batches).column(0)
            start, self._next = self._next, self._next + len(values)
            self._kept.append((start, values))
            while len(self._kept) > 1 and sum(v.nbytes for _, v in self._kept) > _KEPT_BYTES:
                self._kept.popleft()
        return values[row - start].as_py()


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """What pyarrow says of a file, in one line."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MachineError(f"benchmark: needs the package pyarrow ({error}): {to_install('parquet')}") from error
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise BenchmarkError(f"{path}: cannot be read: {first_line(error)}; download it again") from error


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
