"""The pictures of a report: full size and thumbnail, named by their content, and an index of who has which.

A picture is made once, by the run or by the report, whichever comes first. Thumbnails are made from pixels only:
nothing of a file's metadata goes into them, and a source that carries any is written again for the same reason.
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
import contextlib
import queue
import re
import shutil

FOLDER = "report"  # in the run directory; below it `thumbs` and `pictures`
INDEX = "pictures.jsonl"
THUMBNAIL_PX, QUALITY = 320, 78
_EXTENSIONS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True)
class SampleImages:
    """A picture: `stem` names its thumbnail `thumbs/<stem>.webp`, `stem.extension` its full size in `pictures`."""

    stem: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """Those of one sample; None for what cannot be read."""

    source: SampleImages | None
    target: SampleImages | None
    edited: SampleImages | None


@dataclass(frozen=True, slots=True)
class Found:
    """The encoded pictures of a sample, as they were read; `edited_sha256` is that of the ledger."""

    sample_id: str
    source: bytes | None
    target: bytes | None
    edited: bytes | None
    edited_sha256: str | None


class ThumbnailStore:
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

    def _keep(self, data: bytes | None, image: Image | None) -> SampleImages | None:
        """Full size as it was read, unless it carries metadata or is no picture of one of the known kinds."""
        if data is None or image is None:
            return None
        extension = next((e for mark, e in _EXTENSIONS.items() if data.startswith(mark)), "")
        if not extension or _has_metadata(data):
            data, extension = encode_png(image), "png"
        stem = sha256(data)[:32]
        self._put(f"pictures/{stem}.{extension}", data)
        self._put_thumbnail(stem, image)
        return SampleImages(stem, extension, image.width, image.height)

    def _keep_edit(self, digest: str | None, image: Image | None) -> SampleImages | None:
        """Only the thumbnail: the full size is in the run already."""
        if digest is None or image is None:
            return None
        self._put_thumbnail(digest[:32], image)
        return SampleImages(digest[:32], "png", image.width, image.height)

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


def _three(pictures: Pictures) -> tuple[SampleImages | None, ...]:
    return pictures.source, pictures.target, pictures.edited


def _all(pictures: Pictures) -> list[SampleImages]:
    return [picture for picture in _three(pictures) if picture is not None]


def _packed(picture: SampleImages | None) -> list[Any] | None:
    return [picture.stem, picture.extension, picture.width, picture.height] if picture else None


def _read_line(line: str) -> tuple[str, tuple[str | None, Pictures]]:
    sample_id, digest, source, target, edited = json.loads(line)
    return sample_id, (digest, Pictures(_unpacked(source), _unpacked(target), _unpacked(edited)))


def _unpacked(packed: list[Any] | None) -> SampleImages | None:
    return SampleImages(*packed) if packed else None


MAX_WAITING, MAX_BYTES = 32, 64_000_000  # pictures of so many samples, and encoded bytes of all of them
WAKE_S = 0.2


class Previews:
    """A thread that fills the shelf of a run, from `start` to `finish`."""

    def __init__(self, run_dir: Path) -> None:
        self._shelf = ThumbnailStore(run_dir)
        self._waiting: queue.Queue[Found | None] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._num_bytes = 0  # in the queue and in hand
        self._thread = threading.Thread(target=self._work, name="previews", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, found: Found) -> None:
        """Make the pictures of this sample, if there is room for it. Any thread may call it."""
        if self._waiting.full() or self._shelf.find(found.sample_id, found.edited_sha256) is not None:
            return
        with self._lock:
            if self._num_bytes + _size(found) <= MAX_BYTES:
                with contextlib.suppress(queue.Full):
                    self._waiting.put_nowait(found)
                    self._num_bytes += _size(found)

    def finish(self) -> None:
        """What waits is made; then the thread is gone."""
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=WAKE_S)
                break
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        is_writable = True
        while (found := self._waiting.get()) is not None:
            try:
                if is_writable:
                    self._shelf.add(found)
            except OSError:  # a full disk: the report meets it again, and says so
                is_writable = False
            with self._lock:
                self._num_bytes -= _size(found)


def _size(found: Found) -> int:
    return sum(len(data) for data in (found.source, found.target, found.edited) if data is not None)


_FOLDERS = ("app", "thumbs", "pictures")
_LEFT = re.compile(r"\.data\.(?P<pid>[0-9]{1,7})\.(new|old)|\..+?\.(?P<owner>[0-9]{1,7})(\.[0-9]+)?\.tmp")


def remove_leftovers(folder: Path) -> None:
    """`folder` is the report's own. What belongs to this process, or to one that still lives, stays."""
    for place in (folder, *(folder / name for name in _FOLDERS)):
        for entry in os.scandir(place):
            left = _LEFT.fullmatch(entry.name)
            if left is None or _is_alive(int(left["pid"] or left["owner"])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)  # what stays is tried again by the next report
            else:
                Path(entry.path).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    """Also true of this process and of one that belongs to somebody else."""
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
