"""The files of a published benchmark as its authors hand them out: a folder, the tar file, or a zip file of images."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import ClassVar, Protocol

from editeval.benchmarks._files import (
    ImageDirectory,
    ImagePlace,
    fingerprint_files,
    fingerprint_images,
    folder_images,
    optional_text,
)
from editeval.benchmarks._json_stream import FilePart, JsonRecord, read_records
from editeval.benchmarks._published import PublishedBenchmark, PublishedParams
from editeval.benchmarks._records import ROLES, RecordReader, did_you_mean, read_samples
from editeval.benchmarks._tar_files import TarMembers, members_of
from editeval.benchmarks._zip_files import ZipFiles
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, ImageRef, NoParams, Sample

Rows = Callable[[str, JsonRecord], Iterable[JsonRecord]]
"""(where, record) -> the records that become samples."""


class OfficialFiles(Protocol):
    """Annotations and images by name, relative to one root."""

    path: Path  # the folder or the tar file

    def within(self, folder: str) -> ImagePlace:
        """Hands out the images in `folder` ("" is the root)."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is a file of that name. Raises BenchmarkError for a link that leads out of the root."""
        ...

    def folders(self, name: str) -> list[str]:
        """The folders in the folder `name` ("" is the root), sorted."""
        ...

    def file(self, name: str) -> Path:
        """The file on disk in which the file `name` is."""
        ...

    def records(self, name: str) -> Iterator[JsonRecord]:
        """The records of an annotation file. NaN, which pandas writes for what is absent, is null."""
        ...

    def digest(self) -> str:
        """Hash of a tar file; "" of a folder, whose images are hashed one by one."""
        ...


def official_files(path: Path, key: str = "path") -> OfficialFiles:
    """The files at `path`. Raises BenchmarkError if it is no folder, and no file that can be read in place."""
    if path.is_dir():
        return _Folder(path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return ZipFiles(path)
    if path.is_file():
        return _Archive(path)
    raise BenchmarkError(f"benchmark.params.{key}: no folder and no file {str(path)!r}; check the path")


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = ImageDirectory(path)

    def within(self, folder: str) -> ImagePlace:
        self._root.image(str(self.path), "the folder", posixpath.join(folder, "any"))
        return ImageDirectory(self.path / folder)

    def has(self, name: str) -> bool:
        return self._root.image(str(self.path), "the file", name).path.is_file()

    def folders(self, name: str) -> list[str]:
        place = self.path / name
        return sorted(child.name for child in place.iterdir() if child.is_dir()) if place.is_dir() else []

    def file(self, name: str) -> Path:
        return self.path / name

    def records(self, name: str) -> Iterator[JsonRecord]:
        return read_records(self.path / name, is_nan_null=True)

    def digest(self) -> str:
        return ""


class _Archive:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, FilePart] = members_of(path)

    def within(self, folder: str) -> ImagePlace:
        return TarMembers(self.path, self._members, folder)

    def has(self, name: str) -> bool:
        return posixpath.normpath(name) in self._members

    def folders(self, name: str) -> list[str]:
        start = f"{name}/" if name else ""
        below = (member[len(start) :] for member in self._members if member.startswith(start))
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def file(self, name: str) -> Path:
        return self.path

    def records(self, name: str) -> Iterator[JsonRecord]:
        return read_records(self.path, self._members[posixpath.normpath(name)], is_nan_null=True)

    def digest(self) -> str:
        return fingerprint_files([self.path])


def one_of(where: str, field: str, value: object, known: Iterable[str]) -> str:
    """`value`. Raises BenchmarkError if it is none of `known`."""
    names = list(known)
    if isinstance(value, str) and value in names:
        return value
    got = repr(value[:60]) if isinstance(value, str) else type(value).__name__
    hint = did_you_mean(value[:60], names) if isinstance(value, str) else ""
    raise BenchmarkError(f"{where}: {field}: expected one of {', '.join(names)}, got {got}; {hint}fix the data")


@dataclass(frozen=True, slots=True)
class Annotations:
    """One annotation file and where its images are."""

    files: OfficialFiles
    name: str  # of the annotation file
    images: OfficialFiles
    folder: str  # of the images, from which records name them; what they are called does not depend on it
    subfolder: str = ""  # field of a record that names a folder in it

    @property
    def where(self) -> str:
        return str(self.files.path / self.name)


class _Reader(RecordReader):
    """Reads records whose images are names from a folder: two folders may hold the same. Metadata keep every field."""

    def __init__(self, at: Annotations, roles: Mapping[str, str], id_template: str) -> None:
        names = {**dict.fromkeys(ROLES, ""), **roles}
        super().__init__(at.files.file(at.name), names, at.images.within(at.folder), id_template)
        self._at = at

    def images(self, where: str, record: JsonRecord, role: str) -> tuple[ImageRef, ...]:
        label = repr(self.names[role])
        named = [optional_text(where, label, self._loaded(where, value)) for value in self.listed(record, role)]
        folder = str(record.value.get(self._at.subfolder, ""))
        return tuple(self.place.image(where, label, posixpath.join(folder, name)) for name in named if name)

    def _metadata(self, where: str, record: JsonRecord) -> dict[str, object]:
        return {key: self._shortened(where, value) for key, value in record.value.items()}


