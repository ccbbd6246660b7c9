"""What benchmarks made of files share: which ids and texts are accepted, and where the images are.

An image is in a folder that nothing leaves, or base64 inside a JSON file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import posixpath
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from editeval.benchmarks._json_stream import LongString
from editeval.errors import BenchmarkError, ImageError
from editeval.images import from_base64, read_file
from editeval.types import ImageRef, Sample

MAX_HASHED_BYTES = 1 << 30  # up to this total, fingerprints read whole images
_ENDS = 4096  # bytes read from both ends of every image beyond that
_STEP = 1 << 20
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:")
_MAX_LISTED = 100  # duplicates
_SNAPSHOT = re.compile(r"(.*/datasets--[^/]+)/snapshots/[0-9a-f]{40}(?:/|\Z)")
"""A data set in the Hub's cache, whose files are links to its `blobs`."""
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class FolderImage:
    """An image file in a folder. `read` raises ImageError if it is missing, unreadable, or leads out of the folder."""

    root: str  # a real path; shared by all images, and small, unlike a Path
    name: str

    @property
    def path(self) -> Path:
        return Path(self.root, self.name)

    def read(self) -> bytes:
        path = os.path.join(self.root, self.name)  # noqa: PTH118
        try:
            real = os.path.realpath(path)
            if not is_inside(real, self.root):
                raise ImageError(f"{path}: leads out of {self.root}")
            return read_file(real)
        except OSError as error:
            raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Base64Slice:
    """A base64 image that stays in its JSON file until it is read."""

    path: Path
    place: LongString

    def read(self) -> bytes:
        where = f"{self.path} at byte {self.place.offset}"
        try:
            raw = self.place.raw(self.path)
            if b"\\" in raw:
                raw = json.loads(b'"' + raw + b'"').encode("ascii", "replace")
            return from_base64(raw)
        except OSError as error:
            raise ImageError(f"{where}: cannot be read: {error.strerror or error}") from error
        except (ValueError, ImageError) as error:
            raise ImageError(f"{where}: not a base64 image: {error}") from error


@dataclass(frozen=True, slots=True)
class Base64Text:
    """A base64 image short enough to keep."""

    path: Path
    record: str
    text: str

    def read(self) -> bytes:
        try:
            return from_base64(self.text)
        except ImageError as error:
            raise ImageError(f"{self.path}: {self.record}: {error}") from error


class ImagePlace(Protocol):
    """Where the images are that a record names."""

    def image(self, where: str, field: str, name: str) -> ImageRef:
        """The image called `name`. Raises BenchmarkError for a name that is refused; a missing one is found later."""
        ...


class ImageDirectory:
    """Hands out images of one folder by relative path; a name that leads out of the folder is refused at once.

    A missing file is not: it fails its sample when it is read. Costs one listing per directory, no call per image.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._links: dict[str, frozenset[str]] = {}

    def image(self, where: str, field: str, name: str) -> FolderImage:
        """The image called `name`. Raises BenchmarkError for URLs, absolute paths, "..", and links that lead out."""
        problem = name_problem(name)
        if problem:
            raise BenchmarkError(f"{where}: {field} {problem}, got {name[:200]!r}; give a path relative to {self.root}")
        if "//" in name or "./" in name:
            name = posixpath.normpath(name)
        folder, _, file = name.rpartition("/")
        links = self._links.get(folder)
        if links is None:
            links = self._links[folder] = self._listed_links(where, field, folder)
        if file in links:
            self._refuse_outside(where, field, name)
        return FolderImage(self.root, name)

    def _listed_links(self, where: str, field: str, folder: str) -> frozenset[str]:
        self._refuse_outside(where, field, folder)
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:  # noqa: PTH118
                return frozenset(entry.name for entry in entries if entry.is_symlink())
        except OSError:  # no such folder: its images are missing, which their samples will say
            return frozenset()

    def _refuse_outside(self, where: str, field: str, name: str) -> None:
        real = os.path.realpath(os.path.join(self.root, name))  # noqa: PTH118
        if not is_inside(real, self.root):
            raise BenchmarkError(
                f"{where}: {field} {name!r} is a link that leads out of {self.root}; copy the image into the folder"
            )


def folder_images(samples: Iterable[Sample]) -> list[FolderImage]:
    """All images of the samples that are files in a folder."""
    images = (i for sample in samples for i in (*sample.images, sample.target, sample.mask, *sample.references))
    return [image for image in images if isinstance(image, FolderImage)]


def fingerprint_images(images: Iterable[FolderImage], max_hashed_bytes: int = MAX_HASHED_BYTES) -> str:
    """Hash of the images' names and contents.

    Contents are read whole up to `max_hashed_bytes` in all. Beyond that, size and the first and last 4 KiB of every
    image stand for it: compressed images that differ differ there. A missing image counts as missing.
    """
    paths = {image.name: os.path.join(image.root, image.name) for image in images}  # noqa: PTH118
    sizes = {name: _size(path) for name, path in paths.items()}
    is_whole = sum(size for size in sizes.values() if size is not None) <= max_hashed_bytes
    digest = hashlib.sha256()
    for name in sorted(paths):
        size = sizes[name]
        content = "" if size is None else _content_digest(paths[name], size if is_whole else min(size, _ENDS), size)
        digest.update(json.dumps([name, size, content]).encode())
    return digest.hexdigest()


def fingerprint_files(paths: Sequence[Path], max_hashed_bytes: int = MAX_HASHED_BYTES) -> str:
    """Hash of the contents of files of data, in order: whole up to `max_hashed_bytes` in all.

    Beyond that, sizes, the last MiB (where an index may be) and 4 KiB of every MiB stand for them: whoever changes a
    compressed value moves everything behind it.
    """
    digest, sizes = hashlib.sha256(), [path.stat().st_size for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        with path.open("rb") as file:
            if sum(sizes) <= max_hashed_bytes:
                digest.update(hashlib.file_digest(file, "sha256").digest())
                continue
            digest.update(json.dumps([size]).encode())
            for start in range(0, size, _STEP):
                file.seek(start)
                digest.update(file.read(_STEP if start + _STEP >= size else _ENDS))
    return digest.hexdigest()


def _content_digest(path: str, num_bytes: int, size: int) -> str:
    """Hash of the first `num_bytes`, and of the last where that is not all of it."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            digest, left = hashlib.sha256(), num_bytes
            while part := file.read(min(left, 1 << 20)):
                digest.update(part)
                left -= len(part)
            if num_bytes < size:
                file.seek(size - num_bytes)
                digest.update(file.read(num_bytes))
            return digest.hexdigest()
    except OSError:
        return "unreadable"


