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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from editeval.benchmarks._files import ImageDirectory, fingerprint_files
from editeval.benchmarks._json_stream import FilePart, read_records
from editeval.benchmarks._records import ROLES, did_you_mean, field_names, read_samples
from editeval.benchmarks._tar_files import MemberReader, TarMembers, members_of
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

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
            members = members_of(archive)
            file, part = _manifest(archive, members, self.params.manifest)
            folder = "" if part is None else posixpath.dirname(part.name)
            root = folder if self.params.root is None else self.params.root.strip("/")
            names = field_names({role: role for role in ROLES}, self.params.fields)
            reading = MemberReader(file, names, TarMembers(archive, members, root), self.params.id_template)
            reading.is_category_needed = "category" in self.params.fields
            self._samples = read_samples(file, read_records(file, part), reading)
        return iter(self._samples)

    def fingerprint(self) -> str:
        """Hash of the tar file, of a manifest outside of it, and of the parameters that decide how they are read.

        Files are hashed whole up to 1 GiB in all. Beyond that their sizes, ends and 4 KiB of every MiB stand for them.
        """
        if not self._fingerprint:
            archive = _archive(self.params.path)
            file, part = _manifest(archive, members_of(archive), self.params.manifest)
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


def _archive(path: str) -> Path:
    if not path:
        raise BenchmarkError("benchmark.params.path: no file given; set it to the tar file with the images")
    archive = Path(path).expanduser()
    if not archive.is_file():
        raise BenchmarkError(f"benchmark.params.path: no file {str(archive)!r}; check the path")
    return archive


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
