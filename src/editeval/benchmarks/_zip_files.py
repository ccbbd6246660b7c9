"""A zip file of images that are read without unpacking it. JSON files in it are not read: they cannot be mapped."""

from __future__ import annotations

import lzma
import posixpath
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from editeval.benchmarks._files import ImagePlace, fingerprint_files, name_problem
from editeval.benchmarks._json_stream import JsonRecord
from editeval.errors import BenchmarkError, ImageError
from editeval.images import MAX_FILE_BYTES, FileImage
from editeval.types import ImageRef

_UNREADABLE = (OSError, EOFError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What `zipfile` raises for a file that is broken or changed: a ValueError for a name that is no UTF-8."""


@dataclass(frozen=True, slots=True)
class ZipImage:
    """A member of a zip file."""

    path: Path
    name: str

    def read(self) -> bytes:
        try:
            with zipfile.ZipFile(self.path) as archive:
                size = archive.getinfo(self.name).file_size
                if size > MAX_FILE_BYTES:
                    raise ImageError(f"{self.path}: {self.name!r} has {size} bytes, more than {MAX_FILE_BYTES}")
                with archive.open(self.name) as member:
                    return member.read(size)  # with a bound: a header may name a smaller size than what follows
        except _UNREADABLE as error:
            raise ImageError(f"{self.path}: {self.name!r} cannot be read: {error}") from error


class _ZipFolder:
    """Hands out the members in a folder of the zip file."""

    def __init__(self, path: Path, names: Collection[str], folder: str) -> None:
        self._path = path
        self._names = names
        self._folder = folder

    def image(self, where: str, field: str, name: str) -> ImageRef:
        """The member called `name`. Raises BenchmarkError for a name that is refused; a missing one is found later."""
        problem = name_problem(name)
        if problem:
            raise BenchmarkError(f"{where}: {field} {problem}, got {name[:200]!r}; name a member of {self._path}")
        member = posixpath.normpath(posixpath.join(self._folder, name))
        return ZipImage(self._path, member) if member in self._names else FileImage(self._path / member)


class ZipFiles:
    """The files in a zip file, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names = frozenset(_members(path))

    def within(self, folder: str) -> ImagePlace:
        return _ZipFolder(self.path, self._names, folder)

    def has(self, name: str) -> bool:
        """False: only images are read from a zip file."""
        del name
        return False

    def folders(self, name: str) -> list[str]:
        start = f"{name}/" if name else ""
        below = (member[len(start) :] for member in self._names if member.startswith(start))
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def file(self, name: str) -> Path:
        del name
        return self.path

    def records(self, name: str) -> Iterator[JsonRecord]:
        raise BenchmarkError(f"{self.path}: {name}: a JSON file in a zip file is not read; extract it")

    def digest(self) -> str:
        return fingerprint_files([self.path])


def _members(path: Path) -> list[str]:
    """Every file in the zip file. Raises BenchmarkError for anything else in it, and for half a download."""
    names = []
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                problem = name_problem(member.filename.rstrip("/"))
                if not problem and stat.S_ISLNK(member.external_attr >> 16):
                    problem = "is a link"
                if not problem and member.flag_bits & 1:
                    problem = "needs a password"
                if problem:
                    what = f"a member {problem}, got {member.filename[:200]!r}"
                    raise BenchmarkError(f"{path}: {what}; nothing of it is read; extract it yourself")
                names += [] if member.is_dir() else [posixpath.normpath(member.filename)]
    except _UNREADABLE as error:
        raise BenchmarkError(f"{path}: not a whole zip file: {error}; download it again") from error
    return names
