"""A user's folder with published results, such as a clone: read in bounded amounts, not run, no link followed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from editeval.errors import UserError
from editeval.files import Folder, StrangeFileError, from_json

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TOTAL_BYTES = 1024 * 1024 * 1024
MAX_ENTRIES = 20_000


class PublishedDataError(UserError):
    """What is in FOLDER is not what the authors publish, or cannot be read."""


@dataclass(slots=True)
class Clone:
    """Files by their names relative to `root`, with "/". Raises PublishedDataError, one line that names the file."""

    root: Path
    max_file_bytes: int = MAX_FILE_BYTES
    num_bytes: int = field(default=0, init=False)  # read so far

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise PublishedDataError(f"--from {self.root}: no such folder; clone the authors' repository and name it")

    def names(self, folder: str = "") -> list[str]:
        """What is in `folder`, sorted, without hidden names; nothing if it is not there."""
        try:
            names = [name for name in Folder(self.root).names(folder) if not name.startswith(".")]
        except (StrangeFileError, OSError) as error:
            raise self._refused(folder or ".", error) from error
        if len(names) > MAX_ENTRIES:
            raise PublishedDataError(f"{self.root / folder}: at most {MAX_ENTRIES:,} entries, got {len(names):,}")
        return names

    def has(self, name: str) -> bool:
        """Whether there is such a file. Raises PublishedDataError where that cannot be seen."""
        try:
            return Folder(self.root).stat(name) is not None
        except NotADirectoryError:
            return False
        except (StrangeFileError, OSError, ValueError) as error:
            raise self._refused(name, error) from error

    def text(self, name: str) -> str:
        """The file's text, UTF-8."""
        try:
            data = Folder(self.root).read(name, self.max_file_bytes)
            self.num_bytes += len(data)
            if self.num_bytes > MAX_TOTAL_BYTES:
                raise PublishedDataError(f"{self.root}: more than {MAX_TOTAL_BYTES:,} bytes of results; name less")
            return data.decode("utf-8-sig")
        except (StrangeFileError, OSError) as error:
            raise self._refused(name, error) from error
        except UnicodeDecodeError as error:
            raise PublishedDataError(f"{self.root / name}: must be UTF-8 text, got other bytes") from error

    def json(self, name: str) -> object:
        """The value of a JSON file."""
        try:
            value: object = from_json(self.text(name))
        except ValueError as error:
            raise PublishedDataError(f"{self.root / name}: must be JSON: {error}") from error
        return value

    def records(self, name: str) -> dict[str, dict[str, object]]:
        """A JSON file that is an object of objects; an entry that is no object holds nothing."""
        value = self.json(name)
        if not isinstance(value, dict):
            raise PublishedDataError(f"{self.root / name}: must be an object of objects, got {type(value).__name__}")
        return {str(key): entry if isinstance(entry, dict) else {} for key, entry in value.items()}

    def table(self, name: str, delimiter: str, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
        """The rows of a CSV or TSV file with the columns `needed`."""
        reader = csv.DictReader(io.StringIO(self.text(name)), delimiter=delimiter)
        missing = [column for column in needed if column not in (reader.fieldnames or ())]
        if missing:
            found = ", ".join(map(str, reader.fieldnames or ()))[:200] or "nothing"
            raise PublishedDataError(f"{self.root / name}: must have the columns {', '.join(needed)}, got {found}")
        try:
            for row in reader:
                yield {str(key): str(value or "") for key, value in row.items() if key is not None}
        except csv.Error as error:
            raise PublishedDataError(f"{self.root / name}: line {reader.line_num}: {error}") from error

    def _refused(self, name: str, error: Exception) -> PublishedDataError:
        if isinstance(error, StrangeFileError):
            return PublishedDataError(
                f"{self.root / name}: must be a file of at most {self.max_file_bytes:,} bytes, or a folder, and no link"
            )
        said = error.strerror if isinstance(error, OSError) else str(error)
        return PublishedDataError(f"{self.root / name}: {said}; is it the folder that the authors publish?")
