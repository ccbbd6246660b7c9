"""Every kind of picture that a data set may hold, every way in which one can be broken, and safe writing."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from editeval.errors import ImageError
from editeval.files import write_atomic
from editeval.images import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    BytesImage,
    DecodingBudget,
    FileImage,
    ImageTooLargeError,
    decode,
    encode_png,
    from_base64,
    is_plain,
    normalised,
    read_file,
    sha256,
)

ORIENTATION = 0x0112
RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (40, 24)) -> Image.Image:
    ramp = Image.radial_gradient("L").resize(size)
    return Image.merge("RGB", (ramp, ramp.rotate(90).resize(size), ImageOps.invert(ramp))).convert(mode)


def marked() -> Image.Image:
    """Red in the top left corner, white elsewhere; wider than high."""
    image = Image.new("RGB", (32, 16), "white")
    image.paste(RED, (0, 0, 8, 8))
    return image


def exif(orientation: object) -> Image.Exif:
    found = Image.Exif()
    found[ORIENTATION] = orientation
    return found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        # where row 0 and column 0 of the stored pixels are, as the EXIF standard has it
        (1, lambda v: v),  # top, left
        (2, lambda v: v[:, ::-1]),  # top, right
        (3, lambda v: v[::-1, ::-1]),  # bottom, right
        (4, lambda v: v[::-1]),  # bottom, left
        (5, lambda v: v.swapaxes(0, 1)),  # left, top
        (6, lambda v: v[:, ::-1].swapaxes(0, 1)),  # right, top
        (7, lambda v: v[::-1, ::-1].swapaxes(0, 1)),  # right, bottom
        (8, lambda v: v[::-1].swapaxes(0, 1)),  # left, bottom
    ],
)
def test_every_exif_orientation_is_undone(kind: str, orientation: int, stored: Callable[[Any], Any]) -> None:
    upright = np.asarray(marked())
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}, "PNG": {}}[kind]
    data = saved(Image.fromarray(np.ascontiguousarray(stored(upright))), kind, exif=exif(orientation), **options)
    found = np.asarray(decode(data))
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() <= (60 if kind == "JPEG" else 0)
    assert np.abs(found.astype(int) - upright).mean() < 2


@pytest.mark.parametrize("orientation", [0, 9, 4000])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    assert decode(saved(marked(), exif=exif(orientation))).tobytes() == marked().tobytes()


@pytest.mark.parametrize(
    "damaged",
    [
        b"Exif\0\0",
        b"Exif\0\0MM",
        b"Exif\0\0nothing of the kind",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(256)),
    ],
)
def test_damaged_exif_says_nothing_and_the_pixels_are_sound(damaged: bytes) -> None:
    assert decode(saved(marked(), exif=damaged)).tobytes() == marked().tobytes()


def test_transparency_is_seen_on_white() -> None:
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    assert decode(saved(half)).getpixel((0, 0)) == pytest.approx((255, 127, 127), abs=1)
    assert decode(saved(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))).getpixel((0, 0)) == WHITE
    assert decode(saved(Image.new("LA", (4, 4), (0, 0)))).getpixel((0, 0)) == WHITE
    assert decode(saved(Image.new("LA", (4, 4), (90, 255)))).getpixel((0, 0)) == (90, 90, 90)
    assert decode(saved(half, "WEBP", lossless=True)).getpixel((0, 0)) == pytest.approx((255, 127, 127), abs=1)


def test_a_palette_with_a_transparent_colour_is_seen_on_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    plain = decode(saved(image))
    assert [plain.getpixel((x, 0)) for x in (0, 1)] == [RED, (0, 0, 255)]
    partly = decode(saved(image, transparency=0))
    assert [partly.getpixel((x, 0)) for x in (0, 1)] == [WHITE, (0, 0, 255)]


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    image = Image.new("I;16", (4, 1))
    for x, value in enumerate((0, 257, 32896, 65535)):
        image.putpixel((x, 0), value)
    found = decode(saved(image))
    assert [found.getpixel((x, 0)) for x in range(4)] == [(0,) * 3, (1,) * 3, (128,) * 3, WHITE]
    assert decode(saved(image), "L").getpixel((2, 0)) == 128


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95), RED),
        (saved(Image.new("L", (8, 8), 77), "JPEG", quality=95), (77, 77, 77)),
        (saved(Image.new("1", (8, 8), 1)), WHITE),
        (saved(Image.new("1", (8, 8), 0)), (0, 0, 0)),
        (saved(Image.new("L", (8, 8), 77)), (77, 77, 77)),
    ],
)
def test_other_modes_become_rgb(data: bytes, expected: tuple[int, int, int]) -> None:
    found = decode(data)
    assert found.mode == "RGB"
    assert found.getpixel((4, 4)) == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=40, **options)
    assert decode(data).getpixel((3, 3)) == RED


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("percent", range(0, 100, 10))
def test_a_truncated_picture_is_refused(kind: str, percent: int) -> None:
    data = saved(gradient(), kind)
    with pytest.raises(ImageError, match="bytes that do not decode as PNG/JPEG/WEBP"):
        decode(data[: len(data) * percent // 100])


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "PPM", "ICO"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(ImageError, match="do not decode as PNG/JPEG/WEBP"):
        decode(saved(gradient(), kind))


@pytest.mark.parametrize(
    "text", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\0" * 4096, b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_is_refused(text: bytes) -> None:
    with pytest.raises(ImageError, match=f"^{len(text)} bytes that do not decode"):
        decode(text)


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises that many pixels, in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))

    header = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_the_same_damage_reads_the_same_in_every_run() -> None:
    messages = []
    for _ in range(2):
        with pytest.raises(ImageError) as caught:
            decode(b"hello")
        messages.append(str(caught.value))
    assert messages == ["5 bytes that do not decode as PNG/JPEG/WEBP: cannot identify image file"] * 2


@pytest.mark.parametrize("size", [(8001, 8000), (12_000, 12_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    assert size[0] * size[1] > MAX_PIXELS
    start = time.process_time()
    with pytest.raises(ImageError):
        decode(bomb(*size))
    assert time.process_time() - start < 0.5, "no pixel is decoded"


def test_damaged_bytes_are_refused_or_decoded_and_nothing_else() -> None:
    rng = random.Random(3)
    sources = [
        saved(gradient(), "PNG", exif=exif(6)),
        saved(gradient(), "JPEG", exif=exif(3)),
        saved(gradient("RGBA"), "WEBP", exif=exif(8)),
        saved(gradient("P"), "PNG", transparency=3),
    ]
    refused = 0
    for _ in range(1500):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.choice((1, 2, 8))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.randrange(len(data)) :][: rng.randrange(6)]
        try:
            assert decode(bytes(data)).mode == "RGB"
        except ImageError:
            refused += 1
    assert 100 < refused < 1500


def test_png_keeps_every_pixel_and_nothing_else() -> None:
    image = gradient()
    image.info["comment"] = "secret"
    data = encode_png(image)
    assert decode(data).tobytes() == image.tobytes()
    assert b"secret" not in data and encode_png(image) == data


def test_base64_is_read_with_and_without_its_prefix() -> None:
    data = saved(gradient())
    text = base64.b64encode(data).decode()
    for form in (text, text.encode(), f"data:image/png;base64,{text}", f"{text[:40]}\n{text[40:]}\n"):
        assert from_base64(form) == data
    for broken in ("abc", "data:image/png;base64,abcde"):
        with pytest.raises(ImageError, match="not base64"):
            from_base64(broken)


def test_files_and_bytes_are_read_as_they_are_and_a_missing_file_is_an_image_error(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"123")
    assert FileImage(path).read() == BytesImage(b"123").read() == b"123"
    with pytest.raises(ImageError, match=r"b\.png: cannot be read: No such file"):
        FileImage(tmp_path / "b.png").read()
    with pytest.raises(ImageError, match="cannot be read: Is a directory"):
        FileImage(tmp_path).read()
    assert sha256(b"123") == hashlib.sha256(b"123").hexdigest()


def test_an_atomic_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for data in (b"x" * 100_000, b"", b"short"):
        write_atomic(path, data)
        assert path.read_bytes() == data and list(tmp_path.iterdir()) == [path]


def test_an_atomic_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.mkdir()  # the rename over a directory fails, after the temporary file was written
    with pytest.raises(OSError, match="directory"):
        write_atomic(path, b"data")
    assert list(tmp_path.iterdir()) == [path] and path.is_dir()
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "absent" / "a.png", b"data")


WRITER = """
import sys
from pathlib import Path
from editeval.files import write_atomic
path, n = Path(sys.argv[1]), 0
while True:
    n = (n + 1) % 250
    write_atomic(path, bytes([n]) * 3_000_000)
    print(".", end="", flush=True)
