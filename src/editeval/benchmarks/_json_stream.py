"""Records of a JSON file of any size, without its long strings: those stay in the file and are read when wanted.

The file is mapped. One regular expression runs over everything but long strings; a long string is jumped over from
quote to quote and leaves a placeholder. What remains is small and goes to the standard `json` decoder.
Not checked: what is inside a long string (bad escapes, control characters) until it is read.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import mmap
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from editeval.errors import BenchmarkError

LONG = 4096  # bytes between the quotes; longer strings are left in the file
MAX_RECORD = 4 << 20  # characters that wait to be decoded: as objects they take fifty times as much
_WINDOW = 1 << 18  # bytes per run of the expression: bounds its stack
_PENDING = 1 << 16  # characters of remainder to gather before decoding
_RELEASE = 1 << 24  # bytes after which mapped pages are given back, so that they do not count as memory
_LITERAL = 16  # a literal or number cut off by the end of the pending text fails at most this far before it

# Anything but quotes, then whole strings that have some quote within LONG bytes; stops before a long string.
_RUN = re.compile(
    rb'[^"]*+(?:"(?=[^"]{0,%d}+")[^"\\]*+(?:\\.[^"\\]*+)*"[^"]*+)*' % LONG,
    re.DOTALL,
)
_SPACES = " \t\n\r"
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class LongString:
    """A string value that was left in the file: `length` bytes from `offset`, between the quotes, still escaped."""

    offset: int
    length: int

    def raw(self, path: Path) -> bytes:
        """The escaped bytes. Raises OSError, also if the file has become shorter."""
        with path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.length)
        if len(data) < self.length:
            raise OSError(f"ends before byte {self.offset + self.length}; was it changed after the start?")
        return data

    def text(self, path: Path) -> str:
        """The string. Raises OSError or ValueError."""
        value: str = json.loads(b'"' + self.raw(path) + b'"')
        return value


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """One record. `group` is the key of its list if the file is an object of lists; `index` counts in its list."""

    group: str | None
    index: int
    value: dict[str, object]  # str values may be LongString
    is_short: bool  # no string in it has more than LONG characters
    key: str = ""  # its own, if the file is an object of records

    @property
    def name(self) -> str:
        """What an error calls it."""
        if self.key:
            return f"record {self.key!r}"
        return f"record {self.index}" if self.group is None else f"record {self.index} of {self.group!r}"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file inside another: `length` bytes from `offset`."""

    name: str
    offset: int
    length: int


def read_records(
    path: Path,
    part: FilePart | None = None,
    *,
    is_nan_null: bool = False,
    window: int = _WINDOW,
    pending: int = _PENDING,
) -> Iterator[JsonRecord]:
    """Every record of a list, of an object of lists or of records, or (.jsonl, .ndjson) of lines, in order.

    `is_nan_null` takes NaN and infinities, which pandas writes and JSON does not have, for null.
    `window` (bytes) and `pending` (characters) set how much is looked at at a time; the records do not depend on them.
    Raises BenchmarkError with file, line and byte if the file is missing, empty, malformed or of another shape.
    """
    try:
        with path.open("rb") as file:
            part = part or FilePart(path.name, 0, path.stat().st_size)
            if not part.length:
                raise BenchmarkError(f"{path}: an empty file; expected a list of records")
            with contextlib.closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as view:
                document = _Document(path, part, view, window, pending)
                if is_nan_null:
                    document.decoder = json.JSONDecoder(parse_constant=lambda name: None)
                yield from document.records(is_lines=part.name.lower().endswith((".jsonl", ".ndjson")))
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read: {error.strerror or error}; check the path") from error


