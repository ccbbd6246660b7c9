"""`image_folder`: a folder of images and a manifest, one edit a line.

The manifest is JSONL (an object a line) or CSV (a header, then rows). Columns: `image` and `instruction`; optional
`id`, `category`, `description`, `reference`, `mask`, `cluster`; every other column becomes metadata. Images are PNG,
JPEG or WebP, named relative to the folder; nothing outside of the folder is read and nothing is ever fetched.

Licence: that of your images. Cost: 100,000 rows load in about two seconds; images are read by the workers.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from editeval.benchmarks._files import (
    FolderImage,
    ImageDirectory,
    fingerprint_images,
    folder_images,
    lines,
    optional_text,
    refuse_duplicates,
    required_text,
)
from editeval.benchmarks._json_stream import refuse_constant
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

Row = dict[str, object]
REQUIRED = ("image", "instruction")
COLUMNS = frozenset((*REQUIRED, "images", "id", "category", "description", "reference", "mask", "cluster"))
MANIFESTS = ("manifest.jsonl", "manifest.csv")
_REMEDY = "give every row an id of its own"


@dataclass(frozen=True, slots=True)
class ImageFolderParams:
    """Parameters of `image_folder`."""

    path: str = ""
    """The folder; required."""
    manifest: str = ""
    """Manifest file, relative to the folder; empty: manifest.jsonl or else manifest.csv."""


class ImageFolder(Benchmark):
    """The rows of a manifest as samples. Everything but the pixels is checked when it is first iterated over."""

    Params = ImageFolderParams

    def __init__(self, params: ImageFolderParams) -> None:
        super().__init__(params)
        self._samples: tuple[Sample, ...] = ()
        self._fingerprint = ""

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            folder = _folder(self.params.path)
            self._samples = _load(folder, _manifest(folder, self.params.manifest))
        return iter(self._samples)

    def fingerprint(self) -> str:
        """Hash of every sample's texts and of the names and contents of its images.

        Images are hashed whole up to 1 GiB in all; beyond that their size and both ends stand for them.
        The layout of the manifest (format, white space, column order) does not enter; the order of its rows does.
        """
        if not self._fingerprint:
            digest = hashlib.sha256()
            encode = json.JSONEncoder(sort_keys=True).encode
            for sample in self:
                digest.update(encode(_described(sample)).encode())
            digest.update(fingerprint_images(folder_images(self)).encode())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint


def _folder(path: str) -> Path:
    if not path:
        raise BenchmarkError("benchmark.params.path: no folder given; set it to the folder with the manifest")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise BenchmarkError(f"benchmark.params.path: no folder {str(folder)!r}; check the path")
    return folder


def _manifest(folder: Path, name: str) -> Path:
    for candidate in (name,) if name else MANIFESTS:
        path = folder / candidate
        if path.is_file():
            if not name and not path.resolve().is_relative_to(folder.resolve()):
                raise BenchmarkError(f"{path}: a link that leads out of the folder; copy the file into it")
            return path
    wanted = name or " or ".join(MANIFESTS)
    raise BenchmarkError(f"{folder}: no {wanted} in this folder; add it, or set benchmark.params.manifest")


def _load(folder: Path, manifest: Path) -> tuple[Sample, ...]:
    readers = {".jsonl": _jsonl_rows, ".ndjson": _jsonl_rows, ".csv": _csv_rows}
    reader = readers.get(manifest.suffix.lower())
    if reader is None:
        raise BenchmarkError(f"{manifest}: a manifest must be .jsonl or .csv, got {manifest.suffix!r}; convert it")
    directory = ImageDirectory(folder)
    seen: Counter[str] = Counter()
    samples, places = [], []
    try:
        for line, row in reader(manifest):
            samples.append(_sample(f"{manifest}:{line}", row, directory, seen))
            places.append(f"line {line}")
    except OSError as error:
        raise BenchmarkError(f"{manifest}: cannot be read: {error.strerror or error}; check the file") from error
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{manifest}: not UTF-8: {error.reason}; save the file as UTF-8") from error
    if not samples:
        raise BenchmarkError(f"{manifest}: no rows; a benchmark needs at least one")
    refuse_duplicates(str(manifest), [sample.id for sample in samples], places, _REMEDY)
    return tuple(samples)


def _sample(where: str, row: Row, directory: ImageDirectory, seen: Counter[str]) -> Sample:
    for column in REQUIRED:
        if row.get(column) in (None, []) and not (column == "image" and row.get("images")):
            raise BenchmarkError(f"{where}: no {column!r}, got {', '.join(map(repr, row)) or 'nothing'}; add it")
    column = "image" if row.get("image") is not None else "images"
    found = row[column]
    listed = found if isinstance(found, list) else [found]
    images = tuple(directory.image(where, column, required_text(where, column, name)) for name in listed)
    image = images[0]
    seen[image.name] += 1
    number = seen[image.name]
    return Sample(
        id=optional_text(where, "id", row.get("id")) or (image.name if number == 1 else f"{image.name}#{number}"),
        category=sys.intern(optional_text(where, "category", row.get("category")) or "all"),
        images=images,
        instruction=required_text(where, "instruction", row["instruction"]),
        description=optional_text(where, "description", row.get("description")),
        target=_optional_image(where, "reference", row, directory),
        mask=_optional_image(where, "mask", row, directory),
        cluster=sys.intern(optional_text(where, "cluster", row.get("cluster")) or image.name),
        metadata={sys.intern(key): value for key, value in row.items() if key not in COLUMNS},
    )


def _optional_image(where: str, column: str, row: Row, directory: ImageDirectory) -> FolderImage | None:
    name = optional_text(where, column, row.get(column))
    return directory.image(where, column, name) if name else None


def _jsonl_rows(manifest: Path) -> Iterator[tuple[int, Row]]:
    decoder = json.JSONDecoder(parse_constant=refuse_constant)
    with manifest.open(encoding="utf-8-sig", newline="\n") as file:
        for line, text in enumerate(lines(file, manifest), 1):
            if not text.strip():
                continue
            try:
                row = decoder.decode(text)
            except (ValueError, RecursionError) as error:
                raise BenchmarkError(f"{manifest}:{line}: not JSON: {error}; write one object a line") from error
            if not isinstance(row, dict):
                raise BenchmarkError(f"{manifest}:{line}: expected an object, got {type(row).__name__}")
            yield line, row


def _csv_rows(manifest: Path) -> Iterator[tuple[int, Row]]:
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(lines(file, manifest), strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(manifest, header)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise BenchmarkError(
                        f"{manifest}:{reader.line_num}: expected {len(header)} cells, got {len(cells)}; "
                        "put texts that hold a comma in double quotes"
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise BenchmarkError(f"{manifest}:{reader.line_num}: not CSV: {error}; fix the line") from error


def _check_header(manifest: Path, header: list[str]) -> None:
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        raise BenchmarkError(
            f"{manifest}:1: no column {' and '.join(missing)}, got {str(header)[:200]}; name it in the first line"
        )
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise BenchmarkError(f"{manifest}:1: columns must be unique, got {repeated} more than once; rename them")


def _described(sample: Sample) -> list[object]:
    names = [
        image.name if isinstance(image, FolderImage) else None
        for image in (sample.image, sample.target, sample.mask, *sample.images[1:])
    ]
    texts = [sample.id, sample.category, sample.instruction, sample.description, sample.cluster]
    return [*texts, *names, sample.metadata]
