"""`tar`: a tar file of images and the JSON that lists the edits, in it or beside it. Nothing is unpacked.

The records are as in `json_records`: a list, an object of lists or of records, or JSONL; `image`, `reference`, `mask`
and `references` hold names of members (or lists of names). A field plays the role that it is named after; `fields`
says what yours are called.

Licence: that of your data. Cost: the headers are read once, about 10 us for each member; images are read by offset.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from editeval.benchmarks._files import ImageDirectory, fingerprint_files, name_problem, optional_text
from editeval.benchmarks._json_stream import FilePart, JsonRecord, read_records
from editeval.benchmarks._records import ROLES, RecordReader, did_you_mean, field_names, read_samples
from editeval.errors import BenchmarkError, ImageError
from editeval.images import FileImage
from editeval.types import Benchmark, ImageRef, Sample

_MANIFESTS = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class TarParams:
    """Parameters of `tar`."""

    path: str = ""
    """The tar file, not compressed; required."""
    manifest: str = ""
    """The JSON or JSONL: a member, or a file relative to the folder of the tar file. Empty: the only such member."""
    root: str | None = None
    """The folder in the tar file from which images are named. None: that of the manifest; if it is outside, the top."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Role -> field of a record; "" switches a role off. Roles: see ROLES in _records.py."""
    id_template: str = ""
    """How ids are made, such as "{task_type}/{key}": fields, {category}, {index} and {key}; empty: by `id`."""


@dataclass(frozen=True, slots=True)
class TarImage:
    """A member of a tar file."""

    path: Path
    part: FilePart

    @property
    def name(self) -> str:
        return self.part.name

    def read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.part.offset)
                data = file.read(self.part.length)
        except OSError as error:
            raise ImageError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        if len(data) < self.part.length:
            raise ImageError(f"{self.path}: ends within {self.part.name!r}; was it changed after the start?")
        return data


class Tar(Benchmark):
    """The records of a manifest as samples, with members of a tar file as images."""

    Params = TarParams

    def __init__(self, params: TarParams) -> None:
        super().__init__(params)
        self._samples: tuple[Sample, ...] = ()
        self._fingerprint = ""

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            archive = _archive(self.params.path)
            members = _indexed(archive)
            file, part = _manifest(archive, members, self.params.manifest)
            folder = "" if part is None else posixpath.dirname(part.name)
            root = folder if self.params.root is None else self.params.root.strip("/")
            names = field_names({role: role for role in ROLES}, self.params.fields)
            reading = _MemberReader(file, names, _Members(archive, members, root), self.params.id_template)
            reading.is_category_needed = "category" in self.params.fields
            self._samples = read_samples(file, read_records(file, part), reading)
        return iter(self._samples)

    def fingerprint(self) -> str:
        """Hash of the tar file, of a manifest outside of it, and of the parameters that decide how they are read.

        Files are hashed whole up to 1 GiB in all. Beyond that their sizes, ends and 4 KiB of every MiB stand for them.
        """
        if not self._fingerprint:
            archive = _archive(self.params.path)
            file, part = _manifest(archive, _indexed(archive), self.params.manifest)
            content = fingerprint_files([archive] if part else [archive, file])
            parts = [
                content,
                part.name if part else "",
                self.params.root,
                sorted(self.params.fields.items()),
                self.params.id_template,
            ]
            self._fingerprint = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return self._fingerprint


class _MemberReader(RecordReader):
    """Reads records whose images are names."""

    def images(self, where: str, record: JsonRecord, role: str) -> tuple[ImageRef, ...]:
        label = repr(self.names[role])
        named = [optional_text(where, label, self._loaded(where, value)) for value in self.listed(record, role)]
        return tuple(self.place.image(where, label, name) for name in named if name)


class _Members:
    """Hands out members by name from a folder of the tar file."""

    def __init__(self, archive: Path, members: Mapping[str, FilePart], root: str) -> None:
        self._archive = archive
        self._members = members
        self._root = root

    def image(self, where: str, field: str, name: str) -> ImageRef:
        problem = name_problem(name)
        if problem:
            raise BenchmarkError(f"{where}: {field} {problem}, got {name[:200]!r}; name a member of {self._archive}")
        member = posixpath.normpath(posixpath.join(self._root, name))
        part = self._members.get(member)
        return TarImage(self._archive, part) if part else FileImage(self._archive / member)  # the latter is missing


def _archive(path: str) -> Path:
    if not path:
        raise BenchmarkError("benchmark.params.path: no file given; set it to the tar file with the images")
    archive = Path(path).expanduser()
    if not archive.is_file():
        raise BenchmarkError(f"benchmark.params.path: no file {str(archive)!r}; check the path")
    return archive


def _indexed(archive: Path) -> dict[str, FilePart]:
    """Every file in `archive` by name. Raises BenchmarkError for anything in it that is neither file nor folder."""
    members, size = {}, archive.stat().st_size
    try:
        with tarfile.open(archive, "r:") as opened:
            for member in opened:
                name = posixpath.normpath(member.name)
                problem = name_problem(member.name.rstrip("/"))
                if not problem and (member.issparse() or not (member.isreg() or member.isdir())):
                    problem = "is a link, a device or a file with holes"
                if problem:
                    what = f"a member {problem}, got {member.name[:200]!r}"
                    raise BenchmarkError(f"{archive}: {what}; nothing of it is read; pack it anew")
                if member.isreg():
                    members[name] = FilePart(name, member.offset_data, member.size)
                if member.offset_data + member.size > size:
                    raise BenchmarkError(f"{archive}: ends within {name!r}, half a download?; download it again")
    except tarfile.TarError as error:
        what = f"not a tar file that can be read in place: {error}"
        raise BenchmarkError(f"{archive}: {what}; download it again, or unpack a compressed one") from error
    except OSError as error:
        raise BenchmarkError(f"{archive}: cannot be read: {error.strerror or error}; check the path") from error
    return members


def _manifest(archive: Path, members: Mapping[str, FilePart], name: str) -> tuple[Path, FilePart | None]:
    """(the file, the part of it) that holds the records; no part: the whole file."""
    inside = [member for member in members if member.lower().endswith(_MANIFESTS)]
    if name in members:
        return archive, members[name]
    if name:
        place = ImageDirectory(archive.parent).image("benchmark.params.manifest", "the name", name)
        if place.path.is_file():
            return place.path, None
        hint = did_you_mean(name, inside)
        raise BenchmarkError(f"benchmark.params.manifest: no {name!r} in {archive} or beside it; {hint}check the name")
    if len(inside) != 1:
        has = ", ".join(inside[:5]) + (", ..." if inside[5:] else "") or "none"
        raise BenchmarkError(f"{archive}: several JSON files or none: {has}; name one with benchmark.params.manifest")
    return archive, members[inside[0]]
