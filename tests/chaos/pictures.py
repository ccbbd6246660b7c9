"""Hostile pictures: bombs, ruins, files that are two things at once, and what hides beside the pixels.

Each goes where pictures of strangers go: header, decoding for editors and judges, thumbnails and full-size pictures of
a report. It is decoded, or it costs its own sample; nothing else of it is ever shown; memory stays bounded.
"""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chaos.boundary import PEAK_MIB, Boundary
from chaos.family import Family, Figures, Goal, Options, conduct
from chaos.forks import Finding, in_child
from chaos.layer import Layer
from editeval.benchmarks._files import FolderImage
from editeval.errors import ImageError
from editeval.images import decode, sha256
from editeval.reports.site.thumbnails import Found, ThumbnailStore

CANARY = b"canary in the coal mine"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
Make = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Picture:
    """One file. `num` of them are looked at by as many threads."""

    name: str
    make: Make
    num: int = 1

    def __str__(self) -> str:
        return f"picture {self.name}" + (f", {self.num} at once" if self.num > 1 else "")


def small(mode: str = "RGB") -> Image.Image:
    return Image.linear_gradient("L").resize((48, 32)).convert(mode)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png(width: int, height: int, *extra: bytes, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    """A PNG of one colour whose compressed size is a thousandth of what it declares; `extra` chunks before the data."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = 1 + (width * channels * depth + 7) // 8
    rows = min(height, 200_000_000 // row) + 2 * interlace  # a hostile file need not be whole
    packer = zlib.compressobj(1)
    parts = [packer.compress(bytes(row * min(64, rows - at))) for at in range(0, rows, 64)]
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    body = chunk(b"IDAT", b"".join([*parts, packer.flush()]))
    first = header(width, height, depth, colour, interlace)
    return SIGNATURE + first + palette + b"".join(extra) + body + chunk(b"IEND", b"")


def text_bomb(kind: bytes, count: int, size: int) -> bytes:
    packed = zlib.compress(bytes(size), 1)
    before = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind]
    return png(8, 8, *[chunk(kind, before + packed)] * count)


def with_texts() -> bytes:
    info = PngInfo()
    info.add_text("parameters", CANARY.decode())
    info.add_itxt("prompt", CANARY.decode())
    return saved(small(), pnginfo=info)


def exif(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010E] = orientation, CANARY.decode()
    found.get_ifd(0x8825)[1] = "N"
    return found


def webp_header(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + size + b"VP8L" + struct.pack("<I", 5) + b"\x2f" + bytes(5)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def frames(kind: str, count: int) -> bytes:
    return saved(small(), kind, save_all=True, append_images=[small().rotate(n) for n in range(1, count)])


def spliced(data: bytes, at: int, extra: bytes) -> bytes:
    return data[:at] + extra + data[at:]


JPEG, WEBP, PNG = (partial(saved, small(), kind) for kind in ("JPEG", "WEBP", "PNG"))
ICC = b"\0\0\0\x80" + CANARY + bytes(128)
PICTURES: dict[str, Make] = {
    # declared sizes
    "64 Mpx of RGB": lambda: png(8000, 8000),
    "64 Mpx of RGBA": lambda: png(8000, 8000, colour=6),
    "64 Mpx of 16-bit RGBA": lambda: png(8000, 8000, depth=16, colour=6),
    "50 Mpx of 16-bit grey": lambda: png(7100, 7100, depth=16, colour=0),
    "30 Mpx interlaced": lambda: png(5500, 5500, interlace=1),
    "40 Mpx of a palette with transparency": lambda: png(6300, 6300, chunk(b"tRNS", bytes(256)), colour=3),
    "400 Mpx of 1 bit": lambda: png(20_000, 20_000, depth=1, colour=0),
    "one row of 60 million": lambda: png(60_000_000, 1, colour=0),
    "one column of 60 million": lambda: png(1, 60_000_000, colour=0),
    "2^31 - 1 squared": lambda: SIGNATURE + header(2**31 - 1, 2**31 - 1) + PNG()[33:],
    "no width": lambda: png(0, 8),
    "no height": lambda: png(8, 0),
    "WebP that declares 16383 squared": lambda: webp_header(16383, 16383),
    "WebP that declares 2^24 by 1": lambda: webp_header(2**24, 1),
    "30 Mpx JPEG": lambda: saved(Image.new("RGB", (5500, 5500)), "JPEG"),
    "30 Mpx progressive JPEG": lambda: saved(Image.new("RGB", (5500, 5500)), "JPEG", progressive=True, subsampling=0),
    "20 Mpx WebP": lambda: saved(Image.new("RGB", (4500, 4500)), "WEBP", method=0),
    "25 Mpx CMYK JPEG": lambda: saved(Image.new("CMYK", (5000, 5000)), "JPEG"),
    # texts and profiles that unpack
    "64 deep zTXt": lambda: text_bomb(b"zTXt", 64, 1 << 20),
    "200 deep iTXt": lambda: text_bomb(b"iTXt", 200, 1 << 20),
    "one zTXt of 256 MiB": lambda: text_bomb(b"zTXt", 1, 256 << 20),
    "iCCP of 256 MiB": lambda: text_bomb(b"iCCP", 1, 256 << 20),
    "100,000 empty texts": lambda: png(8, 8, *[chunk(b"tEXt", b"a\0")] * 100_000),
    # what is not pixels
    "prompts in PNG texts": with_texts,
    "EXIF with GPS in a PNG": lambda: saved(small(), exif=exif()),
    "EXIF with GPS in a JPEG": lambda: saved(small(), "JPEG", exif=exif()),
    "EXIF with GPS in a WebP": lambda: saved(small(), "WEBP", exif=exif()),
    "EXIF that turns": lambda: saved(small(), "JPEG", exif=exif(6)),
    "EXIF that is damaged": lambda: saved(small(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + CANARY),
    "XMP in a JPEG": lambda: saved(small(), "JPEG", xmp=CANARY),
    "XMP in a WebP": lambda: saved(small(), "WEBP", xmp=CANARY),
    "ICC profile with a name": lambda: saved(small(), "JPEG", icc_profile=ICC),
    "ICC profile in a PNG": lambda: saved(small(), icc_profile=ICC),
    "comment in a JPEG": lambda: saved(small(), "JPEG", comment=CANARY),
    "unknown segment in a JPEG": lambda: spliced(JPEG(), 2, b"\xff\xed" + struct.pack(">H", len(CANARY) + 2) + CANARY),
    "private chunk in a PNG": lambda: spliced(PNG(), 33, chunk(b"prVt", CANARY)),
    "content in IEND": lambda: PNG()[:-12] + chunk(b"IEND", CANARY),
    "bytes behind a PNG": lambda: PNG() + CANARY,
    "bytes behind a JPEG": lambda: JPEG() + CANARY,
    "bytes behind a WebP": lambda: WEBP() + CANARY,
    "zip behind a PNG": lambda: PNG() + b"PK\x03\x04" + CANARY + b"PK\x05\x06" + bytes(18),
    "HTML behind a JPEG": lambda: JPEG() + b"<script>" + CANARY + b"</script>",
    # other kinds under these names
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "HTML": lambda: b"<!doctype html><script>alert(1)</script>",
    "GIF": lambda: saved(small(), "GIF"),
    "TIFF": lambda: saved(small(), "TIFF"),
    "BMP": lambda: saved(small(), "BMP"),
    "EPS that asks for Ghostscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
    "ICO": lambda: saved(small(), "ICO"),
    "WAV": lambda: b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + bytes(28),
    "a PNG in name only": lambda: SIGNATURE + CANARY,
    "nothing": lambda: b"",
    # frames
    "APNG": lambda: frames("PNG", 6),
    "animated WebP": lambda: frames("WEBP", 6),
    "MPO": lambda: frames("MPO", 3),
    # ruins
    "PNG cut in its data": lambda: PNG()[:70],
    "JPEG cut in its data": lambda: JPEG()[:300],
    "WebP cut in its data": lambda: WEBP()[:40],
    "PNG with a wrong checksum": lambda: spliced(PNG()[:-20], 60, b"\0\1"),
    "PNG without data": lambda: SIGNATURE + header(8, 8) + PNG()[-12:],
    "PNG with two headers": lambda: spliced(PNG(), 33, PNG()[8:33]),
    "PNG chunk of 4 GiB": lambda: spliced(PNG(), 33, b"\xff\xff\xff\xffIDAT"),
    "JPEG of markers only": lambda: b"\xff\xd8" + b"\xff\xe0\0\2" * 50_000 + b"\xff\xd9",
    "JPEG of fill bytes": lambda: b"\xff\xd8" + b"\xff" * 500_000,
    "JPEG without tables": lambda: JPEG().replace(b"\xff\xdb", b"\xff\xfe"),
    "WebP with a chunk that ends outside": lambda: WEBP()[:16] + b"\xff\xff\xff\x7f" + WEBP()[20:],
    # sound ones, so that refusing everything is no answer
    "16-bit grey": lambda: saved(Image.new("I;16", (40, 40), 30_000)),
    "CMYK": lambda: saved(small("CMYK"), "JPEG"),
    "grey with alpha": lambda: saved(small("LA")),
}
SOUND = {
    *("prompts in PNG texts", "XMP in a JPEG", "XMP in a WebP", "comment in a JPEG", "bytes behind a PNG", "APNG"),
    *("bytes behind a JPEG", "animated WebP", "16-bit grey", "CMYK", "grey with alpha", "EXIF that turns"),
    *("EXIF with GPS in a PNG", "EXIF with GPS in a JPEG", "EXIF with GPS in a WebP", "30 Mpx interlaced", "MPO"),
}
"""Those that must be decoded and shown."""
AT_ONCE = ("64 Mpx of RGBA", "30 Mpx interlaced", "20 Mpx WebP", "64 deep zTXt", "30 Mpx progressive JPEG")


def plan() -> Iterator[Picture]:
    """Every picture once, and the largest by eight threads, as a report does it."""
    yield from (Picture(name, make) for name, make in PICTURES.items())
    yield from (Picture(name, PICTURES[name], 8) for name in AT_ONCE)


def trial(picture: Picture, folder: Path) -> Finding:
    """Put it where pictures are looked for, and look."""
    data_set, run = folder / "photos", folder / "run"
    data_set.mkdir()
    (run / "report").mkdir(parents=True)
    in_child(lambda: str((data_set / "0.png").write_bytes(picture.make())))  # what making it takes is not counted
    data = (data_set / "0.png").read_bytes()
    for number in range(1, picture.num):
        (data_set / f"{number}.png").write_bytes(data)
    sources = [FolderImage(str(data_set.resolve()), f"{number}.png") for number in range(picture.num)]
    with Boundary(folder) as boundary:
        store, violations = ThumbnailStore(run), []
        with ThreadPoolExecutor(picture.num) as pool:
            shown = list(pool.map(lambda one: store.add(Found(one.name, one, one, None, None, sha256(data))), sources))
    violations += boundary.violations()
    violations += [f"{path.name} shows what is no pixel" for path in _files(run) if CANARY in path.read_bytes()]
    violations += [f"{path.name} is no picture that a browser shows" for path in _files(run) if not _is_picture(path)]
    if picture.name in SOUND and any(one.source is None for one in shown):
        violations.append("sound, and not shown")
    if picture.num == 1 and len(data) < 1 << 20 and not picture.name.startswith(("64", "50")):
        violations += _decoded(data)  # as a worker does, which has a process and a limit of its own
    return Finding(str(picture), violations, {"shown": sum(one.source is not None for one in shown)})


def _decoded(data: bytes) -> list[str]:
    began = time.process_time()
    try:
        decode(data)
    except ImageError as error:
        return ["its message has several lines"] if "\n" in str(error) else []
    return ["took more than 20 s of computing"] if time.process_time() - began > 20 else []


def _files(run: Path) -> list[Path]:
    return [path for folder in ("pictures", "thumbs") for path in sorted((run / "report").glob(f"{folder}/*"))]


def _is_picture(path: Path) -> bool:
    with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
        image.load()
        return getattr(image, "n_frames", 1) == 1 and not image.info.get("exif")


def hostile_pictures(layer: Layer, options: Options) -> Figures:
    """Every picture there is."""
    del layer
    figures = conduct(list(plan()), trial, options)
    figures.details["peak below, MiB"] = PEAK_MIB
    return figures


FAMILY = Family("hostile pictures", hostile_pictures, Goal(200, 60), Goal(200, 60), num_to_catch=200, per_core=1)
