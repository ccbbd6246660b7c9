"""An editor whose pixels follow from seed, instruction and weights alone, and that breaks as its script says.

A script is a folder with `fates.json`, {sample id: [fate of the first attempt, of the second, ...]}; what was attempted
is noted there, across processes. After its last fate a sample is edited as usual.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editeval.errors import EditRefusedError
from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress

HANG_S = 600.0
SLOW_S = 0.4
GARBAGE = {
    "garbage": b"\xff" * 64,
    "garbage-http": b"HTTP/1.1 200 OK\r\n\r\n",
    "garbage-cut": b"\0\0\0\x20\0\0\0\1",
}
FRAMES: dict[str, Any] = {
    "frame-empty": {},
    "frame-unknown": {"type": "gossip"},
    "frame-stranger": {"type": "result", "key": "nobody", "width": 1, "height": 1, "flags": []},
    "frame-half": {"type": "done"},
    "frame-ready": {"type": "ready"},
}
OUTPUTS: dict[str, Any] = {
    "nothing": lambda: None,
    "text": lambda: "an image",
    "nan": lambda: np.full((6, 8, 3), np.nan),
}
SIGNALS = {"kill": signal.SIGKILL, "abort": signal.SIGABRT, "bus": signal.SIGBUS, "stop": signal.SIGSTOP}


@dataclass(frozen=True)
class TinyEditorParams:
    script: str = field(default="", metadata={"identity": False})
    checkpoint: str = ""  # folder with weights.bin; empty: it has none


class TinyEditor(Editor):
    Params = TinyEditorParams
    params: TinyEditorParams
    default_device = "cpu"
    _is_poisoned = False

    def load(self, device: str) -> None:
        folder = self.params.script
        self._fates = json.loads((Path(folder) / "fates.json").read_text()) if folder else {}
        self._weights = weights_in(self.params.checkpoint)

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        note(self.params.script, request.key)
        if request.key == "refused":
            raise EditRefusedError("I would rather not")
        if request.key == "broken":
            raise RuntimeError("cannot edit this")
        fate = self._fate(request.key)
        if fate in OUTPUTS:
            return OUTPUTS[fate]()
        self._meet(fate)
        progress(1, 1)
        return painted(request.images[0], request.seed, request.instruction, self._weights)

    def _fate(self, key: str) -> str:
        fates = self._fates.get(key, [])
        return next((fate for number, fate in enumerate(fates) if _first(self.params.script, key, number)), "")

    def _meet(self, fate: str) -> None:
        if self._is_poisoned or fate == "device_lost":
            self._is_poisoned = True
            raise type("AcceleratorError", (RuntimeError,), {})("CUDA error: an illegal memory access was encountered")
        if fate in SIGNALS:
            os.kill(os.getpid(), SIGNALS[fate])
        elif fate == "segv":
            ctypes.string_at(0)
        elif fate.startswith("exit"):
            os._exit(int(fate.removeprefix("exit")))
        elif fate == "hang":
            time.sleep(HANG_S)
        elif fate == "slow":
            time.sleep(SLOW_S)
        elif fate in GARBAGE or fate in FRAMES:
            self._babble(fate)
        else:
            self._raise(fate)

    def _raise(self, fate: str) -> None:
        if fate == "oom":
            raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2.00 GiB")
        if fate == "memory":
            raise MemoryError
        if fate == "exception":
            raise RuntimeError("something else went wrong")

    def _babble(self, fate: str) -> None:
        """Into the middle of the worker's own conversation."""
        header = json.dumps(FRAMES[fate]).encode() if fate in FRAMES else b""
        data = GARBAGE[fate] if fate in GARBAGE else len(header).to_bytes(4, "big") + bytes(4) + header
        os.write(int(sys.argv[1]), data)
        if fate == "garbage-cut":
            time.sleep(0.05)
            os._exit(0)


def weights_in(checkpoint: str) -> bytes:
    """What the editor learnt."""
    return (Path(checkpoint) / "weights.bin").read_bytes() if checkpoint else b""


def painted(source: bytes, seed: int, instruction: str, weights: bytes = b"") -> Image.Image:
    """The edit of `source`."""
    image = decode(source)
    digest = hashlib.sha256(f"{seed} {instruction}".encode() + weights).digest()
    for place in range(8):
        image.putpixel((place, place % 6), (digest[place], digest[place + 8], digest[place + 16]))
    return image


def note(folder: str, key: str) -> None:
    """The attempt is on record, whatever comes of it."""
    if folder:
        descriptor = os.open(Path(folder) / "executions", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(descriptor, f"{key}\n".encode())
        os.close(descriptor)


def _first(folder: str, key: str, number: int) -> bool:
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    try:
        (Path(folder) / f"fate-{name}-{number}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
