"""The files of a published benchmark as its authors hand them out: an unpacked folder, or the tar file itself."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from editeval.benchmarks._files import ImageDirectory, ImagePlace, fingerprint_files
from editeval.benchmarks._json_stream import FilePart, JsonRecord, read_records
from editeval.benchmarks._records import ROLES, did_you_mean
from editeval.benchmarks._tar_files import MemberReader, TarMembers, members_of
from editeval.errors import BenchmarkError
from editeval.types import ImageRef


class OfficialFiles(Protocol):
    """Annotations and images by name, relative to one root."""

    path: Path  # the folder or the tar file
    place: ImagePlace

    def has(self, name: str) -> bool:
        """Whether there is a file of that name. Raises BenchmarkError for a link that leads out of the root."""
        ...

    def folders(self, name: str) -> list[str]:
        """The folders in the folder `name` ("" is the root), sorted."""
        ...

    def file(self, name: str) -> Path:
        """The file on disk in which the file `name` is."""
        ...

    def records(self, name: str, is_nan_null: bool = False) -> Iterator[JsonRecord]:
        """The records of an annotation file."""
        ...

    def digest(self) -> str:
        """Hash of a tar file; "" of a folder, whose images are hashed one by one."""
        ...


def official_files(path: Path) -> OfficialFiles:
    """The files at `path`. Raises BenchmarkError if it is neither a folder nor a tar file that can be read in place."""
    if path.is_dir():
        return _Folder(path)
    if path.is_file():
        return _Archive(path)
    raise BenchmarkError(f"benchmark.params.path: no folder and no file {str(path)!r}; check the path")


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = ImageDirectory(path)

    def has(self, name: str) -> bool:
        return self.place.image(str(self.path), "the annotations", name).path.is_file()

    def folders(self, name: str) -> list[str]:
        place = self.path / name
        return sorted(child.name for child in place.iterdir() if child.is_dir()) if place.is_dir() else []

    def file(self, name: str) -> Path:
        return self.path / name

    def records(self, name: str, is_nan_null: bool = False) -> Iterator[JsonRecord]:
        return read_records(self.path / name, is_nan_null=is_nan_null)

    def digest(self) -> str:
        return ""


class _Archive:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, FilePart] = members_of(path)
        self.place = TarMembers(path, self._members, "")

    def has(self, name: str) -> bool:
        return posixpath.normpath(name) in self._members

    def folders(self, name: str) -> list[str]:
        start = f"{name}/" if name else ""
        below = (member[len(start) :] for member in self._members if member.startswith(start))
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def file(self, name: str) -> Path:
        return self.path

    def records(self, name: str, is_nan_null: bool = False) -> Iterator[JsonRecord]:
        return read_records(self.path, self._members[posixpath.normpath(name)], is_nan_null=is_nan_null)

    def digest(self) -> str:
        return fingerprint_files([self.path])


def found(files: OfficialFiles, names: Sequence[str], what: str) -> str:
    """The first of `names` that is there. Raises BenchmarkError that says what was looked for and what there is."""
    for name in names:
        if files.has(name):
            return name
    has = ", ".join(files.folders("")[:8]) or "none"
    raise BenchmarkError(f"{files.path}: no {' or '.join(names)}, the {what}; folders in it: {has}; check the path")


def one_of(where: str, field: str, value: str, known: Sequence[str]) -> str:
    """`value`. Raises BenchmarkError if it is not in `known`."""
    if value in known:
        return value
    hint = did_you_mean(value, known)
    raise BenchmarkError(f"{where}: {field} {value!r} is not known; {hint}known: {', '.join(known)}; fix the data")


class _Within:
    """Hands out the images of one folder, under names relative to the root: two folders may hold the same name."""

    def __init__(self, place: ImagePlace, folder: str) -> None:
        self._place = place
        self._folder = folder

    def image(self, where: str, field: str, name: str) -> ImageRef:
        return self._place.image(where, field, posixpath.join(self._folder, name))


class OfficialReader(MemberReader):
    """Reads the records of one annotation file, whose images lie in `folder`; metadata keep every field of a record."""

    def __init__(
        self, files: OfficialFiles, name: str, folder: str, roles: Mapping[str, str], id_template: str
    ) -> None:
        names = {**dict.fromkeys(ROLES, ""), **roles}
        super().__init__(files.file(name), names, _Within(files.place, folder), id_template)
        self._mapped = frozenset()