"""


def test_a_writer_that_is_killed_never_leaves_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(3)
        time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
    data = path.read_bytes()
    assert len(data) == 3_000_000 and data == data[:1] * len(data)


def texts() -> PngInfo:
    found = PngInfo()
    found.add_text("parameters", "a secret prompt", zip=True)
    return found


PLAIN = {
    "png": saved(gradient()),
    "palette": saved(gradient("P")),
    "sixteen bit": saved(Image.new("I;16", (9, 9), 999)),
    "jpeg": saved(gradient(), "JPEG"),
    "progressive": saved(gradient(), "JPEG", progressive=True),
    "cmyk": saved(gradient("CMYK"), "JPEG"),
    "webp": saved(gradient(), "WEBP"),
    "lossless": saved(gradient("RGBA"), "WEBP", lossless=True),
    "lossy with alpha": saved(gradient("RGBA"), "WEBP"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_file_of_pixels_alone_is_plain_until_something_follows_or_is_lost(name: str) -> None:
    data = PLAIN[name]
    assert is_plain(data)
    assert not is_plain(data + b"PK\x03\x04") and not is_plain(data[:-3]) and not is_plain(data[:20])


@pytest.mark.parametrize(
    "data",
    [
        saved(gradient(), pnginfo=texts()),
        saved(gradient(), exif=exif(1)),
        saved(gradient(), icc_profile=b"a name"),
        saved(gradient(), "JPEG", exif=exif(1)),
        saved(gradient(), "JPEG", icc_profile=b"a name"),
        saved(gradient(), "JPEG", comment=b"secret"),
        saved(gradient(), "JPEG", xmp=b"<x/>"),
        saved(gradient(), "WEBP", exif=exif(1)),
        saved(gradient(), "WEBP", xmp=b"<x/>"),
        saved(gradient(), save_all=True, append_images=[gradient()]),
        saved(gradient(), "WEBP", save_all=True, append_images=[marked().resize((40, 24))]),
        PLAIN["png"][:-12] + b"\0\0\0\x06IENDsecret\0\0\0\0",
        PLAIN["jpeg"][:-2] + b"\xff\xfe\0\x08secret\xff\xd9",
        b"GIF89a",
        b"",
    ],
)
def test_texts_profiles_frames_and_whatever_else_a_file_may_hold_are_not_plain(data: bytes) -> None:
    assert not is_plain(data)


def test_a_large_picture_is_converted_in_strips_and_has_the_same_pixels() -> None:
    for mode in ("RGBA", "LA", "P", "CMYK", "L", "1"):
        image = gradient("RGBA").convert(mode).resize((1400, 900))
        small = [normalised(image.crop((0, top, 1400, top + 100))) for top in range(0, 900, 100)]
        whole = normalised(image)
        assert all(whole.crop((0, 100 * i, 1400, 100 * i + 100)).tobytes() == s.tobytes() for i, s in enumerate(small))
    grey = Image.new("I;16", (1400, 900), 257 * 77)
    assert normalised(grey).getcolors() == [(1400 * 900, (77, 77, 77))]


def test_a_picture_that_would_take_more_than_the_budget_is_refused_with_its_numbers() -> None:
    budget = DecodingBudget(64 << 20)
    with pytest.raises(ImageTooLargeError, match=r"image of 4000x4000 in \d+ bytes: 183 MiB to decode, and 64 MiB are"):
        budget.room(bomb(4000, 4000)).__enter__()
    with pytest.raises(ImageError), budget.room(b"no picture"):
        pass
    with budget.room(PLAIN["png"]):
        assert decode(PLAIN["png"]).size == (40, 24)


def test_threads_together_stay_within_the_budget() -> None:
    budget, lock = DecodingBudget(30 << 20), threading.Lock()
    data = bomb(1000, 1000)  # 11 MiB each
    inside, most = 0, 0

    def use(_: int) -> None:
        nonlocal inside, most
        with budget.room(data):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(24)))
    assert most == 2


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/hostname")])
def test_what_is_no_regular_file_is_no_picture(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(ImageError):
        read_file(tmp_path / "a.png")
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ImageError, match="134217729 bytes, an image file has at most 134217728"):
        FileImage(tmp_path / "b.png").read()
    with pytest.raises(ImageError, match="null"):
        FileImage(tmp_path / "\0").read()
