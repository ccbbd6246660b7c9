"""The file layer of shim.c from Python: build it, watch a directory, aim at one call, read what was recorded."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACTIONS = {"before": 1, "after": 2, "middle": 3, "fail": 4, "short": 5, "full": 6}
_SOURCE = Path(__file__).with_name("shim.c")
_HEAD = struct.Struct("=IiqQ")
_LOADED = "CHAOS_LAYER"


@dataclass(frozen=True, slots=True)
class Point:
    """One fault: what happens to the `occurrence`-th call of this kind on files of this role."""

    kind: str
    role: str
    occurrence: int
    action: str  # of ACTIONS
    error: str = ""  # name of an errno; for "fail" and "full"
    is_sticky: bool = False  # from then on every call that would change the disk fails
    percent: int = 50  # of a write that is done in part

    def __str__(self) -> str:
        how = f"{self.action} {self.error}".strip() + (" and stays" if self.is_sticky else "")
        part = f" ({self.percent} %)" if self.action in ("middle", "short", "full") else ""
        return f"{self.kind} of {self.role} #{self.occurrence}: {how}{part}"


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call that succeeded, or a mark."""

    kind: str  # create empty open close data fsync resize lock rename unlink mkdir symlink mark
    role: str
    path: str  # of a mark: its text
    other: str  # rename: the new name; symlink: the target
    fd: int
    offset: int  # of data; the new size of a resize
    data: bytes


def missing() -> str:
    """Why the layer cannot be used here; empty if it can."""
    if sys.platform != "linux":
        return "the file layer needs Linux"
    return "" if shutil.which("gcc") else "gcc is not installed"


def build(folder: Path) -> Path:
    """The compiled layer."""
    library = folder / "shim.so"
    command = ["gcc", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(_SOURCE)]
    subprocess.run([*command, "-lpthread"], check=True)
    return library


@contextlib.contextmanager
def built() -> Iterator[Path]:
    """The compiled layer, while inside."""
    with tempfile.TemporaryDirectory(prefix="chaos-layer-") as folder:
        yield build(Path(folder))


def is_loaded() -> bool:
    """Whether this process was started under the layer."""
    return _LOADED in os.environ


def environment(library: Path) -> dict[str, str]:
    """The environment of a program under the layer."""
    return {**os.environ, "LD_PRELOAD": str(library), _LOADED: str(library)}


class Layer:
    """The layer of this process, which was started with `environment`. Children made by fork inherit it."""

    def __init__(self) -> None:
        self._c = ctypes.CDLL(os.environ[_LOADED])
        os.environ.pop("LD_PRELOAD", None)  # worker processes do without it
        self._flag = mmap.mmap(-1, mmap.PAGESIZE)

    def raise_flag_here(self) -> None:
        """`has_fired` is about this process and its children from now on, and about nobody else."""
        self._flag = mmap.mmap(-1, mmap.PAGESIZE)  # survives a kill of the process that writes to it

    def watch(self, directory: Path, point: Point | None = None, trace: int = -1) -> None:
        """From now on calls below `directory` are counted; they go to the file descriptor `trace` if there is one."""
        self._flag[0:4] = bytes(4)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._flag))
        self._c.chaos_watch(os.fsencode(directory), trace, ctypes.c_void_p(address))
        if point is not None:
            number = getattr(errno, point.error) if point.error else 0
            self._c.chaos_aim(
                point.kind.encode(),
                point.role.encode(),
                point.occurrence,
                ACTIONS[point.action],
                number,
                int(point.is_sticky),
                point.percent,
            )

    def stop(self) -> None:
        self._c.chaos_stop()

    def counts(self) -> Iterator[tuple[str, str, int]]:
        """(kind, role, number of calls) of everything seen since `watch`."""
        kind, role = ctypes.create_string_buffer(16), ctypes.create_string_buffer(80)
        for number in range(100_000):
            count = self._c.chaos_counted(number, kind, role)
            if count < 0:
                return
            yield kind.value.decode(), role.value.decode(), count

    def mark(self, text: str) -> None:
        """A line in the record that no call made."""
        self._c.chaos_mark(text.encode())

    @property
    def has_fired(self) -> bool:
        """Whether the call that was aimed at was made."""
        return self._flag[0] != 0


def recorded(path: Path) -> Iterator[Call]:
    """What a trace holds, in order."""
    content = path.read_bytes()
    at = 0
    while at < len(content):
        length, fd, offset, size = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        kind, role, name, other, _ = content[at : at + length].decode("utf-8", "surrogateescape").split("\0")
        at += length
        yield Call(kind, role, name, other, fd, offset, content[at : at + size])
        at += size
