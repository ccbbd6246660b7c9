"""Between bytes, files and pixels: safe decoding, PNG encoding, hashes, atomic writes.

Every image that enters the system comes through `decode`: one documented normalisation for editors and judges alike.
A file of MAX_FILE_BYTES or more is no image. Where many threads decode, a `DecodingBudget` bounds what they hold.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import io
import itertools
import os
import re
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editeval.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from editeval.types import ImageRef

MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 128 << 20
MAX_BLACK = 8  # of 255; a picture without any value above is black to the eye
FLAGS = ("black", "constant", "unchanged")
FLAGS_OF_FILES = ("exif_rotated", "transparent", "other_size")  # of edits made elsewhere
FORMATS = ("PNG", "JPEG", "WEBP")
_UNREADABLE = (OSError, SyntaxError, ValueError, struct.error)  # what Pillow raises for damaged files


@dataclass(frozen=True, slots=True)
class FileImage:
    """An image file. `read` raises ImageError if it is missing or unreadable."""

    path: Path

    def read(self) -> bytes:
        return read_file(self.path, os.O_RDONLY)


def read_file(path: str | Path, flags: int = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)) -> bytes:
    """The bytes of a regular file. Raises ImageError for anything else, and for more than MAX_FILE_BYTES."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))  # a pipe would block for ever
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ImageError(f"{path}: not a regular file")
            if found.st_size > MAX_FILE_BYTES:
                raise ImageError(f"{path}: {found.st_size} bytes, an image file has at most {MAX_FILE_BYTES}")
            return file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise ImageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


@dataclass(frozen=True, slots=True)
class BytesImage:
    """An encoded image that is already in memory."""

    data: bytes

    def read(self) -> bytes:
        return self.data


def file_of(image: ImageRef) -> Path | None:
    """The file that holds `image`; None for one that is drawn, in memory or anywhere else."""
    path = getattr(image, "path", None)
    return path if isinstance(path, Path) else None


class DecodedBytes(bytes):
    """Encoded bytes that carry their RGB pixels along, decoded ahead of time; equal to the plain bytes in every way."""

    pixels: Image
    flags: tuple[str, ...] = ()  # of FLAGS_OF_FILES: what decoding has changed


def predecode(data: bytes) -> bytes:
    """`data`, decoded already if it can be: the next `decode` of it costs a copy. Never raises for broken images."""
    with contextlib.suppress(ImageError):
        with _opened(data) as image:
            image.load()
            upright = _upright(image)
            pixels = normalised(upright, "RGB")
            changed = (upright is not image, image.has_transparency_data)
        data = DecodedBytes(data)
        data.pixels, data.flags = pixels, tuple(itertools.compress(FLAGS_OF_FILES, changed))
    return data


def decode(data: bytes, mode: str = "RGB") -> Image:
    """Pixels of a PNG, JPEG or WebP as `mode`: rotated as EXIF says, alpha over white, 16 bit scaled, first frame.

    Raises ImageError for anything else, and for more than MAX_PIXELS (seen in the header, before decoding).
    """
    if isinstance(data, DecodedBytes) and mode == "RGB":
        return data.pixels.copy()
    with _opened(data) as image:
        image.load()
        return normalised(_upright(image), mode)


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image]:
    """The image, its header read; what Pillow raises until the block ends is an ImageError."""
    from PIL import Image, UnidentifiedImageError

    image = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about large pictures and damaged metadata
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise ImageTooLargeError(f"image of {image.width}x{image.height}: more than {MAX_PIXELS} pixels")
            yield image
    except ImageError:
        raise
    except (*_UNREADABLE, MemoryError, Image.DecompressionBombError) as error:
        # Pillow names the buffer by its address, which no two runs share
        why = "cannot identify image file" if isinstance(error, UnidentifiedImageError) else error
        if image is not None:
            image.close()  # its pixels go now, not with the traceback
        raise ImageError(f"{len(data)} bytes that do not decode as {'/'.join(FORMATS)}: {why}") from error


class ImageTooLargeError(ImageError):
    """More than may be decoded at once."""


class DecodingBudget:
    """At most `total` bytes of pixels and buffers at a time, over all threads that ask it."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def room(self, data: bytes) -> Iterator[None]:
        """While inside, `data` may be decoded. Waits for others; nothing is decoded for that, the header decides.

        Raises ImageTooLargeError if it takes more than there is.
        """
        from PIL import Image

        Image.core.set_block_size(64 << 20)  # type: ignore[attr-defined]  # so large that malloc gives it back at once
        with self._changed:  # one header at a time: the texts of a PNG are unpacked with it
            needed, size = _decoding_bytes(data)
            if needed > self.total:
                what = f"{needed >> 20} MiB to decode, and {self.total >> 20} MiB are the limit"
                raise ImageTooLargeError(f"image of {size[0]}x{size[1]} in {len(data)} bytes: {what}")
            self._changed.wait_for(lambda: needed <= self._free)
            self._free -= needed
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()


def _decoding_bytes(data: bytes) -> tuple[int, tuple[int, int]]:
    """(bytes that decoding and writing it again takes at most, size), by measurements of Pillow 11 and 12."""
    with _opened(data) as image:
        is_progressive = "progression" in image.info or "progressive" in image.info
        per_pixel = {"PNG": 12, "WEBP": 24}.get(str(image.format), 18 if is_progressive else 12)
        texts = sum(data.count(kind) for kind in (b"zTXt", b"iTXt", b"iCCP")) << 20  # Pillow unpacks a MiB of each
        return image.width * image.height * per_pixel + min(texts, 64 << 20) + 2 * len(data), image.size


def _upright(image: Image) -> Image:
    """Turned as EXIF says. Damaged EXIF says nothing; the pixels are sound all the same."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(image.getexif().get(0x0112, 1))
    except (*_UNREADABLE, LookupError, TypeError):
        return image
    return image if turn is None else image.transpose(turn)


