"""Dicts as samples: what a benchmark of somebody's own yields, in fields that are called as those of `Sample` are."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from editeval.errors import BenchmarkError, ImageError
from editeval.images import BytesImage, FileImage, encode_png, file_of
from editeval.types import ImageRef, Sample

TEXTS = ("description", "reference_text", "cluster", "language", "subset", "after")
ONE = ("target", "mask")
FIELDS = ("id", "category", "image", "images", "instruction", *ONE, "references", "metadata", *TEXTS)


def samples_from(rows: Iterable[object], folder: Path, name: str) -> tuple[Sample, ...]:
    """A sample for each row, a dict with `image` (or `images`) and `instruction`, or a `Sample`.

    An image is a path (relative to `folder`), encoded bytes or a PIL image. Without an `id` a row is called by its
    number, without a `category` it is of "all". `name` is how messages call the rows. Raises BenchmarkError.
    """
    found: dict[str, Sample] = {}
    for number, row in enumerate(rows):
        sample = row if isinstance(row, Sample) else _sample(row, number, folder, f"{name}: sample {number}")
        if sample.id in found:
            raise BenchmarkError(f"{name}: sample {number}: the id {sample.id!r} is taken; give every sample its own")
        found[sample.id] = sample
    if not found:
        raise BenchmarkError(f"{name}: no samples; a benchmark needs at least one")
    return tuple(found.values())


def _sample(row: object, number: int, folder: Path, where: str) -> Sample:
    if not isinstance(row, Mapping):
        raise BenchmarkError(f"{where}: must be a dict with image and instruction, got {type(row).__name__}")
    unknown = next((key for key in row if key not in FIELDS), None)
    if unknown is not None:
        close = difflib.get_close_matches(str(unknown), FIELDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "keep what is your own in `metadata`"
        raise BenchmarkError(f"{where}: no field {unknown!r}; {hint}")
    given = [key for key in ("image", "images") if _is_given(row, key)]
    if len(given) != 1:
        raise BenchmarkError(f"{where}: needs `image`, or a list of `images`, got {' and '.join(given) or 'neither'}")
    pictures = row["images"] if given == ["images"] else [row["image"]]
    images = _images(pictures, folder, f"{where}: {given[0]}")
    target, mask = (_images([row[key]], folder, f"{where}: {key}")[0] if _is_given(row, key) else None for key in ONE)
    texts = {key: _text(row, key, where) for key in TEXTS}
    path = file_of(images[0])
    texts["cluster"] = texts["cluster"] or ("" if path is None else str(path))
    metadata = row.get("metadata") or {}
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BenchmarkError(f"{where}: metadata: must be JSON values: {error}") from error
    if not isinstance(metadata, Mapping):
        raise BenchmarkError(f"{where}: metadata: must be a dict, got {type(metadata).__name__}")
    instruction = _text(row, "instruction", where)
    if not instruction.strip():
        raise BenchmarkError(f"{where}: no instruction")
    return Sample(
        id=_text(row, "id", where) or f"{number:04}",
        category=_text(row, "category", where) or "all",
        images=images,
        instruction=instruction,
        metadata=dict(metadata),
        references=_images(row.get("references") or (), folder, f"{where}: references"),
        target=target,
        mask=mask,
        description=texts["description"],
        reference_text=texts["reference_text"],
        cluster=texts["cluster"],
        language=texts["language"],
        subset=texts["subset"],
        after=texts["after"],
    )


def _is_given(row: Mapping[str, object], key: str) -> bool:
    value = row.get(key)
    return value is not None and not (isinstance(value, str) and not value)


def _text(row: Mapping[str, object], key: str, where: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if key == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BenchmarkError(f"{where}: {key} must be text, got {value!r}")
    return value


def _images(pictures: object, folder: Path, where: str) -> tuple[ImageRef, ...]:
    if isinstance(pictures, str | bytes | Path) or not isinstance(pictures, Iterable):
        raise BenchmarkError(f"{where}: must be a list of images, got {type(pictures).__name__}")
    return tuple(_image(picture, folder, where) for picture in pictures)


def _image(picture: object, folder: Path, where: str) -> ImageRef:
    from PIL.Image import Image

    if isinstance(picture, str | Path):
        return FileImage(folder / Path(picture).expanduser())
    if isinstance(picture, bytes):
        return BytesImage(picture)
    if isinstance(picture, Image):
        return BytesImage(encode_png(picture if picture.mode in ("RGB", "RGBA", "L") else picture.convert("RGB")))
    read = getattr(picture, "read", None)
    if callable(read) and not isinstance(picture, io.IOBase):
        return picture  # type: ignore[return-value]  # an ImageRef
    raise BenchmarkError(f"{where}: must be a path, bytes or a PIL image, got {type(picture).__name__}")


def fingerprint_of(samples: Iterable[Sample]) -> str:
    """Hash of all that the samples hold: texts, metadata and the bytes of every image."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(json.dumps(list(_content(sample)), sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _content(sample: Sample) -> Iterator[object]:
    for one in fields(sample):
        value = getattr(sample, one.name)
        if one.name in ("images", "references"):
            yield [one.name, *map(_sha256, value)]
        elif one.name in ("target", "mask"):
            yield [one.name, _sha256(value)]
        elif one.name != "cluster":  # of a file its path, which is another one on another machine
            yield [one.name, dict(value) if isinstance(value, Mapping) else value]


def _sha256(image: ImageRef | None) -> str:
    """Of the image's bytes; of one that cannot be read that it cannot: it fails its own sample."""
    if image is None:
        return ""
    try:
        return hashlib.sha256(image.read()).hexdigest()
    except ImageError:
        return "unreadable"
