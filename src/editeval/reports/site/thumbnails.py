"""The images of a report: full size and thumbnail, named by their content, and an index of which sample has which.

An image is made once, by the run while it works or by the report, whichever comes first. Thumbnails are made from
pixels only: nothing of a file's metadata goes into them, and a source that holds anything but pixels is written again
for the same reason. Decoding stays within DECODING, over all threads of a process. Everything here can be made again,
so nothing is synced to disk; what a power cut leaves empty is made again.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from editeval.errors import ImageError
from editeval.files import from_json
from editeval.images import DecodingBudget, ImageTooLargeError, decode, encode_png, is_plain, sha256
from editeval.reports.data import CHANGED

if TYPE_CHECKING:
    from PIL.Image import Image

    from editeval.types import ImageRef

FOLDER = "report"  # in the run directory; below it `thumbs` and `pictures`
INDEX = "pictures.jsonl"
THUMBNAIL_PX, QUALITY = 320, 78
MAX_WAITING, MAX_BYTES = 256, 64_000_000  # samples that wait for their thumbnails, and encoded bytes that they hold
BEGIN_NUM, BEGIN_BYTES = 16, 8_000_000  # less is made at the end in less time than it takes to start a process
WAKE_S = 0.1
FINISH_S = 10.0  # how long the end of a run waits for the sample in hand
NICENESS = 15
_EXTENSIONS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp"}
_NAME = re.compile(r"[0-9a-f]{32}\.(png|jpg|webp)")
DECODING = DecodingBudget(400 << 20)


@dataclass(frozen=True, slots=True)
class SampleImages:
    """An image: `stem` names its thumbnail `thumbs/<stem>.webp`, `stem.extension` its full size in `pictures`."""

    stem: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """Those of one sample; None for what cannot be shown. `notes` says why: by role a word of the page, or a text."""

    source: SampleImages | None
    target: SampleImages | None
    edited: SampleImages | None
    notes: dict[str, str] = field(default_factory=dict, compare=False)
    further: tuple[tuple[str, SampleImages], ...] = ()  # (role, image): sources after the first, references

    def all(self) -> list[SampleImages]:
        """Every one that is shown."""
        three = (self.source, self.target, self.edited)
        return [one for one in (*three, *(image for _, image in self.further)) if one is not None]


@dataclass(frozen=True, slots=True)
class Found:
    """The images of a sample, encoded or still to be read; the hashes are those of the ledger, None: not known."""

    sample_id: str
    source: bytes | ImageRef | None
    target: bytes | ImageRef | None
    edited: bytes | ImageRef | None
    edited_sha256: str | None
    source_sha256: str | None = None
    notes: dict[str, str] = field(default_factory=dict)  # why an image is left out
    further: Sequence[tuple[str, ImageRef]] = ()  # (role, image): sources after the first, references


def _known(stem: str, extension: str, width: int, height: int) -> SampleImages:
    """An image of an index. Raises ValueError for names that are not ours: the run may be somebody else's."""
    if not _NAME.fullmatch(f"{stem}.{extension}"):
        raise ValueError(f"{stem}.{extension}: no name of a picture")
    return SampleImages(stem, extension, width, height)


