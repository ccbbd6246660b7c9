"""A tar file whose members are read in place: which there are, and images by name. Nothing is unpacked."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from editeval.benchmarks._files import name_problem, optional_text
from editeval.benchmarks._json_stream import FilePart, JsonRecord
from editeval.benchmarks._records import RecordReader
from editeval.errors import BenchmarkError, ImageError
from editeval.images import FileImage
from editeval.types import ImageRef


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


class MemberReader(RecordReader):
    """Reads records whose images are names."""

    def images(self, where: str, record: JsonRecord, role: str) -> tuple[ImageRef, ...]:
        label = repr(self.names[role])
        named = [optional_text(where, label, self._loaded(where, value)) for value in self.listed(record, role)]
        return tuple(self.place.image(where, label, name) for name in named if name)


class TarMembers:
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


def members_of(archive: Path) -> dict[str, FilePart]:
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