_STRIP = 1 << 20  # pixels that are converted at a time: the steps between hold no second picture


def normalised(image: Image, mode: str = "RGB") -> Image:
    """`image` as `mode`: alpha over white, 16 bit scaled. Turns nothing."""
    from PIL import Image

    width, height = image.size
    if width * height <= _STRIP or (image.mode == mode and not image.has_transparency_data):
        return _converted(image, mode)
    whole, rows = Image.new(mode, image.size), max(1, _STRIP // width)
    for top in range(0, height, rows):
        box = (0, top, width, min(top + rows, height))
        whole.paste(_converted(image.crop(box), mode), box)
    return whole


def _converted(image: Image, mode: str) -> Image:
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit grey: scale, Pillow's own conversion would clip
        image = image.convert("I").point(lambda v: v / 257).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"sRGB", b"cHRM", b"sBIT", b"pHYs"}
_WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
_MAX_HEADER = 768  # bytes: a palette
_JPEG_SEGMENTS = {0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xDA}  # frames, tables, scans
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # behind the data of a scan


def is_plain(data: bytes) -> bool:
    """Whether the file is one PNG, JPEG or WebP that holds pixels and nothing besides: no text, profile, EXIF, tail."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _holds_only(data, 8, _PNG_CHUNKS, ">I4x", 8, 4)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP" and struct.unpack("<I", data[4:8])[0] == len(data) - 8:
            return _holds_only(data, 12, _WEBP_CHUNKS, "<4xI", 8, 0)
        return data.startswith(b"\xff\xd8") and _is_plain_jpeg(data)
    except (struct.error, IndexError):
        return False


def _holds_only(data: bytes, at: int, kinds: set[bytes], header: str, before: int, after: int) -> bool:
    """Whether chunks of `kinds` fill `data` from `at` to its end."""
    is_png, kind = after > 0, b""
    while at < len(data) and kind != b"IEND":
        (size,) = struct.unpack(header, data[at : at + before])
        kind = data[at + 4 : at + 8] if is_png else data[at : at + 4]
        is_pixels = kind == b"IDAT" or not is_png
        if kind not in kinds or (size > _MAX_HEADER and not is_pixels) or (size and kind == b"IEND"):
            return False
        at += before + size + after + (0 if is_png else size % 2)
    return at == len(data) and (kind == b"IEND" or not is_png)


def _is_plain_jpeg(data: bytes) -> bool:
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xD9:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + size]
        is_header = (marker == 0xE0 and body[:5] == b"JFIF\0" and size == 16) or (
            marker == 0xEE and body[:5] == b"Adobe" and size == 14
        )
        if not is_header and marker not in _JPEG_SEGMENTS:
            return False
        at += 2 + size
        if marker == 0xDA:
            following = _JPEG_MARKER.search(data, at)
            if following is None:
                return False
            at = following.start()
    return at == len(data) - 2 and data[at] == 0xFF


def encode_png(image: Image) -> bytes:
    """The same pixels as PNG, without metadata. Level 1: four times faster than Pillow's default, a fifth larger."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def flags_of(image: Image, source: Image) -> tuple[str, ...]:
    """What is odd about an edit (RGB), as words: black, constant (one colour), unchanged (exactly the source's pixels).

    Each may be right, so that it is no failure; each is what a broken model returns, so that it has to be seen.
    """
    from PIL import ImageChops

    extrema: list[Any] = [band.getextrema() for band in image.split()]
    is_constant = all(low == high for low, high in extrema)
    is_black = all(high <= MAX_BLACK for _, high in extrema)
    is_unchanged = image.size == source.size and ImageChops.difference(image, source).getbbox() is None
    found = {"black": is_black, "constant": is_constant and not is_black, "unchanged": is_unchanged}
    return tuple(word for word, is_so in found.items() if is_so)


def flags_of_file(file: bytes, image: Image, source: Image) -> tuple[str, ...]:
    """What is odd about the file of an edit made elsewhere: it was turned, had transparency, is no size of its source.

    All of it is put right or allowed for; each is a sign that something else was exported than was made.
    """
    known = file if isinstance(file, DecodedBytes) else predecode(file)
    changed = known.flags if isinstance(known, DecodedBytes) else ()
    return (*changed, *(("other_size",) if image.size != source.size else ()))


def warm_up() -> None:
    """Import what the first `decode` and `encode_png` of a process would have to import."""
    from PIL import Image

    decode(encode_png(Image.new("RGB", (8, 8))))


def from_base64(text: str | bytes) -> bytes:
    """Bytes of a base64 text, with or without a `data:...,` prefix. Raises ImageError if it is not base64."""
    if isinstance(text, str):
        text = text.encode("ascii", "replace")
    if text.startswith(b"data:"):
        text = text.partition(b",")[2]
    try:
        return base64.b64decode(text, validate=False)
    except binascii.Error as error:
        raise ImageError(f"not base64: {error}") from error


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()