class RecordsOf(Benchmark):
    """The records of an annotation file as samples, by the authors' names of fields."""

    def __init__(
        self, place: Annotations, roles: Mapping[str, str], id_template: str, rows: Rows | None = None
    ) -> None:
        """`rows` makes of a record those that become samples; None: the record itself."""
        super().__init__(NoParams())
        self._place = place
        self._roles = roles
        self._id_template = id_template
        self._rows = rows
        self._samples: tuple[Sample, ...] = ()

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            reader = _Reader(self._place, self._roles, self._id_template)
            self._samples = read_samples(Path(self._place.where), self._records(), reader)
        return iter(self._samples)

    def fingerprint(self) -> str:
        """Hash of the samples' texts, in order, and of their images."""
        return _content([self])

    def digest(self) -> str:
        """Hash of the tar or zip file that its images are in; "" for images in a folder."""
        return self._place.images.digest()

    def _records(self) -> Iterator[JsonRecord]:
        for record in self._place.files.records(self._place.name):
            where = f"{self._place.where}: {record.name}"
            for row in self._rows(where, record) if self._rows else [record]:
                yield replace(row, value={key: value for key, value in row.value.items() if value is not None})


class Joined(Benchmark):
    """The samples of several annotation files, one after another: which file a sample is in makes no difference."""

    def __init__(self, parts: Sequence[RecordsOf]) -> None:
        super().__init__(NoParams())
        self._parts = parts

    def __iter__(self) -> Iterator[Sample]:
        return chain.from_iterable(self._parts)

    def fingerprint(self) -> str:
        """Hash of the samples' texts, in order, and of their images."""
        return _content(self._parts)


def _content(parts: Sequence[RecordsOf]) -> str:
    samples = list(chain.from_iterable(parts))
    archives = sorted({part.digest() for part in parts})
    content = [[_described(sample) for sample in samples], fingerprint_images(folder_images(samples)), archives]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _described(sample: Sample) -> list[object]:
    names = [getattr(image, "name", "") for image in (*sample.images, *sample.references)]
    return [sample.id, sample.category, sample.instruction, sample.reference_text, sample.after, names, sample.metadata]


def texts_digest(samples: Iterable[Sample]) -> str:
    """Hash of ids, groups and texts in any order: what a version of a benchmark is known by, images apart."""
    rows = sorted([s.id, s.category, s.instruction, s.reference_text] for s in samples)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class OfficialParams(PublishedParams):
    """Where the files of a benchmark are that lie in folders."""

    images: str = ""
    """The folder, the tar file or the zip file with the source images, if it is not where the annotations are."""


class OfficialBenchmark(PublishedBenchmark):
    """A benchmark whose images are files that a JSON file names. `path` may be that file, its folder, or a tar file."""

    Params = OfficialParams
    archives: ClassVar[tuple[str, ...]] = ()  # tar files that may lie in the folder in place of what is in them
    image_archives: ClassVar[tuple[str, ...]] = ()  # likewise, of images alone
    known_texts: ClassVar[Mapping[str, str]] = {}  # name of a known version's part -> texts_digest

    def annotations(self, root: Path, names: Sequence[str], folders: Sequence[str] = ()) -> Annotations:
        """The first of `names` that is there, and its images: in the first of `folders` that is there, else beside it.

        Raises BenchmarkError that says what was expected and what was found.
        """
        files, name = self._found_in(root, names)
        images, usual = files, posixpath.dirname(name)
        packed = next((other for other in self.image_archives if files.has(other)), "")
        if self.params.images:
            images, usual = official_files(Path(self.params.images).expanduser(), "images"), ""
        elif packed and not any(self._is_folder(files, folder) for folder in folders):
            images, usual = official_files(files.file(packed)), ""
        folder = next((folder for folder in folders if self._is_folder(images, folder)), usual)
        return Annotations(files, name, images, folder)

    @staticmethod
    def _is_folder(files: OfficialFiles, name: str) -> bool:
        return posixpath.basename(name) in files.folders(posixpath.dirname(name))

    def _found_in(self, root: Path, names: Sequence[str]) -> tuple[OfficialFiles, str]:
        if root.suffix.lower() in (".json", ".jsonl") and root.is_file():
            return official_files(root.parent), root.name
        files = official_files(root)
        archive = next((name for name in self.archives if root.is_dir() and files.has(name)), "")
        places = (files, *([official_files(root / archive)] if archive else []))
        for place in places:
            tops = [f"{top}/" for top in place.folders("")] if place.path.is_file() else []  # a tar file may have any
            for top in ("", *tops):
                for name in names:
                    if place.has(f"{top}{name}"):
                        return place, f"{top}{name}"
        raise self.unlike(root, " or ".join(names))

    def differs(self) -> tuple[str, ...]:
        """How the data differ from the known version, one short phrase each; nothing: they do not."""
        said = super().differs()
        known = self.known_texts.get(self.part())
        if not said and known and texts_digest(self) != known:
            return ("texts are not those of the known version",)
        return said

    def compared_by(self) -> str:
        return "texts" if self.part() in self.known_texts else super().compared_by()

    def part(self) -> str:
        """Which of `known_texts` these parameters ask for."""
        return ""