class _Document:
    """Decodes values one after another from the remainder of the file; `_text` is what waits to be decoded."""

    def __init__(self, path: Path, part: FilePart, view: mmap.mmap, window: int, pending: int) -> None:
        self._path = path
        self._start = part.offset
        self._where = path / part.name if part.offset else path
        self._view = view
        self._window = window
        self._pending = pending
        self._size = min(part.offset + part.length, len(view))
        has_mark = view[part.offset : part.offset + 3] == b"\xef\xbb\xbf"
        self._next = part.offset + (3 if has_mark else 0)  # first byte that is not in `_text` yet
        self._released = part.offset // mmap.PAGESIZE * mmap.PAGESIZE
        self._text = ""
        self._at = 0
        self._pieces: list[tuple[int, int]] = []  # (position in `_text`, byte in the file) of every piece
        self._mark = f"{secrets.token_hex(16)}:"  # drawn after the file was written: it cannot be in it
        self.decoder = json.JSONDecoder(parse_constant=refuse_constant)

    def records(self, is_lines: bool) -> Iterator[JsonRecord]:
        if self._view[self._start : self._start + 4] == b"PAR1":
            raise BenchmarkError(f"{self._path}: a Parquet file, expected JSON; set benchmark.type to parquet")
        first = self._peek()
        if is_lines:
            index = 0
            while self._peek():
                yield self._record(None, index)
                index += 1
        elif first == "[":
            yield from self._list(None)
        elif first == "{":
            yield from self._groups()
        else:
            raise self._malformed(f"expected a list of records or an object of lists, got {first or 'nothing'!r}")
        if self._peek():
            raise self._malformed("expected the end of the file" + ("" if is_lines else " (one record a line: .jsonl)"))

    def _groups(self) -> Iterator[JsonRecord]:
        self._at += 1
        index = 0
        if self._skip("}"):
            return
        while True:
            if self._peek() != '"':
                raise self._malformed("expected a category name in double quotes")
            group, _ = self._value()
            if not isinstance(group, str):
                raise self._malformed(f"a category name of more than {LONG} bytes")
            self._expect(":")
            if self._peek() not in ("[", "{"):
                what = "must hold a list of records, or be a record; got"
                raise self._malformed(f"{group!r} {what} {self._peek() or 'nothing'!r}")
            if self._peek() == "[":
                yield from self._list(group)
            else:
                yield self._record(None, index, group)
                index += 1
            if self._skip("}"):
                return
            self._expect(",")

    def _list(self, group: str | None) -> Iterator[JsonRecord]:
        self._at += 1
        if self._skip("]"):
            return
        index = 0
        while True:
            yield self._record(group, index)
            if self._skip("]"):
                return
            self._expect(",")
            index += 1

    def _record(self, group: str | None, index: int, key: str = "") -> JsonRecord:
        if self._peek() != "{":
            raise self._malformed(f"record {index} must be an object, got {self._peek() or 'the end of the file'!r}")
        value, is_short = self._value()
        assert isinstance(value, dict)  # it begins with a brace
        return JsonRecord(group, index, value, is_short, key)

    def _peek(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while True:
            char = self._text[self._at : self._at + 1]
            if char in _SPACES and char:
                match = _SPACE.match(self._text, self._at)
                self._at = match.end() if match else self._at
            elif char or not self._fill():
                return char

    def _skip(self, char: str) -> bool:
        found = self._peek() == char
        self._at += found
        return found

    def _expect(self, char: str) -> None:
        if not self._skip(char):
            raise self._malformed(f"expected {char!r}, got {self._peek() or 'the end of the file'!r}")

    def _value(self) -> tuple[object, bool]:
        """Decode the object or string at `_at`, of which an incomplete one never decodes; and whether it is short."""
        while True:
            try:
                value, end = self.decoder.raw_decode(self._text, self._at)
                break
            except json.JSONDecodeError as error:
                if error.pos < len(self._text) - _LITERAL or not self._fill():
                    raise self._malformed(error.msg, error.pos) from error
            except RecursionError as error:
                raise self._malformed("nested too deeply") from error
            except ValueError as error:  # NaN, or an integer of thousands of digits
                raise self._malformed(str(error)) from error
        num_chars = end - self._at
        has_long = self._text.find(self._mark, self._at, end) >= 0
        self._at = end
        return (self._restored(value), False) if has_long else (value, num_chars <= LONG)

    def _restored(self, value: object) -> object:
        """`value` with a LongString for every placeholder; as a key, the text itself."""
        if isinstance(value, str) and value.startswith(self._mark):
            _, offset, length = value.split(":")
            return LongString(int(offset), int(length))
        if isinstance(value, list):
            return [self._restored(v) for v in value]
        if isinstance(value, dict):
            return {self._restored_key(k): self._restored(v) for k, v in value.items()}
        return value

    def _restored_key(self, key: str) -> str:
        restored = self._restored(key)
        return restored.text(self._path) if isinstance(restored, LongString) else key

    def _fill(self) -> bool:
        """Add to the pending text: at least double it, so that a retried decode stays linear. False at the end."""
        if self._next >= self._size:
            return False
        self._forget_consumed()
        parts, length = [self._text], len(self._text)
        if length > MAX_RECORD:
            raise self._malformed(f"a record of more than {MAX_RECORD} characters besides its long strings")
        wanted = max(self._pending, 2 * length)
        while length < wanted and self._next < self._size:
            for byte, part in self._step():
                self._pieces.append((length, byte))
                parts.append(part)
                length += len(part)
        self._text = "".join(parts)
        return True

    def _forget_consumed(self) -> None:
        byte = self._byte(self._at)
        rest = [(start - self._at, piece) for start, piece in self._pieces if start > self._at]
        self._pieces = [(0, byte), *rest]
        self._text, self._at = self._text[self._at :], 0

    def _step(self) -> Iterator[tuple[int, str]]:
        """(byte, text) of the next run without long strings and of the string behind it; never cuts a string."""
        start = self._next
        match = _RUN.match(self._view, start, min(start + self._window, self._size))
        end = match.end() if match else start
        yield start, self._decoded(start, end)
        self._next = end
        if end < self._size and self._view[end] == ord('"'):
            close = self._closing_quote(end)
            if close - end - 1 > LONG:
                yield end, f'"{self._mark}{end + 1}:{close - end - 1}"'
            else:
                yield end, self._decoded(end, close + 1)
            self._next = close + 1
        self._release()

    def _decoded(self, start: int, end: int) -> str:
        try:
            return self._view[start:end].decode()
        except UnicodeDecodeError as error:
            raise self._error("not UTF-8; save the file as UTF-8", start + error.start) from error

    def _closing_quote(self, opening: int) -> int:
        """Byte of the quote that ends the string: the first one behind an even number of backslashes."""
        view, at = self._view, opening + 1
        while at < self._size:
            quote = view.find(b'"', at, min(at + _RELEASE, self._size))
            if quote < 0:
                at += _RELEASE
                self._next = min(at, self._size)
                self._release()
                continue
            before = quote
            while view[before - 1] == 0x5C:  # ends at the opening quote at the latest
                before -= 1
            if (quote - before) % 2 == 0:
                return quote
            at = quote + 1
        raise self._error("a string that never ends", opening)

    def _release(self) -> None:
        if self._next - self._released >= _RELEASE and hasattr(mmap, "MADV_DONTNEED"):
            until = self._next // mmap.PAGESIZE * mmap.PAGESIZE
            self._view.madvise(mmap.MADV_DONTNEED, self._released, until - self._released)
            self._released = until

    def _malformed(self, problem: str, position: int | None = None) -> BenchmarkError:
        return self._error(problem, self._byte(self._at if position is None else position))

    def _byte(self, position: int) -> int:
        """Where in the file the character at `position` of the pending text is."""
        at = bisect.bisect_right(self._pieces, position, key=lambda piece: piece[0]) - 1
        start, byte = self._pieces[at] if at >= 0 else (position, self._next)
        return min(byte + len(self._text[start:position].encode("utf-8", "replace")), self._size)

    def _error(self, problem: str, byte: int) -> BenchmarkError:
        line = 1 + sum(
            self._view[at : min(at + _RELEASE, byte)].count(b"\n") for at in range(self._start, byte, _RELEASE)
        )
        return BenchmarkError(f"{self._where}:{line}: malformed JSON at byte {byte}: {problem}; fix the file")


def refuse_constant(name: str) -> NoReturn:
    """For JSON decoders: NaN and infinities are no JSON. Raises ValueError."""
    raise ValueError(f"{name} is not JSON")
