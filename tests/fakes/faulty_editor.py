"""An editor that fails as machines and models do: signals, hangs, memory, broken devices, useless pictures."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress


@dataclass(frozen=True)
class FaultyParams:
    faults: dict[str, str] = field(default_factory=dict)  # request key -> fault, at every attempt
    once: dict[str, str] = field(default_factory=dict)  # ... at the first attempt only (needs notes)
    notes: str = ""  # folder with one file per first time
    seconds: float = 0.0  # per edit
    says: str = ""  # what `raise` raises
    echo: bool = False  # about half of the requests fail with their own instruction as the message
    load_fault: str = ""  # what happens to every worker that loads


class FaultyEditor(Editor):
    Params = FaultyParams
    params: FaultyParams
    default_device = "cpu"

    def load(self, device: str) -> None:
        if self.params.load_fault:
            self._suffer(self.params.load_fault, Image.new("RGB", (1, 1)))

    def edit(self, request: EditRequest, progress: Progress) -> Any:
        time.sleep(self.params.seconds)
        source = decode(request.images[0])
        fault = self.params.faults.get(request.key)
        if request.key in self.params.once and self._first(request.key):
            fault = self.params.once[request.key]
        if self.params.echo and zlib.crc32(request.key.encode()) % 2:
            raise RuntimeError(request.instruction)
        if fault:
            return self._suffer(fault, source)
        edited = source.copy()
        edited.putpixel((0, 0), (request.seed % 256, request.seed // 256 % 256, 7))
        edited.putpixel((1, 0), (255, 0, 255))
        return edited

    def _suffer(self, fault: str, source: Image.Image) -> Any:
        if fault.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, fault))
            time.sleep(0.2)  # a stopped process comes back from here when it is let go on
            return source
        if fault in PICTURES:
            return PICTURES[fault](source)
        FAULTS[fault](self.params)
        return source

    def _first(self, key: str) -> bool:
        path = Path(self.params.notes) / f"first-{key.replace('/', '_')}"
        if path.exists():
            return False
        path.touch()
        return True


def _deadlock(_: FaultyParams) -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _raise(params: FaultyParams) -> None:
    raise RuntimeError(params.says)


def _leak(_: FaultyParams) -> None:
    raise RuntimeError(f"401 for Authorization: Bearer {os.environ['IMAGES_KEY']}")


FAULTS: dict[str, Callable[[FaultyParams], object]] = {
    "null pointer": lambda _: ctypes.string_at(0),
    "exit 1": lambda _: os._exit(1),
    "exit 0": lambda _: os._exit(0),
    "deadlock": _deadlock,
    "interpreter held": lambda _: re.match("(a+)+$", "a" * 64 + "b"),  # no other thread runs until the end of time
    "sleep": lambda _: time.sleep(60),
    "raise": _raise,
    "leak": _leak,
}
PICTURES: dict[str, Callable[[Image.Image], Any]] = {
    "black": lambda source: Image.new("RGB", source.size),
    "white": lambda source: Image.new("RGB", source.size, "white"),
    "grey": lambda source: Image.new("L", source.size, 90),
    "unchanged": lambda source: source,
    "reencoded": lambda source: decode(_jpeg(source)),
    "rgba": lambda source: source.convert("RGBA"),
    "one pixel": lambda source: Image.new("RGB", (1, 1), "red"),
    "nothing": lambda _: None,
    "list": lambda source: [source],
    "array": lambda source: np.asarray(source),
    "nan": lambda source: np.full((*source.size, 3), np.nan),
    "empty": lambda _: Image.new("RGB", (0, 5)),
}


def _jpeg(image: Image.Image) -> bytes:
    import io

    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return buffer.getvalue()