class ThumbnailStore:
    """The images of one run. `add` may be called by several threads."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = run_dir / FOLDER
        self._lock = threading.Lock()
        self._index: dict[str, tuple[str | None, Pictures]] = {}
        path = self._folder / INDEX
        for line in path.read_text("utf-8", "replace").splitlines() if path.is_file() else ():
            with contextlib.suppress(ValueError, TypeError):  # a line cut short by a kill: its images are made again
                sample_id, digest, *images = from_json(line)
                source, target, edited = (_known(*image) if image else None for image in images[:3])
                further = tuple((str(role), _known(*image)) for role, *image in (images[3] if images[3:] else ()))
                self._index[sample_id] = digest, Pictures(source, target, edited, further=further)

    def find(self, sample_id: str, edited_sha256: str | None) -> Pictures | None:
        """What was made for this very edit, if all of it is still there."""
        digest, pictures = self._index.get(sample_id, ("", None))
        if pictures is None or digest != edited_sha256 or (digest is not None and pictures.edited is None):
            return None
        kept = [p for p in (pictures.source, pictures.target, *(one for _, one in pictures.further)) if p is not None]
        full = [f"pictures/{p.stem}.{p.extension}" for p in kept]
        thumbs = [f"thumbs/{p.stem}.webp" for p in pictures.all()]
        return pictures if all(map(self._is_there, (*full, *thumbs))) else None

    def add(self, found: Found) -> Pictures:
        """The images of a sample, in the store from now on. Raises OSError if they cannot be written.

        One that has changed since it was edited, or is too large, is not shown, and looked at again the next time.
        """
        notes = dict(found.notes)
        further = ((role, self._keep(_read(image), role, None, notes)) for role, image in found.further)
        pictures = Pictures(
            source=self._keep(_read(found.source), "source", found.source_sha256, notes),
            target=self._keep(_read(found.target), "target", None, notes),
            edited=self._keep_edit(_read(found.edited), found.edited_sha256, notes),
            notes=notes,
            further=tuple((role, image) for role, image in further if image is not None),
        )
        if notes:
            return pictures
        three = (pictures.source, pictures.target, pictures.edited)
        more = [[[role, *astuple(image)] for role, image in pictures.further]] if pictures.further else []
        line = json.dumps([found.sample_id, found.edited_sha256, *(one and astuple(one) for one in three), *more])
        with self._lock:
            self._index[found.sample_id] = (found.edited_sha256, pictures)
            with (self._folder / INDEX).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        return pictures

    def is_touched(self, edited: Path, stem: str) -> bool:
        """Whether the edit's file may have changed since its thumbnail was made from it."""
        try:
            made_at = (self._folder / f"thumbs/{stem}.webp").stat().st_mtime_ns
            return edited.lstat().st_ctime_ns >= made_at
        except OSError:
            return True

    def _keep(self, data: bytes | None, role: str, digest: str | None, notes: dict[str, str]) -> SampleImages | None:
        """Full size as it was read, unless it holds more than pixels or is no image of one of the known kinds."""
        if data is not None and digest not in (None, sha256(data)):
            notes[role] = CHANGED
            return None
        with _decoded(data, role, notes) as image:
            if data is None or image is None:
                return None
            extension = next((e for mark, e in _EXTENSIONS.items() if data.startswith(mark)), "")
            if not extension or not is_plain(data):
                data, extension = encode_png(image), "png"
            stem = sha256(data)[:32]
            self._put(f"pictures/{stem}.{extension}", data)
            return self._with_thumbnail(stem, extension, image)

    def _keep_edit(self, data: bytes | None, digest: str | None, notes: dict[str, str]) -> SampleImages | None:
        """Only the thumbnail: the full size is in the run already. None for a file that is not the recorded edit."""
        if data is None or digest is None:
            return None
        if sha256(data) != digest:
            notes["edited"] = CHANGED
            return None
        with _decoded(data, "edited", notes) as image:
            return self._with_thumbnail(digest[:32], "png", image) if image else None

    def _with_thumbnail(self, stem: str, extension: str, image: Image) -> SampleImages:
        name = f"thumbs/{stem}.webp"
        if not self._is_there(name):
            self._put(name, thumbnail(image))
        return SampleImages(stem, extension, image.width, image.height)

    def _is_there(self, name: str) -> bool:
        """Whole, as far as its size says: a power cut may leave the beginning of a file, or nothing in it."""
        path = self._folder / name
        try:
            size = path.stat().st_size
            if path.suffix != ".webp" or not size:
                return size > 0
            with path.open("rb") as file:
                return size >= 8 + int.from_bytes(file.read(8)[4:], "little")  # RIFF, and the size of what follows
        except OSError:
            return False

    def _put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        if not self._is_there(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            put(path, data)


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
    """A WebP of at most THUMBNAIL_PX on each side."""
    width, height = image.size
    scale = min(1.0, THUMBNAIL_PX / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = image.resize(size, reducing_gap=1.5) if scale < 1.0 else image
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=2)
    return buffer.getvalue()


@contextlib.contextmanager
def _decoded(data: bytes | None, role: str, notes: dict[str, str]) -> Iterator[Image | None]:
    """The pixels, held within DECODING; None for no image, and for one that is too large, which `notes` then says."""
    with contextlib.ExitStack() as stack:
        image = None
        with contextlib.suppress(ImageError):
            try:
                if data is not None:
                    stack.enter_context(DECODING.room(data))
                    image = decode(data)
            except ImageTooLargeError as error:
                notes[role] = str(error)
        yield image


class ThumbnailWriter:
    """Makes the thumbnails of a run while it works: a process of low priority, and a thread that sends it the images.

    Both begin when enough waits to be worth it, and end with `finish` or with this process. What was not made by then,
    or did not fit into the queue, is left to the report.
    """

    def __init__(self, run_dir: Path, begin_num: int = BEGIN_NUM) -> None:
        self._begin_num = begin_num
        self._store = ThumbnailStore(run_dir)  # as it was before
        place = str(Path(__file__).parents[3])  # of this editeval, which need not be installed
        code = f"import sys; sys.path.insert(0, sys.argv[2]); from {__name__} import work; work()"
        self._command = [sys.executable, "-P", "-c", code, str(run_dir), place]
        self._waiting: queue.Queue[Found] = queue.Queue(MAX_WAITING)
        self._offered: set[str] = set()
        self._num_bytes = 0  # in the queue
        self._lock = threading.Lock()
        self._is_finished = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._send, name="thumbnails", daemon=True)

    def offer(self, found: Found) -> None:
        """Make the thumbnails of this sample, if there is room for it. Any thread may call it; it never waits."""
        with self._lock:
            size, is_known = _num_bytes(found), found.sample_id in self._offered
            if is_known or self._waiting.full() or self._num_bytes + size > MAX_BYTES or self._is_finished.is_set():
                return
            self._offered.add(found.sample_id)
            if self._store.find(found.sample_id, found.edited_sha256) is not None:
                return
            self._num_bytes += size
            self._waiting.put_nowait(found)
            is_enough = self._waiting.qsize() >= self._begin_num or self._num_bytes >= BEGIN_BYTES
            if is_enough and self._thread.ident is None:
                self._thread.start()

    def finish(self) -> None:
        """What is in hand is made, if that takes no longer than FINISH_S; then thread and process are gone."""
        self._is_finished.set()
        if self._thread.ident is None:
            return
        self._thread.join(FINISH_S)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()  # it was stopped, or waits for a disk
            self._thread.join(FINISH_S)

    def _send(self) -> None:
        quiet = subprocess.DEVNULL
        with (
            contextlib.suppress(OSError),  # the process is gone, for want of memory or disk: the report says so
            subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
            ) as process,
        ):
            assert process.stdin is not None, "it is a pipe"
            self._process = process
            while not self._is_finished.is_set():
                with contextlib.suppress(queue.Empty):
                    self._send_one(self._waiting.get(timeout=WAKE_S), process.stdin)

    def _send_one(self, found: Found, pipe: IO[bytes]) -> None:
        with self._lock:
            self._num_bytes -= _num_bytes(found)
        images = [_read(image) for image in (found.source, found.target, found.edited)]
        sizes = [None if image is None else len(image) for image in images]
        head = [found.sample_id, found.edited_sha256, found.source_sha256, *sizes]
        pipe.write(json.dumps(head).encode() + b"\n")
        pipe.writelines(image for image in images if image is not None)
        pipe.flush()


def work() -> None:
    """The process of a ThumbnailWriter: for the run in argv[1] it makes what comes on stdin, until a disk is full."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    store, pipe = ThumbnailStore(Path(sys.argv[1])), sys.stdin.buffer
    with contextlib.suppress(OSError):
        for line in pipe:
            sample_id, digest, source_digest, *sizes = json.loads(line)
            images = [None if size is None else pipe.read(size) for size in sizes]
            if [image and len(image) for image in images] != sizes:
                return  # the run was killed
            source, target, edited = images
            store.add(Found(sample_id, source, target, edited, digest, source_digest))


def _num_bytes(found: Found) -> int:
    return sum(len(image) for image in (found.source, found.target, found.edited) if isinstance(image, bytes))


def _read(image: bytes | ImageRef | None) -> bytes | None:
    """Its bytes; None if it cannot be read."""
    try:
        return image if image is None or isinstance(image, bytes) else image.read()
    except ImageError:
        return None
