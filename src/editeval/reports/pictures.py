"""The pictures of a report: full size and thumbnail, named by their content, and an index of who has which.

A picture is made once, by the run or by the report, whichever comes first. Thumbnails are made from pixels only:
nothing of a file's metadata goes into them, and a source that carries any is written anew for the same reason.
Everything here can be made again, so nothing is synced to disk; what a power cut leaves empty is made again.
"""

from __future__ import annotations

import io
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editeval.errors import ImageError
from editeval.images import decode, encode_png, sha256

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = "report"  # in the run directory; below it `thumbs` and `pictures`
INDEX = "pictures.jsonl"
THUMBNAIL_PX, QUALITY = 320, 78
_EXTENSIONS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: `stem` names its thumbnail `thumbs/<stem>.webp`, `stem.extension` its full size in `pictures`."""

    stem: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """Those of one sample; None for what cannot be had."""

    source: Picture | None
    target: Picture | None
    edited: Picture | None


@dataclass(frozen=True, slots=True)
class Found:
    """The encoded pictures of a sample, as they were read; `edited_sha256` is that of the ledger."""

    sample_id: str
    source: bytes | None
    target: bytes | None
    edited: bytes | None
    edited_sha256: str | None


class Shelf:
    """The pictures of one run. `add` may be called by several threads."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = run_dir / FOLDER
        self._lock = threading.Lock()
        self._index: dict[str, tuple[str | None, Pictures]] = {}
        self._read_index()

    def find(self, sample_id: str, edited_sha256: str | None) -> Pictures | None:
        """What was made for this very edit, if all of it is still there."""
        known = self._index.get(sample_id)
        if known is None or known[0] != edited_sha256:
            return None
        pictures = known[1]
        sound = all(self._is_there(f"thumbs/{p.stem}.webp") for p in _all(pictures))
        full = (p for p in (pictures.source, pictures.target) if p is not None)
        return pictures if sound and all(self._is_there(f"pictures/{p.stem}.{p.extension}") for p in full) else None

    def add(self, found: Found) -> Pictures:
        """The pictures of a sample, on the shelf from now on. Raises OSError if they cannot be written."""
        source, target, edited = _decoded(found.source), _decoded(found.target), _decoded(found.edited)
        pictures = Pictures(
            source=self._keep(found.source, source),
            target=self._keep(found.target, target),
            edited=self._keep_edit(found.edited_sha256, edited),
        )
        line = json.dumps([found.sample_id, found.edited_sha256, *map(_packed, _three(pictures))])
        with self._lock:
            self._index[found.sample_id] = (found.edited_sha256, pictures)
            with (self._folder / INDEX).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        return pictures

    def _keep(self, data: bytes | None, image: Image | None) -> Picture | None:
        """Full size as it was read, unless it carries metadata or is no picture of one of the known kinds."""
        if data is None or image is None:
            return None
        extension = next((e for mark, e in _EXTENSIONS.items() if data.startswith(mark)), "")
        if not extension or _has_metadata(data):
            data, extension = encode_png(image), "png"
        stem = sha256(data)[:32]
        self._put(f"pictures/{stem}.{extension}", data)
        self._put_thumbnail(stem, image)
        return Picture(stem, extension, image.width, image.height)

    def _keep_edit(self, digest: str | None, image: Image | None) -> Picture | None:
        """Only the thumbnail: the full size is in the run already."""
        if digest is None or image is None:
            return None
        self._put_thumbnail(digest[:32], image)
        return Picture(digest[:32], "png", image.width, image.height)

    def _put_thumbnail(self, stem: str, image: Image) -> None:
        if not self._is_there(f"thumbs/{stem}.webp"):
            self._put(f"thumbs/{stem}.webp", thumbnail(image))

    def _is_there(self, name: str) -> bool:
        """Whole, as far as its size tells: a power cut may leave the beginning of a file, or nothing in it."""
        path = self._folder / name
        try:
            size = path.stat().st_size
            if path.suffix != ".webp" or not size:
                return size > 0
            with path.open("rb") as file:
                return size >= _riff_size(file.read(8))
        except OSError:
            return False

    def _put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        if not self._is_there(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            put(path, data)

    def _read_index(self) -> None:
        path = self._folder / INDEX
        if not path.is_file():
            return
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    sample_id, known = _read_line(line)
                except (ValueError, TypeError):  # a line cut short by a kill: its pictures are made again
                    continue
                self._index[sample_id] = known


def put(path: Path, data: bytes) -> None:
    """`path` holds `data`, or is untouched. Replaced in one step, not synced: it can be made again."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def thumbnail(image: Image) -> bytes:
    """A WebP of at most THUMBNAIL_PX on each side; does not change `image`."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=2)
    return buffer.getvalue()


def _riff_size(head: bytes) -> int:
    """Of a WebP file, as its first eight bytes tell it."""
    return 8 + int.from_bytes(head[4:8], "little")


def _decoded(data: bytes | None) -> Image | None:
    try:
        return decode(data) if data is not None else None
    except ImageError:
        return None


def _has_metadata(data: bytes) -> bool:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return bool(set(image.info) & {"exif", "icc_profile", "xmp", "XML:com.adobe.xmp", "comment", "photoshop"})


def _three(pictures: Pictures) -> tuple[Picture | None, ...]:
    return pictures.source, pictures.target, pictures.edited


def _all(pictures: Pictures) -> list[Picture]:
    return [picture for picture in _three(pictures) if picture is not None]


def _packed(picture: Picture | None) -> list[Any] | None:
    return [picture.stem, picture.extension, picture.width, picture.height] if picture else None


def _read_line(line: str) -> tuple[str, tuple[str | None, Pictures]]:
    sample_id, digest, source, target, edited = json.loads(line)
    return sample_id, (digest, Pictures(_unpacked(source), _unpacked(target), _unpacked(edited)))


def _unpacked(packed: list[Any] | None) -> Picture | None:
    return Picture(*packed) if packed else None
