"""Hostile data files: manifests and records that are deep, huge, torn, badly encoded, or lead somewhere else.

Each is loaded as a run does it: samples, fingerprint, every image. It gives sound samples or one line; nothing outside
of its folder is opened, nothing waits, memory stays bounded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from chaos.boundary import PEAK_MIB, Boundary
from chaos.family import Family, Figures, Goal, Options, conduct
from chaos.forks import Finding
from chaos.layer import Layer
from editeval.benchmarks.image_folder import ImageFolder, ImageFolderParams
from editeval.benchmarks.json_records import JsonRecords, JsonRecordsParams
from editeval.errors import BenchmarkError, ImageError
from editeval.images import encode_png
from editeval.types import Benchmark

CANARY = "canary in the coal mine"
SPARSE = 1 << 30
Put = Callable[[Path], object]
"""Puts a data file at a path; what else it needs goes beside it."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """`name` of the file decides its reader: manifest.jsonl, manifest.csv, data.json, data.jsonl."""

    title: str
    name: str
    put: Put

    def __str__(self) -> str:
        return f"data file {self.title} ({self.name})"


def said(content: object) -> Put:
    """The file holds this: bytes, text, or a JSON value."""
    text = content if isinstance(content, bytes | str) else json.dumps(content)
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))


def row(**changes: object) -> dict[str, object]:
    """A line of a manifest."""
    return {"image": "sound.png", "instruction": "make it red", **changes}


def record(**changes: object) -> dict[str, object]:
    """A record of the v2 layout, its image beside it."""
    fields = {"id": "a", "original_image_path": "sound.png", "edit_instruction_en": "make it red"}
    return {**fields, "category": "c", **changes}


def sparse(head: bytes) -> Put:
    """A gigabyte that takes no room: `head`, then zeros."""

    def put(path: Path) -> None:
        path.write_bytes(head)
        os.truncate(path, SPARSE)

    return put


def linked(target: str, name: str = "link.png", beneath: str = "") -> Put:
    """A sound manifest that names a link out of the folder."""

    def put(path: Path) -> None:
        (path.parent / name).symlink_to(target.format(secret=path.parent.parent / "secret.png"))
        path.write_text(json.dumps(row(image=beneath or name)))

    return put


def special(make: Callable[[Path], object]) -> Put:
    """A sound manifest that names what is no file."""

    def put(path: Path) -> None:
        make(path.parent / "strange.png")
        path.write_text(json.dumps(row(image="strange.png")))

    return put


DEEP = "[" * 100_000 + "]" * 100_000
NESTED = json.loads("[" * 200 + "]" * 200)
ROWS: dict[str, Put] = {
    "deep nesting": said('{"image": "sound.png", "instruction": "x", "deep": ' + DEEP + "}"),
    "nested 200 levels": said(row(extra=NESTED)),
    "NaN": said('{"image": "sound.png", "instruction": "x", "score": NaN}'),
    "1e999": said('{"image": "sound.png", "instruction": "x", "score": 1e999}'),
    "a number of 100,000 digits": said('{"image": "sound.png", "instruction": "x", "n": ' + "9" * 100_000 + "}"),
    "duplicate keys": said('{"image": "/etc/passwd", "image": "sound.png", "instruction": "x"}'),
    "BOM": said(b"\xef\xbb\xbf" + json.dumps(row()).encode()),
    "UTF-16": said(json.dumps(row()).encode("utf-16")),
    "Latin-1": said(json.dumps(row(category="\xe9"), ensure_ascii=False).encode("latin-1")),
    "lone surrogate in a text": said('{"image": "sound.png", "instruction": "\\ud800"}'),
    "lone surrogate in an id": said('{"image": "sound.png", "instruction": "x", "id": "\\ud800"}'),
    "lone surrogate in a key": said('{"image": "sound.png", "instruction": "x", "\\ud800": 1}'),
    "lone surrogate in a category": said('{"image": "sound.png", "instruction": "x", "category": "\\udfff"}'),
    "null bytes": said(b'{"image": "so\\u0000und.png", "instruction": "x"}'),
    "raw null bytes": said(b"\0" * 5000),
    "a name with ..": said(row(image="../secret.png")),
    "a name with .. in it": said(row(image="x/../../secret.png")),
    "an absolute name": said(row(image="/etc/hostname")),
    "a file URL": said(row(image="file:///etc/hostname")),
    "an http URL": said(row(image="http://127.0.0.1:9/a.png")),
    "a Windows path": said(row(image="C:\\secret.png")),
    "a name of 300 characters": said(row(image="a" * 300 + ".png")),
    "a name of 70,000 characters": said(row(image="a/" * 35_000 + "b.png")),
    "a name that is a folder": said(row(image="folder")),
    "a name that is a number": said(row(image=7)),
    "an image that is a list": said(row(image=["sound.png"])),
    "images that hold an object": said(row(image=None, images=[{"a": 1}])),
    "10,000 images": said(row(image=None, images=["sound.png"] * 10_000)),
    "a link out": linked("{secret}"),
    "a link to a link out": linked("/proc/self/root/{secret}"),
    "a linked folder": linked("..", name="out", beneath="out/secret.png"),
    "a link to itself": linked("link.png"),
    "a link to /dev/zero": linked("/dev/zero"),
    "a link to /proc": linked("/proc/self/environ"),
    "a pipe": special(os.mkfifo),
    "a socket's place": special(lambda path: path.mkdir()),
    "a picture of 1 GiB": special(lambda path: (path.touch(), os.truncate(path, SPARSE))),
    "no object": said("7"),
    "an empty file": said(""),
    "a torn line": said(json.dumps(row())[:30]),
    "line separators": said('{"image": "sound.png", "instruction": "a\u2028b\u0085c"}'),
    "a line of 1 GiB": sparse(b'{"image": "sound.png", "instruction": "'),
    "zeros, 1 GiB": sparse(b""),
    "equal ids": said("\n".join(json.dumps(row(id=name)) for name in ("a", "A"))),
    "odd keys": said(row(**{"__class__": "os.system", "": 1, "a.b": {"c": None}})),
    "a link as manifest": lambda path: path.symlink_to(path.parent.parent / "secret.jsonl"),
    "a pipe as manifest": os.mkfifo,
    "a folder as manifest": lambda path: path.mkdir(),
    "a device as manifest": lambda path: path.symlink_to("/dev/zero"),
}
TABLES: dict[str, Put] = {
    "an open quote": said('image,instruction\nsound.png,"' + "x" * 300_000),
    "null bytes": said(b"image,instruction\nsound.png,a\0b\n"),
    "a formula": said("image,instruction\nsound.png,=cmd|' /C calc'!A0\n"),
    "a thousand columns": said(",".join(map(str, range(1000))) + "\n"),
    "equal columns": said("image,instruction,image\nsound.png,x,/etc/passwd\n"),
    "a cell too many": said("image,instruction\nsound.png,x,y\n"),
    "old line ends": said("image,instruction\rsound.png,x\r"),
    "UTF-16": said("image,instruction\nsound.png,x\n".encode("utf-16")),
    "a line of 1 GiB": sparse(b'image,instruction\nsound.png,"'),
    "a name with ..": said("image,instruction\n../secret.png,x\n"),
}
RECORDS: dict[str, Put] = {
    "deep nesting": said('[{"id": "a", "deep": ' + DEEP + "}]"),
    "nested 200 levels": said([record(extra=NESTED)]),
    "braces without end": said("[" + '{"a":' * 200_000),
    "lists without end": said('[{"a": [' + "[]," * 5_000_000),
    "NaN": said('[{"id": NaN}]'),
    "a number of 100,000 digits": said('[{"id": ' + "9" * 100_000 + "}]"),
    "duplicate groups": said('{"c": [' + json.dumps(record()) + '], "c": [' + json.dumps(record()) + "]}"),
    "UTF-16": said(json.dumps([record()]).encode("utf-16")),
    "lone surrogates": said('[{"id": "\\ud800", "edit_instruction_en": "\\udc00"}]'),
    "a name with ..": said([record(original_image_path="../secret.png")]),
    "an absolute name": said([record(original_image_path="/etc/hostname")]),
    "base64 that is none": said([record(src_img_b64="!" * 9000)]),
    "base64 of a bomb": said([record(src_img_b64="A" * 9_000_000)]),
    "a string that never ends": said('[{"id": "' + "\\" * 500_000),
    "1 GiB of a string": sparse(b'[{"id": "'),
    "1 GiB after a brace": sparse(b"[{"),
    "spaces, then nothing": said("[" + " " * 5_000_000),
    "a list of lists": said([[record()]]),
    "a text": said('"hello"'),
    "an empty file": said(""),
    "a key of 1 MB": said('[{"' + "k" * 1_000_000 + '": 1}]'),
    "an id that is an object": said([record(id={"a": 1})]),
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
}
SOUND = {"BOM", "duplicate keys", "line separators", "odd keys", "a formula", "10,000 images"}
"""Those that must give samples."""


def plan() -> Iterator[DataFile]:
    """Everything, by every reader that may meet it."""
    yield from (DataFile(title, "manifest.jsonl", put) for title, put in ROWS.items())
    yield from (DataFile(title, "manifest.csv", put) for title, put in TABLES.items())
    yield from (DataFile(title, "data.json", put) for title, put in RECORDS.items())


def trial(data_file: DataFile, folder: Path) -> Finding:
    """A folder with a sound picture, a secret beside it, and the file; then what a run asks of it."""
    place = folder / "set"
    (place / "folder").mkdir(parents=True)
    (place / "sound.png").write_bytes(encode_png(Image.new("RGB", (8, 8), "red")))
    secret = encode_png(Image.new("RGB", (8, 8), "blue")) + CANARY.encode()
    (folder / "secret.png").write_bytes(secret)
    (folder / "secret.jsonl").write_text(json.dumps(row(instruction=CANARY)))
    path = place / data_file.name
    data_file.put(path)
    is_folder = data_file.name.startswith("manifest")
    params = ImageFolderParams(str(place)) if is_folder else JsonRecordsParams(str(path))
    violations: list[str] = []
    with Boundary(place) as boundary:
        is_sound = _looked_at(ImageFolder(params) if is_folder else JsonRecords(params), violations)
    if data_file.title in SOUND and not is_sound:
        violations.append("sound, and refused")
    return Finding(str(data_file), violations + boundary.violations(), {"sound": int(is_sound)})


def _looked_at(benchmark: Benchmark, violations: list[str]) -> bool:
    """Whether it gives samples; what is wrong with them, or with the line that refuses it, is told."""
    try:
        samples = list(benchmark)
        benchmark.fingerprint()
    except BenchmarkError as error:
        violations += ["its message has several lines"] if "\n" in str(error).strip() else []
        violations += ["its message is longer than a screen"] if len(str(error)) > 4000 else []
        violations += ["its message holds the secret"] if CANARY in str(error) else []
        return False
    for sample in samples:
        violations += ["a text from outside"] if CANARY in sample.instruction else []
        json.dumps([sample.id, sample.instruction, dict(sample.metadata)]).encode()
        for image in (*sample.images[:10], sample.target, sample.mask):
            try:
                data = image.read() if image else b""
            except ImageError:
                continue
            violations += ["a picture from outside"] if CANARY.encode() in data else []
    return True


def hostile_data_files(layer: Layer, options: Options) -> Figures:
    """Every file there is."""
    del layer
    figures = conduct(list(plan()), trial, options)
    figures.details["peak below, MiB"] = PEAK_MIB
    return figures


FAMILY = Family("hostile data files", hostile_data_files, Goal(200, 80), Goal(200, 80), num_to_catch=200, per_core=2)