def _size(path: str) -> int | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def name_problem(name: str) -> str:
    if _URL.match(name):
        return "is a URL, and images are never fetched"
    if name.startswith("/") or _DRIVE.match(name):
        return "is an absolute path"
    if "\\" in name:
        return "has backslashes"
    if ".." in name and ".." in name.split("/"):
        return 'leaves the folder with ".."'
    if not name.isprintable():
        return "has control characters"
    return "names a folder" if name.endswith("/") else ""


def is_inside(real: str, root: str) -> bool:
    """Whether `real` is beneath `root`, both without links; what the Hub's cache links to counts as beneath."""
    if real == root or real.startswith(root.rstrip("/") + "/"):
        return True
    cached = _SNAPSHOT.match(root)
    return cached is not None and real.startswith(f"{cached[1]}/blobs/")


MAX_LINE = 8 << 20  # characters


def lines(file: TextIO, where: Path) -> Iterator[str]:
    """The lines of a text file. Raises BenchmarkError for one of more than MAX_LINE characters."""
    for number in itertools.count(1):
        line = file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise BenchmarkError(f"{where}:{number}: a line of more than {MAX_LINE} characters; a row has one line")
        if not line:
            return
        yield line


# ------------------------------------------------------------------------------------------------ ids and texts


def refuse_duplicates(where: str, ids: Sequence[str], places: Sequence[str], remedy: str) -> None:
    """Raises BenchmarkError naming every id that occurs twice, with its places.

    Ids that differ only in case or in Unicode normalisation count as the same: files and people confuse them.
    """
    if len({_folded(i) for i in ids}) == len(ids):
        return
    groups: dict[str, list[int]] = defaultdict(list)
    for position, sample_id in enumerate(ids):
        groups[_folded(sample_id)].append(position)
    repeated = [positions for positions in groups.values() if len(positions) > 1]
    listed = "; ".join(
        f"{' / '.join(dict.fromkeys(repr(ids[p]) for p in positions))} ({', '.join(places[p] for p in positions)})"
        for positions in repeated[:_MAX_LISTED]
    )
    more = f"; and {len(repeated) - _MAX_LISTED} more" if len(repeated) > _MAX_LISTED else ""
    raise BenchmarkError(f"{where}: ids must be unique, got duplicates: {listed}{more}; {remedy}")


def required_text(where: str, field: str, value: object) -> str:
    """`value` as a text that is not blank. Raises BenchmarkError."""
    text = optional_text(where, field, value)
    if not text or text.isspace():
        raise BenchmarkError(f"{where}: {field} is {'missing' if value is None else 'empty'}; fill it in")
    return text


def optional_text(where: str, field: str, value: object) -> str:
    """`value` as a text, empty if it is absent. Whole numbers are taken as written. Raises BenchmarkError."""
    if value is None:
        return ""
    if isinstance(value, str) and value.isascii():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BenchmarkError(f"{where}: {field} must be a text, got {type(value).__name__}; put it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        half = ascii(value[error.start])
        raise BenchmarkError(f"{where}: {field} has half of a surrogate pair, got {half}; fix the text") from error
    return value


def _folded(sample_id: str) -> str:
    if sample_id.isascii():
        return sample_id.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", sample_id).casefold())
