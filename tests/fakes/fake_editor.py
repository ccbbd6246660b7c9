"""An editor that does as its parameters say: sleeps, fails, dies, hangs. Loaded by its dotted path."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from editeval.errors import EditRefusedError
from editeval.images import decode
from editeval.types import Editor, EditRequest, Facts, Progress


@dataclass(frozen=True)
class FakeParams:
    seconds: float = 0.0  # per edit
    steps: int = 1  # in which an edit spends them
    load_seconds: float = 0.0
    slow: dict[str, float] = field(default_factory=dict)  # request key -> seconds
    refuse: list[str] = field(default_factory=list)  # keys that are refused
    raises: list[str] = field(default_factory=list)  # keys that raise RuntimeError
    kills: list[str] = field(default_factory=list)  # keys whose worker dies, every time
    kills_once: list[str] = field(default_factory=list)  # keys whose worker dies the first time (needs notes)
    hangs_once: list[str] = field(default_factory=list)  # keys that hang the first time (needs notes)
    notes: str = ""  # folder for one file per load and per first time
    out_of_memory: dict[str, int] = field(default_factory=dict)  # key -> how many times (needs notes)
    device_error_once: list[str] = field(
        default_factory=list
    )  # keys that break the device the first time (needs notes)
    babbles_once: dict[str, str] = field(default_factory=dict)  # key -> header sent out of turn (needs notes)
    cannot_load: str = ""  # message of the error that load raises
    prints: int = 0  # lines per edit
    facts: dict[str, Any] = field(default_factory=dict)  # what it says of itself; sound or not


class FakeEditor(Editor):
    Params = FakeParams
    params: FakeParams
    default_device = "cpu"
    _is_poisoned = False

    def load(self, device: str) -> None:
        self._note(f"load-{os.getpid()}-{time.time():.6f}")
        if self.params.cannot_load:
            raise RuntimeError(self.params.cannot_load)
        time.sleep(self.params.load_seconds)
        self._note(f"loaded-{os.getpid()}-{time.time():.6f}")

    def facts(self) -> Facts:
        return self.params.facts

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        key = request.key
        if key in self.params.refuse:
            raise EditRefusedError("I would rather not")
        self._break(key)
        if key in self.params.raises:
            raise RuntimeError(f"cannot edit {key}")
        if key in self.params.kills or (key in self.params.kills_once and self._first(key)):
            os.kill(os.getpid(), signal.SIGKILL)
        if key in self.params.babbles_once and self._first(key):
            header = self.params.babbles_once[key].encode()
            os.write(int(sys.argv[1]), len(header).to_bytes(4, "big") + bytes(4) + header)
        if key in self.params.hangs_once and self._first(key):
            time.sleep(60)
        sys.stdout.write("".join(f"line {number} of {key}\n" for number in range(self.params.prints)))
        for step in range(self.params.steps):
            time.sleep(self.params.slow.get(key, self.params.seconds) / self.params.steps)
            progress(step + 1, self.params.steps)
        image = decode(request.images[0])
        image.putpixel((0, 0), (request.seed % 256, request.seed // 256 % 256, len(request.instruction) % 256))
        return image

    def _break(self, key: str) -> None:
        """As torch does it: both classes are known by their names, and after a device error nothing works any more."""
        if self._is_poisoned or (key in self.params.device_error_once and self._first(key)):
            self._is_poisoned = True
            raise type("AcceleratorError", (RuntimeError,), {})("CUDA error: an illegal memory access was encountered")
        for count in range(self.params.out_of_memory.get(key, 0)):
            if self._first(f"{key}-{count}"):
                raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2.00 GiB")

    def _first(self, key: str) -> bool:
        path = Path(self.params.notes) / f"first-{key.replace('/', '_')}"
        if path.exists():
            return False
        path.touch()
        return True

    def _note(self, name: str) -> None:
        if self.params.notes:
            (Path(self.params.notes) / name).touch()
